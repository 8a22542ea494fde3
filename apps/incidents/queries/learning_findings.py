"""What should not be so about learning: reviews and reports that are late, grave systems that nobody drilled."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.workdays import add_working_days
from apps.incidents.models import Exercise, Review
from apps.incidents.queries.drills import stale_by_unit
from apps.incidents.rules import Visibility
from apps.incidents.rules.drills import COUNTS_MONTHS
from apps.people.models import Person
from apps.registry.queries.succession import Succession, mandate_holder
from apps.registry.rules.breaches import Breach, Level, Severity

REVIEW_LATE = "review-overdue"
REPORT_LATE = "drill-report-overdue"
NO_TABLETOP = "drill-no-tabletop"
NO_STOP_TEST = "drill-no-stop-test"
# Working days after a drill for its report.
REPORT_WITHIN = 10
_MISSING = {NO_TABLETOP: "no tabletop", NO_STOP_TEST: "no live test of the stop"}


def learning_breaches(now: datetime) -> list[Breach]:
    """Every breach: one for each late review or report, and one for each unit head and kind of drill. Five queries."""
    holder = mandate_holder()
    if holder is None:
        return []
    return [*_reviews(now, holder), *_reports(now, holder), *_stale(now)]


def _here(facilitator: Person, holder: Person) -> UUID:
    """Who sees to it: the facilitator; once they have left, the holder of the mandate, who chooses another."""
    return facilitator.pk if facilitator.is_active else holder.pk


def _reviews(now: datetime, holder: Person) -> Iterator[Breach]:
    late = Review.objects.filter(state=Review.State.OPEN, due_on__lt=local_date(now))
    for review in late.select_related("incident", "facilitator").order_by("pk"):
        incident = review.incident
        # Whoever may open the system reads what is found about it: of an incident that is not open, only that a
        # review is late, and of a privileged one not even which.
        hidden = incident.visibility == Visibility.PRIVILEGED
        name = "a privileged incident" if hidden else incident.code
        yield Breach(
            check=REVIEW_LATE,
            level=Level.WARN,
            severity=Severity.HIGH if review.required_by else Severity.MEDIUM,
            subject=f"review:{incident.code}",
            title=f"The review of {name} was due on {day_words(review.due_on)}.",
            remedy="Sign it with causes and actions, or have somebody else facilitate it.",
            person_id=_here(review.facilitator, holder),
            system_id=None if incident.restricted else incident.system_id,
            path="/incidents/reviews/" if hidden else f"{incident.path}review/",
        )


def _reports(now: datetime, holder: Person) -> Iterator[Breach]:
    today = local_date(now)
    waiting = Exercise.objects.filter(state__in=["hotwash", "aar_draft"], ended_at__isnull=False)
    for exercise in waiting.select_related("facilitator").order_by("pk"):
        due = add_working_days(local_date(exercise.ended_at), REPORT_WITHIN) if exercise.ended_at else today
        if due < today:
            yield Breach(
                check=REPORT_LATE,
                level=Level.WARN,
                severity=Severity.MEDIUM,
                subject=f"exercise:{exercise.code}",
                title=f"The report of the drill {exercise.code} was due on {day_words(due)}.",
                remedy="Rate each objective, sum up what was seen, and sign it.",
                person_id=_here(exercise.facilitator, holder),
                path=exercise.path,
            )


def _stale(now: datetime) -> Iterator[Breach]:
    """One finding for each head of units, however many systems are below."""
    succession = Succession(now)
    counts: dict[tuple[str, UUID], int] = defaultdict(int)
    units: dict[tuple[str, UUID], set[int]] = defaultdict(set)
    names = {}
    for unit, no_tabletop, no_stop in stale_by_unit(now):
        heads = succession.heads(unit)
        if not heads:
            continue
        names[heads[0].pk] = heads[0].display_name
        for check, n in ((NO_TABLETOP, no_tabletop), (NO_STOP_TEST, no_stop)):
            if n:
                counts[check, heads[0].pk] += n
                units[check, heads[0].pk].add(unit)
    for (check, person), n in sorted(counts.items(), key=lambda one: (one[0][0], str(one[0][1]))):
        where = units[check, person]
        yield _of_head(check, person, names[person], n, next(iter(where)) if len(where) == 1 else None)


def _of_head(check: str, person: UUID, name: str, n: int, unit: int | None) -> Breach:
    systems = "1 high-risk or critical system" if n == 1 else f"{n:,} high-risk or critical systems"
    return Breach(
        check=check,
        level=Level.WARN,
        severity=Severity.MEDIUM,
        subject=f"head:{person}",
        title=f"{systems} in the units that {name} answers for had {_MISSING[check]} within {COUNTS_MONTHS} months.",
        remedy="Plan drills for them: several systems can be in one.",
        person_id=person,
        unit_id=unit,
        path="/incidents/drills/?tab=due",
    )

"""What the nightly look found: whether calling would work, by cause, and the findings that come of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, Q
from django.urls import reverse

from apps.incidents.models import EscalationPlan, Preflight
from apps.incidents.rules import Target
from apps.incidents.rules.plans import BUILT_IN, TARGET_WORDS, read_steps
from apps.people.models import Function, Person
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach, Level, Severity

PATH = "/incidents/preflight/"

# One row a cause, however many systems it concerns.
_CAUSES_SQL = """
SELECT f.fault ->> 'code', f.fault ->> 'person', f.fault ->> 'seat', (f.fault ->> 'plan')::bigint,
    (f.fault ->> 'step')::int, count(DISTINCT p.system_id), bool_or(s.tier IN ('critical', 'high'))
FROM incidents_preflight p JOIN registry_system s ON s.id = p.system_id
CROSS JOIN LATERAL jsonb_array_elements(p.faults) AS f(fault)
WHERE p.faults <> '[]'::jsonb
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3, 4, 5
"""


@dataclass(frozen=True)
class Cause:
    """Why calling would not work, and for how many live systems."""

    code: str
    person: Person | None
    seat: str
    plan: EscalationPlan | None
    step: int
    systems: int
    grave: bool

    @property
    def words(self) -> str:
        """The fact, in a sentence."""
        name = self.person.display_name if self.person else "Somebody"
        plan = f"“{self.plan.name}”" if self.plan else "the built-in plan"
        return {
            "no_card": "Nobody is named for some live systems.",
            "empty_step": f"Step {self.step} of {plan}{self._whom()} calls nobody: it would be skipped.",
            "vacant": f"The seat {self.seat} is called and is vacant.",
            "inactive": f"{name} is called and is not active any more.",
            "uncovered": f"{name} is called, is away, and nobody stands in.",
            "untested": f"{name} is called, and no channel of theirs was tested within 90 days.",
        }[self.code]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return {
            "no_card": "Look at the sweeps on the status page: cards are worked out again each five minutes.",
            "empty_step": "Name who is missing, such as a deputy, or change the plan.",
            "vacant": "Seat somebody, or change the plan.",
            "inactive": "Change the plan, or seat somebody else.",
            "uncovered": "Name a deputy in the profile, or a delegate for this absence.",
            "untested": "Send a test to a channel in the profile, and confirm that it came.",
        }[self.code]

    def _whom(self) -> str:
        """Whom the step would call, as the plan says it: ", the lead's deputy,". Empty for a step that is gone."""
        steps = read_steps(self.plan.steps) if self.plan else BUILT_IN.steps
        kinds = [aim.kind for aim in steps[self.step - 1].targets] if 0 < self.step <= len(steps) else []
        words = " and ".join(TARGET_WORDS[Target(kind)] for kind in kinds)
        return f", {words}," if words else ""

    @property
    def url(self) -> str:
        """Where it is put right; empty where that is not one page."""
        return reverse("incidents:plan", args=[self.plan.pk]) if self.plan else ""

    @property
    def subject(self) -> str:
        """What it is about, the same from one night to the next."""
        if self.code == "empty_step":
            return f"plan:{self.plan.pk if self.plan else 0}:{self.step}"
        return f"seat:{self.seat}" if self.code == "vacant" else f"person:{self.person.pk if self.person else '-'}"


def causes() -> list[Cause]:
    """Every cause, the widest first. Four queries, however many systems there are."""
    with connection.cursor() as cursor:
        cursor.execute(_CAUSES_SQL)
        rows = cursor.fetchall()
    people = Person.objects.select_related("line_manager").in_bulk({UUID(row[1]) for row in rows if row[1]})
    plans = EscalationPlan.objects.in_bulk({row[3] for row in rows if row[3]})
    seats = dict(Function.objects.values_list("code", "seat_title"))
    return [
        Cause(code, people.get(UUID(person)) if person else None, seats.get(seat, seat or ""), plans.get(plan),
              step or 0, systems, grave)
        for code, person, seat, plan, step, systems, grave in rows
    ]  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """How many live systems were looked at, for how many something is wrong, and when."""

    systems: int
    failing: int
    checked_at: datetime | None

    @property
    def ready(self) -> int:
        """For how many calling would work."""
        return self.systems - self.failing


def counts() -> Counts:
    """One query."""
    found = Preflight.objects.aggregate(
        systems=Count("system", distinct=True),
        failing=Count("system", distinct=True, filter=~Q(faults=[])),
        at=Max("checked_at"),
    )
    return Counts(found["systems"], found["failing"], found["at"])


def preflight_breaches(now: datetime) -> list[Breach]:
    """One breach for each cause, whatever the number of systems. A source of findings.

    Whom no tested channel reaches sees to it themselves; for who is away without cover their line manager does; for a
    vacant seat and a step that calls nobody the holder of the mandate. That nobody is named is another finding. The
    words hold no number: they would change each night, and each change is an event.
    """
    holder = mandate_holder()
    if holder is None:
        return []
    return [_breach(cause, sees_to_it(cause, holder)) for cause in causes() if cause.code != "no_card"]


def sees_to_it(cause: Cause, holder: Person) -> Person:
    """The one person who puts a cause right; `holder` is who holds the mandate."""
    person = cause.person
    if person is None:
        return holder
    if cause.code == "untested" and person.is_active:
        return person
    manager = person.line_manager
    return manager if cause.code == "uncovered" and manager is not None and manager.is_active else holder


def _breach(cause: Cause, person: Person) -> Breach:
    return Breach(
        check=f"preflight.{cause.code}",
        level=Level.WARN,
        severity=Severity.HIGH if cause.grave else Severity.MEDIUM,
        subject=cause.subject,
        title=cause.words,
        remedy=cause.remedy,
        person_id=person.pk,
        path="/profile/" if cause.code == "untested" else PATH,
    )

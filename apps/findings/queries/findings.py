"""Which findings somebody may see, what waits for them, and the tabs of the list."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.findings.models import WAITING, CorrectiveAction, Finding
from apps.people.models import Absence, Person
from apps.people.queries import Presence
from apps.registry.models import System
from apps.registry.queries import visible_systems


class Tab(StrEnum):
    """The parts of the list."""

    MINE = "mine"
    OVERDUE = "overdue"
    ALL = "all"
    ACCEPTED = "accepted"
    CLOSED = "closed"


def reads_all(actor: Person) -> bool:
    """Whether somebody reads what is about the organisation and its units, and lists beyond their own."""
    return may(actor, Permission.FINDINGS_READ_ALL)


def visible_findings(actor: Person) -> QuerySet[Finding]:
    """Every finding that a person may see.

    About a system: whoever may open that system. About a unit or the organisation: those who read all. Besides
    the people concerned: who puts it right or acts on it, who verifies, who reported it, the line manager of
    whoever is late with it, since it came up to them, and who may have to act for whoever puts it right.
    """
    if not actor.is_active:
        return Finding.objects.none()
    concerned = Q(pk__in=_concerning(actor))
    by_system = Q(system__in=visible_systems(actor))
    if reads_all(actor):
        return Finding.objects.filter(Q(system=None) | by_system | concerned)
    headed = Q(unit__head=actor)
    return Finding.objects.filter(by_system | headed | concerned)


def _concerning(actor: Person) -> QuerySet[Finding, int]:
    acts = CorrectiveAction.objects.filter(Q(person=actor) | Q(verifier=actor) | Q(done_by=actor))
    concerned = Q(person=actor) | Q(raised_by=actor) | Q(pk__in=acts.values("finding"))
    came_up = Q(person__line_manager=actor, step__gte=2)
    stands_in = Q(person__in=_away_from(actor), state__in=WAITING)
    return Finding.objects.filter(concerned | came_up | stands_in).values_list("pk", flat=True)


def _away_from(actor: Person) -> QuerySet[Absence, UUID]:
    """Those for whom the actor acts today, if nobody before them can; a day more on either side for every zone."""
    today = clock.now().astimezone(UTC).date()
    asked = Q(delegate=actor) | Q(Q(person__deputy=actor) | Q(person__line_manager=actor), kind=Absence.Kind.AWAY)
    days = Q(starts_on__lte=today + timedelta(days=1), ends_on__gte=today - timedelta(days=1))
    return Absence.objects.filter(asked, days, cancelled_at=None).values_list("person", flat=True)


def on_record(findings: QuerySet[Finding]) -> QuerySet[Finding]:
    """With what a list shows of each."""
    return findings.select_related("person", "system", "unit", "domain")


def open_findings(actor: Person) -> QuerySet[Finding]:
    """What waits for somebody among all that the actor may see, the earliest due date first."""
    return on_record(visible_findings(actor).filter(state__in=WAITING)).order_by("due_on", "pk")


def overdue(findings: QuerySet[Finding], today: date) -> QuerySet[Finding]:
    """Those that wait and whose due date has passed."""
    return findings.filter(state__in=WAITING, due_on__lt=today)


def open_for_system(system: System) -> QuerySet[Finding]:
    """What waits for somebody about one system. For readers who may open the system."""
    return on_record(Finding.objects.filter(system=system, state__in=WAITING)).order_by("due_on", "pk")


def findings_for(person: Person, now: datetime | None = None) -> QuerySet[Finding]:
    """What a person puts right: their own, and with `now` also that of those for whom they act today."""
    people = [person.pk]
    if now is not None:
        presence = Presence(now)
        away = [absence.person for absence in presence.absences.values()]
        people += [one.pk for one in away if presence.acting(one).acts.pk == person.pk]
    waiting = Finding.objects.filter(Q(person__in=people), state__in=WAITING)
    return on_record(waiting).order_by("due_on", "pk")


def planned_for(person: Person) -> QuerySet[CorrectiveAction]:
    """Actions that a person has still to do, the earliest first."""
    planned = CorrectiveAction.objects.filter(person=person, state=CorrectiveAction.State.PLANNED)
    return planned.select_related("finding__person").order_by("due_on", "pk")


def to_verify_by(person: Person) -> QuerySet[CorrectiveAction]:
    """Actions that wait for a person to verify them, the longest waiting first."""
    done = CorrectiveAction.objects.filter(verifier=person, state=CorrectiveAction.State.DONE)
    return done.select_related("finding", "done_by", "person").order_by("done_at", "pk")


def of_tab(actor: Person, tab: Tab, today: date) -> QuerySet[Finding]:
    """The findings of one tab, in the order in which somebody should look at them."""
    seen = visible_findings(actor)
    if tab == Tab.CLOSED:
        return seen.filter(state=Finding.State.CLOSED).order_by("-closed_at", "-pk")
    if tab == Tab.ACCEPTED:
        return seen.filter(state=Finding.State.ACCEPTED).order_by("accepted_until", "pk")
    waiting = seen.filter(state__in=WAITING).order_by("due_on", "pk")
    if tab == Tab.OVERDUE:
        return waiting.filter(due_on__lt=today)
    if tab == Tab.MINE:
        return _mine(waiting, actor)
    return waiting


def _mine(waiting: QuerySet[Finding], actor: Person) -> QuerySet[Finding]:
    """What the actor puts right, does or verifies, and what those do for whom they act today."""
    own = findings_for(actor, clock.now()).order_by().values("pk")
    states = CorrectiveAction.State
    todo = Q(person=actor, state=states.PLANNED) | Q(verifier=actor, state=states.DONE)
    acts = CorrectiveAction.objects.filter(todo, finding=OuterRef("pk"))
    return waiting.filter(Q(pk__in=own) | Exists(acts))

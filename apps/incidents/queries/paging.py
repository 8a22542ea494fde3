"""Who is called: the plan that stands for a system, the people of a step today, what a page about calling shows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from apps.common.errors import Refused
from apps.incidents.models import EscalationPlan, Incident, ResponseCard
from apps.incidents.queries.responder import Responder, responder
from apps.incidents.rules import Target
from apps.incidents.rules.plans import BUILT_IN, Aim, Plan, read_steps
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.models import System, Unit
from apps.registry.queries.succession import Succession, mandate_holder

log = structlog.get_logger(__name__)


def database_now() -> datetime:
    """The moment by the clock of the database: two hosts whose clocks differ agree on what is due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def plan_for(system: System | None, scenario: str) -> Plan:
    """The plan that stands for a system and scenario now; never fails.

    The most specific scope comes first (system, unit upward, organisation), then the scenario's own before one for
    any. Where nothing can be read the built-in plan stands: somebody is called in any case.
    """
    try:
        with transaction.atomic():
            return _plan_of(effective_plan(system, scenario)) or BUILT_IN
    except (DatabaseError, KeyError, TypeError, ValueError):
        log.exception("plan.unreadable", system=system.key if system else None)
        return BUILT_IN


def _plan_of(row: EscalationPlan | None) -> Plan | None:
    if row is None:
        return None
    scope = "system" if row.system_id else "unit" if row.unit_id else "organisation"
    return Plan(read_steps(row.steps), row.repeat, row.name, row.pk, scope)


def effective_plan(system: System | None, scenario: str) -> EscalationPlan | None:
    """The row of the plan that stands; None where not even the organisation has one. Two queries."""
    height = {unit: place for place, unit in enumerate(_upward(system.unit_id))} if system is not None else {}
    mine = Q(system=None, unit=None) | Q(unit__in=list(height))
    if system is not None:
        mine |= Q(system=system)
    rows = EscalationPlan.objects.filter(mine, valid_to=None, scenario__in={"", scenario})
    return min(rows, key=lambda row: (_rank(row, height), row.scenario == "", row.pk), default=None)


def _rank(row: EscalationPlan, height: dict[int, int]) -> int:
    if row.system_id:
        return -1
    return height[row.unit_id] if row.unit_id else len(height)


_UPWARD_SQL = """
WITH RECURSIVE up AS (
    SELECT id, parent_id, 0 AS height FROM registry_unit WHERE id = %s
    UNION ALL SELECT u.id, u.parent_id, up.height + 1 FROM registry_unit u JOIN up ON u.id = up.parent_id
)
SELECT id FROM up ORDER BY height
"""


def _upward(unit_id: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_UPWARD_SQL, [unit_id])
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True)
class Called:
    """One person whom a step calls, as what, and in whose place."""

    person: Person
    target: str
    stands_in_for: Person | None = None


@dataclass(frozen=True)
class Around:
    """The people around one incident, or one system, to whom a plan's targets refer."""

    lead: Person
    owner: Person
    deputy: Person | None
    unit_id: int | None

    @classmethod
    def of_incident(cls, incident: Incident) -> "Around":
        """As it is now: the one who leads now, their deputy for this, the owner of today."""
        system = incident.system
        owner = incident.owner
        if system is not None:
            owner = System.objects.select_related("owner").get(pk=system.pk).owner or owner
        return cls(incident.lead, owner, _deputy(incident), system.unit_id if system else None)

    @classmethod
    def of_system(cls, system: System, scenario: str, now: datetime) -> "Around":
        """As it would be if something were declared now. Raises Refused before the first start."""
        found: Responder = responder(system, scenario, now)
        return cls(found.lead, found.owner, found.deputy or found.lead.deputy, system.unit_id)


def _deputy(incident: Incident) -> Person | None:
    """Whom the card names as deputy where it names this lead; else the deputy in the lead's profile."""
    cards = ResponseCard.objects.filter(system=incident.system, scenario__in=[incident.scenario, ""])
    named = (
        cards.filter(lead=incident.lead, deputy__isnull=False).order_by("-scenario").values_list("deputy", flat=True)
    )
    found = Person.objects.filter(pk__in=named[:1]).first() if incident.system_id else None
    return found or incident.lead.deputy


class Roster:
    """Who is called by which target at a moment: active people who are here, or who stands in for them.

    Who said that they can't (`without`) is not called again. Each read is made once and only where it is needed.
    """

    def __init__(self, around: Around, now: datetime, *, without: frozenset[UUID] = frozenset()) -> None:
        self.around, self.now, self.without = around, now, without

    def people(self, aims: Sequence[Aim]) -> list[Called]:
        """Everybody whom these targets are today, each once, in their order."""
        meant = [(aim, list(self._meant(aim))) for aim in aims]
        presence = Presence.of([person for _, found in meant for person in found], self.now)
        called: dict[UUID, Called] = {}
        for aim, found in meant:
            one = self._first(aim, found, presence)
            if one is not None:
                called.setdefault(one.person.pk, one)
        return list(called.values())

    def _meant(self, aim: Aim) -> Iterator[Person]:
        around = self.around
        if aim.kind == Target.FUNCTION_HEAD:
            yield from self._heads()
            return
        meant: dict[Target, Callable[[], Person | None]] = {
            Target.LEAD: lambda: around.lead,
            Target.DEPUTY: lambda: around.deputy,
            Target.OWNER: lambda: around.owner,
            Target.MANAGER: lambda: around.lead.line_manager,
            Target.SEAT: lambda: _holder(aim.seat),
            Target.PERSON: lambda: Person.objects.filter(pk=aim.person).first(),
        }
        found = meant[Target(aim.kind)]()
        if found is not None:
            yield found

    def _heads(self) -> Iterable[Person]:
        if self.around.unit_id is None:
            holder = mandate_holder()
            return [holder] if holder else []
        try:
            return Succession(self.now).heads(self.around.unit_id)
        except Refused:
            return []

    def _first(self, aim: Aim, found: list[Person], presence: Presence) -> Called | None:
        # "The deputy" and those above are asked because the lead does not answer: never the lead again.
        another = aim.kind in {Target.DEPUTY, Target.MANAGER, Target.FUNCTION_HEAD}
        for person in found:
            one = self._able(person, aim, presence)
            if one is not None and not (another and one.person.pk == self.around.lead.pk):
                return one
        return None

    def _able(self, person: Person, aim: Aim, presence: Presence) -> Called | None:
        if person.pk in self.without:
            return None
        if presence.can_act(person):
            return Called(person, aim.kind)
        if not presence.is_away(person) or aim.kind == Target.FUNCTION_HEAD:
            return None  # inactive; or there is a head above
        acts = presence.acting(person).acts
        if acts.pk == person.pk or acts.pk in self.without or not presence.can_act(acts):
            return None
        return Called(acts, aim.kind, person)


def _holder(function: str) -> Person | None:
    seat = Seat.objects.filter(function_id=function).select_related("holder").first()
    return seat.holder if seat else None


def unit_choices() -> list[tuple[int, str]]:
    """Every unit by name, for a choice."""
    return list(Unit.objects.order_by("name").values_list("pk", "name"))

"""What the checks of the matrix have to know about people and seats, read once for any number of matrices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from apps.audit.models import AuditEvent
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.people.models import Person, RoleGrant, Seat, Training
from apps.people.queries import Presence
from apps.people.rules import RoleName
from apps.registry.models import GovernanceDomain, Mandate, RaciAcceptance
from apps.registry.queries.raci_scope import OWNER, Rows, Scope, scope_of
from apps.registry.rules.raci_checks.facts import FUNCTION, PERSON, Line, Party, Sheet, Waiting, Who

_LOADS = """
SELECT owner_id, count(*) FILTER (WHERE owner_basis = 'accepted'), count(*) FILTER (WHERE owner_basis = 'interim')
FROM registry_system WHERE stage NOT IN ('proposed', 'retired') GROUP BY owner_id
"""


class Facts:
    """People, seats, absences, trainings and loads at a moment: a fixed number of queries, each when first needed."""

    def __init__(self, now: datetime, *, with_loads: bool = True) -> None:
        self.now, self.today, self.with_loads = now, local_date(now), with_loads
        self._who: dict[UUID, Who] = {}
        self._parties: dict[str, Party] = {}

    @cached_property
    def domains(self) -> list[GovernanceDomain]:
        """Every row, in order."""
        return list(GovernanceDomain.objects.all())

    @cached_property
    def seats(self) -> dict[str, Seat]:
        """By function."""
        return {seat.function_id: seat for seat in Seat.objects.select_related("function", "holder")}

    @cached_property
    def people(self) -> dict[UUID, Person]:
        """Those whom somebody asked for with `read`, seat holders and their deputies."""
        return {}

    @cached_property
    def presence(self) -> Presence:
        return Presence(self.now)

    @cached_property
    def auditors(self) -> set[UUID]:
        """Who audits today."""
        grants = RoleGrant.objects.filter(role=RoleName.AUDITOR, revoked_at=None)
        return set(grants.filter(Q(until=None) | Q(until__gt=self.now)).values_list("person_id", flat=True))

    @cached_property
    def trained(self) -> set[UUID]:
        """Who has a training that is valid today."""
        on_record = Training.objects.filter(revoked_at=None, completed_on__lte=self.today)
        return set(
            on_record.filter(Q(valid_until=None) | Q(valid_until__gte=self.today)).values_list("person_id", flat=True)
        )

    @cached_property
    def loads(self) -> dict[UUID, tuple[int, int]]:
        """Live systems by owner: accepted, interim."""
        with connection.cursor() as cursor:
            cursor.execute(_LOADS)
            return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}

    @cached_property
    def vacant_since(self) -> dict[str, datetime]:
        """When each vacant seat was left; the first start where it was never held."""
        mandate = Mandate.objects.first()
        since = dict.fromkeys(self.seats, mandate.since if mandate else self.now)
        left = AuditEvent.objects.filter(kind=Kind.SEAT_VACATED, subject_kind="seat", subject_id__in=list(since))
        for code, at in left.order_by("at").values_list("subject_id", "at"):
            since[code] = at
        return since

    def read(self, ids: set[UUID]) -> None:
        """Read people in one query, with deputies and managers, so that `who` makes none."""
        wanted = ids - set(self.people)
        found = Person.objects.filter(pk__in=wanted).select_related("deputy", "line_manager") if wanted else []
        self.people.update({person.pk: person for person in found})

    def who(self, pk: UUID | None) -> Who | None:
        """A person as the checks see them."""
        if pk is None:
            return None
        if pk not in self._who:
            self.read({pk})
            if pk not in self.people:
                return None
            self._who[pk] = self._facts(self.people[pk])
        return self._who[pk]

    def _facts(self, person: Person) -> Who:
        acting, deputy = self.presence.acting(person), person.deputy
        absence = acting.absence if acting.uncovered else None
        systems, interim = self.loads.get(person.pk, (0, 0)) if self.with_loads else (0, 0)
        return Who(
            id=str(person.pk),
            name=person.display_name,
            can_act=person.is_active and person.kind == Person.Kind.HUMAN,
            away_days=(self.today - absence.starts_on).days if absence else None,
            deputy=str(deputy.pk) if deputy else None,
            deputy_name=deputy.display_name if deputy else "",
            deputy_can_act=self.presence.can_act(deputy) and _reachable(deputy),
            manager=str(person.line_manager_id) if person.line_manager_id else None,
            reachable=_reachable(person),
            auditor=person.pk in self.auditors,
            trained=person.pk in self.trained,
            systems=systems,
            interim=interim,
        )

    def party(self, key: str) -> Party:
        """A function with who holds its seat, or a person."""
        if key not in self._parties:
            self._parties[key] = self._party(key)
        return self._parties[key]

    def _party(self, key: str) -> Party:
        if key not in self.seats:
            holder = self.who(UUID(key))
            return Party(key, holder.name if holder else "somebody who is not known", PERSON, holder)
        seat = self.seats[key]
        days = None if seat.holder_id else max((self.now - self.vacant_since[key]) // timedelta(days=1), 0)
        return Party(key, seat.function.seat_title, FUNCTION, self.who(seat.holder_id), days)

    def sheet(
        self,
        scope: str,
        rows: Rows,
        *,
        owner: UUID | None = None,
        tier: str = "unknown",
        may_stop: bool | None = None,
        waiting: tuple[Waiting, ...] = (),
    ) -> Sheet:
        """The effective matrix of one scope, ready for the checks."""
        lines = {d.key: Line(d.key, d.name, d.layer, rows.get(d.key, {})) for d in self.domains}
        holders = {seat.holder_id for seat in self.seats.values()} | {owner}
        self.read(people_in(rows, self.seats) | {pk for pk in holders if pk is not None})
        keys = {key for cells in rows.values() for key in cells} | set(self.seats)
        parties = {key: self.party(key) for key in sorted(keys - {OWNER})}
        return Sheet(
            scope=scope,
            lines=lines,
            parties=parties,
            owner=self.who(owner),
            tier=tier,
            may_stop=may_stop,
            today=self.today,
            most_systems=settings.WORKLOAD_CAP,
            waiting=waiting,
        )

    def waiting(self) -> list[tuple[Scope, Waiting]]:
        """Questions that nobody has answered, with their scope. One query."""
        names = {domain.key: domain.name for domain in self.domains}
        related = ("person", "draft__unit", "draft__system", "draft__author")
        asked = RaciAcceptance.objects.filter(state="open").select_related(*related).order_by("pk")
        return [
            (
                scope_of(one.draft),
                Waiting(
                    str(one.pk),
                    str(one.person_id),
                    one.person.display_name,
                    tuple(names[key] for key in one.domains),
                    one.due_on,
                ),
            )
            for one in asked
        ]


def _reachable(person: Person | None) -> bool:
    return person is not None and bool(person.phone or person.email)


def people_in(rows: Mapping[str, Mapping[str, str]], functions: Mapping[str, Seat]) -> set[UUID]:
    """The people whom letters name."""
    return {UUID(key) for cells in rows.values() for key in cells if key != OWNER and key not in functions}

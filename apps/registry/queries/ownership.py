"""What should not be so about who answers: too long in the interim, unanswered, unsigned, no head, no authority."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q

from apps.common.clock import local_date
from apps.registry.models import Handover, Nomination, System, Unit
from apps.registry.models.handover import RUNNING
from apps.registry.queries.authority import cannot_stop
from apps.registry.queries.interim import interim_since_before
from apps.registry.queries.succession import Succession, mandate_holder
from apps.registry.queries.systems import live
from apps.registry.rules.breaches import Breach, Level, Severity

# An interim owner is to last no longer.
INTERIM_AT_MOST = timedelta(days=30)
NOMINATION_OVERDUE = "nomination-overdue"
HANDOVER_OVERDUE = "handover-overdue"
INTERIM_TOO_LONG = "interim-too-long"
UNIT_WITHOUT_HEAD = "unit-without-head"
NO_AUTHORITY = "no-authority-to-stop"
_SEVERE = {"critical": Severity.CRITICAL, "high": Severity.HIGH, "unknown": Severity.HIGH}


def ownership_breaches(now: datetime) -> list[Breach]:
    """Every breach of how a system gets its owner. A fixed number of queries for any number of systems."""
    if mandate_holder() is None:
        return []
    heads = _Heads(now)
    return [*_interim(now, heads), *_nominations(now, heads), *_handovers(now), *_units(heads), *_powerless()]


class _Heads:
    """Who heads a unit or the nearest one above it, else the mandate holder; each unit is derived once."""

    def __init__(self, now: datetime) -> None:
        self._succession = Succession(now)
        self._known: dict[int, UUID] = {}

    @property
    def units(self) -> dict[int, Unit]:
        """Every unit by id, with its head."""
        return self._succession.units

    def top_without_head(self, unit_id: int) -> Unit | None:
        """The top of the branch that a unit is in, where neither the unit nor any above it has an active head."""
        unit = self.units[unit_id]
        while unit.head is None or not unit.head.is_active:
            if unit.parent_id is None:
                return unit
            unit = self.units[unit.parent_id]
        return None

    def of(self, unit_id: int) -> UUID:
        """Who puts right what is wrong in a unit."""
        if unit_id not in self._known:
            self._known[unit_id] = self._succession.derive(unit_id)[0].pk
        return self._known[unit_id]


def _interim(now: datetime, heads: _Heads) -> Iterator[Breach]:
    since = now - INTERIM_AT_MOST
    systems = interim_since_before(live(System.objects.all()), since)
    rows = systems.values_list("pk", "key", "name", "tier", "unit_id", "owner__display_name")
    for pk, key, name, tier, unit_id, owner in rows.iterator(chunk_size=5000):
        yield Breach(
            check=INTERIM_TOO_LONG,
            level=Level.WARN,
            severity=_SEVERE.get(tier, Severity.MEDIUM),
            subject=f"system:{pk}",
            title=f"Nobody has accepted {name} ({key}) for more than 30 days; {owner} stands in.",
            remedy="Nominate an owner who accepts.",
            person_id=heads.of(unit_id),
            system_id=pk,
            unit_id=unit_id,
            path=f"/systems/{key}/",
        )


def _nominations(now: datetime, heads: _Heads) -> Iterator[Breach]:
    overdue = Nomination.objects.filter(state=Nomination.State.OPEN, due_on__lt=local_date(now))
    rows = overdue.select_related("system", "nominee").order_by("pk")
    for one in rows.iterator(chunk_size=5000):
        yield Breach(
            check=NOMINATION_OVERDUE,
            level=Level.WARN,
            severity=_SEVERE.get(one.system.tier, Severity.MEDIUM),
            subject=f"nomination:{one.pk}",
            title=f"{one.nominee.display_name} has not answered whether they answer for {one.system.name} "
            f"({one.system.key}), due {one.due_on.day} {one.due_on:%b %Y}.",
            remedy="Ask them, or withdraw the nomination and nominate somebody else.",
            person_id=heads.of(one.system.unit_id),
            system_id=one.system_id,
            unit_id=one.system.unit_id,
            path=f"/systems/{one.system.key}/",
        )


def _handovers(now: datetime) -> Iterator[Breach]:
    overdue = Handover.objects.filter(state__in=RUNNING, due_on__lt=local_date(now))
    for one in overdue.select_related("system", "outgoing", "incoming").order_by("opened_at"):
        waits_for = one.waits_for or one.incoming
        yield Breach(
            check=HANDOVER_OVERDUE,
            level=Level.WARN,
            severity=_SEVERE.get(one.system.tier, Severity.MEDIUM),
            subject=f"handover:{one.pk}",
            title=f"The hand-over of {one.system.name} ({one.system.key}) waits for {waits_for.display_name}, "
            f"due {one.due_on.day} {one.due_on:%b %Y}.",
            remedy="Sign it, or cancel it with a reason.",
            person_id=waits_for.pk,
            system_id=one.system_id,
            unit_id=one.system.unit_id,
            path=f"/handovers/{one.pk}/",
        )


def _units(heads: _Heads) -> Iterator[Breach]:
    """Branches of the unit tree in which nobody is a head: their live systems fall to the holder of the mandate.

    One for each branch, at its top. A unit whose head is missing below one that has a head is no breach: the head
    above answers.
    """
    headless: dict[int, int] = {}
    used = live(System.objects.all()).order_by().values_list("unit").annotate(n=Count("pk"))
    for unit_id, systems in used:
        top = heads.top_without_head(unit_id)
        if top is not None:
            headless[top.pk] = headless.get(top.pk, 0) + systems
    for unit_id, systems in sorted(headless.items()):
        name = heads.units[unit_id].name
        fall = "1 live system falls" if systems == 1 else f"{systems:,} live systems fall"
        yield Breach(
            check=UNIT_WITHOUT_HEAD,
            level=Level.WARN,
            severity=Severity.MEDIUM,
            subject=f"unit:{unit_id}",
            title=f"Nobody heads {name}: {fall} to the holder of the mandate.",
            remedy="Name the person who heads the unit.",
            person_id=heads.of(unit_id),
            unit_id=unit_id,
            path=f"/units/{unit_id}/",
        )


# One finding an owner, not one a system: who grants it does so for all of them at once.
def _powerless() -> Iterator[Breach]:
    holder = mandate_holder()
    rows = (
        cannot_stop(System.objects.all())
        .values("owner_id", "owner__display_name")
        .annotate(n=Count("pk"), critical=Count("pk", filter=Q(tier="critical")))
        .order_by("owner_id")
    )
    for row in rows:
        grants = holder.pk if holder else row["owner_id"]
        yield _powerless_owner(row["owner_id"], row["owner__display_name"], row["n"], row["critical"], grants)


def _powerless_owner(owner: UUID, name: str, n: int, critical: int, person_id: UUID) -> Breach:
    return Breach(
        check=NO_AUTHORITY,
        level=Level.BLOCK,
        severity=Severity.HIGH if critical else Severity.MEDIUM,
        subject=f"person:{owner}",
        title=f"{name} answers for {n:,} live system{'' if n == 1 else 's'} without the authority to stop "
        f"{'it' if n == 1 else 'them'}.",
        remedy="Grant the authority on the system's page, or record why the owner has to ask.",
        person_id=person_id,
        path=f"/systems/?owner={owner}",
    )

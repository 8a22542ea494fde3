"""Who may nominate, and what a nominee wants to know before saying yes or no."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.db.models import Prefetch, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.queries import dates_of, next_period, status_by_system
from apps.attestations.rules import OPEN_STATES
from apps.common.clock import local_date
from apps.common.errors import NotAllowed
from apps.people.models import Person
from apps.portal.queries.system import unit_path
from apps.portal.queries.systems import known_form
from apps.registry.models import Nomination, System, Unit
from apps.registry.queries import on_record, visible_systems
from apps.registry.rules import Stage

WHO_NOMINATES = "the person who answers for the system and those who hold a seat"


def require_may_nominate(actor: Person, systems: Sequence[System]) -> None:
    """Raise NotAllowed where the person neither may by role nor answers (or stands in) for each of these systems."""
    if may(actor, Permission.NOMINATE_OWNER):
        return
    if not all(system.owner_id == actor.pk for system in systems):
        raise NotAllowed(f"You may see this, but only {WHO_NOMINATES} may nominate an owner.")


def open_nomination(system: System) -> Nomination | None:
    """The nomination that waits for its answer."""
    waiting = Nomination.objects.filter(system=system, state=Nomination.State.OPEN)
    return waiting.select_related("nominee", "nominated_by").first()


def selected_systems(actor: Person, keys: Sequence[str]) -> list[System]:
    """The visible systems among these keys, by name, each with `waiting`: its open nomination in a list."""
    waiting = Nomination.objects.filter(state=Nomination.State.OPEN).select_related("nominee")
    systems = on_record(visible_systems(actor)).filter(key__in=known_form(keys)).order_by("name", "pk")
    return list(systems.prefetch_related(Prefetch("nominations", queryset=waiting, to_attr="waiting")))


def cannot_be_nominated(system: System) -> str:
    """Why nobody can be nominated for a selected system now; empty where somebody can."""
    if system.stage == Stage.RETIRED:
        return "Retired"
    waiting: list[Nomination] = getattr(system, "waiting", [])
    if waiting:
        return f"{waiting[0].nominee.display_name} is nominated already"
    return ""


def nominations_on_record() -> QuerySet[Nomination]:
    """Nominations with what their pages show."""
    return Nomination.objects.select_related(
        "nominee", "nominated_by", "system__owner", "system__unit", "system__owner__deputy"
    )


@dataclass(frozen=True)
class Asked:
    """A nomination as its nominee sees it: what it means to say yes."""

    nomination: Nomination
    now: datetime

    @cached_property
    def path(self) -> list[Unit]:
        """The system's unit and those above it, from the top."""
        return unit_path(self.nomination.system.unit)

    @cached_property
    def attestation_due(self) -> date | None:
        """When the system has to be attested next; None for one that is not live."""
        system = self.nomination.system
        if not system.is_live:
            return None
        status = status_by_system([system.pk], today=local_date(self.now)).get(system.pk)
        if status and status.state in OPEN_STATES:
            return status.due_on
        return dates_of(next_period(self.now)).due_for(system.tier)

    @property
    def overdue(self) -> bool:
        """Whether the answer is late."""
        return self.nomination.due_on < local_date(self.now)

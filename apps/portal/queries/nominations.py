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
from apps.findings.models import Finding
from apps.findings.queries import open_for_system
from apps.incidents.queries.incidents import told_of
from apps.people.models import Person
from apps.portal.queries.system import unit_path
from apps.portal.queries.systems import known_form
from apps.registry.models import Handover, Nomination, System, Unit
from apps.registry.models.handover import RUNNING
from apps.registry.queries import on_record, visible_systems
from apps.registry.queries.authority import offered_powers
from apps.registry.rules import Stage
from apps.registry.rules.authority import power_words

# Findings that the nominee's page names; the system's page has all of them.
FINDINGS_SHOWN = 5

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
    """The visible systems among these keys, by name, each with its open nomination and its hand-over.

    They are in the lists `waiting` and `running`.
    """
    waiting = Nomination.objects.filter(state=Nomination.State.OPEN).select_related("nominee")
    systems = on_record(visible_systems(actor)).filter(key__in=known_form(keys)).order_by("name", "pk")
    running = Handover.objects.filter(state__in=RUNNING).select_related("incoming")
    return list(
        systems.prefetch_related(
            Prefetch("nominations", queryset=waiting, to_attr="waiting"),
            Prefetch("handovers", queryset=running, to_attr="running"),
        )
    )


def cannot_be_nominated(system: System) -> str:
    """Why nobody can be nominated for a selected system now; empty where somebody can."""
    if system.stage == Stage.RETIRED:
        return "Retired"
    waiting: list[Nomination] = getattr(system, "waiting", [])
    if waiting:
        return f"{waiting[0].nominee.display_name} is nominated already"
    running: list[Handover] = getattr(system, "running", [])
    if running:
        return f"Being handed over to {running[0].incoming.display_name}"
    return ""


def nominations_on_record() -> QuerySet[Nomination]:
    """Nominations with what their pages show."""
    return Nomination.objects.select_related(
        "nominee", "nominated_by", "system__owner", "system__unit", "system__owner__deputy", "handover"
    )


def next_attestation(system: System, now: datetime) -> date | None:
    """When a system has to be attested next; None for one that is not live. One query."""
    if not system.is_live:
        return None
    status = status_by_system([system.pk], today=local_date(now)).get(system.pk)
    if status and status.state in OPEN_STATES:
        return status.due_on
    return dates_of(next_period(now)).due_for(system.tier)


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
        return next_attestation(self.nomination.system, self.now)

    @cached_property
    def findings(self) -> list[Finding]:
        """What waits for somebody about the system."""
        return list(open_for_system(self.nomination.system)[: FINDINGS_SHOWN + 1])

    @cached_property
    def incidents(self) -> list[dict[str, str]]:
        """What goes on with the system and is not over."""
        return told_of(self.nomination.system)

    @cached_property
    def powers(self) -> list[str]:
        """The authority that goes with a yes, in words; empty where none is offered by somebody who may."""
        offer = offered_powers(self.nomination)
        return power_words(offer.may_stop, offer.may_revoke, offer.spend_cap, offer.currency) if offer else []

    @property
    def hands_over(self) -> bool:
        """Whether somebody accepted answers, so that a yes opens a hand-over."""
        system = self.nomination.system
        return system.owner_basis == System.Basis.ACCEPTED and system.owner.is_active

    @property
    def overdue(self) -> bool:
        """Whether the answer is late."""
        return self.nomination.due_on < local_date(self.now)

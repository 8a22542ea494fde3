"""What tests of calling share."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.incidents.actions.declare import declare
from apps.incidents.actions.paging import advance_due
from apps.incidents.actions.states import contain
from apps.incidents.models import Escalation, Incident, IncidentStep, Page
from apps.notify.models import Message
from apps.registry.models import System
from tests.factories import a_system
from tests.incidents.world import settle

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)


def minutes(count: float) -> datetime:
    """So many minutes after the incident was declared."""
    return NOW + timedelta(minutes=count)


def declared(cast: Any, *, system: System | None = None, now: datetime = NOW, **more: Any) -> Incident:
    """An incident about a system of Ada's, declared by Dov."""
    system = system or a_system(cast, owner=cast.ada)
    settle()
    return declare(title="It read letters of others", system=system, actor=cast.dov, now=now, **more)


def timer(incident: Incident) -> Escalation:
    """The timer as it is now."""
    return Escalation.objects.get(incident=incident)


def pages(incident: Incident) -> list[tuple[int, int, int, str, str]]:
    """Round, lap, step, who, state."""
    rows = Page.objects.filter(incident=incident).order_by("pk").select_related("person")
    return [(one.round, one.lap, one.step, one.person.email.split("@")[0], one.state) for one in rows]


def called_at(incident: Incident, when: datetime) -> list[str]:
    """Sweep at a moment; who was called by that."""
    before = set(Page.objects.filter(incident=incident).values_list("pk", flat=True))
    advance_due(now=when)
    fresh = Page.objects.filter(incident=incident).exclude(pk__in=before).order_by("pk").select_related("person")
    return [one.person.email.split("@")[0] for one in fresh]


def waiting_mail(incident: Incident) -> list[str]:
    """To whom something about calling waits to be sent."""
    rows = Message.objects.filter(key__startswith=f"page:{incident.pk}:", state="queued").order_by("pk")
    return [one.recipient.email.split("@")[0] for one in rows.select_related("recipient")]


def texts(incident: Incident) -> list[str]:
    """The lines of the timeline, oldest first."""
    return list(incident.timeline.order_by("pk").values_list("text", flat=True))


def contained(incident: Incident, person: Any, now: datetime) -> Incident:
    """Contained by somebody who leads it, with the steps of the runbook that this needs."""
    steps = IncidentStep.objects.filter(incident=incident).exclude(state__in=["done", "skipped"])
    for does in ("evidence_freeze", "containment"):
        steps.filter(does=does).update(
            state="done", done_by=person, done_at=now, evidence="Seen", agreed_by=person, agreed_at=now
        )
    return contain(incident, note="Paused", actor=person, now=now)

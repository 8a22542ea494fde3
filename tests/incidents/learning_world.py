"""Incidents that are over, for tests of what is learnt from them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import take_lead
from apps.incidents.actions.signing import Signing
from apps.incidents.actions.states import contain, resolve
from apps.incidents.models import Escalation, Incident, IncidentStep
from apps.people.rules import Confirmation
from tests.factories import a_system
from tests.incidents.world import settle

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)


def signing(person: Any, now: datetime = LATER, *, declared: bool = True, name: str = "") -> Signing:
    """What a person gives who signs properly."""
    return Signing(declared, name or person.display_name, Confirmation("password", now))


def active(
    cast: Any,
    *,
    leads: Sequence[Any] = (),
    severity: str = "sev2",
    now: datetime = NOW,
    answered: timedelta = timedelta(minutes=2),
    **more: Any,
) -> Incident:
    """Declared by dov and called at once, taken by each of these in turn (ada where nobody is named), classified."""
    system = more.pop("system", None) or a_system(cast, owner=cast.ada)
    settle()
    incident = declare(
        title="It read letters of others", system=system, actor=cast.dov, now=now, severity=severity, **more
    )
    called(incident)
    for minutes, lead in enumerate(leads or (cast.ada,)):
        incident = take_lead(incident, lead, actor=lead, now=now + answered + timedelta(minutes=minutes))
    return incident


def called(incident: Incident) -> None:
    """The first page went out at the moment of declaring."""
    Escalation.objects.filter(incident=incident, first_page_at=None).update(first_page_at=incident.declared_at)


def contained(incident: Incident, by: Any, now: datetime) -> Incident:
    """Contained, with whatever its runbook asks for done."""
    for step in IncidentStep.objects.filter(incident=incident, does__in=["evidence_freeze", "containment"]):
        if step.state == "todo":
            IncidentStep.objects.filter(pk=step.pk).update(state="done", done_at=now, done_by=by, evidence="Seen")
    return contain(incident, note="Paused", actor=by, now=now)


def resolved(cast: Any, *, now: datetime = NOW, **more: Any) -> Incident:
    """Contained after an hour, resolved after two; its review is open where it is a real one."""
    incident = active(cast, now=now, **more)
    incident = contained(incident, incident.lead, now + timedelta(hours=1))
    return resolve(incident, resolution="Permission narrowed", actor=incident.lead, now=now + timedelta(hours=2))

"""Who leads by a rule from a severity on, once somebody said how bad it is."""

import uuid
from datetime import datetime

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind
from apps.incidents.actions.common import incident_subject, told
from apps.incidents.actions.leads import facilitates, pass_on, put_handover, running_term
from apps.incidents.models import Incident, LeadHandover, LeadTerm, ResponseRule
from apps.incidents.queries.responder import responder
from apps.incidents.rules import SEVERITY_WORDS, Severity
from apps.people.actions import held
from apps.people.models import Person


def lead_by_severity(incident: Incident, before: str, *, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
    """Bring in whom a rule names at this severity, where it named somebody else before. The incident is locked.

    Where nobody took it yet, they lead at once and are called. Where somebody did, they lead on until the other says
    yes: one person leads at each moment, and a response is not torn from the hands of who has it.
    """
    if not incident.is_live:
        return  # nothing is left to respond to
    to = _another(incident, before, now)
    if to is None or LeadHandover.objects.filter(incident=incident, state="asked").exists():
        return
    old, why = incident.lead, f"{SEVERITY_WORDS[Severity(incident.severity)]}: a rule names {to.display_name}."
    if running_term(incident).accepted_at is None:
        pass_on(incident, to, LeadTerm.Ended.RELIEVED, actor, now, why)
        kind, facts = Kind.LEAD_RELIEVED, told(incident)
    else:
        put_handover(incident, to, why, now, by_rule=True)
        kind, facts = Kind.LEAD_ASKED, {"to": to.audit_id}
    entry = Entry(kind, incident_subject(incident), before={"lead": old.audit_id}, after=facts)
    record_many([entry], actor=actor, now=now, cause=cause)


def _another(incident: Incident, before: str, now: datetime) -> Person | None:
    """Who leads by rule at this severity, if that is neither who led by rule before, nor who leads now."""
    by_severity = ResponseRule.objects.filter(valid_to=None).exclude(min_severity="")
    if incident.system is None or not by_severity.exists():
        return None
    then = responder(incident.system, incident.scenario, now, severity=before).lead
    to = responder(incident.system, incident.scenario, now, severity=incident.severity).lead
    if to.pk in {then.pk, incident.lead_id} or facilitates(incident, to):
        return None
    to = held(to)
    return to if to.is_active and to.kind == Person.Kind.HUMAN else None

"""Who leads by a rule from a severity on, once somebody said how bad it is."""

import uuid
from datetime import datetime

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind
from apps.incidents.actions.common import Line, incident_subject, line, sync_participants, told
from apps.incidents.actions.leads import drop_handover, facilitates, pass_on, put_handover, running_term
from apps.incidents.models import Incident, LeadHandover, LeadTerm, ResponseRule
from apps.incidents.queries.responder import responder
from apps.incidents.rules import SEVERITY_WORDS, Severity
from apps.people.actions import held
from apps.people.models import Person


def lead_by_severity(incident: Incident, before: str, *, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
    """Bring in whom a rule names at this severity, where it named somebody else before. The incident is locked.

    Where nobody took it yet, they lead at once and are called. Where somebody did, they lead on until the other says
    yes: one person leads at each moment, and a response is not torn from the hands of who has it. Whom a rule asked at
    the severity before, and none names at this one, is not asked any more; whom the lead asked is.
    """
    named = _named(incident, now)
    if named is None or not _asks_no_other(incident, named, actor, now, cause):
        return
    to = _another(incident, named, before, now)
    if to is None:
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


def _named(incident: Incident, now: datetime) -> Person | None:
    """Who leads by rule at this severity; None where no rule asks for one, and where nothing is left to respond to."""
    by_severity = ResponseRule.objects.filter(valid_to=None).exclude(min_severity="")
    if incident.system is None or not incident.is_live or not by_severity.exists():
        return None
    return responder(incident.system, incident.scenario, now, severity=incident.severity).lead


def _asks_no_other(incident: Incident, named: Person, actor: Actor, now: datetime, cause: uuid.UUID) -> bool:
    """Whether somebody may be asked: nobody is, or whom a rule asked before this severity is not any more."""
    asked = LeadHandover.objects.filter(incident=incident, state="asked").select_related("incoming").first()
    if asked is None:
        return True
    if not asked.by_rule or asked.incoming_id == named.pk:
        return False
    drop_handover(incident, now)
    sync_participants(incident)
    severity = SEVERITY_WORDS[Severity(incident.severity)].lower()
    words = f"{asked.incoming.display_name} is not asked to take over any more: it is {severity} now."
    line(incident, Line.FACT, words, now=now)
    entry = Entry(Kind.LEAD_HANDOVER_ENDED, incident_subject(incident), after={"answer": "withdrawn"})
    record_many([entry], actor=actor, now=now, cause=cause)
    return True


def _another(incident: Incident, named: Person, before: str, now: datetime) -> Person | None:
    """Who is named at this severity, if that is neither who led by rule before, nor who leads now."""
    then = responder(incident.system, incident.scenario, now, severity=before).lead
    if named.pk in {then.pk, incident.lead_id} or facilitates(incident, named):
        return None
    to = held(named)
    return to if to.is_active and to.kind == Person.Kind.HUMAN else None

"""Declaring: anyone says that something went wrong; one person leads from that moment; nothing on the way blocks it."""

import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog
from django.db import IntegrityError, transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.calling import begin_calling
from apps.incidents.actions.clocks import open_clocks
from apps.incidents.actions.common import FROZEN, Line, by, incident_subject, line, next_number, sync_participants, told
from apps.incidents.actions.runbooks import pin_runbook
from apps.incidents.models import Exercise, InboundSource, Incident, LeadTerm, SeverityChange
from apps.incidents.queries.inbound import live_of
from apps.incidents.queries.paging import plan_for
from apps.incidents.queries.responder import Responder, responder
from apps.incidents.rules import CLASSIFY_WITHIN, CODE_PREFIX, Mode, Severity, Via, Visibility
from apps.registry.models import System

log = structlog.get_logger(__name__)
# The lead can leave between the look and the commit: then the next one is asked for.
TRIES = 4


def declare(
    *,
    title: str,
    actor: Actor,
    now: datetime,
    system: System | None = None,
    about: str = "",
    scenario: str = "",
    description: str = "",
    severity: str = Severity.UNCLASSIFIED,
    visibility: str = Visibility.OPEN,
    mode: str = Mode.REAL,
    via: str = Via.PORTAL,
    declared_as: str = "",
    source: InboundSource | None = None,
    dedup_key: str = "",
    exercise: Exercise | None = None,
    cause: uuid.UUID | None = None,
    form_token: uuid.UUID | None = None,
) -> Incident:
    """Say that something went wrong. One active person leads at once and is called; runbook and clocks are pinned.

    Works where no card can be worked out, where no runbook fits and where nobody says which system it is: the
    fallback is a named person and is shown as such. The same alert of a source that is live already adds a line to
    it and returns it; the same form, sent again by the same person, returns what it declared. `cause`: the event
    that it follows from. Raises ValidationError for a missing title, or neither system nor words on what it is about;
    Refused before the first start.
    """
    values = {
        "title": " ".join(title.split())[:200], "about": about.strip()[:600], "scenario": scenario,
        "description": description.strip(), "mode": str(mode), "via": str(via),
        "declared_as": declared_as.strip()[:300] or actor.audit_name, "dedup_key": dedup_key[:300],
        "visibility": _visibility(system, visibility),
    }  # fmt: skip
    for left in reversed(range(TRIES)):
        known = live_of(source, [values["dedup_key"]])
        if known is not None:
            return _again(known, values["title"], actor, now)
        sent = _sent_before(form_token, actor)
        if sent is not None:
            return sent
        try:
            with transaction.atomic():
                incident = Incident(system=system, source=source, exercise=exercise, form_token=form_token, **values)
                return _declared(incident, str(severity), actor, now, fresh=left < TRIES - 1, cause=cause)
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _visibility(system: System | None, wanted: str) -> str:
    """What happens with a restricted system is not open."""
    if system is not None and system.restricted and wanted == Visibility.OPEN:
        return Visibility.RESTRICTED.value
    return str(wanted)


def _sent_before(form_token: uuid.UUID | None, actor: Actor) -> Incident | None:
    """What this form declared already. Raises Refused where somebody else sent it."""
    same = Incident.objects.filter(form_token=form_token).first() if form_token else None
    if same is not None and same.declared_by != by(actor):
        raise Refused("This form was used already. Open it again and declare from there.")
    return same


@transaction.atomic
def _again(incident: Incident, title: str, actor: Actor, now: datetime) -> Incident:
    words = f"Reported again: {title}"
    line(incident, Line.ALARM, words, now=now)
    record(Kind.INCIDENT_NOTED, actor=actor, subject=incident_subject(incident), now=now, private={"text": words})
    return incident


def _declared(
    incident: Incident, severity: str, actor: Actor, now: datetime, *, fresh: bool, cause: uuid.UUID | None
) -> Incident:
    found = responder(incident.system, incident.scenario, now, severity=severity, fresh=fresh)
    incident.number = next_number(incident.mode)
    incident.code = f"{CODE_PREFIX[Mode(incident.mode)]}-{incident.number:04d}"
    incident.declared_by, incident.declared_at, incident.classify_by = by(actor), now, now + CLASSIFY_WITHIN
    incident.lead, incident.owner, incident.basis = found.lead, found.owner, found.basis
    incident.rule_id, incident.is_fallback, incident.card = found.rule_id, found.is_fallback, found.as_json()
    incident.plan = plan_for(incident.system, incident.scenario).as_json()
    if severity != Severity.UNCLASSIFIED:
        incident.severity, incident.classified_at = severity, now
    # What another try of the same form or alert just took is for the next try to find, not a fault of this one.
    save_checked(incident, exclude=FROZEN | {"form_token", "dedup_key"})
    LeadTerm.objects.create(incident=incident, person=found.lead, basis=found.basis, proposed_at=now)
    if incident.classified_at:
        SeverityChange.objects.create(
            incident=incident, before=Severity.UNCLASSIFIED.value, after=severity, reason="Said when it was declared.",
            person=by(actor), at=now,
        )  # fmt: skip
    event = _written(incident, found, actor, now, cause)
    _never_in_the_way(partial(begin_calling, cause=event), incident, now, name="call somebody")
    for step in (pin_runbook, open_clocks):
        _never_in_the_way(step, incident, now, name=step.__name__.replace("_", " "))
    sync_participants(incident)
    return incident


def _written(incident: Incident, found: Responder, actor: Actor, now: datetime, cause: uuid.UUID | None) -> uuid.UUID:
    words = incident.description or incident.title
    line(incident, Line.ALARM, f"Declared by {incident.declared_as}: {words}", now=now, person=by(actor))
    why = " Nobody whom the rules name could be reached, so this is a fallback." if found.is_fallback else ""
    line(incident, Line.FACT, f"{found.lead.display_name} leads the response.{why}", now=now)
    return record(
        Kind.INCIDENT_DECLARED,
        actor=actor,
        subject=incident_subject(incident),
        now=now,
        after=told(
            incident,
            mode=incident.mode,
            system=incident.system.key if incident.system else None,
            scenario=incident.scenario,
            via=incident.via,
            basis=incident.basis,
            fallback=incident.is_fallback,
        ),
        private={"declared_as": incident.declared_as},
        cause=cause,
    )


def _never_in_the_way(
    step: Callable[[Incident, datetime], None], incident: Incident, now: datetime, *, name: str
) -> None:
    """A step in a savepoint of its own: what it could not do stands in the timeline, with what to do instead."""
    try:
        with transaction.atomic():
            step(incident, now)
    except Exception as error:  # whatever a step trips over, the incident is declared
        log.exception("declare.step_failed", step=name, incident=incident.code)
        line(incident, Line.ALARM, f"Could not {name} ({type(error).__name__}). See to it by hand.", now=now)

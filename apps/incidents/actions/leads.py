"""Who leads: taking the response, declining it, handing it over with both saying yes, being relieved, leaving."""

import uuid
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Greatest

from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.calling import answer_pages, call_next, hush
from apps.incidents.actions.checks import able, given
from apps.incidents.actions.common import (
    Line,
    by,
    incident_subject,
    is_human,
    line,
    locked_incident,
    mailed,
    save_incident,
    sync_participants,
    titled,
    told,
)
from apps.incidents.models import Incident, LeadHandover, LeadTerm, ResponseRule
from apps.incidents.queries.responder import responder
from apps.incidents.rules import OPEN, PageState, Severity, State
from apps.notify.actions import enqueue, withdraw
from apps.people.models import Person
from apps.registry.queries.succession import mandate_holder

Ended = LeadTerm.Ended


def running_term(incident: Incident) -> LeadTerm:
    """Who leads now, as a row."""
    return LeadTerm.objects.get(incident=incident, ended_at=None)


def move_on(incident: Incident, now: datetime) -> tuple[str, ...]:
    """The state that follows from severity and lead: looked at once somebody has it, active once both are known.

    Changes the incident in memory and returns the names of the fields that changed.
    """
    before = incident.state
    if incident.state == State.REPORTED and (incident.lead_accepted_at or incident.classified_at):
        incident.state = State.TRIAGE
    if incident.state == State.TRIAGE and incident.lead_accepted_at and incident.severity != Severity.UNCLASSIFIED:
        if before == State.REPORTED:
            save_incident(incident, "state")  # each step of the way is a row's state, also where two are taken at once
        incident.state, incident.active_at = State.ACTIVE, incident.active_at or now
        return ("state", "active_at")
    return ("state",) if incident.state != before else ()


@transaction.atomic
def take_lead(
    incident: Incident,
    person: Person,
    *,
    actor: Actor,
    now: datetime,
    basis: str = "escalation",
    version: int | None = None,
    kind: Kind = Kind.LEAD_ACCEPTED,
) -> Incident:
    """The person says "I take it": they lead from now on, and nobody else is called.

    Who was asked first and did not answer is relieved. On behalf of somebody is allowed and said. Raises Refused for
    an incident that is over and for who can't act.
    """
    incident = locked_incident(incident, version=version)
    _refuse_over(incident)
    person = _able(incident, person)
    term = running_term(incident)
    if term.person_id == person.pk and term.accepted_at:
        hush(incident, person, now, human=is_human(actor))  # an acknowledgement that is renewed
        return incident
    if term.person_id != person.pk:
        _end(term, Ended.RELIEVED, actor, now, reason=f"{person.display_name} took it.")
        term = LeadTerm(incident=incident, person=person, basis=basis, proposed_at=now)
    term.accepted_at = now
    term.accepted_by = by(actor) if by(actor) != person else None
    term.save()
    incident.lead, incident.lead_accepted_at = person, incident.lead_accepted_at or now
    save_incident(incident, "lead", "lead_accepted_at", *move_on(incident, now))
    drop_handover(incident, now)
    hush(incident, person, now, human=is_human(actor))
    behalf = f", said by {actor.audit_name}" if term.accepted_by else ""
    line(incident, Line.PERSON, f"{person.display_name} took the response{behalf}.", now=now, person=by(actor))
    sync_participants(incident)
    record(kind, actor=actor, subject=incident_subject(incident), now=now, after=told(incident, by=person.audit_id))
    return incident


@transaction.atomic
def decline_lead(incident: Incident, *, reason: str, actor: Person, now: datetime) -> Incident:
    """Who was asked to lead can't: the next in line leads at once and is called. A reason is needed.

    Raises Refused without one, for somebody who does not lead, and where nobody else is left to lead.
    """
    incident = locked_incident(incident)
    _refuse_over(incident)
    reason = given(reason, "Say why you can't take it.")
    if incident.lead_id != actor.pk:
        raise NotAllowed(f"{incident.lead.display_name} leads the response. Only they can decline it.")
    successor = _next(incident, {actor.pk}, now)
    if successor is None:
        raise Refused("Nobody else is left who could lead. Hand it over to somebody by name instead.")
    answer_pages(incident, actor, PageState.DECLINED, now, by=actor, way="app", reason=reason)
    pass_on(incident, successor, Ended.DECLINED, actor, now, reason)
    record(
        Kind.LEAD_DECLINED, actor=actor, subject=incident_subject(incident), now=now,
        before={"lead": actor.audit_id}, after=told(incident), reason=reason,
    )  # fmt: skip
    return incident


@transaction.atomic
def relieve_lead(incident: Incident, to: Person, *, reason: str, actor: Person, now: datetime) -> Incident:
    """Somebody with the right to puts another person in the lead, with a reason. They are asked, not yet accepted.

    Raises Refused without a reason, for who leads already and for who can't act.
    """
    incident = locked_incident(incident)
    _refuse_over(incident)
    reason, to = given(reason, "Say why somebody else has to lead."), _able(incident, to)
    if to.pk == incident.lead_id:
        raise Refused(f"{to.display_name} leads the response already.")
    before = incident.lead
    pass_on(incident, to, Ended.RELIEVED, actor, now, reason)
    record(
        Kind.LEAD_RELIEVED, actor=actor, subject=incident_subject(incident), now=now,
        before={"lead": before.audit_id}, after=told(incident), reason=reason,
    )  # fmt: skip
    return incident


def pass_on(incident: Incident, to: Person, why: str, actor: Actor, now: datetime, reason: str) -> None:
    """Another person leads and is asked for it; they are called at once. The incident and the person are locked."""
    before = incident.lead
    _end(running_term(incident), why, actor, now, reason=reason)
    LeadTerm.objects.create(incident=incident, person=to, basis="handover", proposed_at=now)
    incident.lead = to
    save_incident(incident, "lead")
    drop_handover(incident, now)
    line(incident, Line.PERSON, f"{to.display_name} leads instead of {before.display_name}: {reason}", now=now,
         person=by(actor))  # fmt: skip
    if not call_next(incident, now):
        _ask(incident, to, reason, now)
    sync_participants(incident)


def _ask(incident: Incident, person: Person, why: str, now: datetime) -> None:
    enqueue(
        key=f"lead:{incident.pk}:{incident.version}:{person.pk}", recipient=person, now=now, path=incident.path,
        subject=f"{incident.prefix}{incident.code}: you lead the response{titled(incident, ' to ')}",
        body=mailed(incident, f"{incident.place}. {why}") + "\nOpen the incident and say that you take it.",
    )  # fmt: skip


@transaction.atomic
def ask_handover(incident: Incident, to: Person, *, briefing: str, actor: Person, now: datetime) -> LeadHandover:
    """The lead asks somebody to take over, with a briefing. They lead on until the other says yes.

    Raises NotAllowed for who does not lead; Refused without a briefing, for themselves, for who can't act, and while
    somebody else is asked.
    """
    incident = locked_incident(incident)
    _refuse_over(incident)
    if incident.lead_id != actor.pk:
        raise NotAllowed(f"{incident.lead.display_name} leads the response. Only they can hand it over.")
    briefing = given(briefing, "Brief them: what is done, what is open, what worries you.")
    to = _able(incident, to)
    if to.pk == actor.pk:
        raise Refused("Hand over to somebody else.")
    if LeadHandover.objects.filter(incident=incident, state="asked").exists():
        raise Refused("Somebody was asked already. Withdraw that first.")
    handover = put_handover(incident, to, briefing, now)
    record(
        Kind.LEAD_ASKED, actor=actor, subject=incident_subject(incident), now=now,
        after={"to": to.audit_id}, private={"briefing": briefing},
    )  # fmt: skip
    return handover


def put_handover(
    incident: Incident, to: Person, briefing: str, now: datetime, *, by_rule: bool = False
) -> LeadHandover:
    """Somebody is asked to take over, by the lead or by a rule. Who leads does so until they say yes."""
    lead = incident.lead
    handover = LeadHandover.objects.create(
        incident=incident, outgoing=lead, incoming=to, briefing=briefing, asked_at=now, by_rule=by_rule
    )
    said = f"{to.display_name} is asked to take over. {briefing}"
    said = said if by_rule else f"{lead.display_name} asked {to.display_name} to take over."
    line(incident, Line.FACT, said, now=now, person=None if by_rule else lead)
    sync_participants(incident)
    asks = "you are asked to take over" if by_rule else f"{lead.display_name} asks you to take over"
    enqueue(
        key=handover_key(handover.pk), recipient=to, now=now, path=incident.path, urgent=by_rule,
        subject=f"{incident.prefix}{incident.code}: {asks}",
        body=mailed(incident, f"{incident.title}. {incident.place}.\n\n{briefing}")
        + f"\n\n{lead.display_name} leads until you say yes.",
    )  # fmt: skip
    return handover


@transaction.atomic
def answer_handover(handover: LeadHandover, *, takes: bool, actor: Person, now: datetime, reason: str = "") -> Incident:
    """Yes: from now on they lead. No: the one who asked leads on, and is told why.

    Raises NotAllowed for somebody else, Refused once it is answered, and for a no without a reason.
    """
    incident = locked_incident(handover.incident)
    handover = LeadHandover.objects.select_for_update(no_key=True).get(pk=handover.pk)
    if handover.incoming_id != actor.pk:
        raise NotAllowed(f"{handover.incoming.display_name} was asked. Only they can answer.")
    _refuse_over(incident)
    if handover.state != LeadHandover.State.ASKED:
        raise Refused("This was answered or withdrawn already.")
    if not takes:
        return _declined_handover(incident, handover, given(reason, "Say why you can't take over."), actor, now)
    _able(incident, actor)
    handover.state, handover.answered_at = LeadHandover.State.TAKEN, now
    handover.save(update_fields=["state", "answered_at"])
    _end(running_term(incident), Ended.HANDED_OVER, handover.outgoing, now, reason="Handed over.")
    LeadTerm.objects.create(
        incident=incident, person=actor, basis="handover", proposed_at=handover.asked_at, accepted_at=now
    )
    incident.lead, incident.lead_accepted_at = actor, incident.lead_accepted_at or now
    save_incident(incident, "lead", "lead_accepted_at", *move_on(incident, now))
    hush(incident, actor, now, human=is_human(actor))
    line(incident, Line.PERSON, f"{actor.display_name} took over from {handover.outgoing.display_name}.", now=now,
         person=actor)  # fmt: skip
    sync_participants(incident)
    record(
        Kind.LEAD_HANDED_OVER, actor=actor, subject=incident_subject(incident), now=now,
        before={"lead": handover.outgoing.audit_id}, after=told(incident),
    )  # fmt: skip
    return incident


def _declined_handover(
    incident: Incident, handover: LeadHandover, reason: str, actor: Person, now: datetime
) -> Incident:
    handover.state, handover.answered_at, handover.reason = LeadHandover.State.DECLINED, now, reason
    handover.save(update_fields=["state", "answered_at", "reason"])
    line(incident, Line.FACT, f"{actor.display_name} can't take over: {reason}", now=now, person=actor)
    enqueue(
        key=f"{handover_key(handover.pk)}:no", recipient=handover.outgoing, now=now, path=incident.path,
        subject=f"{incident.prefix}{incident.code}: {actor.display_name} can't take over",
        body=mailed(incident, reason),
    )  # fmt: skip
    record(
        Kind.LEAD_HANDOVER_ENDED, actor=actor, subject=incident_subject(incident), now=now,
        after={"answer": "declined"}, reason=reason,
    )  # fmt: skip
    return incident


@transaction.atomic
def withdraw_handover(handover: LeadHandover, *, actor: Person, now: datetime) -> Incident:
    """The lead takes the question back. Raises NotAllowed for somebody else, Refused once it is answered."""
    incident = locked_incident(handover.incident)
    if incident.lead_id != actor.pk:
        raise NotAllowed(f"{incident.lead.display_name} leads the response. Only they can withdraw this.")
    if not drop_handover(incident, now):
        raise Refused("This was answered or withdrawn already.")
    sync_participants(incident)
    line(incident, Line.FACT, f"{actor.display_name} leads on; nobody is asked any more.", now=now, person=actor)
    record(
        Kind.LEAD_HANDOVER_ENDED, actor=actor, subject=incident_subject(incident), now=now,
        after={"answer": "withdrawn"},
    )  # fmt: skip
    return incident


def drop_handover(incident: Incident, now: datetime) -> int:
    """Nobody is asked to take over any more, and no mail says so that was not sent. Returns how many were asked."""
    asked = LeadHandover.objects.filter(incident=incident, state="asked")
    keys = [handover_key(pk) for pk in asked.values_list("pk", flat=True)]
    withdraw(keys=keys, reason="Nobody is asked to take over any more.", now=now)
    return asked.update(state="withdrawn", answered_at=now)


def handover_key(handover: int) -> str:
    """The key of what is said to whoever is asked to take over."""
    return f"lead-handover:{handover}"


def lock_led_by(person: Person) -> frozenset[int]:
    """Lock the open incidents that somebody leads or is asked to lead, before the person is locked. Returns which."""
    both = Incident.objects.filter(Q(pk__in=_led_by(person).values("pk")) | Q(pk__in=_asked(person).values("pk")))
    return frozenset(locked_incident(incident).pk for incident in _in_order(both))


def leads_more_than(person: Person, known: frozenset[int]) -> bool:
    """Whether somebody leads another incident than these by now, or is asked to.

    Nobody else can be appointed once they are locked. To lock that one now would be against the order: whoever holds
    it may wait for this very person.
    """
    return any(rows.exclude(pk__in=known).exists() for rows in (_led_by(person), _asked(person)))


def _led_by(person: Person) -> QuerySet[Incident]:
    return Incident.objects.filter(lead=person, state__in=[state.value for state in OPEN])


def _asked(person: Person) -> QuerySet[Incident]:
    return Incident.objects.filter(lead_handovers__incoming=person, lead_handovers__state="asked")


def _in_order(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """In the order in which they are locked."""
    return incidents.select_related("system").order_by("system", "pk")


def replace_leaver(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """Somebody leaves: the next in line leads each of their open incidents, and the rules that name them end.

    Where they are asked to take over, nobody is any more: who leads may ask another one.

    Part of the leaver's transaction, before they are deactivated; the database would refuse that otherwise. Returns
    how many incidents passed on.
    """
    rules = ResponseRule.objects.filter(Q(lead_person=person) | Q(deputy=person), valid_to=None)
    ended = [Entry(Kind.RESPONSE_RULE_ENDED, _rule_subject(rule)) for rule in rules.order_by("pk")]
    rules.update(valid_to=now, ended_by=by(actor))
    record_many(ended, actor=actor, now=now, cause=cause)
    passed_on = sum(_leave(incident, person, actor, now, cause) for incident in _in_order(_led_by(person)))
    for incident in _in_order(_asked(person)):
        _ask_no_more(incident, person, actor, now, cause)
    return passed_on


def _ask_no_more(incident: Incident, person: Person, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
    incident = locked_incident(incident)
    drop_handover(incident, now)
    line(incident, Line.FACT, f"{person.display_name} left the organisation and is not asked any more.", now=now)
    sync_participants(incident)
    entry = Entry(Kind.LEAD_HANDOVER_ENDED, incident_subject(incident), after={"answer": "withdrawn"})
    record_many([entry], actor=actor, now=now, cause=cause)


def _rule_subject(rule: ResponseRule) -> Subject:
    return Subject("response_rule", str(rule.pk), str(rule))


def _leave(incident: Incident, person: Person, actor: Actor, now: datetime, cause: uuid.UUID) -> bool:
    incident = locked_incident(incident)
    # A drill is in nobody's way who leaves.
    successor = _next(incident, {person.pk}, now) or _next(incident, {person.pk}, now, stuck=True)
    if successor is None:
        raise Refused(f"{person.display_name} leads {incident.code}, and nobody else could. Hand it over first.")
    pass_on(incident, successor, Ended.LEFT, actor, now, f"{person.display_name} left the organisation.")
    entry = Entry(
        Kind.LEAD_RELIEVED, incident_subject(incident), before={"lead": person.audit_id}, after=told(incident)
    )
    record_many([entry], actor=actor, now=now, cause=cause)
    return True


def _next(incident: Incident, without: set[uuid.UUID], now: datetime, *, stuck: bool = False) -> Person | None:
    """Who leads next: deputy, next in line, owner, mandate; the first who can act and did not decline already.

    Who facilitates the drill only where it would be `stuck` without them.
    """
    gone = set(LeadTerm.objects.filter(incident=incident, ended_because="declined").values_list("person", flat=True))
    for person in _line_up(incident, now):
        can = person.is_active and person.kind == Person.Kind.HUMAN and (stuck or not facilitates(incident, person))
        if can and person.pk not in without | gone:
            return person
    return None


def _line_up(incident: Incident, now: datetime) -> Iterator[Person]:
    found = responder(incident.system, incident.scenario, now, severity=incident.severity)
    for person in (found.lead, found.deputy, found.next_in_line, found.owner, incident.lead.deputy,
                   incident.lead.line_manager, mandate_holder()):  # fmt: skip
        if person is not None:
            yield person


def _end(term: LeadTerm, why: str, actor: Actor, now: datetime, *, reason: str = "") -> None:
    # Never before it began: two hosts may differ by some seconds.
    term.ended_at = max(now, term.proposed_at)
    term.ended_because, term.reason, term.ended_by = why, reason[:600], by(actor)
    term.save(update_fields=["ended_at", "ended_because", "reason", "ended_by"])


def end_lead(incident: Incident, now: datetime) -> None:
    """The incident is over: the last term ends with it, and nobody is asked to take over any more."""
    drop_handover(incident, now)
    at = Greatest(F("proposed_at"), Value(now))
    LeadTerm.objects.filter(incident=incident, ended_at=None).update(ended_at=at, ended_because=Ended.OVER)


def lead_again(incident: Incident, person: Person, now: datetime) -> None:
    """The incident is open again: somebody leads it, and is asked whether they take it."""
    LeadTerm.objects.create(incident=incident, person=person, basis="reopened", proposed_at=now)


def facilitates(incident: Incident, person: Person) -> bool:
    """Whether it belongs to a drill that this person facilitates: then they do not lead."""
    return incident.exercise is not None and incident.exercise.facilitator_id == person.pk


def _able(incident: Incident, person: Person) -> Person:
    """The person, held. Raises Refused for who can't act, and for who facilitates the drill."""
    person = able(person, "lead")
    if facilitates(incident, person):
        raise Refused("Who facilitates a drill does not lead its response.")
    return person


def _refuse_over(incident: Incident) -> None:
    if not incident.is_open:
        raise Refused(f"{incident.code} is {incident.get_state_display().lower()}. Open it again first.")

"""The review of an incident: who leads it through, what was found, that it is signed, or rightly not needed."""

import uuid
from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import save_checked
from apps.incidents.actions.checks import able, given
from apps.incidents.actions.common import (
    Line,
    MeanwhileChanged,
    incident_subject,
    line,
    locked_incident,
    mailed,
    save_incident,
    sync_participants,
    told,
)
from apps.incidents.actions.signing import Signing, put_incident_signature
from apps.incidents.models import Incident, LeadTerm, Review, ReviewAction, Signature
from apps.incidents.rules import Mode, State
from apps.incidents.rules.reviews import REVIEW_WORDS, SKIPPED_WORDS, required_by, review_due
from apps.notify.actions import enqueue
from apps.people.models import Person, Seat
from apps.registry.queries.succession import Succession, mandate_holder

# No rule asks for it: then it may be skipped.
MAY_BE_EMPTY = ("required_by",)
WRITTEN = ("summary", "causes", "contributing_factors", "what_worked")


def who_led(incident: Incident) -> set[uuid.UUID]:
    """Everybody who took the response at some time, and who leads now: none of them facilitates the review."""
    accepted = LeadTerm.objects.filter(incident=incident, accepted_at__isnull=False)
    return {incident.lead_id, *accepted.values_list("person_id", flat=True)}


def suggested_facilitator(incident: Incident, now: datetime) -> Person | None:
    """The head of the unit, else the CISO, the mandate, another seat: the first who did not lead and can act."""
    barred = who_led(incident)
    for person in _candidates(incident, now):
        if person is not None and person.pk not in barred and person.is_active and person.kind == Person.Kind.HUMAN:
            return person
    return None


def _candidates(incident: Incident, now: datetime) -> list[Person | None]:
    above = Succession(now).heads(incident.system.unit_id) if incident.system is not None else []
    holder = mandate_holder()
    heads = [person for person in above if holder is None or person.pk != holder.pk]
    seats = {seat.function_id: seat.holder for seat in Seat.objects.select_related("holder").order_by("function_id")}
    return [
        *heads[:1],
        seats.get("ciso"),
        holder,
        *heads[1:],
        seats.get("legal"),
        seats.get("ai_lead"),
        *seats.values(),
    ]


def begin_review(incident: Incident, *, actor: Actor, now: datetime, cause: uuid.UUID) -> Review | None:
    """Part of resolving a real incident: its review begins, with somebody who did not lead.

    What is rehearsed is reviewed in the drill's report. Where nobody is left who did not lead, the incident stays
    resolved until somebody is named: resolving never fails because of that.
    """
    if incident.mode != Mode.REAL:
        return None
    facilitator = suggested_facilitator(incident, now)
    if facilitator is None:
        line(incident, Line.ALARM, "Nobody is left who could facilitate the review. Name somebody.", now=now)
        return None
    return _open(incident, facilitator, actor, now, cause)


@transaction.atomic
def open_review(incident: Incident, facilitator: Person, *, actor: Person, now: datetime) -> Review:
    """Begin the review of a resolved incident where that could not be done by itself.

    Raises Refused where it is not resolved, and for a facilitator who led or can't act.
    """
    incident = locked_incident(incident)
    if incident.state != State.RESOLVED:
        raise Refused(f"{incident.code} is {incident.get_state_display().lower()} now. Look at it again.")
    facilitator = _able(facilitator, incident)
    return _open(incident, facilitator, actor, now, None)


def _open(incident: Incident, facilitator: Person, actor: Actor, now: datetime, cause: uuid.UUID | None) -> Review:
    review = Review.objects.select_for_update(no_key=True).filter(incident=incident).first() or Review(
        incident=incident
    )
    if not review.pk or review.facilitator_id in who_led(incident) or not review.facilitator.is_active:
        review.facilitator = facilitator
    review.lead, review.required_by = incident.lead, _required(incident)
    # Opened again and resolved again: what was signed stays on record, and it is looked at anew.
    review.state, review.done_at, review.signature, review.skip_reason = Review.State.OPEN, None, None, ""
    review.timeline_ok, review.opened_at, review.due_on = False, now, review_due(now)
    review.version = review.version + 1 if review.pk else 1
    save_checked(review, exclude=MAY_BE_EMPTY)
    incident.state = State.IN_REVIEW
    save_incident(incident, "state")
    sync_participants(incident)
    due = day_words(review.due_on)
    line(incident, Line.FACT, f"{review.facilitator.display_name} facilitates the review, by {due}.", now=now)
    _ask(review, now)
    record(
        Kind.REVIEW_OPENED, actor=actor, subject=incident_subject(incident), now=now, cause=cause,
        after=told(incident, facilitator=review.facilitator.audit_id, due=review.due_on.isoformat(),
                   required=review.required_by),
    )  # fmt: skip
    return review


def _required(incident: Incident) -> str:
    system = incident.system
    return required_by(
        severity=incident.severity,
        visibility=incident.visibility,
        tier=system.tier if system else "",
        regulatory_class=system.regulatory_class if system else "",
    )


def _ask(review: Review, now: datetime) -> None:
    incident, due = review.incident, day_words(review.due_on)
    enqueue(
        key=f"review:{review.pk}:{review.version}:{review.facilitator_id}", recipient=review.facilitator, now=now,
        path=f"{incident.path}review/",
        subject=f"{incident.prefix}By {due}: you facilitate the review of {incident.code}",
        body=mailed(incident, f"{incident.title}. {incident.place}.")
        + f"\n\n{review.lead.display_name} led the response. Look at what "
        f"happened together with those who took part, write down causes and actions, and sign by {due}.",
    )  # fmt: skip


def locked_review(review: Review, *, version: int | None = None) -> Review:
    """The review and its incident, locked incident first. Raises MeanwhileChanged, and Refused once it is decided."""
    incident = locked_incident(review.incident)
    now_so = Review.objects.select_for_update(no_key=True, of=("self",)).select_related("facilitator", "lead")
    review = now_so.get(pk=review.pk)
    review.incident = incident
    if version is not None and review.version != version:
        raise MeanwhileChanged("Somebody changed this review since you opened it. Look at it as it is now.")
    if review.state != Review.State.OPEN:
        raise Refused(f"This review is {review.get_state_display().lower()} already. Open the incident again first.")
    return review


@transaction.atomic
def save_review(
    review: Review,
    *,
    actor: Person,
    now: datetime,
    version: int | None = None,
    timeline_ok: bool | None = None,
    **texts: str,
) -> Review:
    """Keep what is written so far: summary, causes, contributing factors, what worked; whether the timeline is right.

    Raises MeanwhileChanged for another version, Refused once it is signed.
    """
    review = locked_review(review, version=version)
    for name in WRITTEN:
        if name in texts:
            setattr(review, name, texts[name].strip())
    if timeline_ok is not None:
        review.timeline_ok = timeline_ok
    review.version += 1
    save_checked(review, exclude=MAY_BE_EMPTY)
    filled = [name for name in WRITTEN if getattr(review, name)]
    _record(Kind.REVIEW_SAVED, review, actor, now, after={"written": filled, "timeline": review.timeline_ok})
    return review


@transaction.atomic
def change_facilitator(review: Review, person: Person, *, actor: Person, now: datetime) -> Review:
    """Somebody else facilitates it. Raises Refused for who led, who can't act, and who does already."""
    review = locked_review(review)
    person = _able(person, review.incident)
    if person.pk == review.facilitator_id:
        raise Refused(f"{person.display_name} facilitates it already.")
    before, review.facilitator = review.facilitator, person
    review.version += 1
    save_checked(review, exclude=MAY_BE_EMPTY)
    sync_participants(review.incident)
    _ask(review, now)
    _record(
        Kind.REVIEW_SAVED, review, actor, now, before={"facilitator": before.audit_id},
        after={"facilitator": person.audit_id},
    )  # fmt: skip
    return review


@transaction.atomic
def complete_review(
    review: Review, *, signing: Signing, actor: Person, now: datetime, version: int | None = None
) -> Review:
    """The facilitator signs what was found: the timeline is right, causes are named, actions stand.

    Raises NotAllowed for anybody else, Refused for what is missing, MeanwhileChanged for another version.
    """
    review = locked_review(review, version=version)
    incident = review.incident
    if actor.pk != review.facilitator_id:
        raise NotAllowed(f"{review.facilitator.display_name} facilitates this review. Only they can sign it.")
    if left := missing(review):
        raise Refused(f"It can't be signed yet. {' '.join(left)}")
    review.signature = put_incident_signature(
        Signature.Kind.REVIEW, REVIEW_WORDS, _content(review), about=incident, signing=signing, signer=actor, now=now
    )
    _decided(review, Review.State.DONE, now)
    line(incident, Line.DECISION, f"{actor.display_name} signed the review.", now=now, person=actor)
    _record(
        Kind.REVIEW_COMPLETED, review, actor, now,
        after={"state": "done", "sha256": review.signature.payload_sha256, "on_time": review.due_on.isoformat()},
    )  # fmt: skip
    return review


def missing(review: Review) -> list[str]:
    """What the review still needs before it can be signed, in words."""
    left = []
    if not review.timeline_ok:
        left.append("Confirm that the timeline is right.")
    if not review.summary.strip():
        left.append("Say what happened.")
    if not review.causes.strip():
        left.append("Say what caused it.")
    return left


@transaction.atomic
def skip_review(
    review: Review, *, reason: str, signing: Signing, actor: Person, now: datetime, version: int | None = None
) -> Review:
    """Somebody who did not lead signs that no review is needed, and why.

    Raises NotAllowed for who led, Refused where a rule asks for the review, and without a reason.
    """
    review = locked_review(review, version=version)
    incident = review.incident
    if review.required_by:
        raise Refused(f"A review is needed here: {review.required_by.lower()}.")
    if actor.pk in who_led(incident):
        raise NotAllowed("You led the response. Somebody else has to say that no review is needed.")
    review.skip_reason = given(reason, "Say why no review is needed.")[:600]
    content = {"incident": _incident_part(review), "reason": review.skip_reason}
    review.signature = put_incident_signature(
        Signature.Kind.SKIPPED_REVIEW, SKIPPED_WORDS, content, about=incident, signing=signing, signer=actor, now=now
    )
    _decided(review, Review.State.SKIPPED, now)
    line(incident, Line.DECISION, f"No review: {review.skip_reason}", now=now, person=actor)
    _record(Kind.REVIEW_SKIPPED, review, actor, now, after={"state": "skipped"}, reason=review.skip_reason)
    return review


def _decided(review: Review, state: str, now: datetime) -> None:
    review.state, review.done_at = state, now
    review.version += 1
    save_checked(review, exclude=MAY_BE_EMPTY)


def _incident_part(review: Review) -> dict[str, object]:
    incident = review.incident
    return {
        "code": incident.code,
        "version": incident.version,
        "severity": incident.severity,
        "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
        "lead": incident.lead.audit_id,
        "timeline_lines": incident.timeline.count(),
    }


def _content(review: Review) -> dict[str, object]:
    """What is signed: every word of the review, and the actions with who does them by when."""
    actions = ReviewAction.objects.filter(incident=review.incident).select_related("finding__person")
    return {
        "incident": _incident_part(review),
        "review": {name: getattr(review, name) for name in WRITTEN} | {"required_by": review.required_by},
        "actions": [
            {
                "type": one.type,
                "gap": one.gap,
                "finding": one.finding_id,
                "what": one.finding.remedy,
                "owner": one.finding.person.audit_id,
                "due": one.finding.due_on.isoformat(),
            }
            for one in actions
        ],
    }


def _able(person: Person, incident: Incident) -> Person:
    person = able(person, "facilitate")
    if person.pk in who_led(incident):
        raise Refused(f"{person.display_name} led the response. Choose somebody else.")
    return person


def _record(
    kind: Kind,
    review: Review,
    actor: Person,
    now: datetime,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
) -> None:
    subject = incident_subject(review.incident)
    record(kind, actor=actor, subject=subject, now=now, before=before, after=after, reason=reason)

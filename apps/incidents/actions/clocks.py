"""Legal clocks of an incident: open, assess, start, correct, decide, note what was submitted. Nothing is filed here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind, canonical, digest
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import Line, incident_subject, line, locked_incident, sync_participants
from apps.incidents.models import ClockAnchor, ClockRule, Incident, IncidentClock, IncidentFile, Signature
from apps.incidents.queries import clocks as reading
from apps.incidents.queries.clocks import Deciding, deciding, moment_words, signs_as, where
from apps.incidents.rules import ClockState, Mode
from apps.incidents.rules.clocks import Deadline, assess_within, can_run, due_at
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.people.rules import Confirmation, why_not_signed

WAITS = (ClockState.NOT_ASSESSED, ClockState.ASSESSING)
RUNS = (ClockState.RUNNING, ClockState.MISSED)
STATEMENT = (
    "I decided that the events of {code} are not reported under: {laws}. I did so {capacity}, on the facts known at "
    "this time. If later facts say otherwise, the clock is started."
)


def open_clocks(incident: Incident, now: datetime) -> None:
    """Put the duties that may matter before those who decide, in the transaction that declares the incident.

    Called again where the system or the scenario becomes known, it adds what is new. A drill gets them too, so that
    the time to a decision is measured; they can't be started. A test gets none. It writes no event of its own.
    """
    if incident.mode == Mode.TEST:
        return
    there = set(incident.clocks.values_list("rule__key", flat=True))
    rules = [rule for rule in reading.candidates(incident) if rule.key not in there]
    if not rules:
        return
    by_seat = deciding({rule.decides_id for rule in rules}, now)
    IncidentClock.objects.bulk_create(
        [_opened(incident, rule, by_seat[rule.decides_id], now) for rule in rules], ignore_conflicts=True
    )
    line(incident, Line.FACT, _opened_words(rules, by_seat), now=now)
    enqueue_many(_to_assess(incident, rules, by_seat, now), now=now)


def _opened(incident: Incident, rule: ClockRule, by: Deciding, now: datetime) -> IncidentClock:
    return IncidentClock(
        incident=incident, rule=rule, opened_at=now, assess_by=now + assess_within(rule.term),
        decides=by.person, deputy=by.deputy,
    )  # fmt: skip


def _opened_words(rules: Sequence[ClockRule], by_seat: Mapping[str, Deciding]) -> str:
    count = len(rules)
    names = sorted({by_seat[rule.decides_id].person.display_name for rule in rules})
    duties, decide = "duty" if count == 1 else "duties", "decides" if len(names) == 1 else "decide"
    words = f"{count} legal {duties} to assess. {' and '.join(names)} {decide}."
    vacant = sorted({by_seat[rule.decides_id].seat_title for rule in rules if by_seat[rule.decides_id].is_vacant})
    return f"{words} Vacant, so the mandate decides: {', '.join(vacant)}." if vacant else words


def _to_assess(
    incident: Incident, rules: Sequence[ClockRule], by_seat: Mapping[str, Deciding], now: datetime
) -> list[Note]:
    """One mail a person, with the duties on which they decide or stand in."""
    told: dict[UUID, tuple[Person, list[ClockRule]]] = {}
    for rule in rules:
        by = by_seat[rule.decides_id]
        for person in filter(None, (by.person, by.deputy)):
            told.setdefault(person.pk, (person, []))[1].append(rule)
    real = incident.mode == Mode.REAL
    return [
        Note(
            f"clocks:{incident.pk}:{person.pk}:{min(rule.pk for rule in mine)}",
            person,
            f"{incident.prefix}{incident.code}: say which legal duties apply",
            _list_words(mine, now),
            f"{incident.path}clocks/",
            urgent=real,
        )
        for person, mine in told.values()
    ]


def _list_words(rules: Iterable[ClockRule], now: datetime) -> str:
    lines = [
        f"{rule.law}, {rule.title}: {rule.term.words or 'no number in the law'}. Assess by "
        f"{moment_words(now + assess_within(rule.term))}."
        for rule in rules
    ]
    return "No clock runs before you say that its trigger came true.\n\n" + "\n".join(lines)


def locked_clock(clock: IncidentClock) -> IncidentClock:
    """The clock as it is now, locked, its system and incident first."""
    incident = locked_incident(clock.incident)
    hold_row(IncidentClock.objects.all(), clock.pk)
    found = IncidentClock.objects.select_related("rule", "decides", "deputy").get(pk=clock.pk)
    found.incident = incident
    return found


@transaction.atomic
def assess(clock: IncidentClock, *, actor: Person, now: datetime, decision: str = "") -> IncidentClock:
    """Take up whether a rule applies. In a drill `decision` is what would be decided, with the time it took.

    Raises NotAllowed for who neither decides nor leads, Refused where it was taken up, and for a decision about what
    is real: that is started, or signed.
    """
    clock, decision = locked_clock(clock), decision.strip()
    _refuse_stranger(clock, actor, now)
    drill = clock.incident.mode == Mode.DRILL
    if decision and not drill:
        raise Refused("Start the clock, or sign that it is not reportable.")
    again = clock.state == ClockState.ASSESSING and drill and decision and not clock.decision
    if clock.state != ClockState.NOT_ASSESSED and not again:
        raise Refused("Somebody has taken this up already.")
    clock.state = ClockState.ASSESSING.value
    if decision:
        clock.decision, clock.decided_by, clock.decided_at = decision, actor, now
    clock.save(update_fields=["state", "decision", "decided_by", "decided_at"])
    what = f"would decide: {decision}" if decision else "looks at whether it has to be reported"
    line(clock.incident, Line.FACT, f"{clock.rule.law}: {actor.display_name} {what}.", now=now, person=actor)
    _event(Kind.CLOCK_ASSESSED, clock, actor, now, reason=decision)
    return clock


@transaction.atomic
def start_clock(
    clock: IncidentClock,
    *,
    anchor_at: datetime,
    reason: str,
    actor: Person,
    now: datetime,
    cap_at: datetime | None = None,
) -> IncidentClock:
    """Say when the trigger of a rule came true: its time runs from that moment, not from now.

    `cap_at` is the moment of the second limit, where the rule has one. Raises NotAllowed for who neither decides nor
    leads; Refused in a drill, for a rule that is not law on the incident's day or does not bind the organisation,
    for a stage that starts with a submission, without a reason, and for a moment that is ahead.
    """
    clock = locked_clock(clock)
    _refuse_stranger(clock, actor, now)
    _refuse_rule(clock)
    if clock.state not in (*WAITS, ClockState.NOT_REPORTABLE):
        raise Refused("This clock runs already. Correct when it started, with a reason.")
    if clock.rule.anchor == "prev_submission" and clock.rule.amount is not None:
        raise Refused("This stage starts by itself, with the submission before it.")
    due = _anchor(clock, anchor_at, cap_at, reason, actor, now)
    clock.state, clock.signature = ClockState.RUNNING.value, None
    clock.decision, clock.decided_by, clock.decided_at = reason.strip(), actor, now
    clock.save(update_fields=[*_TIMES, "state", "signature", "decision", "decided_by", "decided_at"])
    ends = f" It ends on {moment_words(due.at)}." if due else " The law gives no number: at once."
    line(
        clock.incident, Line.FACT, f"{clock.rule.law}: {reason.strip()} The clock starts.{ends}",
        now=now, person=actor, at=anchor_at,
    )  # fmt: skip
    _event(Kind.CLOCK_ANCHORED, clock, actor, now, reason=reason)
    return clock


_TIMES = ("anchor_at", "due_at", "alerted")


@transaction.atomic
def correct_anchor(
    clock: IncidentClock,
    *,
    anchor_at: datetime,
    reason: str,
    actor: Person,
    now: datetime,
    cap_at: datetime | None = None,
) -> IncidentClock:
    """Put right when the trigger came true. What was said before stays on record, and the deadline moves.

    Raises NotAllowed for who does not decide; Refused where the clock does not run, without a reason, for a moment
    that is ahead.
    """
    clock = locked_clock(clock)
    _refuse_undecider(clock, actor, now)
    if clock.state not in RUNS:
        raise Refused("Only a clock that runs has a start to correct.")
    before = clock.due_at
    due = _anchor(clock, anchor_at, cap_at, reason, actor, now)
    if due is not None and due.at > now:
        clock.state = ClockState.RUNNING.value
    clock.save(update_fields=[*_TIMES, "state"])
    ends = f" It ends on {moment_words(due.at)} now." if due else ""
    words = f"{clock.rule.law}: the start is corrected to {moment_words(anchor_at)}. {reason.strip()}{ends}"
    line(clock.incident, Line.DECISION, words, now=now, person=actor)
    _event(Kind.CLOCK_ANCHORED, clock, actor, now, reason=reason, before=before)
    return clock


def _anchor(
    clock: IncidentClock, at: datetime, cap_at: datetime | None, reason: str, actor: Person | None, now: datetime
) -> Deadline | None:
    """Add the moments to the record and put the deadline that they lead to on the clock, unsaved."""
    rule, reason = clock.rule, reason.strip()
    if not reason:
        raise Refused("Say what made the trigger come true, and how it is known.")
    if at > now or (cap_at is not None and cap_at > now):
        raise Refused("A clock starts with what happened already. Give a time that is past.")
    if rule.cap_anchor and cap_at is None:
        raise Refused(f"Say also when: {ClockRule.Anchor(rule.cap_anchor).label.lower()}. It limits the time.")
    moments = {rule.anchor: at}
    if rule.cap_anchor and cap_at is not None:
        if cap_at > at:
            raise Refused("Nobody classifies what they are not aware of: the first moment comes before the second.")
        moments[rule.cap_anchor] = cap_at
    ClockAnchor.objects.bulk_create(
        ClockAnchor(clock=clock, anchor=anchor, at=moment, reason=reason, said_by=actor, said_at=now)
        for anchor, moment in moments.items()
    )
    due = due_at(rule.term, moments, where())
    clock.anchor_at, clock.due_at, clock.alerted = at, due.at if due else None, 0
    return due


@transaction.atomic
def decide_not_reportable(
    clocks: Sequence[IncidentClock],
    *,
    reason: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    """Sign that what happened is not reported under one or several rules. It goes into the register.

    Only the legal seat signs: its holder, who acts for them, or the mandate where it is vacant. Raises NotAllowed for
    everybody else; Refused without a reason, in a drill, for clocks of different incidents, for one that is decided,
    and for a signature that is not confirmed.
    """
    if not clocks or len({clock.incident_id for clock in clocks}) != 1:
        raise Refused("Choose at least one duty of one incident.")
    incident = locked_incident(clocks[0].incident)
    capacity = signs_as(actor, now)
    if not capacity:
        raise NotAllowed(f"Only {reading.who_signs(now).display_name} signs this, for the legal seat.")
    if incident.mode != Mode.REAL:
        raise Refused("A drill decides nothing that is signed. Note what you would decide.")
    reason = given(reason, "Say why it is not reportable.")
    if missing := why_not_signed(declared_true, typed_name, actor.display_name, confirmation, now):
        raise Refused(missing)
    rows = _locked_open(clocks)
    signature = _signed(incident, rows, reason, capacity, confirmation, actor, now)
    for clock in rows:
        clock.state, clock.signature = ClockState.NOT_REPORTABLE.value, signature
        clock.decision, clock.decided_by, clock.decided_at = reason, actor, now
    IncidentClock.objects.bulk_update(rows, ["state", "signature", "decision", "decided_by", "decided_at"])
    laws = ", ".join(clock.rule.law for clock in rows)
    line(incident, Line.DECISION, f"Not reported under {laws}: {reason}", now=now, person=actor)
    record(
        Kind.CLOCK_NOT_REPORTABLE, actor=actor, subject=incident_subject(incident), now=now, reason=reason,
        after={
            "clocks": [clock.rule.key for clock in rows], "payload_sha256": signature.payload_sha256,
            "auth": confirmation.method, "capacity": "holder" if capacity == signature.signer_function else "acting",
        },
    )  # fmt: skip
    return signature


def _locked_open(clocks: Sequence[IncidentClock]) -> list[IncidentClock]:
    rows = IncidentClock.objects.filter(pk__in=[clock.pk for clock in clocks]).select_related("rule").order_by("pk")
    found = list(rows.select_for_update(no_key=True, of=("self",)))
    for clock in found:
        if clock.state not in (*WAITS, *RUNS):
            raise Refused(f"{clock.rule.law} is decided already: {clock.get_state_display().lower()}.")
    return found


def _signed(
    incident: Incident, clocks: Sequence[IncidentClock], reason: str, capacity: str, confirmation: Confirmation,
    actor: Person, now: datetime,
) -> Signature:  # fmt: skip
    laws = "; ".join(f"{clock.rule.law} ({clock.rule.title})" for clock in clocks)
    statement = STATEMENT.format(code=incident.code, laws=laws, capacity=_as(capacity))
    payload = {
        "v": "1",
        "kind": Signature.Kind.NOT_REPORTABLE.value,
        "incident": {"code": incident.code, "version": incident.version},
        "rules": [_rule_signed(clock) for clock in clocks],
        "reason": reason,
        "statement": statement,
        "signer": {"id": str(actor.pk), "name": actor.display_name, "title": actor.title, "capacity": capacity},
        "auth": {"method": confirmation.method, "at": confirmation.at.isoformat()},
        "signed_at": now.isoformat(),
    }
    text = canonical(payload)
    return Signature.objects.create(
        kind=Signature.Kind.NOT_REPORTABLE.value, incident=incident, statement=statement, payload=text,
        payload_sha256=digest(text), person=actor, signer_name=actor.display_name, signer_function=capacity,
        method=confirmation.method, signed_at=now,
    )  # fmt: skip


def _as(capacity: str) -> str:
    return capacity if capacity.startswith(("for ", "acting ")) else f"as {capacity}"


def _rule_signed(clock: IncidentClock) -> dict[str, object]:
    rule = clock.rule
    return {
        "key": rule.key, "version": rule.version, "law": rule.law, "trigger": rule.trigger, "state": clock.state,
        "due": clock.due_at.isoformat() if clock.due_at else None,
    }  # fmt: skip


@transaction.atomic
def note_submission(
    clock: IncidentClock,
    *,
    reference: str,
    at: datetime,
    actor: Person,
    now: datetime,
    late_reason: str = "",
    file: IncidentFile | None = None,
) -> IncidentClock:
    """Note what somebody submitted to the authority by themselves, with its reference. Starts the stages after it.

    Raises NotAllowed for who does not decide; Refused where the clock does not run, without a reference, for a time
    that is ahead or before its start, for a late one without the reason, and for a file of another incident.
    """
    clock, reference, late_reason = locked_clock(clock), reference.strip(), late_reason.strip()
    _refuse_undecider(clock, actor, now)
    if clock.state not in RUNS:
        raise Refused("Start the clock first: say when its trigger came true.")
    if not reference:
        raise Refused("Give the reference that the authority gave you.")
    if at > now or (clock.anchor_at is not None and at < clock.anchor_at):
        raise Refused("It was submitted after the clock started and before now.")
    if file is not None and file.incident_id != clock.incident_id:
        raise Refused("Choose a file of this incident.")
    late = clock.due_at is not None and at > clock.due_at
    if late and not late_reason:
        raise Refused("It was submitted after its deadline: say why it is late.")
    missed_now = late and clock.state == ClockState.RUNNING
    if missed_now:
        IncidentClock.objects.filter(pk=clock.pk).update(state=ClockState.MISSED.value, alerted=100)
    clock.state = (ClockState.SUBMITTED_LATE if late else ClockState.SUBMITTED).value
    clock.submission_ref, clock.submitted_at, clock.submitted_by = reference[:300], at, actor
    clock.late_reason, clock.file = late_reason if late else "", file
    clock.save(update_fields=["state", "submission_ref", "submitted_at", "submitted_by", "late_reason", "file"])
    when = f"submitted {'late ' if late else ''}on {moment_words(at)}, reference {reference}"
    line(clock.incident, Line.DECISION, f"{clock.rule.law}: {when}.", now=now, person=actor)
    event = _event(Kind.CLOCK_SUBMITTED, clock, actor, now, reason=late_reason, private={"reference": reference})
    if missed_now:
        _event(Kind.CLOCK_MISSED, clock, actor, now, cause=event)
    _start_next(clock, reference, at, actor, now, event)
    return clock


def _start_next(clock: IncidentClock, reference: str, at: datetime, actor: Person, now: datetime, cause: UUID) -> None:
    """The stages that this submission starts; one without a number waits for somebody to say whether it is due."""
    incident = clock.incident
    there = set(incident.clocks.values_list("rule__key", flat=True))
    rules = [rule for rule in reading.next_stages(clock.rule, incident) if rule.key not in there]
    if not rules:
        return
    by_seat = deciding({rule.decides_id for rule in rules}, now)
    for rule in rules:
        made = _opened(incident, rule, by_seat[rule.decides_id], now)
        made.save(force_insert=True)
        if rule.amount is None:
            continue
        due = _anchor(made, at, None, f"Submitted under {clock.rule.law}, reference {reference}.", actor, now)
        made.state = ClockState.RUNNING.value
        made.save(update_fields=[*_TIMES, "state"])
        ends = f" It ends on {moment_words(due.at)}." if due else ""
        line(incident, Line.FACT, f"{rule.law}, {rule.title}: the clock starts.{ends}", now=now)
        _event(Kind.CLOCK_ANCHORED, made, actor, now, cause=cause)
    sync_participants(incident)


def _refuse_stranger(clock: IncidentClock, actor: Person, now: datetime) -> None:
    if not reading.may_start(clock, actor, now):
        raise NotAllowed(f"You may see this, but {clock.decides.display_name} decides.")


def _refuse_undecider(clock: IncidentClock, actor: Person, now: datetime) -> None:
    if not reading.may_decide(clock, actor, now):
        raise NotAllowed(f"You may see this, but {clock.decides.display_name} decides.")


def _refuse_rule(clock: IncidentClock) -> None:
    rule, incident = clock.rule, clock.incident
    if incident.mode != Mode.REAL:
        raise Refused("A drill starts no legal clock. Note what you would decide.")
    if not can_run(rule.status, rule.valid_from, rule.valid_to, local_date(incident.declared_at)):
        raise Refused(f"{rule.law} was not in force on the day of the incident: {rule.get_status_display().lower()}.")
    in_use = reading.rules_in_use().filter(key=rule.key).first()
    if rule.applies is False or (in_use is not None and in_use.applies is False):
        raise Refused(f"The register says that {rule.law} does not bind this organisation. Change that first.")


def _event(
    kind: Kind,
    clock: IncidentClock,
    actor: Person,
    now: datetime,
    *,
    reason: str = "",
    before: datetime | None = None,
    private: Mapping[str, str] | None = None,
    cause: UUID | None = None,
) -> UUID:
    return record(
        kind, actor=actor, subject=incident_subject(clock.incident), now=now, reason=reason.strip(),
        before={"due": before.isoformat()} if before else None, after=clock_body(clock), private=private, cause=cause,
    )  # fmt: skip


def clock_body(clock: IncidentClock) -> dict[str, object]:
    """What an event says of a clock."""
    return {
        "clock": clock.rule.key, "version": clock.rule.version, "state": clock.state,
        "anchor": clock.anchor_at.isoformat() if clock.anchor_at else None,
        "due": clock.due_at.isoformat() if clock.due_at else None,
    }  # fmt: skip

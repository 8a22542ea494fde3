"""What a person finds on their home page: what needs them, what they answer for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.text import Truncator

from apps.attestations.models import Assignment, AttestationException, Delegation, Reassignment, RollupNode
from apps.attestations.queries import status_by_system, waiting_for
from apps.attestations.queries.delegation import prepared_for
from apps.attestations.queries.duties import Reviews, decide_by, duties_of
from apps.attestations.queries.reassignment import to_answer
from apps.attestations.queries.rollup import nodes_for, place_of
from apps.attestations.questions import DEFAULT_SET
from apps.attestations.rules import Period
from apps.common.clock import local_date, zone_named
from apps.common.workdays import add_working_days
from apps.directory.queries.cases import open_cases_of
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries import findings_for, planned_for, to_verify_by
from apps.incidents.models import Incident, IncidentTask, Review
from apps.incidents.queries.clocks import moment_words
from apps.incidents.queries.duties import ToDecide, reviews_of, tasks_of, to_decide
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.page import needing
from apps.incidents.rules import Mode
from apps.people.models import Person
from apps.portal.queries.answers import day_words
from apps.portal.queries.home_incidents import CalledFirst, Followed, called_first, followed
from apps.registry.actions.ownership import ANSWER_WITHIN
from apps.registry.models import GovernanceDomain, Handover, Nomination, RaciAcceptance, System
from apps.registry.queries import live, on_record
from apps.registry.queries.charter import seats_to_sign
from apps.registry.queries.handover import handovers_waiting_for
from apps.registry.queries.systems import by_tier

# Rows of each list; the systems list has the rest.
SHOWN = 12
# More attestations than this are one row for each due date: a wall of the same button hides what is different.
SINGLY = 6
# A system's own name can hold 500 characters; a duty is read at a glance.
NAME_SHOWN = 90


@dataclass(frozen=True)
class Need:
    """One duty: what, by when, and the next action."""

    # incident | attestation | nomination | handover | finding | letters | charter | leaver | review | exception |
    # rollup | passed | clock | task | incident_review
    kind: str
    title: str
    text: str
    due_on: date
    today: date
    url: str
    action: str
    about: str
    # Where a duty ends at an hour, not with its day.
    is_late: bool = False
    # "Drill" or "Test": nothing happened.
    rehearsed: str = ""

    @property
    def days(self) -> int:
        return (self.due_on - self.today).days

    @property
    def tone(self) -> str:
        """Overdue is bad, three days or less is a warning. What is live comes before everything."""
        if self.rehearsed:
            return "neutral"
        if self.kind == "incident" or self.is_late:
            return "bad"
        return "bad" if self.days < 0 else "warn" if self.days <= 3 else "neutral"

    @property
    def words(self) -> str:
        if self.rehearsed:
            return self.rehearsed
        if self.is_late and self.due_on == self.today:
            return "Late today"
        return "Live" if self.kind == "incident" else due_words(self.due_on, self.today)


@dataclass(frozen=True)
class Owned:
    """A system that the person answers for, with where its attestation stands."""

    system: System
    status: str
    tone: str


@dataclass(frozen=True)
class HomePage:
    """Everything on the page."""

    needs: list[Need]
    needs_total: int
    owned: list[Owned]
    owned_total: int
    interim_total: int
    nominations_left: int
    period: str
    followed: list[Followed]
    called_first: CalledFirst


def due_words(due_on: date, today: date) -> str:
    """ "4 days overdue", "Due tomorrow", "Due 20 Nov 2026"."""
    days = (due_on - today).days
    if days < 0:
        return f"{-days} day{'' if days == -1 else 's'} overdue"
    if days <= 3:
        return ("Due today", "Due tomorrow", "Due in 2 days", "Due in 3 days")[days]
    return f"Due {day_words(due_on)}"


def greeting(person: Person, now: datetime) -> str:
    """By the hour where the person is."""
    hour = now.astimezone(zone_named(person.time_zone)).hour
    part = "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return f"Good {part}, {person.display_name.split()[0]}"


def home_page(person: Person, now: datetime) -> HomePage:
    """The page in a fixed number of queries, whatever the person answers for."""
    today = local_date(now)
    asked = Nomination.objects.filter(nominee=person, state=Nomination.State.OPEN)
    nominations = list(asked.select_related("system__owner", "nominated_by").order_by("due_on", "pk")[: SHOWN + 1])
    nominated = len(nominations) if len(nominations) <= SHOWN else asked.count()
    duties, attestations = _attestations(person, today)
    found, findings = _findings(person, now, today)
    needs = duties + [_nomination(nomination, today) for nomination in nominations[:SHOWN]] + found
    handovers = list(handovers_waiting_for(person)[:SHOWN])
    needs += [_handover(handover, person, today) for handover in handovers]
    letters = _letters(person, today)
    needs += letters
    charter = [_charter(seat, today) for seat in seats_to_sign(person)]
    leavers = [_leaver(case, today) for case in open_cases_of(person)[:SHOWN]]
    reviews = _reviews(person, now, today)
    nodes = [_node(one, today) for one in nodes_for(person, now)[:SHOWN]]
    passed = _passed_on(person, today)
    seen = visible_incidents(person)
    learning = _of_incidents(person, seen, now, today)
    needs += charter + leavers + reviews + nodes + passed + learning
    mine_now = needing(person, seen)
    live_now = [_incident(one, person, today) for one in mine_now]
    mine = live(on_record(System.objects.filter(owner=person)))
    counts = mine.aggregate(n=Count("pk"), interim=Count("pk", filter=Q(owner_basis=System.Basis.INTERIM)))
    owned, period = _owned(list(by_tier(mine)[:SHOWN]), today)
    return HomePage(
        needs=live_now + sorted(needs, key=lambda need: (not need.is_late, need.due_on, need.title)),
        needs_total=len(live_now)
        + attestations
        + nominated
        + findings
        + len(handovers)
        + len(letters)
        + len(charter)
        + len(leavers)
        + len(reviews)
        + len(nodes)
        + len(passed)
        + len(learning),
        owned=owned,
        owned_total=counts["n"],
        interim_total=counts["interim"],
        nominations_left=max(nominated - SHOWN, 0),
        period=period,
        followed=followed(person, seen, now, named=[one.pk for one in mine_now]),
        called_first=called_first(person),
    )


def _incident(one: Incident, person: Person, today: date) -> Need:
    """A live incident that somebody leads, was called to, or is asked to take over."""
    leads, asked = one.lead_id == person.pk, getattr(one, "asked", False)
    text = f"{one.prefix}{_short(one.title)}. {_short(one.place)}"
    title = f"You lead the response to {one.code}" if leads else f"You are called to {one.code}"
    return Need(
        kind="incident",
        title=f"You are asked to take over {one.code}" if asked else title,
        text=text if leads else f"{text}. {one.lead.display_name} leads",
        due_on=today,
        today=today,
        url=one.path,
        action="Open",
        about=one.code,
        rehearsed="" if one.mode == Mode.REAL else str(one.get_mode_display()),
    )


def _of_incidents(person: Person, seen: QuerySet[Incident], now: datetime, today: date) -> list[Need]:
    """What incidents ask of somebody beside leading them: duties to decide, tasks, a review. Three queries."""
    needs = [_to_decide(one, now, today) for one in to_decide(person, seen)[:SHOWN]]
    needs += [_task(one, now, today) for one in tasks_of(person, seen)[:SHOWN]]
    return needs + [_incident_review(one, today) for one in reviews_of(person, seen)[:SHOWN]]


def _to_decide(one: ToDecide, now: datetime, today: date) -> Need:
    count = "1 legal duty" if one.count == 1 else f"{one.count} legal duties"
    runs = f" {one.runs} clock{'s run' if one.runs > 1 else ' runs'}." if one.runs else ""
    return Need(
        kind="clock",
        title=f"Decide {count} of {one.code}",
        text=f"The first {'was due' if one.by <= now else 'by'} {moment_words(one.by)}.{runs}",
        due_on=local_date(one.by),
        today=today,
        url=reverse("incidents:incident_clocks", args=[one.code]),
        action="Decide",
        about=f"{one.code}, legal duties",
        is_late=one.by <= now,
    )


def _task(one: IncidentTask, now: datetime, today: date) -> Need:
    by = f", by {moment_words(one.due_at)}" if one.due_at else ""
    return Need(
        kind="task",
        title=_short(one.what),
        text=f"{one.incident.prefix}{one.incident.code}. {one.set_by.display_name} asked you{by}.",
        due_on=local_date(one.due_at or one.set_at),
        today=today,
        url=f"{one.incident.path}#tasks",
        action="Open",
        about=f"{one.incident.code}, task",
        is_late=one.due_at is not None and one.due_at <= now,
    )


def _incident_review(one: Review, today: date) -> Need:
    return Need(
        kind="incident_review",
        title=f"Review {one.incident.code}: {_short(one.incident.title)}",
        text="You did not lead it. Say what happened, why, and who does what about it, then sign.",
        due_on=one.due_on,
        today=today,
        url=reverse("incidents:review", args=[one.incident.code]),
        action="Review",
        about=one.incident.code,
    )


def _passed_on(person: Person, today: date) -> list[Need]:
    """What others passed on to this person: answers to prepare, somebody to find. Two queries.

    Who is asked to take a system over finds a nomination.
    """
    needs = [_prepare(one, today) for one in prepared_for(person, today=today)[:SHOWN]]
    return needs + [_find_somebody(one, today) for one in to_answer(person).filter(to_person=None)[:SHOWN]]


def _prepare(one: Delegation, today: date) -> Need:
    name = _short(one.assignment.system.name)
    return Need(
        kind="passed",
        title=f"Prepare the attestation of {name}",
        text=f"{one.given_by.display_name} asks you to fill in what you know, then reads it and signs.",
        due_on=one.until,
        today=today,
        url=reverse("attestations:assignment", args=[one.assignment.campaign.code, one.assignment.system.key]),
        action="Prepare",
        about=name,
    )


def _find_somebody(one: Reassignment, today: date) -> Need:
    name = _short(one.assignment.system.name)
    return Need(
        kind="passed",
        title=f"Find somebody for {name}",
        text=f"{one.from_person.display_name} says that it is not theirs.",
        due_on=one.answer_by,
        today=today,
        url=reverse("attestations:reassign", args=[one.assignment.campaign.code, one.assignment.system.key]),
        action="Answer",
        about=name,
    )


def _reviews(person: Person, now: datetime, today: date) -> list[Need]:
    """What others signed and waits for this person, exceptions to decide, own plans that were refused."""
    duties = duties_of(person, now)
    needs = [_to_review(one, today) for one in duties.reviews]
    for one in duties.decisions:
        by = one.signature.signer.display_name
        needs.append(_of_exception(one, f"Decide: {_short(one.description)}", f"{by} declared it.", "Decide", today))
    for one in duties.refused:
        text = _short(one.decision_note)
        needs.append(_of_exception(one, f"Propose another plan: {_short(one.description)}", text, "Propose", today))
    return needs


def _to_review(one: Reviews, today: date) -> Need:
    n, label = one.count, one.campaign.label
    what = f"{n:,} {label} {'sample' if one.sample else 'attestation'}{'' if n == 1 else 's'}"
    return Need(
        kind="review",
        title=f"Re-perform {what}" if one.sample else f"Review {what}",
        text="Answer the questions again, independently." if one.sample else "Signed by others. Accept, or send back.",
        due_on=one.due_on,
        today=today,
        url=reverse("attestations:reviews", args=[one.campaign.code]),
        action="Review",
        about=f"{label} {'samples' if one.sample else 'attestations'}",
    )


def _of_exception(one: AttestationException, title: str, text: str, action: str, today: date) -> Need:
    return Need(
        kind="exception",
        title=title,
        text=text,
        due_on=one.due_on if action == "Propose" else decide_by(one),
        today=today,
        url=reverse("attestations:exception", args=[one.pk]),
        action=action,
        about=_short(one.description),
    )


def _attestations(person: Person, today: date) -> tuple[list[Need], int]:
    """What waits for a signature, and how many: singly, or one row for each due date. One or two queries."""
    waiting = waiting_for(person)
    singly = list(waiting[: SINGLY + 1])
    if len(singly) <= SINGLY:
        return [_attestation(item, today) for item in singly], len(singly)
    dates = list(
        waiting.order_by("due_on", "campaign__period")
        .values("due_on", "campaign__period")
        .annotate(n=Count("pk"), interim=Count("pk", filter=Q(system__owner_basis=System.Basis.INTERIM)))
    )
    return [_attestations_due(row, today) for row in dates], sum(row["n"] for row in dates)


def _attestations_due(row: Mapping[str, Any], today: date) -> Need:
    n, interim, quarter = row["n"], row["interim"], Period.parse(row["campaign__period"])
    held = "" if not interim else "You stand in for all of them." if interim == n else f"You stand in for {interim:,}."
    return Need(
        kind="attestation",
        title=f"Sign {n:,} {quarter.short} attestation{'' if n == 1 else 's'}",
        text=held or "Nearest date first.",
        due_on=row["due_on"],
        today=today,
        url=reverse("attestations:campaigns"),
        action="Open",
        about=f"the list, due {day_words(row['due_on'])}",
    )


def _short(name: str) -> str:
    return Truncator(name).chars(NAME_SHOWN)


def _attestation(item: Assignment, today: date) -> Need:
    quarter = Period.parse(item.campaign.period)
    started = item.state == Assignment.State.IN_PROGRESS
    return Need(
        kind="attestation",
        title=f"Sign the {quarter.short} attestation for {_short(item.system.name)}",
        text="Started, not signed." if started else f"Not started, {len(DEFAULT_SET)} sections.",
        due_on=item.due_on,
        today=today,
        url=reverse("attestations:assignment", args=[item.campaign.code, item.system.key]),
        action="Continue" if started else "Start",
        about=item.system.name,
    )


def _nomination(nomination: Nomination, today: date) -> Need:
    by = nomination.nominated_by.display_name if nomination.nominated_by else "an import"
    asked = day_words(local_date(nomination.created_at))
    return Need(
        kind="nomination",
        title=f"Accept or decline: answer for {_short(nomination.system.name)}",
        text=f"Nominated by {by} on {asked}. Until you accept, {nomination.system.owner.display_name} answers.",
        due_on=nomination.due_on,
        today=today,
        url=reverse("portal:nomination", args=[nomination.pk]),
        action="Review",
        about=nomination.system.name,
    )


def _charter(seat: Any, today: date) -> Need:
    """`seat` comes with `asked_at`, since when its signature is wanted."""
    asked_on: date = local_date(seat.asked_at)
    return Need(
        kind="charter",
        title=f"Sign the charter of AI governance for {seat.function.seat_title}",
        text=f"In force since {day_words(asked_on)}. Sign it, or say why not.",
        due_on=add_working_days(asked_on, ANSWER_WITHIN),
        today=today,
        url=reverse("portal:mandate_sign", args=[seat.function_id]),
        action="Read and sign",
        about="the charter",
    )


def _node(node: RollupNode, today: date) -> Need:
    asked_on: date = local_date(node.ready_at or node.campaign.closes_at)
    place = _short(place_of(node))
    return Need(
        kind="rollup",
        title=f"Sign the {node.campaign.label} roll-up of {place}",
        text=f"Ready since {day_words(asked_on)}. Read what is below by name, then sign or decline.",
        due_on=add_working_days(asked_on, ANSWER_WITHIN),
        today=today,
        url=reverse("attestations:node", args=[node.campaign.code, node.pk]),
        action="Read and sign",
        about=f"the roll-up of {place}",
    )


def _leaver(case: Any, today: date) -> Need:
    """`case` comes with `left`, how many systems nobody has accepted yet."""
    left: int = case.left
    return Need(
        kind="leaver",
        title=f"Find owners for what {case.person.display_name} left",
        text=f"{left:,} system{'' if left == 1 else 's'} wait{'s' if left == 1 else ''} for somebody to accept.",
        due_on=case.due_on,
        today=today,
        url=reverse("directory:case", args=[case.pk]),
        action="Open",
        about=f"what {case.person.display_name} left",
    )


def _letters(person: Person, today: date) -> list[Need]:
    """Rows of the matrix that the person would answer for and has not accepted yet. One or two queries."""
    asked = RaciAcceptance.objects.filter(person=person, state=RaciAcceptance.State.OPEN)
    waiting = list(
        asked.select_related("draft__author", "draft__unit", "draft__system").order_by("due_on", "pk")[:SHOWN]
    )
    names = GovernanceDomain.objects.in_bulk(key for one in waiting for key in one.domains) if waiting else {}
    return [_letter(one, [names[key].name for key in one.domains], today) for one in waiting]


def _letter(asked: RaciAcceptance, domains: list[str], today: date) -> Need:
    draft = asked.draft
    place = draft.system.name if draft.system else draft.unit.name if draft.unit else "the organisation"
    what = domains[0] if len(domains) == 1 else f"{len(domains)} domains"
    return Need(
        kind="letters",
        title=f"Accept or decline: be accountable for {what} of {_short(place)}",
        text=f"{draft.author.display_name} asks you. Until you accept, nothing changes.",
        due_on=asked.due_on,
        today=today,
        url=reverse("portal:raci_acceptance", args=[asked.pk]),
        action="Review",
        about=place,
    )


def _findings(person: Person, now: datetime, today: date) -> tuple[list[Need], int]:
    """Findings to put right, actions to do and actions to verify, and how many. Four to seven queries."""
    mine, planned, asked = findings_for(person, now), planned_for(person), to_verify_by(person)
    needs: list[Need] = []
    total = 0
    found = list(mine[: SINGLY + 1])
    total += len(found) if len(found) <= SINGLY else mine.count()
    if len(found) <= SINGLY:
        needs += [_finding(one, person, today) for one in found]
    else:
        needs.append(_many_findings(total, found[0].due_on, today))
    actions = list(planned.exclude(finding__person=person)[:SINGLY])
    verifications = list(asked[:SINGLY])
    needs += [_action(one, today) for one in actions] + [_verification(one, today) for one in verifications]
    return needs, total + len(actions) + len(verifications)


def _finding(finding: Finding, person: Person, today: date) -> Need:
    own = finding.person_id == person.pk
    return Need(
        kind="finding",
        title=f"Put right: {_short(finding.title)}",
        text=_short(finding.remedy) if own else f"You act for {finding.person.display_name}. {_short(finding.remedy)}",
        due_on=finding.due_on,
        today=today,
        url=reverse("findings:finding", args=[finding.pk]),
        action="Plan" if own and finding.state == Finding.State.OPEN else "Open",
        about=_short(finding.title),
    )


def _many_findings(total: int, due_on: date, today: date) -> Need:
    return Need(
        kind="finding",
        title=f"Put {total:,} findings right",
        text="Nearest date first.",
        due_on=due_on,
        today=today,
        url=f"{reverse('findings:findings')}?tab=mine",
        action="Open",
        about="the list",
    )


def _action(action: CorrectiveAction, today: date) -> Need:
    return Need(
        kind="finding",
        title=f"Do: {_short(action.what)}",
        text=f"For the finding of {action.finding.person.display_name}: {_short(action.finding.title)}",
        due_on=action.due_on,
        today=today,
        url=reverse("findings:finding", args=[action.finding_id]),
        action="Finish",
        about=_short(action.finding.title),
    )


def _verification(action: CorrectiveAction, today: date) -> Need:
    done_by = action.done_by.display_name if action.done_by else action.person.display_name
    return Need(
        kind="finding",
        title=f"Verify: {_short(action.finding.title)}",
        text=f"{done_by} says that it is done.",
        due_on=action.finding.due_on,
        today=today,
        url=reverse("findings:finding", args=[action.finding_id]),
        action="Verify",
        about=_short(action.finding.title),
    )


def _handover(handover: Handover, person: Person, today: date) -> Need:
    waits_for = handover.waits_for
    mine = waits_for is not None and waits_for.pk == person.pk
    other = handover.incoming if person.pk == handover.outgoing_id else handover.outgoing
    towards = "to" if person.pk == handover.outgoing_id else "from"
    return Need(
        kind="handover",
        title=f"{'Sign' if mine else 'Waiting:'} the hand-over of {_short(handover.system.name)}",
        text=f"{'Yours to sign' if mine else f'{waits_for} signs next'}, {towards} {other.display_name}. "
        f"Until both have signed, {handover.outgoing.display_name} answers.",
        due_on=handover.due_on,
        today=today,
        url=reverse("portal:handover", args=[handover.pk]),
        action="Sign" if mine else "Open",
        about=handover.system.name,
    )


def _owned(systems: Sequence[System], today: date) -> tuple[list[Owned], str]:
    found = status_by_system([system.pk for system in systems], today=today)
    rows, period = [], ""
    for system in systems:
        status = found.get(system.pk)
        if status is None:
            rows.append(Owned(system, "Not in a campaign yet", "neutral"))
            continue
        period = period or f"{status.period.short} attestation"
        if status.submitted_at:
            rows.append(Owned(system, f"Signed {day_words(local_date(status.submitted_at))}", "ok"))
        elif status.state == Assignment.State.NOT_ATTESTED:
            rows.append(Owned(system, "Not attested", "bad"))
        else:
            tone = "bad" if status.overdue else "warn" if (status.due_on - today).days <= 3 else "neutral"
            rows.append(Owned(system, due_words(status.due_on, today), tone))
    return rows, period or "Attestation"

"""Duties of campaigns: they open and move on by themselves, nobody is left out, nobody is left untold."""

from datetime import date, datetime, time, timedelta

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import TruncDate

from apps.attestations.actions.ladder import DIGEST
from apps.attestations.models import (
    Assignment,
    AttestationException,
    Campaign,
    CampaignDocument,
    CampaignTemplate,
    EvidenceFile,
    Reassignment,
    RollupNode,
    ScopeSnapshot,
    Snooze,
)
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.queries.calendar import began
from apps.attestations.queries.scope import covered, scope_sql
from apps.attestations.rules import OPEN_STATES, RUNNING, Period
from apps.attestations.rules.periods import cadence_of
from apps.audit.rules import microseconds
from apps.common.clock import day_words, local_date, organisation_zone
from apps.common.workdays import add_working_days
from apps.notify.models import Message
from apps.notify.queries import undelivered_since
from apps.portal.queries.watch_checks import EXAMPLES, Duty, Example, Look, Scene, Tends, listed, seen
from apps.registry.rules import NOT_LIVE
from apps.registry.rules.breaches import Severity

OPENED_WITHIN = timedelta(minutes=15)
MOVED_WITHIN = timedelta(hours=1)
DONE_WITHIN = timedelta(hours=1)
A_DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=14)
NOON = time(12)
# A mail leaves in the office hours of who reads it, anywhere: two working days later at noon it has left.
TOLD_WITHIN = 2


def _campaign(campaign: Campaign) -> Example:
    return Example(campaign.label, f"/attestations/{campaign.code}/")


def _not_opened(scene: Scene) -> Look:
    """By the templates and the calendar, not by what the sweep thinks. A cancelled campaign was opened."""
    beginning = began()
    wanted = {
        (template.pk, str(period)): (template, period)
        for template in CampaignTemplate.objects.filter(is_active=True).exclude(cadence="event")
        for period in _periods(template, scene, beginning)
    }
    known = Campaign.objects.filter(template__in={pk for pk, _ in wanted}, period__in={text for _, text in wanted})
    planned = [Campaign.State.DRAFT, Campaign.State.SCHEDULED]
    opened = set(known.exclude(state__in=planned).values_list("template_id", "period"))
    late = [
        Example(f"{template.name}, {period.label}") for key, (template, period) in wanted.items()
        if key not in opened and covered(template.scope)
    ]  # fmt: skip
    scheduled = Campaign.objects.filter(
        state=Campaign.State.SCHEDULED, opens_at__lt=scene.now - OPENED_WITHIN, closes_at__gt=scene.now
    )
    late += [_campaign(one) for one in scheduled if (one.template_id, one.period) not in wanted]
    return listed(late)


def _periods(template: CampaignTemplate, scene: Scene, beginning: datetime | None) -> list[Period]:
    current = Period.of(scene.today, cadence_of(template.cadence))
    found: list[Period] = []
    if beginning is None:
        return found
    for period in (current.previous(), current, current.next()):
        dates = dates_of(period, template)
        opening = opening_moment(dates)
        if beginning <= opening <= scene.now - OPENED_WITHIN and scene.now < closing_moment(dates):
            found.append(period)
    return found


def _unasked(scene: Scene) -> Look:
    """Frozen, but nobody has to answer. That nobody has to twice is a unique constraint, whose index this uses."""
    whole = {"campaign": OuterRef("campaign"), "system": OuterRef("system"), "snapshot": OuterRef("pk")}
    current = Assignment.objects.filter(**whole).exclude(state=Assignment.State.REASSIGNED)
    rows = ScopeSnapshot.objects.filter(~Exists(current), campaign__state__in=RUNNING)

    def words(one: ScopeSnapshot) -> Example:
        return Example(f"{one.system.name} in {one.campaign.label}", f"/systems/{one.system.key}/", one.system_id)

    frozen = seen(rows.select_related("system", "campaign").defer("facts").order_by("pk"), words)
    looks = [frozen, *(_left_out(campaign) for campaign in _running(scene) if "unit" not in campaign.terms["scope"])]
    examples = [example for look in looks for example in look.examples]
    return Look(sum(look.undone for look in looks), tuple(examples[:EXAMPLES]))


# On the register before the opening and never changed since: then it was live, and in scope, when the scope was frozen.
_LEFT_OUT_SQL = """
SELECT s.id, s.key, s.name, count(*) OVER () FROM registry_system s
WHERE s.stage <> ALL(%(not_live)s) AND s.created_at < %(opened)s AND ({condition})
    AND NOT EXISTS (SELECT FROM attestations_scopesnapshot f WHERE f.campaign_id = %(campaign)s AND f.system_id = s.id)
    AND NOT EXISTS (SELECT FROM audit_event e WHERE e.subject_kind = 'system' AND e.subject_id = s.id::text
        AND e.ts_us >= %(opened_us)s)
ORDER BY s.id LIMIT %(first)s
"""


def _left_out(campaign: Campaign) -> Look:
    """Live systems in scope of an open campaign that it does not cover. One query."""
    opened = campaign.opened_at
    if opened is None:
        return Look()
    condition, params = scope_sql(campaign.terms["scope"])
    params |= {
        "not_live": [stage.value for stage in NOT_LIVE], "opened": opened, "opened_us": microseconds(opened),
        "campaign": campaign.pk, "first": EXAMPLES,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OUT_SQL.format(condition=condition), params)
        rows = cursor.fetchall()
    examples = tuple(Example(f"{name} in {campaign.label}", f"/systems/{key}/", pk) for pk, key, name, _ in rows)
    return Look(rows[0][3] if rows else 0, examples)


def _running(scene: Scene) -> list[Campaign]:
    """Campaigns of a period that owners answer now. One query a look."""
    found = Campaign.objects.filter(state__in=RUNNING, is_event=False, closes_at__gt=scene.now)
    return list(found.defer("question_set").order_by("pk"))


def _unsaid(scene: Scene) -> Look:
    """Past the due date, and the owner had no digest since. By the outbox, not by what the ladder thinks.

    Left out are those who put reminders off, whom mail does not reach (that is another duty, and the ladder tells the
    next person), and what passed on or came back after its due date.
    """
    said = Message.objects.annotate(on=TruncDate("created_at", tzinfo=organisation_zone())).filter(
        recipient=OuterRef("person"), on__gt=OuterRef("due_on"), key__startswith=DIGEST
    )
    put_off = Snooze.objects.filter(
        campaign=OuterRef("campaign"), person=OuterRef("person"), until__gte=OuterRef("due_on")
    )
    running = Q(campaign__state__in=RUNNING, campaign__closes_at__gt=scene.now)
    first = Q(round=1, predecessor=None, campaign__opened_at__date__lt=F("due_on"))
    late = Q(state__in=OPEN_STATES, due_on__lte=_told_until(scene))
    elsewhere = undelivered_since(scene.now - LOOK_BACK).order_by().values("recipient")
    rows = Assignment.objects.filter(~Exists(said), ~Exists(put_off), running & first & late)
    rows = rows.exclude(person__in=elsewhere)

    def words(one: Assignment) -> Example:
        text = f"{one.person.display_name} for {one.system.name}, due {day_words(one.due_on)}"
        return Example(text, f"/systems/{one.system.key}/", one.system_id)

    return seen(rows.select_related("person", "system").order_by("due_on", "pk"), words)


def _told_until(scene: Scene) -> date:
    """The last day whose events have to be told by now."""
    day, zone = scene.today, organisation_zone()
    while datetime.combine(add_working_days(day, TOLD_WITHIN), NOON, zone) > scene.now:
        day -= A_DAY
    return day


def _stuck(scene: Scene) -> Look:
    then = scene.now - MOVED_WITHIN
    late = Q(state=Campaign.State.OPEN, due_on__lt=local_date(then)) | Q(state__in=RUNNING, closes_at__lte=then)
    return seen(Campaign.objects.filter(late).defer("question_set").order_by("closes_at", "pk"), _campaign)


def _untold_nodes(scene: Scene) -> Look:
    told = datetime.combine(_told_until(scene) + A_DAY, time(), organisation_zone())
    rows = RollupNode.objects.filter(state=RollupNode.State.READY, told_at=None, ready_at__lt=told)

    def words(node: RollupNode) -> Example:
        place = node.unit.name if node.unit else node.get_level_display()
        return Example(f"{place}, {node.campaign.label}", f"/attestations/{node.campaign.code}/")

    return seen(rows.select_related("unit", "campaign").order_by("ready_at", "pk"), words)


def _expired(scene: Scene) -> Look:
    accepted = AttestationException.State.RISK_ACCEPTED
    rows = AttestationException.objects.filter(state=accepted, accepted_until__lt=local_date(scene.now - A_DAY))

    def words(one: AttestationException) -> Example:
        until = one.accepted_until
        text = f"{one.owner.display_name}, accepted until {day_words(until) if until else ''} in {one.campaign.label}"
        return Example(
            text, f"/attestations/{one.campaign.code}/", one.assignment.system_id if one.assignment else None
        )

    return seen(rows.select_related("owner", "campaign", "assignment").order_by("accepted_until", "pk"), words)


def _unscanned(scene: Scene) -> Look:
    pending = EvidenceFile.objects.filter(scan=EvidenceFile.Scan.PENDING, removed_at=None)
    rows = pending.filter(recorded_at__lt=scene.now - DONE_WITHIN)

    def words(one: EvidenceFile) -> Example:
        system = one.assignment.system
        text = (
            f"A file of {one.uploaded_by.display_name} for {system.name}, put here {day_words(one.recorded_at.date())}"
        )
        return Example(text, f"/systems/{system.key}/", system.pk)

    people = ("uploaded_by", "assignment__system")
    return seen(rows.select_related(*people).order_by("recorded_at", "pk"), words)


def _passed_on(scene: Scene) -> Look:
    day = local_date(scene.now - A_DAY)
    rows = Reassignment.objects.filter(state=Reassignment.State.OPEN, escalated_at=None, answer_by__lt=day)

    def words(one: Reassignment) -> Example:
        system = one.assignment.system
        text = f"{one.asked.display_name} about {system.name}, due {day_words(one.answer_by)}"
        return Example(text, f"/systems/{system.key}/", system.pk)

    return seen(rows.select_related("asked", "assignment__system").order_by("answer_by", "pk"), words)


def _unmade(scene: Scene) -> Look:
    queued = CampaignDocument.objects.filter(state=CampaignDocument.State.QUEUED)
    rows = queued.filter(requested_at__lt=scene.now - DONE_WITHIN).defer("content")

    def words(one: CampaignDocument) -> Example:
        text = f"{one.get_kind_display()}, {one.campaign.label}, for {one.requested_by.display_name}"
        return Example(text, f"/attestations/{one.campaign.code}/")

    return seen(rows.select_related("campaign", "requested_by").order_by("requested_at", "pk"), words)


DUTIES: tuple[Duty, ...] = (
    Duty(
        key="campaigns-not-opened",
        what="Every campaign opens when its time has come",
        by_when="within 15 minutes",
        title="A campaign whose opening has come is not open.",
        one="1 campaign whose opening has come is not open",
        many="{n} campaigns whose opening has come are not open",
        action="Look at the sweep attestations.open_due below.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_not_opened,
    ),
    Duty(
        key="systems-not-asked",
        what="For every live system in scope one person has to answer",
        by_when="from the opening on",
        title="Live systems are left out of an open campaign.",
        one="1 live system is left out of an open campaign",
        many="{n} live systems are left out of an open campaign",
        action="Look at the trail of the opening, and ask for the systems before the campaign ends.",
        tends=Tends.MANDATE,
        severity=Severity.CRITICAL,
        look=_unasked,
    ),
    Duty(
        key="reminders-not-said",
        what="What is open past its due date is told",
        by_when="by noon of the second working day",
        title="Owners were not told of attestations past their due date.",
        one="1 attestation is past its due date and its owner was not told",
        many="{n} attestations are past their due date and their owners were not told",
        action="Look at the sweep attestations.remind_due below, and whether mail leaves.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_unsaid,
    ),
    Duty(
        key="campaigns-not-moved-on",
        what="Every campaign moves on when its day has come",
        by_when="within 1 hour",
        title="A campaign is past its day and did not move on.",
        one="1 campaign is past its day and did not move on",
        many="{n} campaigns are past their day and did not move on",
        action="Look at the sweep attestations.move_on_due below.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_stuck,
    ),
    Duty(
        key="rollup-not-told",
        what="Who can sign a step of the roll-up is told",
        by_when="by noon of the second working day",
        title="Nobody was told that a step of the roll-up can be signed.",
        one="1 step of the roll-up can be signed and nobody was told",
        many="{n} steps of the roll-up can be signed and nobody was told",
        action="Tell who signs it, and look at the sweeps of attestations below.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_untold_nodes,
    ),
    Duty(
        key="exceptions-not-reopened",
        what="An accepted risk is open again when its time is over",
        by_when="on the day after",
        title="Exceptions whose acceptance ended are not open again.",
        one="1 exception whose acceptance ended is not open again",
        many="{n} exceptions whose acceptance ended are not open again",
        action="Decide about them again, and look at the sweeps of attestations below.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_expired,
    ),
    Duty(
        key="reassignments-not-escalated",
        what="Who was asked to take over an attestation and says nothing is reported",
        by_when="1 day after the due day",
        title="Requests to take over an attestation did not go up.",
        one="1 request to take over an attestation did not go up",
        many="{n} requests to take over an attestation did not go up",
        action="Ask them, and look at the sweeps of attestations below.",
        tends=Tends.MANDATE,
        severity=Severity.MEDIUM,
        look=_passed_on,
    ),
    Duty(
        key="evidence-not-scanned",
        what="Evidence is scanned",
        by_when="within 1 hour",
        title="Evidence waits to be scanned.",
        one="1 file waits to be scanned",
        many="{n} files wait to be scanned",
        action="Look whether the scanner runs, and at the sweep attestations.scan_evidence below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.HIGH,
        look=_unscanned,
    ),
    Duty(
        key="documents-not-made",
        what="Documents that somebody asked for are made",
        by_when="within 1 hour",
        title="Documents that somebody asked for are not made.",
        one="1 document that somebody asked for is not made",
        many="{n} documents that somebody asked for are not made",
        action="Look at the sweeps of attestations below, and at the worker's log.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_unmade,
    ),
)

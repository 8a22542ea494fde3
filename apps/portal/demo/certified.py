"""One campaign from beginning to end: three agencies tried it out first, and it is sealed."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction

from apps.attestations.actions import (
    begin_grace,
    begin_rollup,
    create_template,
    open_campaign,
    set_template_active,
    sign,
)
from apps.attestations.actions.closing import carry_over, finish_due, seal
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.actions.nodes import ready_nodes
from apps.attestations.actions.reviews import accept, request_changes
from apps.attestations.actions.rollup import sign_node
from apps.attestations.actions.samples import Check, perform_sample
from apps.attestations.models import (
    Assignment,
    AttestationException,
    Campaign,
    CampaignTemplate,
    QuestionSet,
    RollupNode,
)
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.queries.exceptions import to_decide
from apps.attestations.queries.reviews import asked_questions, to_review, to_sample
from apps.attestations.queries.rollup import below, nodes_for
from apps.attestations.rules import Period
from apps.audit.rules import SCHEDULER
from apps.common.clock import organisation_zone
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.portal.demo.answers import Work, carry_out
from apps.portal.demo.cast import MANDATE_HOLDER
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast

KEY, NAME = "pilot", "Pilot in three agencies"
AGENCIES = ["DOT", "SEC", "TREAS"]
VALUES: dict[str, Any] = {
    "name": NAME, "cadence": "month", "scope": {"unit": AGENCIES, "basis": ["accepted"]}, "opens_days_before": 14,
    "closes_days_after": 5, "sampling_percent": 10, "consequence": "readiness", "top_seats": ["legal", "ciso"],
    "items_per_person": 25,
}  # fmt: skip
OVER = "The pilot is over. The quarterly campaign asks about these systems, too."
# So many stay silent, and one more signs after the due date.
SILENT = 2
SENT_BACK = "Say which copy the stop was tested on, and who was there."


@transaction.atomic
def load_pilot(moments: Moments) -> bool:
    """A month's campaign over three agencies, signed, checked, rolled up and sealed. False where there is one."""
    if CampaignTemplate.objects.filter(key=KEY).exists():
        return False
    mandate = cast()[MANDATE_HOLDER]
    base = list(QuestionSet.objects.filter(key="base"))
    template = CampaignTemplate(key=KEY, opens_days_before=14, closes_days_after=5)
    period = _period(moments, template)
    opens = opening_moment(dates_of(period, template))
    template = create_template(
        key=KEY, values=VALUES, question_sets=base, actor=mandate, now=opens - timedelta(days=1)
    )  # fmt: skip
    campaign, _ = open_campaign(str(period), actor=SCHEDULER, now=opens, template=template)
    _answer(campaign, moments)
    _check(campaign)
    _finish(campaign, mandate)
    set_template_active(template, False, reason=OVER, actor=mandate, now=campaign.closes_at + timedelta(days=2))
    return True


def _period(moments: Moments, template: CampaignTemplate) -> Period:
    """The last month whose campaign is over some days before the quarterly one opens."""
    period = Period.of(moments.opened.date(), "month")
    while closing_moment(dates_of(period, template)) + timedelta(days=3) > moments.opened:
        period = period.previous()
    return period


def _at(day: date, minutes: int) -> datetime:
    """A moment in office hours of a day."""
    return datetime.combine(day, time(9, 0), organisation_zone()) + timedelta(minutes=minutes % 480)


def _answer(campaign: Campaign, moments: Moments) -> None:
    """All but a few sign in time, one is late."""
    rows = list(
        campaign.assignments.select_related("campaign", "person", "system", "snapshot").order_by("system__key")
    )  # fmt: skip
    days = max(1, (campaign.due_on - campaign.opens_at.date()).days)
    first = campaign.opens_at.date() + timedelta(days=1)
    spread = [
        Work(row, row.person, _at(first + timedelta(days=place % days), 17 * place))
        for place, row in enumerate(rows[SILENT + 1 :])
    ]
    carry_out(spread, moments)
    grace = campaign.due_on + timedelta(days=1)
    begin_grace(campaign, actor=SCHEDULER, now=_at(grace, 0))
    carry_out([Work(rows[SILENT], rows[SILENT].person, _at(grace, 95))], moments)


def signed_by(person: Person, at: datetime) -> dict[str, Any]:
    """The ceremony of a signature."""
    return {
        "declared_true": True, "typed_name": person.display_name,
        "confirmation": Confirmation("password", at - timedelta(seconds=40)), "actor": person, "now": at,
    }  # fmt: skip


def _check(campaign: Campaign) -> None:
    """Others accept what was signed, once not at the first time; samples are re-performed; plans are decided."""
    day, minutes = campaign.due_on + timedelta(days=2), 0
    for minutes, (person, row) in enumerate(_waiting(campaign, _at(day, 0))):
        at = _at(day, 3 * minutes)
        if row.sampled:
            checks = {question.key: Check(True) for question in asked_questions(row)}
            perform_sample(row, checks=checks, **signed_by(person, at))
        elif minutes == 0:
            request_changes(row, note=SENT_BACK, actor=person, now=at)
            again = Assignment.objects.get(pk=row.pk)
            sign(again, version=again.version, **signed_by(row.person, at + timedelta(minutes=1)))
            accept(Assignment.objects.get(pk=row.pk), **signed_by(person, at + timedelta(minutes=2)))
        else:
            accept(row, **signed_by(person, at))
    day += timedelta(days=1)
    for place, (person, exception) in enumerate(_undecided(campaign, _at(day, 0))):
        decide_exception(exception, verdict="approved", note="", **signed_by(person, _at(day, 4 * place)))


def _waiting(campaign: Campaign, now: datetime) -> list[tuple[Person, Assignment]]:
    return [
        (person, row)
        for person in cast().values()
        for rows in (to_review(person, now), to_sample(person, now))
        for row in rows.filter(campaign=campaign).select_related("campaign", "snapshot", "person")
    ]


def _undecided(campaign: Campaign, now: datetime) -> Iterator[tuple[Person, AttestationException]]:
    for person in cast().values():
        for exception in list(to_decide(person, now).filter(campaign=campaign)):
            yield person, exception


def _finish(campaign: Campaign, mandate: Person) -> None:
    """The roll-up is signed to the top, what is not done goes on as a finding, and the campaign is sealed."""
    begin_rollup(campaign, actor=SCHEDULER, now=campaign.closes_at + timedelta(minutes=5))
    day = campaign.closes_at.date() + timedelta(days=1)
    ready_nodes(now=_at(day, 0))
    for minutes, (person, node) in enumerate(_nodes(campaign, day)):
        sign_node(node, read=below(node).sha256, **signed_by(person, _at(day, 20 + 12 * minutes)))
    finish_due(now=_at(day, 400))
    open_plans = campaign.exceptions.filter(state=AttestationException.State.APPROVED)
    if open_plans.exists():
        carry_over(campaign, list(open_plans), actor=mandate, now=_at(day, 410))
    finish_due(now=_at(day, 420))
    seal(campaign, actor=mandate, now=_at(day, 430))


def _nodes(campaign: Campaign, day: date) -> Iterator[tuple[Person, RollupNode]]:
    """Whoever is asked to sign, as long as somebody is: each signature makes the next part ready."""
    asked = True
    while asked:
        asked = False
        for person in cast().values():
            for node in nodes_for(person, _at(day, 10)):
                if node.campaign_id == campaign.pk:
                    asked = True
                    yield person, node

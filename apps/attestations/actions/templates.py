"""Campaign templates: what comes again, how often, for which systems, with which questions; and planning ahead."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.access.queries import require
from apps.access.rules import Permission
from apps.attestations.actions.campaigns import campaign_subject, plan
from apps.attestations.models import Campaign, CampaignTemplate, QuestionSet
from apps.attestations.queries.scope import normal_scope
from apps.attestations.rules import CHANGES, QUARTERLY, Period, cadence_of
from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.errors import Refused
from apps.people.models import Person

# What a template says of itself, beside its key and its question sets.
FIELDS = (
    "name", "cadence", "scope", "due_month", "opens_days_before", "closes_days_after", "sampling_percent",
    "consequence", "top_seats", "items_per_person",
)  # fmt: skip


def template_subject(template: CampaignTemplate) -> Subject:
    """The template in the trail."""
    return Subject("campaign_template", template.key, template.name)


@transaction.atomic
def create_template(
    *, key: str, values: Mapping[str, Any], question_sets: Sequence[QuestionSet], actor: Person, now: datetime
) -> CampaignTemplate:
    """A template that opens campaigns from its next period on.

    Raises Refused with what is missing or out of bounds, and where the key is taken.
    """
    require(actor, Permission.CAMPAIGN_RUN)
    if CampaignTemplate.objects.filter(key=key).exists():
        raise Refused(f"{key} is taken. Choose another short name.")
    template = CampaignTemplate(key=key, created_by=actor.audit_name, created_at=now)
    _fill(template, values, question_sets)
    template.save(force_insert=True)
    template.question_sets.set(question_sets)
    _note(template, {}, _facts(template), actor, now)
    return template


@transaction.atomic
def change_template(
    template: CampaignTemplate,
    *,
    values: Mapping[str, Any],
    question_sets: Sequence[QuestionSet],
    actor: Person,
    now: datetime,
) -> CampaignTemplate:
    """Change what the next campaigns are; those that are open keep what was frozen. The cadence stays.

    Raises Refused with what is out of bounds, and for another cadence: its periods would overlap.
    """
    require(actor, Permission.CAMPAIGN_RUN)
    template = _locked(template)
    before = _facts(template)
    if values.get("cadence", template.cadence) != template.cadence:
        raise Refused("The cadence of a template stays: its campaigns would overlap. Make another template.")
    _fill(template, values, question_sets)
    if before == {**_facts(template), "questions": [one.key for one in question_sets]}:
        return template
    template.save()
    template.question_sets.set(question_sets)
    _note(template, before, _facts(template), actor, now)
    return template


@transaction.atomic
def set_template_active(
    template: CampaignTemplate, active: bool, *, reason: str, actor: Person, now: datetime
) -> CampaignTemplate:
    """Let a template rest or go on. What is open goes on. Raises Refused without a reason."""
    require(actor, Permission.CAMPAIGN_RUN)
    template = _locked(template)
    if not reason.strip():
        raise Refused("Say why.")
    if template.is_active == active:
        return template
    template.is_active = active
    template.save(update_fields=["is_active"])
    record(
        Kind.CAMPAIGN_TEMPLATE_CHANGED,
        actor=actor,
        subject=template_subject(template),
        now=now,
        before={"active": not active},
        after={"active": active},
        reason=reason.strip()[:600],
    )
    return template


@transaction.atomic
def schedule_campaign(template: CampaignTemplate, period: str, *, actor: Person, now: datetime) -> Campaign:
    """Put a period's campaign on the list with its dates, before it opens by itself on its day.

    Raises ValueError for a period of another cadence, Refused where there is one already or it would be over.
    """
    require(actor, Permission.CAMPAIGN_RUN)
    template = _locked(template)
    span = Period.parse(period, cadence_of(template.cadence))
    if Campaign.objects.filter(template=template, period=str(span)).exists():
        raise Refused(f"There is a campaign of {template.name} for {span.label} already.")
    campaign = plan(template, span)
    if campaign.closes_at <= now:
        raise Refused(f"The campaign of {span.label} would be over already.")
    campaign.save(force_insert=True)
    campaign.state = Campaign.State.SCHEDULED
    campaign.save(update_fields=["state"])
    record(
        Kind.CAMPAIGN_DRAFTED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"state": "scheduled", "opens_at": campaign.opens_at.isoformat(), "due_on": str(campaign.due_on)},
    )
    return campaign


def _locked(template: CampaignTemplate) -> CampaignTemplate:
    return CampaignTemplate.objects.select_for_update(no_key=True).get(pk=template.pk)


def _fill(template: CampaignTemplate, values: Mapping[str, Any], question_sets: Sequence[QuestionSet]) -> None:
    for name in FIELDS:
        if name in values:
            setattr(template, name, values[name])
    if not question_sets:
        raise Refused("Choose the questions that are asked.")
    if template.key in (QUARTERLY, CHANGES) and template.scope:
        raise Refused(f"{template.name} covers every live system. Make another template for some of them.")
    try:
        template.scope = normal_scope(template.scope)
        template.full_clean(exclude=["created_by", "created_at"])
    except ValueError as error:
        raise Refused(str(error)) from error
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error


def _facts(template: CampaignTemplate) -> dict[str, Any]:
    questions = list(template.question_sets.order_by("position", "key").values_list("key", flat=True))
    return {**{name: getattr(template, name) for name in FIELDS}, "questions": questions}


def _note(
    template: CampaignTemplate, before: dict[str, Any], after: dict[str, Any], actor: Person, now: datetime
) -> None:
    changed = {name for name in after if before.get(name) != after[name]}
    record(
        Kind.CAMPAIGN_TEMPLATE_CHANGED,
        actor=actor,
        subject=template_subject(template),
        now=now,
        before={name: before[name] for name in sorted(changed) if name in before},
        after={name: after[name] for name in sorted(changed)},
    )

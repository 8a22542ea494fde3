"""Response rules: who leads where the matrix alone does not say it. A change is a new rule; the old one is ended."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.checks import able, given
from apps.incidents.models import ResponseRule
from apps.incidents.queries.rules import RuleText
from apps.people.models import Person
from apps.registry.actions.ownership import locked

WHO_MAY = "a holder of a seat, the mandate holder and administrators"


def _require(actor: Person) -> None:
    if not may(actor, Permission.INCIDENTS_MANAGE):
        raise NotAllowed(f"You may read the rules, but only {WHO_MAY} change them.")


def rule_subject(rule: ResponseRule) -> Subject:
    """How the trail refers to a rule: a rule of a system is one of its lines."""
    if rule.system is not None:
        return Subject("system", str(rule.system.pk), f"{rule.system.name} ({rule.system.key})")
    return Subject("response_rule", str(rule.pk), f"response rule {rule.pk}")


def _told(rule: ResponseRule) -> dict[str, Any]:
    """What the trail keeps: values of ours and opaque ids."""
    return {
        "rule": rule.pk,
        "scenario": rule.scenario or "any",
        "from_severity": rule.min_severity,
        "system": rule.system_id,
        "class": rule.regulatory_class,
        "unit": rule.unit_id,
        "lead": rule.lead_person.audit_id if rule.lead_person else None,
        "seat": rule.lead_function_id,
        "deputy": rule.deputy.audit_id if rule.deputy else None,
    }


@transaction.atomic
def set_response_rule(text: RuleText, *, actor: Person, now: datetime) -> ResponseRule:
    """Say who leads for a scenario and scope; the response cards of it follow in this very transaction.

    Raises NotAllowed for who does not manage incidents, ValidationError for a rule that is not whole or that is
    there already, Refused for somebody who can't act or who left at the same moment, or a system that is not live.
    """
    _require(actor)
    if text.system is not None:
        text = replace(text, system=locked(text.system))
        if text.system is not None and not text.system.is_live:
            raise Refused(f"{text.system.name} is not in use. Nobody is called for it.")
    for person in filter(None, (text.lead_person, text.deputy)):
        able(person, "be called")
    rule = text.row(actor, now)
    rule.full_clean()
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("Somebody changed this at the same moment. Look at the rules as they are now.") from error
    record(Kind.RESPONSE_RULE_SET, actor=actor, subject=rule_subject(rule), now=now, after=_told(rule),
           reason=rule.reason)  # fmt: skip
    return rule


@transaction.atomic
def end_response_rule(rule: ResponseRule, *, reason: str, actor: Person, now: datetime) -> ResponseRule:
    """End a rule: from now on the next one that fits stands, else the matrix.

    Raises NotAllowed for who does not manage incidents, Refused without a reason or where it has ended already.
    """
    _require(actor)
    reason = given(reason, "Say why the rule ends.")
    if rule.system is not None:
        locked(rule.system)
    rows = ResponseRule.objects.select_for_update(no_key=True, of=("self",))
    rule = rows.select_related("system", "lead_person", "deputy").get(pk=rule.pk)
    if rule.valid_to is not None:
        raise Refused("This rule has ended already.")
    rule.valid_to, rule.ended_by = max(now, rule.valid_from), actor
    rule.save(update_fields=["valid_to", "ended_by"])
    record(Kind.RESPONSE_RULE_ENDED, actor=actor, subject=rule_subject(rule), now=now, before=_told(rule),
           reason=reason)  # fmt: skip
    return rule

"""The register of legal clocks: versions of rules, contracts, what binds the organisation, authorities."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.access.queries import require
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.checks import given
from apps.incidents.models import Authority, ClockRule
from apps.incidents.queries.clocks import LEGAL, rules_in_use
from apps.people.models import Person
from apps.people.queries import seats_of

# What a new version may say differently.
CHANGEABLE = (
    "instrument", "article", "title", "bound_role", "trigger", "anchor", "amount", "unit", "cap_anchor", "cap_amount",
    "cap_unit", "immediate", "calendar", "rolls_to_noon", "recipient", "valid_from", "valid_to", "status", "source_url",
    "quote", "note", "verified_on", "verified_by", "confidence", "scenarios", "regulatory_classes", "decides",
)  # fmt: skip
_COPIED = (
    *CHANGEABLE,
    "key",
    "trigger_type",
    "stage",
    "after",
    "applies",
    "applies_reason",
    "applies_by",
    "applies_at",
)


def rule_subject(rule: ClockRule) -> Subject:
    """How the trail refers to a rule."""
    return Subject("clock_rule", rule.key, rule.law)


def require_keeper(actor: Person) -> None:
    """Raises NotAllowed for who neither holds the legal seat nor manages incidents."""
    if not (actor.is_active and LEGAL in seats_of(actor)):
        require(actor, Permission.INCIDENTS_MANAGE, "the legal seat, or somebody who manages incidents,")


def _locked_rule(rule: ClockRule) -> ClockRule:
    found = ClockRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    if found.replaced_at is not None:
        raise Refused("There is a newer version of this rule. Look at it first.")
    return found


@transaction.atomic
def set_rule_applies(rule: ClockRule, applies: bool | None, *, reason: str, actor: Person, now: datetime) -> ClockRule:
    """Say whether a rule binds this organisation at all; None: it is not known. Clocks that run go on.

    Raises NotAllowed for who neither holds the legal seat nor manages incidents; Refused without a reason, and for
    what is said already.
    """
    require_keeper(actor)
    rule, reason = _locked_rule(rule), reason.strip()
    if not reason:
        raise Refused("Say why it binds this organisation, or why not.")
    if rule.applies is applies and reason == rule.applies_reason:
        raise Refused("That is what the register says already.")
    before, rule.applies = rule.applies, applies
    known = applies is not None
    rule.applies_reason, rule.applies_by = (reason, actor) if known else ("", None)
    rule.applies_at = now if known else None
    rule.save(update_fields=["applies", "applies_reason", "applies_by", "applies_at"])
    record(
        Kind.CLOCK_RULE_CHANGED, actor=actor, subject=rule_subject(rule), now=now, reason=reason,
        before={"applies": before}, after={"applies": applies, "version": rule.version},
    )  # fmt: skip
    return rule


@transaction.atomic
def new_rule_version(
    rule: ClockRule, changes: Mapping[str, Any], *, reason: str, actor: Person, now: datetime
) -> ClockRule:
    """A rule reads differently from now on. Incidents keep the version that they began with.

    Raises NotAllowed for who neither holds the legal seat nor manages incidents; Refused without a reason, for
    something that can't be changed, and where nothing changes; ValidationError for an amount without a unit.
    """
    require_keeper(actor)
    rule = _locked_rule(rule)
    reason = given(reason, "Say what changed in the law, or what was wrong here.")
    if unknown := changes.keys() - set(CHANGEABLE):
        raise Refused(f"This can't be changed: {', '.join(sorted(unknown))}.")
    different = sorted(name for name, value in changes.items() if getattr(rule, name) != value)
    if not different:
        raise Refused("Nothing is different from the version in use.")
    values = {name: getattr(rule, name) for name in _COPIED} | dict(changes)
    ClockRule.objects.filter(pk=rule.pk).update(replaced_at=now)
    made = ClockRule(**values, version=rule.version + 1, set_by=actor, set_at=now)
    save_checked(made)
    record(
        Kind.CLOCK_RULE_CHANGED, actor=actor, subject=rule_subject(made), now=now, reason=reason,
        before={"version": rule.version, "status": rule.status}, after={
            "version": made.version, "status": made.status, "changed": different,
        },
    )  # fmt: skip
    return made


@transaction.atomic
def add_contract_rule(
    *,
    counterparty: str,
    clause: str,
    trigger: str,
    amount: int | None,
    unit: str,
    contact: str,
    actor: Person,
    now: datetime,
    note: str = "",
) -> ClockRule:
    """A contract asks for notice: a rule of its own, which binds the organisation from now on.

    Raises NotAllowed for who neither holds the legal seat nor manages incidents; Refused for a name without letters;
    ValidationError for an amount without a unit, and for a contract that is there.
    """
    require_keeper(actor)
    pattern = rules_in_use().get(key="CONTRACT")
    slug = re.sub(r"[^A-Z0-9]+", "-", f"{counterparty} {clause}".upper()).strip("-")[:30].strip("-")
    if not slug:
        raise Refused("Name the counterparty.")
    made = ClockRule(
        key=f"CONTRACT-{slug}", instrument=f"Contract with {counterparty.strip()}"[:200], article=clause.strip(),
        title="Notice that a contract asks for", bound_role="party", trigger=trigger.strip(), trigger_type="contract",
        anchor="aware", amount=amount, unit=unit if amount is not None else "", immediate=amount is None,
        recipient=contact.strip() or counterparty.strip(), status="in_force", note=note.strip(), confidence="own",
        decides=pattern.decides, set_by=actor, set_at=now, applies=True, applies_by=actor, applies_at=now,
        applies_reason="It was agreed.",
    )  # fmt: skip
    save_checked(made)
    record(
        Kind.CLOCK_RULE_CHANGED, actor=actor, subject=rule_subject(made), now=now,
        after={"version": 1, "status": made.status, "amount": amount, "unit": made.unit},
    )  # fmt: skip
    return made


@transaction.atomic
def set_authority(
    rule: ClockRule, *, name: str, actor: Person, now: datetime, portal: str = "", contact: str = "", note: str = ""
) -> Authority:
    """Fill in where a report under a rule goes, before it is needed; the same name again changes it.

    Raises NotAllowed for who neither holds the legal seat nor manages incidents; ValidationError for no name or an
    address that is none.
    """
    require_keeper(actor)
    there = Authority.objects.select_for_update(no_key=True).filter(rule_key=rule.key, name=name.strip()).first()
    row = there or Authority(rule_key=rule.key, name=name.strip())
    row.portal, row.contact, row.note = portal.strip(), contact.strip(), note.strip()
    row.set_by, row.set_at = actor, now
    save_checked(row)
    record(
        Kind.CLOCK_RULE_CHANGED, actor=actor, subject=rule_subject(rule), now=now,
        after={"authority": row.pk, "new": there is None}, private={"contact": row.contact},
    )  # fmt: skip
    return row

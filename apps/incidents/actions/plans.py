"""Setting and ending escalation plans. A change is a new row; what runs keeps the plan that it began with."""

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import by
from apps.incidents.models import EscalationPlan
from apps.incidents.queries.plans import known_now
from apps.incidents.rules import REPEAT_AT_MOST
from apps.incidents.rules.plans import Plan, lint
from apps.registry.models import System, Unit


class PlanChanged(Refused):
    """Somebody else set or ended this plan meanwhile; the edge answers 409."""


def plan_subject(row: EscalationPlan) -> Subject:
    """How the trail refers to a plan."""
    return Subject("escalation_plan", str(row.pk), row.name)


@transaction.atomic
def set_plan(
    plan: Plan,
    *,
    actor: Actor,
    now: datetime,
    scenario: str = "",
    system: System | None = None,
    unit: Unit | None = None,
    reason: str = "",
    replaces: EscalationPlan | None = None,
) -> EscalationPlan:
    """Put a plan in force for one scope, in place of the one that stands there.

    `replaces` is the one that somebody saw. Raises Refused for what the check finds that can't be saved, without a
    reason, and for more than three repeats; PlanChanged where another stands there meanwhile.
    """
    reason = given(reason, "Say why the plan is set.")
    if not 0 <= plan.repeat <= REPEAT_AT_MOST:
        raise Refused(f"A plan begins again {REPEAT_AT_MOST} times at most.")
    if faults := [one.words for one in lint(plan, known_now(plan)) if one.blocks]:
        raise Refused(" ".join(faults))
    stands = _locked(scenario, system, unit)
    if (stands.pk if stands else None) != (replaces.pk if replaces else None):
        raise PlanChanged("Somebody set another plan for this meanwhile. Look at it as it is now.")
    if stands is not None:
        stands.valid_to = now
        stands.save(update_fields=["valid_to"])
    row = EscalationPlan(
        name=plan.name.strip()[:100], scenario=scenario, system=system, unit=unit,
        steps=[step.as_json() for step in plan.steps], repeat=plan.repeat, reason=reason[:600],
        set_by=by(actor), valid_from=now,
    )  # fmt: skip
    save_checked(row)
    record(
        Kind.ESCALATION_PLAN_SET, actor=actor, subject=plan_subject(row), now=now, before=_facts(stands),
        after=_facts(row), reason=reason,
    )  # fmt: skip
    return row


@transaction.atomic
def end_plan(row: EscalationPlan, *, reason: str, actor: Actor, now: datetime) -> EscalationPlan:
    """From now on the plan of the scope above stands. Raises Refused without a reason, for one that ended already, and
    for the organisation's plan for any scenario: that one is replaced."""
    row = EscalationPlan.objects.select_for_update(no_key=True).get(pk=row.pk)
    reason = given(reason, "Say why the plan ends.")
    if row.valid_to is not None:
        raise PlanChanged("This plan ended already.")
    if row.system_id is None and row.unit_id is None and not row.scenario:
        raise Refused("The organisation's plan for any scenario always stands. Set another one in its place.")
    row.valid_to = now
    row.save(update_fields=["valid_to"])
    record(
        Kind.ESCALATION_PLAN_ENDED, actor=actor, subject=plan_subject(row), now=now, before=_facts(row), reason=reason,
    )  # fmt: skip
    return row


def _locked(scenario: str, system: System | None, unit: Unit | None) -> EscalationPlan | None:
    rows = EscalationPlan.objects.select_for_update(no_key=True)
    return rows.filter(scenario=scenario, system=system, unit=unit, valid_to=None).first()


def _facts(row: EscalationPlan | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "plan": row.pk, "scenario": row.scenario, "system": row.system_id, "unit": row.unit_id, "repeat": row.repeat,
        "steps": row.steps,
    }  # fmt: skip

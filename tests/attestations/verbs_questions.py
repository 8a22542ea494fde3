"""The verbs of questions, templates and events, each with the events that it leaves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.attestations import actions as attestations
from apps.attestations.models import CampaignTemplate, QuestionSet
from apps.registry import actions as registry
from tests.attestations.signed import sign

# Parts of verbs.
NO_VERBS = {
    "answered_sections", "changed_systems", "changes_of", "refuse_faulty", "seconds_for", "with_evidence",
    "write_answers",
    "frozen_questions",
}  # fmt: skip
VALUES = {
    "name": "Monthly", "cadence": "month", "scope": {}, "sampling_percent": 5, "consequence": "readiness",
    "top_seats": ["legal"], "items_per_person": 25,
}  # fmt: skip


def _sets() -> list[QuestionSet]:
    return list(QuestionSet.objects.filter(key="base"))


def _template(w: Any) -> CampaignTemplate:
    return attestations.create_template(key="monthly", values=VALUES, question_sets=_sets(), **w.by)


def _draft(w: Any) -> Any:
    return attestations.draft_version(QuestionSet.objects.get(key="vendor"), **w.by)


def _changed_draft(w: Any) -> Any:
    draft = _draft(w)
    return attestations.change_draft(draft, sections=_other(draft), note="", **w.by)


def _other(draft: Any) -> Any:
    sections = draft.sections
    sections[0]["title"] = "Who provides it"
    return sections


def _signed_then_changed(w: Any) -> None:
    """A signed attestation of a system whose vendor is another one since; changes were asked before."""
    row = w.assignment()
    sign(row, w.cast.ada, w.by["now"])
    registry.change_system(row.system, vendor="Umbrella", **w.by)
    attestations.raise_events(now=w.by["now"])
    sign(type(row).objects.get(campaign__is_event=True), w.cast.ada, w.by["now"] + timedelta(minutes=1))
    registry.change_system(row.system, vendor="Initech", **w.by)


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "create_template": (lambda w: lambda: _template(w), {"campaign_template.changed": 1}),
    "change_template": (
        _made(
            _template,
            lambda w, one: attestations.change_template(one, values={"name": "Often"}, question_sets=_sets(), **w.by),
        ),
        {"campaign_template.changed": 1},
    ),
    "set_template_active": (
        _made(_template, lambda w, one: attestations.set_template_active(one, False, reason="Enough", **w.by)),
        {"campaign_template.changed": 1},
    ),
    "schedule_campaign": (
        _made(_template, lambda w, one: attestations.schedule_campaign(one, "2027-03", **w.by)),
        {"campaign.drafted": 1},
    ),
    "cancel_campaign": (
        _made(lambda w: w.campaign(), lambda w, one: attestations.cancel_campaign(one, reason="Enough", **w.by)),
        {"campaign.cancelled": 1},
    ),
    "draft_version": (lambda w: lambda: _draft(w), {"questions.drafted": 1}),
    "change_draft": (
        _made(_draft, lambda w, one: attestations.change_draft(one, sections=_other(one), note="", **w.by)),
        {"questions.drafted": 1},
    ),
    "publish_version": (
        _made(_changed_draft, lambda w, one: attestations.publish_version(one, **w.by)), {"questions.published": 1},
    ),
    "raise_events": (
        _made(_signed_then_changed, lambda w, _: attestations.raise_events(now=w.by["now"] + timedelta(hours=1))),
        {"attestation.event_raised": 1, "caused attestation.became_stale": 1},
    ),
}  # fmt: skip

"""The verbs of runbooks and steps for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from typing import Any

from apps.incidents.actions import runbooks
from apps.incidents.actions import steps as working
from apps.incidents.models import Incident, Runbook
from apps.incidents.queries.runbooks import draft_of, revision_of
from tests.incidents.steps_world import STEPS, a_draft, a_runbook, an_incident, publish, step

Made = Callable[[Any], Callable[[], Any]]
STEPPED = {"incident.step_changed": 1}


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Made:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def _draft(w: Any) -> Any:
    return a_draft(w.cast, steps=STEPS)


def _runbook(w: Any) -> Runbook:
    return Runbook.objects.get(key="data-access")


def _incident(w: Any) -> Incident:
    return an_incident(w.cast, system=w.system)


def _blocked(w: Any) -> Any:
    return working.block_step(step(_incident(w), 3), reason="No access", **w.by)


VERBS: dict[str, tuple[Made, dict[str, int]]] = {
    "begin_runbook": (
        lambda w: lambda: runbooks.begin_runbook(title="Mine", scenario="", unit=w.cast.claims, **w.by),
        {"runbook.drafted": 1},
    ),
    "draft_runbook": (lambda w: lambda: runbooks.draft_runbook(_runbook(w), **w.by), {"runbook.drafted": 1}),
    "change_runbook_draft": (
        _made(
            _draft,
            lambda w, one: runbooks.change_runbook_draft(
                one, steps=STEPS[:2], note="", read=revision_of(one), **w.by
            ),
        ),
        {"runbook.changed": 1},
    ),
    "publish_runbook": (
        _made(_draft, lambda w, one: publish(one, w.cast.mara, now=w.by["now"])), {"runbook.published": 1},
    ),
    "discard_runbook_draft": (
        _made(_draft, lambda w, one: runbooks.discard_runbook_draft(draft_of(one.runbook), **w.by)),  # type: ignore[arg-type]
        {"runbook.discarded": 1},
    ),
    "confirm_runbook": (
        lambda w: lambda: runbooks.confirm_runbook(_runbook(w), note="Links", **w.by), {"runbook.reviewed": 1},
    ),
    "set_runbook_owner": (
        lambda w: lambda: runbooks.set_runbook_owner(_runbook(w), w.cast.nils, **w.by), {"runbook.owned": 1},
    ),
    "retire_runbook": (
        _made(
            lambda w: a_runbook("Own", system=w.system),
            lambda w, one: runbooks.retire_runbook(one, reason="Same", **w.by),
        ),
        {"runbook.retired": 1},
    ),
    "add_runbook_steps": (
        _made(_incident, lambda w, one: runbooks.add_runbook_steps(one, scenario="complaint", **w.by)), STEPPED,
    ),
    "start_step": (_made(_incident, lambda w, one: working.start_step(step(one, 3), **w.by)), STEPPED),
    "finish_step": (_made(_incident, lambda w, one: working.finish_step(step(one, 4), evidence="", **w.by)), STEPPED),
    "skip_step": (_made(_incident, lambda w, one: working.skip_step(step(one, 3), reason="Known", **w.by)), STEPPED),
    "block_step": (_made(_incident, lambda w, one: working.block_step(step(one, 3), reason="No", **w.by)), STEPPED),
    "unblock_step": (_made(_blocked, lambda w, one: working.unblock_step(one, **w.by)), STEPPED),
    "agree_legal_gate": (
        _made(
            _incident, lambda w, one: working.agree_legal_gate(step(one, 5), actor=w.cast.lea, now=w.by["now"])
        ),
        STEPPED,
    ),
    "waive_evidence_freeze": (
        _made(
            _incident,
            lambda w, one: working.waive_evidence_freeze(
                one, reason="Danger", actor=w.cast.lea, now=w.by["now"]
            ),
        ),
        {"incident.freeze_waived": 1},
    ),
}  # fmt: skip
# A part of declaring.
NO_VERBS = {"pin_runbook"}

"""The verbs of the matrix, each with the events that it leaves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.people import actions as people
from apps.registry.actions import raci
from apps.registry.models import RaciAcceptance
from apps.registry.queries.raci_scope import Scope, history
from tests.factories import NOW, set_letters

ROW = "drills"
# Looks ahead, and parts of verbs.
NO_VERBS = {
    "preview_bulk", "put_in_force", "back_to_author", "copy_for_author", "close_questions_of", "refuse_blocked",
    "new_holders", "move_letters", "close_changes_of",
}  # fmt: skip


def draft(w: Any, letters: str = "C") -> Any:
    """Ada's draft for her system: the board is consulted."""
    made = raci.open_draft(Scope(system=w.system), actor=w.cast.ada, now=NOW)
    return raci.set_cell(made, ROW, "board", letters, revision=0, actor=w.cast.ada, now=NOW)


def asked(w: Any) -> Any:
    """Ben is asked to accept the A of a row."""
    raci.apply_to_systems({ROW: {str(w.cast.ben.pk): "A"}}, [w.system], actor=w.cast.ada, now=NOW)
    return RaciAcceptance.objects.select_related("draft").get()


def _with(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def _version(w: Any) -> Any:
    set_letters(ROW, {"ciso": "AR", "board": "C"}, system=w.system)
    set_letters(ROW, {"ciso": "AR", "board": "I"}, system=w.system, now=NOW + timedelta(hours=1))
    return history(Scope(system=w.system)).get(number=1)


def _training(w: Any) -> Any:
    return people.record_training(w.cast.ada, course="C", completed_on=NOW.date(), actor=w.cast.mara, now=NOW)


def _by(w: Any) -> dict[str, Any]:
    return {"actor": w.cast.ada, "now": NOW + timedelta(hours=2)}


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "open_draft": (
        lambda w: lambda: raci.open_draft(Scope(system=w.system), **_by(w)), {"raci.draft.opened": 1},
    ),
    "set_cell": (
        _with(draft, lambda w, d: raci.set_cell(d, ROW, "legal", "C", revision=d.revision, **_by(w))),
        {"raci.draft.changed": 1},
    ),
    "inherit_row": (
        _with(draft, lambda w, d: raci.inherit_row(d, ROW, revision=d.revision, **_by(w))), {"raci.draft.changed": 1},
    ),
    "note_draft": (_with(draft, lambda w, d: raci.note_draft(d, "N", **_by(w))), {"raci.draft.changed": 1}),
    "rebase_draft": (_with(draft, lambda w, d: raci.rebase_draft(d, **_by(w))), {"raci.draft.changed": 1}),
    "discard_draft": (_with(draft, lambda w, d: raci.discard_draft(d, **_by(w))), {"raci.draft.discarded": 1}),
    "withdraw_draft": (_with(asked, lambda w, a: raci.withdraw_draft(a.draft, **_by(w))), {"raci.draft.withdrawn": 1}),
    "draft_from_version": (
        _with(_version, lambda w, v: raci.draft_from_version(v, **_by(w))), {"raci.draft.opened": 1},
    ),
    "send_draft": (
        _with(draft, lambda w, d: raci.send_draft(d, **_by(w))), {"raci.draft.sent": 1, "caused raci.changed": 1},
    ),
    "accept_letters": (
        _with(asked, lambda w, a: raci.accept_letters(a, actor=w.cast.ben, now=NOW)),
        {"raci.accepted": 1, "caused raci.changed": 1},
    ),
    "decline_letters": (
        _with(asked, lambda w, a: raci.decline_letters(a, reason="No", actor=w.cast.ben, now=NOW)),
        {"raci.declined": 1},
    ),
    "apply_to_systems": (
        lambda w: lambda: raci.apply_to_systems({ROW: {"board": "C"}}, [w.system, w.interim], **w.by),
        {"raci.draft.sent": 1, "caused raci.changed": 2},
    ),
    "escalate_acceptance": (
        _with(asked, lambda w, a: raci.escalate_acceptance(a.pk, now=NOW + timedelta(days=30))),
        {"raci.acceptance.escalated": 1},
    ),
    "escalate_acceptances": (
        _with(asked, lambda w, _: raci.escalate_acceptances(now=NOW + timedelta(days=30))),
        {"raci.acceptance.escalated": 1},
    ),
    "record_training": (lambda w: lambda: _training(w), {"training.recorded": 1}),
    "revoke_training": (
        _with(_training, lambda w, t: people.revoke_training(t, **w.by)), {"training.revoked": 1},
    ),
}  # fmt: skip

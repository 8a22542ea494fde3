"""The verbs of work for the test that every verb leaves exactly the events that it should."""

import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.test import override_settings

from apps.attestations import actions as attestations
from apps.attestations.actions.evidence import add_evidence
from apps.attestations.actions.reassignment import escalate_reassignment, settle_reassignment
from apps.registry import actions as registry
from tests.attestations.files import PDF

# Parts of verbs.
NO_VERBS = {"locked_row", "refuse_settled", "follow", "end_with_signature", "attested", "bound"}
UNTIL = date(2026, 11, 30)


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def _by(w: Any, person: Any = None) -> dict[str, Any]:
    return {"actor": person or w.cast.ada, "now": w.by["now"]}


def _folder() -> Any:
    return override_settings(EVIDENCE_DIR=tempfile.mkdtemp(prefix="evidence-"))


def _attach(w: Any, assignment: Any) -> Any:
    with _folder():
        return add_evidence(
            assignment, "drills", name="a.pdf", content=PDF, effective_on=date(2026, 11, 1), expires_on=None, **_by(w)
        )


def _file(w: Any) -> Any:
    return _attach(w, w.assignment())


def _delegated(w: Any) -> Any:
    return attestations.delegate_work(w.assignment(), w.cast.dov, sections=[], reason="x", until=UNTIL, **_by(w))


def _asked(w: Any) -> Any:
    return attestations.reassign(w.assignment(), w.cast.nils, reason="x", **_by(w))


def _disowned(w: Any) -> Any:
    return attestations.disown(w.assignment(), reason="x", **_by(w))


def _answered_there(w: Any) -> Any:
    request = _asked(w)
    registry.decline_ownership(request.nomination, reason="No", **_by(w, w.cast.nils))
    return request


def _later(w: Any) -> dict[str, Any]:
    return {"now": w.by["now"] + timedelta(days=10)}


ASKED = {"attestation.reassignment_asked": 1, "caused system.owner.nominated": 1}
VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "add_evidence": (_made(lambda w: w.assignment(), _attach), {"evidence.added": 1}),
    "remove_evidence": (
        _made(_file, lambda w, file: attestations.remove_evidence(file, **_by(w))), {"evidence.removed": 1},
    ),
    "record_scan": (
        _made(_file, lambda w, file: attestations.record_scan(file, "clean", now=w.by["now"])), {"evidence.scanned": 1},
    ),
    "scan_evidence": (_made(_file, lambda w, _: _scan(w)), {"evidence.scanned": 1}),
    "delegate_work": (
        _made(
            lambda w: w.assignment(),
            lambda w, one: attestations.delegate_work(
                one, w.cast.dov, sections=[], reason="x", until=UNTIL, **_by(w)
            ),
        ),
        {"attestation.delegated": 1},
    ),
    "end_delegation": (
        _made(_delegated, lambda w, one: attestations.end_delegation(one, **_by(w))),
        {"attestation.delegation_ended": 1},
    ),
    "end_delegations_due": (
        _made(_delegated, lambda w, _: attestations.end_delegations_due(now=w.by["now"] + timedelta(days=60))),
        {"attestation.delegation_ended": 1},
    ),
    "reassign": (
        _made(lambda w: w.assignment(), lambda w, one: attestations.reassign(one, w.cast.nils, reason="x", **_by(w))),
        ASKED,
    ),
    "disown": (
        _made(lambda w: w.assignment(), lambda w, one: attestations.disown(one, reason="x", **_by(w))),
        {"attestation.reassignment_asked": 1},
    ),
    "name_successor": (
        _made(
            _disowned,
            lambda w, one: attestations.name_successor(one, w.cast.nils, reason="x", **_by(w, w.cast.una)),
        ),
        {
            "attestation.reassignment_answered": 1, "caused attestation.reassignment_asked": 1,
            "caused system.owner.nominated": 1,
        },
    ),
    "keep_with_owner": (
        _made(_disowned, lambda w, one: attestations.keep_with_owner(one, reason="x", **_by(w, w.cast.una))),
        {"attestation.reassignment_answered": 1},
    ),
    "accept_reassignment": (
        _made(_asked, lambda w, one: attestations.accept_reassignment(one, **_by(w, w.cast.nils))),
        {"attestation.reassignment_answered": 1, "caused handover.opened": 1},
    ),
    "decline_reassignment": (
        _made(_asked, lambda w, one: attestations.decline_reassignment(one, reason="No", **_by(w, w.cast.nils))),
        {"attestation.reassignment_answered": 1, "caused system.owner.declined": 1},
    ),
    "withdraw_reassignment": (
        _made(_asked, lambda w, one: attestations.withdraw_reassignment(one, **_by(w))),
        {"attestation.reassignment_answered": 1, "caused system.owner.withdrawn": 1},
    ),
    "escalate_reassignment": (
        _made(_asked, lambda w, one: escalate_reassignment(one, **_later(w))),
        {"attestation.reassignment_escalated": 1},
    ),
    "escalate_reassignments": (
        _made(_asked, lambda w, _: attestations.escalate_reassignments(**_later(w))),
        {"attestation.reassignment_escalated": 1},
    ),
    "settle_reassignment": (
        _made(_answered_there, lambda w, one: settle_reassignment(one, now=w.by["now"])),
        {"attestation.reassignment_answered": 1},
    ),
    "settle_reassignments": (
        _made(_answered_there, lambda w, _: attestations.settle_reassignments(now=w.by["now"])),
        {"attestation.reassignment_answered": 1},
    ),
    "cannot_attest": (
        _made(lambda w: w.assignment(), lambda w, one: attestations.cannot_attest(one, reason="x", **_by(w))),
        {"attestation.answered": 1},
    ),
    "sweep_passing": (
        _made(_asked, lambda w, _: attestations.sweep_passing(**_later(w))), {"attestation.reassignment_escalated": 1},
    ),
}  # fmt: skip
# Tried where their own world is: two campaigns, and one person with many systems (test_together).
ELSEWHERE = {"sign_together", "tell_overload", "tell_overloads"}


def _scan(w: Any) -> int:
    with override_settings(EVIDENCE_SCAN_COMMAND=["/bin/true"]):
        return attestations.scan_evidence(now=w.by["now"])

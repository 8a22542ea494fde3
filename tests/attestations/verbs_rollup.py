"""The verbs of the roll-up and the end, for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.attestations import actions as attestations
from apps.attestations.actions import closing, nodes, rollup
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.actions.rollup import OwnException
from apps.attestations.models import AttestationException, Campaign
from apps.audit.rules import SCHEDULER
from tests.attestations.rollup_world import AFTER, node, proof, sign_all, sign_node

# Parts of verbs: a node is looked at again after the transaction of a signature.
NO_VERBS = {"refresh_soon"}


def _over(w: Any) -> Campaign:
    """Nobody signed in time: everything below is named as not attested."""
    return attestations.begin_rollup(w.campaign(), actor=SCHEDULER, now=AFTER)


def _ready(w: Any) -> Any:
    campaign = _over(w)
    nodes.ready_nodes(now=AFTER)
    return node(campaign, "unit", w.cast.claims)


def _sign(w: Any, found: Any) -> None:
    due = AFTER.date() + timedelta(days=20)
    own = OwnException("high", "Nobody watches", "We do", due, w.cast.ben)
    sign_node(found, w.cast.una, exceptions=[own])


def _to_the_top(w: Any) -> Campaign:
    campaign: Campaign = _ready(w).campaign
    sign_all(campaign)
    return campaign


def _pending(w: Any) -> Campaign:
    return closing.end_rollup(_to_the_top(w), actor=w.cast.mara, now=AFTER)


def _closed(w: Any) -> Campaign:
    return closing.close_campaign(_pending(w), actor=w.cast.mara, now=AFTER)


def _approved(w: Any) -> AttestationException:
    found = _ready(w)
    _sign(w, found)
    sign_all(found.campaign)
    closing.end_rollup(found.campaign, actor=w.cast.mara, now=AFTER)
    exception = AttestationException.objects.get()
    return decide_exception(exception, verdict="approved", note="", **proof(w.cast.mara, AFTER))


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "ready_nodes": (_made(_over, lambda w, _: nodes.ready_nodes(now=AFTER)), {"rollup.ready": 1}),
    "refresh_nodes": (_made(_over, lambda w, found: nodes.refresh_nodes(found, now=AFTER)), {"rollup.ready": 1}),
    "sign_node": (
        _made(_ready, _sign), {"rollup.signed": 1, "caused exception.declared": 1, "caused finding.raised": 1},
    ),
    "decline_node": (
        _made(_ready, lambda w, found: rollup.decline_node(found, reason="Not told", **proof(w.cast.una, AFTER))),
        {"rollup.declined": 1},
    ),
    "end_rollup": (
        _made(_to_the_top, lambda w, found: closing.end_rollup(found, actor=w.cast.mara, now=AFTER)),
        {"campaign.actions_pending": 1},
    ),
    "carry_over": (
        _made(_approved, lambda w, one: closing.carry_over(one.campaign, [one], actor=w.cast.mara, now=AFTER)),
        {"exception.carried_over": 1},
    ),
    "close_campaign": (
        _made(_pending, lambda w, found: closing.close_campaign(found, actor=w.cast.mara, now=AFTER)),
        {"campaign.closed": 1},
    ),
    "finish_due": (
        _made(_pending, lambda w, _: closing.finish_due(now=AFTER)), {"campaign.closed": 1},
    ),
    "seal": (
        _made(_closed, lambda w, found: closing.seal(found, actor=w.cast.mara, now=AFTER)), {"campaign.sealed": 1},
    ),
}  # fmt: skip

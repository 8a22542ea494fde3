"""What comes after the owner, for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

from apps.attestations import actions as attestations
from apps.attestations.actions import asking, exceptions, reviews, samples
from apps.attestations.models import Assignment, AttestationException
from apps.attestations.rules import Given
from apps.findings import actions as findings
from apps.registry.models import System
from tests.attestations.after import checks, confirmed, nothing_contradicts, seed_that_draws

# Parts of verbs.
NO_VERBS = {
    "declare_exceptions", "exception_subject", "locked_exception", "locked_signed", "reviewed_content",
    "reviewed_signature", "send_back",
}  # fmt: skip
EXCEPTION = Given("no", "Nobody tried", "We test it", "2026-12-11", "medium", "On call")
LATE_DAY = date(2026, 12, 31)


def _signed(w: Any, *, drawn: bool = False, **special: Given) -> Assignment:
    """Ada's signed attestation, drawn as a sample or not."""
    keys = tuple(System.objects.values_list("key", flat=True))
    other = next(key for key in keys if (key == w.system.key) == drawn)
    seed = seed_that_draws(other, keys)
    with nothing_contradicts(), patch("apps.attestations.actions.campaigns.secrets.token_hex", return_value=seed):
        assignment, now = w.answered(), w.by["now"]
        for question, given in special.items():
            assignment = attestations.save_answers(
                assignment, "response", {question: given}, version=assignment.version, actor=w.cast.ada, now=now
            )
        attestations.sign(assignment, version=assignment.version, **confirmed(w.cast.ada, now))
    return Assignment.objects.select_related("campaign", "system", "snapshot").get(pk=assignment.pk)


def _declared(w: Any) -> AttestationException:
    _signed(w, kill_switch=EXCEPTION)
    return AttestationException.objects.select_related("assignment__system").get()


def _decided(w: Any, verdict: str = "approved") -> AttestationException:
    note = "" if verdict == "approved" else "No"
    return exceptions.decide_exception(_declared(w), verdict=verdict, note=note, **confirmed(w.cast.una, w.by["now"]))


def _asked(w: Any) -> Any:
    exception = _decided(w)
    return exceptions.ask_extension(exception, to_day=LATE_DAY, reason="Late", actor=w.cast.ada, now=w.by["now"])


def _put_right(w: Any) -> AttestationException:
    exception, by = _decided(w), {"actor": w.cast.ada, "now": w.by["now"]}
    assert exception.finding is not None
    action = findings.plan_action(exception.finding, what="Test", person=w.cast.ada, due_on=LATE_DAY, **by)
    findings.complete_action(action, evidence="Seen", **by)
    findings.verify_action(action, actor=w.cast.una, now=w.by["now"])
    return exception


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def _by(w: Any, name: str) -> dict[str, Any]:
    return confirmed(getattr(w.cast, name), w.by["now"])


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "accept": (_made(_signed, lambda w, one: reviews.accept(one, **_by(w, "una"))), {"attestation.accepted": 1}),
    "accept_many": (
        _made(
            lambda w: Assignment.objects.select_related("system").filter(pk=_signed(w).pk),
            lambda w, rows: reviews.accept_many(list(rows), **_by(w, "una")),
        ),
        {"attestation.accepted": 1, "caused attestation.accepted": 1},
    ),
    "request_changes": (
        _made(
            _signed,
            lambda w, one: reviews.request_changes(one, note="More", actor=w.cast.una, now=w.by["now"]),
        ),
        {"attestation.changes_requested": 1},
    ),
    "perform_sample": (
        _made(
            lambda w: _signed(w, drawn=True),
            lambda w, one: samples.perform_sample(one, checks=checks(one), **_by(w, "cleo")),
        ),
        {"attestation.sampled": 1, "caused attestation.accepted": 1},
    ),
    "decide_exception": (
        _made(
            _declared,
            lambda w, one: exceptions.decide_exception(one, verdict="approved", note="", **_by(w, "una")),
        ),
        {"exception.decided": 1},
    ),
    "propose_plan": (
        _made(
            lambda w: _decided(w, "refused"),
            lambda w, one: exceptions.propose_plan(one, plan="Other", control="", actor=w.cast.ada, now=w.by["now"]),
        ),
        {"exception.proposed": 1},
    ),
    "ask_extension": (
        _made(
            _decided,
            lambda w, one: exceptions.ask_extension(
                one, to_day=LATE_DAY, reason="Late", actor=w.cast.ada, now=w.by["now"]
            ),
        ),
        {"exception.extension_asked": 1},
    ),
    "decide_extension": (
        _made(
            _asked,
            lambda w, one: exceptions.decide_extension(one, granted=True, note="", **_by(w, "una")),
        ),
        {"exception.extended": 1},
    ),
    "follow_finding": (
        _made(_put_right, lambda w, one: exceptions.follow_finding(one, now=w.by["now"])),
        {"exception.verified": 1},
    ),
    "follow_findings": (
        _made(_put_right, lambda w, _: exceptions.follow_findings(now=w.by["now"])),
        {"exception.verified": 1},
    ),
    "ask_reviewers": (
        _made(_signed, lambda w, _: asking.ask_reviewers(now=w.by["now"] + timedelta(days=1))),
        {"campaign.reminded": 1},
    ),
}

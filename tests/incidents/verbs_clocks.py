"""The verbs of legal clocks for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.incidents.actions import clock_rules, clock_watch, clocks
from apps.people import actions as people
from tests.incidents.clock_world import clock, rule, signed, with_clocks

Made = Callable[[Any], Callable[[], Any]]
# Parts of declaring and of the sweep, and what only says something.
NO_VERBS = {"open_clocks", "alert", "ask_again", "catch_up", "watch_clocks"}


def _incident(w: Any) -> Any:
    return with_clocks(w.cast, now=w.by["now"])


def _made(act: Callable[[Any, Any], Any]) -> Made:
    """An incident with its clocks is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        incident = _incident(w)
        return lambda: act(w, incident)

    return prepare


def _start(w: Any, incident: Any, key: str, **more: Any) -> Any:
    return clocks.start_clock(clock(incident, key), anchor_at=w.by["now"], reason="Letters were read", **w.by, **more)


def _running(act: Callable[[Any, Any], Any], key: str = "GDPR-33", *, capped: bool = False) -> Made:
    def prepare(w: Any) -> Callable[[], Any]:
        made = _start(w, _incident(w), key, **({"cap_at": w.by["now"]} if capped else {}))
        return lambda: act(w, made)

    return prepare


def _submit(w: Any, made: Any) -> Any:
    return clocks.note_submission(made, reference="R-1", at=w.by["now"], **w.by)


def _correct(w: Any, made: Any) -> Any:
    earlier = w.by["now"] - timedelta(hours=1)
    return clocks.correct_anchor(made, anchor_at=earlier, reason="A mail shows it", **w.by)


def _leaves(w: Any) -> Callable[[], Any]:
    incident = _incident(w)
    incident.clocks.exclude(rule__key="GDPR-33").update(decides=w.cast.mara)
    incident.clocks.update(deputy=None)
    people.seat_person("legal", w.cast.una, **w.by)
    w.cast.lea.refresh_from_db()
    people.deactivate_person(w.cast.lea, **w.by)
    return lambda: clock_watch.pass_on(now=w.by["now"])


VERBS: dict[str, tuple[Made, dict[str, int]]] = {
    "assess": (_made(lambda w, one: clocks.assess(clock(one, "GDPR-33"), **w.by)), {"clock.assessed": 1}),
    "start_clock": (_made(lambda w, one: _start(w, one, "GDPR-33")), {"clock.anchored": 1}),
    "correct_anchor": (_running(_correct), {"clock.anchored": 1}),
    "decide_not_reportable": (
        _made(
            lambda w, one: clocks.decide_not_reportable(
                list(one.clocks.all()), reason="Test data", **signed(w.cast, w.cast.lea, w.by["now"])
            )
        ),
        {"clock.not_reportable": 1},
    ),
    "note_submission": (
        _running(_submit, "DORA-INI", capped=True), {"clock.submitted": 1, "caused clock.anchored": 1},
    ),
    "pass_on": (_leaves, {"clock.passed_on": 1}),
    "mark_missed": (
        _running(lambda w, _: clock_watch.mark_missed(now=w.by["now"] + timedelta(hours=73))), {"clock.missed": 1},
    ),
    "set_rule_applies": (
        lambda w: lambda: clock_rules.set_rule_applies(rule("SEC-105"), False, reason="Not listed", **w.by),
        {"clock.rule.changed": 1},
    ),
    "new_rule_version": (
        lambda w: lambda: clock_rules.new_rule_version(rule("CO-189"), {"amount": 45}, reason="Enrolled", **w.by),
        {"clock.rule.changed": 1},
    ),
    "add_contract_rule": (
        lambda w: lambda: clock_rules.add_contract_rule(
            counterparty="Nordlicht Re", clause="12", trigger="Were data read?", amount=24, unit="h", contact="", **w.by
        ),
        {"clock.rule.changed": 1},
    ),
    "set_authority": (
        lambda w: lambda: clock_rules.set_authority(rule("GDPR-33"), name="BfDI", **w.by), {"clock.rule.changed": 1},
    ),
}  # fmt: skip

"""The verbs of calling people for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.incidents.actions import calling, paging, plans
from apps.incidents.actions.preflight import run_preflight
from apps.incidents.models import EscalationPlan, Page
from apps.incidents.rules.plans import BUILT_IN, Plan
from tests.incidents.paging_world import declared

Made = Callable[[Any], Callable[[], Any]]
# Parts of the verbs of incidents, and what only says something.
NO_VERBS = {
    "advance", "announce", "answer_pages", "begin_calling", "begin_again", "call_next", "close_pages",
    "follow_severity", "hush", "locked_row", "silence", "stop_calling",
}  # fmt: skip


def _made(act: Callable[[Any, Any], Any], *, taken: bool = False) -> Made:
    """Something is declared, and taken by Ada, before the count begins; the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        incident = declared(w.cast, system=w.system, now=w.by["now"], severity="sev1")
        if taken:
            incident = paging.acknowledge(incident, actor=w.cast.ada, now=w.by["now"])
        return lambda: act(w, incident)

    return prepare


def _called(w: Any, incident: Any) -> Page:
    calling.note_sent(incident)
    paging.advance_due(now=w.by["now"] + timedelta(minutes=5))
    return Page.objects.get(incident=incident, person=w.cast.ben)


def _declines(w: Any) -> Callable[[], Any]:
    incident = declared(w.cast, system=w.system, now=w.by["now"])
    page = _called(w, incident)
    return lambda: paging.decline_page(page, reason="Ill", actor=w.cast.ben, now=page.queued_at)


def _sweeps(minutes: int, *, taken: bool = False) -> Made:
    return _made(lambda w, _: paging.advance_due(now=w.by["now"] + timedelta(minutes=minutes)), taken=taken)


def _plan(w: Any) -> Any:
    return plans.set_plan(Plan(BUILT_IN.steps, 0, "Claims"), unit=w.cast.claims, reason="Asked for", **w.by)


def _ends(w: Any) -> Callable[[], Any]:
    row = _plan(w)
    return lambda: plans.end_plan(row, reason="No need", **w.by)


def _exhausted(w: Any) -> Callable[[], Any]:
    row = EscalationPlan.objects.get(valid_to=None)
    plans.set_plan(Plan(BUILT_IN.steps[:1], 0, "One"), replaces=row, reason="Asked for", **w.by)
    declared(w.cast, system=w.system, now=w.by["now"])
    return lambda: paging.advance_due(now=w.by["now"] + timedelta(minutes=10))


VERBS: dict[str, tuple[Made, dict[str, int]]] = {
    "acknowledge": (
        _made(lambda w, one: paging.acknowledge(one, actor=w.cast.ada, now=w.by["now"])), {"incident.acknowledged": 1},
    ),
    "decline_page": (_declines, {"page.declined": 1}),
    "snooze": (
        _made(
            lambda w, one: paging.snooze(one, minutes=90, reason="Restore", actor=w.cast.ada, now=w.by["now"]),
            taken=True,
        ),
        {"acknowledgement.snoozed": 1},
    ),
    "advance_due": (_sweeps(5), {"escalation.advanced": 1}),
    "set_plan": (lambda w: lambda: _plan(w), {"escalation_plan.set": 1}),
    "end_plan": (_ends, {"escalation_plan.ended": 1}),
    "run_preflight": (lambda w: lambda: run_preflight(now=w.by["now"]), {"preflight.run": 1}),
}  # fmt: skip
# Not verbs of their own, but what the sweep leaves in each of its ways.
WAYS: dict[str, tuple[Made, dict[str, int]]] = {
    "renewed": (
        _made(lambda w, one: paging.acknowledge(one, actor=w.cast.ada, now=w.by["now"]), taken=True),
        {"incident.acknowledged": 1},
    ),
    "the lead declines": (
        _made(
            lambda w, one: paging.decline_page(
                Page.objects.get(incident=one), reason="Ill", actor=w.cast.ada, now=w.by["now"]
            )
        ),
        {"lead.declined": 1},
    ),
    "ran out": (_sweeps(60, taken=True), {"acknowledgement.expired": 1, "caused incident.paged": 1}),
    "exhausted": (_exhausted, {"escalation.exhausted": 1}),
}

"""The verbs of a live incident for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.incidents.actions import declare as declaring
from apps.incidents.actions import files, leads, states, timeline
from apps.incidents.models import Incident, IncidentStep
from tests.factories import NOW

# Parts of the verbs of incidents.
NO_VERBS = {
    "move_on",
    "replace_leaver",
    "end_lead",
    "lead_again",
    "lead_by_severity",
    "line",
    "drop_handover",
    "put_handover",
}
Prepare = Callable[[Any], Callable[[], Any]]


def reported(w: Any) -> Incident:
    """Declared by Dov, led by nobody yet."""
    return declaring.declare(title="It read letters", system=w.system, actor=w.cast.dov, now=NOW)


def taken(w: Any) -> Incident:
    """Ada took it."""
    return leads.take_lead(reported(w), w.cast.ada, actor=w.cast.ada, now=NOW)


def active(w: Any) -> Incident:
    """It is severe, and Ada leads."""
    return states.classify(taken(w), "sev2", reason="61 people", actor=w.cast.ada, now=NOW)


def ready(w: Any) -> Incident:
    """Active, with what the runbook asks for before containing done."""
    incident = active(w)
    steps = IncidentStep.objects.filter(incident=incident, does__in=["evidence_freeze", "containment"])
    steps.update(state="done", done_at=NOW, done_by=w.cast.ada, evidence="Seen")
    return incident


def contained(w: Any) -> Incident:
    """Contained, with what the runbook asks for done."""
    return states.contain(ready(w), note="Paused", actor=w.cast.ada, now=NOW)


def resolved(w: Any) -> Incident:
    """Put right, the review open."""
    return states.resolve(contained(w), resolution="Narrowed", actor=w.cast.ada, now=NOW)


def asked(w: Any) -> Any:
    """Ada asked Ben to take over."""
    return leads.ask_handover(taken(w), w.cast.ben, briefing="All is paused", actor=w.cast.ada, now=NOW)


def then(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Prepare:
    """The thing is made before the count begins, the verb runs after, as Ada."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def ada(w: Any) -> dict[str, Any]:
    """Ada, later."""
    return {"actor": w.cast.ada, "now": w.by["now"]}


def _task(w: Any) -> Any:
    return timeline.set_task(active(w), what="List them", person=w.cast.ben, actor=w.cast.ada, now=NOW)


def _reopens(w: Any, incident: Any) -> Any:
    return states.reopen(incident, reason="Again", **ada(w))


VERBS: dict[str, tuple[Prepare, dict[str, int]]] = {
    "declare": (lambda w: lambda: reported(w), {"incident.declared": 1, "caused incident.paged": 1}),
    "take_lead": (then(reported, lambda w, i: leads.take_lead(i, w.cast.ada, **ada(w))), {"lead.accepted": 1}),
    "decline_lead": (
        then(taken, lambda w, i: leads.decline_lead(i, reason="On a plane", **ada(w))), {"lead.declined": 1},
    ),
    "relieve_lead": (
        then(taken, lambda w, i: leads.relieve_lead(i, w.cast.nils, reason="Tired", **w.by)), {"lead.relieved": 1},
    ),
    "ask_handover": (then(taken, lambda w, i: leads.ask_handover(i, w.cast.ben, briefing="x", **ada(w))),
                     {"lead.asked": 1}),
    "answer_handover": (
        then(asked, lambda w, h: leads.answer_handover(h, takes=True, actor=w.cast.ben, now=w.by["now"])),
        {"lead.handed_over": 1},
    ),
    "withdraw_handover": (
        then(asked, lambda w, h: leads.withdraw_handover(h, **ada(w))), {"lead.handover_ended": 1},
    ),
    "classify": (
        then(taken, lambda w, i: states.classify(i, "sev1", reason="Many", **ada(w))), {"incident.classified": 1},
    ),
    "classify_overdue": (
        then(reported, lambda w, i: states.classify_overdue(now=NOW + timedelta(hours=1))), {"incident.classified": 1},
    ),
    "contain": (
        then(ready, lambda w, i: states.contain(i, note="Paused", **ada(w))), {"incident.contained": 1},
    ),
    "resolve": (
        then(contained, lambda w, i: states.resolve(i, resolution="Narrowed", **ada(w))),
        {"incident.resolved": 1, "caused review.opened": 1},
    ),
    "dismiss": (
        then(taken, lambda w, i: states.dismiss(i, because="benign", note="Nothing", **ada(w))),
        {"incident.dismissed": 1},
    ),
    "merge": (
        then(lambda w: (reported(w), reported(w)), lambda w, two: states.merge(two[0], two[1], **ada(w))),
        {"incident.merged": 1},
    ),
    "reopen": (then(contained, _reopens), {"incident.reopened": 1}),
    "change_incident": (
        then(taken, lambda w, i: states.change_incident(i, title="Other", **ada(w))), {"incident.changed": 1},
    ),
    "add_note": (then(taken, lambda w, i: timeline.add_note(i, text="Found it", **ada(w))), {"incident.noted": 1}),
    "send_update": (
        then(taken, lambda w, i: timeline.send_update(i, text="So far", **ada(w))), {"incident.updated": 1},
    ),
    "set_task": (
        then(active, lambda w, i: timeline.set_task(i, what="x", person=w.cast.ben, **ada(w))),
        {"incident.task_set": 1},
    ),
    "bring_in": (
        then(active, lambda w, i: timeline.bring_in(i, w.cast.ben, why="x", **ada(w))), {"incident.task_set": 1},
    ),
    "finish_task": (then(_task, lambda w, t: timeline.finish_task(t, outcome="", **ada(w))), {"incident.task_done": 1}),
    "add_file": (
        then(taken, lambda w, i: files.add_file(i, name="list.csv", content=b"a,b\n1,2\n", **ada(w))),
        {"incident.file_added": 1},
    ),
}  # fmt: skip
# Closing needs a signed review: tried where reviews are.
ELSEWHERE = {"close"}

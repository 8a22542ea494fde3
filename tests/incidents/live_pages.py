"""Live, open and over incidents with something of everything, and their pages by who reads them."""

from datetime import datetime, timedelta
from typing import Any

from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import ask_handover, take_lead
from apps.incidents.actions.states import classify, dismiss, merge
from apps.incidents.actions.timeline import add_note, send_update, set_task
from tests.factories import a_system

LONG = "It answered with the letters of others, " * 4


def live_pages(cast: Any, now: datetime) -> dict[str, list[str]]:
    """One that Ada leads with much on it, one that waits for her, a test, one that was none, one that was merged."""
    system = a_system(cast, key="SYS-LIVE", name="Mail Automation " * 6, owner=cast.ada, now=now)
    ada: dict[str, Any] = {"actor": cast.ada, "now": now + timedelta(minutes=4)}
    much = declare(title=LONG, description="Since 08:20. " * 30, system=system, actor=cast.dov, now=now)
    much = classify(take_lead(much, cast.ada, **ada), "sev1", reason="Many", **ada)
    note = add_note(much, text="Nobody was told", **ada)
    add_note(much, text="Two people were told", corrects=note, **ada)
    send_update(much, text="Paused", next_in=timedelta(hours=1), **ada)
    task = set_task(much, what="List them", person=cast.ben, due_at=now, **ada)
    ask_handover(much, cast.nils, briefing="All is paused. " * 20, **ada)
    waits = declare(title="It cost too much", system=system, scenario="cost-spike", actor=cast.ada, now=now)
    test = declare(title="A try", about="x", mode="test", actor=cast.mara, now=now)
    none = dismiss(declare(title="Slow", about="a bot", actor=cast.dov, now=now), because="benign", note="No", **ada)
    same = merge(declare(title="The same", system=system, actor=cast.dov, now=now), much, **ada)
    verbs = ("update", "bring-in", "task", "file", "hand-over", "classify", "merge", "change", "decline", "contain",
             "snooze")  # fmt: skip
    acts = [f"{much.path}do/{verb}/" for verb in verbs]
    step_2 = "/incidents/declare/what/?system=SYS-LIVE&scenario=data-access"
    return {
        "ada": [much.path, waits.path, *acts, f"{waits.path}do/dismiss/", f"{waits.path}do/take-for/"],
        "mara": ["/incidents/", "/incidents/?series=rehearsed", "/incidents/?q=zzz", test.path, none.path, same.path],
        "cleo": [f"{much.path}{end}" for end in (f"timeline/{note.pk}/correct/", f"tasks/{task.pk}/", "do/relieve/")],
        "dov": [much.path, "/incidents/", "/incidents/declare/", "/incidents/declare/?q=mail&do=next", step_2],
    }  # fmt: skip

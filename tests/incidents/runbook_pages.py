"""Every page of runbooks and of the steps of an incident, for the tests that look at all pages."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from apps.incidents.actions import runbooks as verbs
from apps.incidents.actions import steps as working
from apps.incidents.actions.declare import declare
from apps.incidents.actions.runbooks import pin_runbook
from apps.incidents.models import Runbook
from apps.incidents.queries.runbooks import published, revision_of, steps_of
from tests.factories import a_system
from tests.incidents.steps_world import step


def runbook_pages(cast: Any, now: datetime) -> dict[str, list[str]]:
    """A runbook with a draft that has faults, one of a system, and steps in each state."""
    by: dict[str, Any] = {"actor": cast.mara, "now": now}
    system = a_system(cast, key="SYS-RUN", owner=cast.ada, now=now, regulatory_class="high_risk")
    verbs.begin_runbook(title="Of one system alone", scenario="", system=system, **by)
    runbook = Runbook.objects.get(key="data-access")
    verbs.set_runbook_owner(runbook, cast.ben, **by)
    version = published(runbook)
    steps = steps_of(version) if version else []
    draft = verbs.draft_runbook(runbook, **by)
    changed = [replace(steps[-1], title="Start it " * 12), steps[0], *steps[2:8]]
    verbs.change_runbook_draft(draft, steps=changed, note="Shorter", read=revision_of(draft), **by)
    incident = declare(title="It read letters", system=system, scenario="data-access", actor=cast.dov, now=now)
    if not incident.steps.exists():
        pin_runbook(incident, now)
    later: dict[str, Any] = {"actor": cast.ada, "now": now + timedelta(minutes=9)}
    working.finish_step(step(incident, 1), evidence="gateway-eu-1, rule pause-0117", **later)
    working.block_step(step(incident, 3), reason="No access to the logs " * 6, **later)
    working.skip_step(step(incident, 7), reason="No vendor takes part", **later)
    working.start_step(step(incident, 2), **later)
    page, mine = "/incidents/runbooks/", "/incidents/runbooks/data-access/"
    worked = [f"{incident.path}steps/{order}/" for order in (1, 2, 3, 7, 10)]
    return {
        "mara": [
            page, f"{page}?q=zzz", f"{page}new/", mine, f"{mine}edit/", f"{mine}publish/", f"{mine}discard/",
            f"{mine}review/", f"{mine}owner/", f"{page}complaint/retire/", f"{mine}versions/2/",
            f"{page}of-one-system-alone/", *worked,
        ],
        "dov": [page, mine],
        "lea": [f"{incident.path}evidence-waiver/", f"{incident.path}steps/9/"],
    }  # fmt: skip

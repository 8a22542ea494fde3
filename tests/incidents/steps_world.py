"""Runbooks, and incidents with pinned steps, for tests."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from apps.incidents.actions import runbooks as verbs
from apps.incidents.actions import steps as verbs_of_steps
from apps.incidents.actions.declare import declare
from apps.incidents.actions.runbooks import pin_runbook
from apps.incidents.models import Incident, IncidentStep, Runbook, RunbookStep, RunbookVersion
from apps.incidents.queries.runbooks import draft_of, revision_of
from apps.incidents.rules.runbooks import StepText
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.world import settle

LATER = NOW + timedelta(hours=2)
CONTAIN = StepText(
    "Stop it", "Pause it.", phase="contain", does="containment", if_not="Call.", role="owner", evidence_required=True
)
FREEZE = StepText("Freeze it", "Copy it.", phase="preserve", does="evidence_freeze", evidence_required=True)
FIND = StepText("Find out", "Look.", target_minutes=60, required=False)
TELL = StepText("Tell the CISO", "Call.", phase="tell")
GATE = StepText("Decide whether to report", "Decide.", phase="tell", role="legal", legal_gate=True)
RESTART = StepText("Start it again", "Start it.", phase="recover", does="changes_system", evidence_required=True)
STEPS = [CONTAIN, FREEZE, FIND, TELL, GATE, RESTART]


def a_runbook(title: str = "A runbook", *, scenario: str = "data-access", steps: Any = None, **scope: Any) -> Runbook:
    """A runbook in use, by rows alone. Somebody's own scope: the organisation has one for each scenario already."""
    runbook = Runbook.objects.create(
        key=title.lower().replace(" ", "-"), title=title, scenario=scenario, created_at=NOW, **scope
    )
    version = RunbookVersion.objects.create(runbook=runbook, number=1, written_at=NOW)
    RunbookStep.objects.bulk_create(
        RunbookStep(version=version, order=order, **asdict(step)) for order, step in enumerate(steps or STEPS, 1)
    )
    RunbookVersion.objects.filter(pk=version.pk).update(state="published", published_at=NOW)
    return runbook


def a_draft(cast: Cast, key: str = "data-access", steps: Any = None) -> RunbookVersion:
    """A draft of Mara's, the next version of a runbook."""
    version = verbs.draft_runbook(Runbook.objects.get(key=key), actor=cast.mara, now=NOW)
    if steps is not None:
        version = change(version, cast.mara, steps)
    return version


def change(version: RunbookVersion, actor: Any, steps: Any, *, now: Any = NOW, note: str = "Shorter") -> RunbookVersion:
    """Save the draft as somebody who has just read it."""
    return verbs.change_runbook_draft(version, steps=steps, note=note, read=revision_of(version), actor=actor, now=now)


def publish(version: RunbookVersion, actor: Any, *, now: Any = NOW) -> RunbookVersion:
    """Publish the draft as somebody who has just read it."""
    draft = draft_of(version.runbook)
    assert draft is not None
    return verbs.publish_runbook(draft, read=revision_of(draft), actor=actor, now=now)


def an_incident(
    cast: Cast, *, system: System | None = None, steps: Any = STEPS, scenario: str = "", **more: Any
) -> Incident:
    """Something that Dov declared, led by Ada, who owns the system; with None its steps are the organisation's."""
    system = system or a_system(cast, owner=cast.ada)
    if steps is not None:
        a_runbook(f"Own of {system.key}", scenario=scenario, system=system, steps=steps)
    settle()
    incident = declare(title="It read letters", system=system, scenario=scenario, actor=cast.dov, now=NOW, **more)
    if not incident.steps.exists():
        pin_runbook(incident, NOW)
    return incident


def step(incident: Incident, order: int) -> IncidentStep:
    """One step as it is now."""
    return IncidentStep.objects.select_related("incident__system", "incident__lead").get(incident=incident, order=order)


def ready_to_contain(incident: Incident, actor: Any, *, now: Any = NOW) -> None:
    """Do what an incident needs before it is contained: the step that contains it, and the freeze of evidence."""
    for one in incident.steps.filter(does__in=["containment", "evidence_freeze"], state="todo"):
        verbs_of_steps.finish_step(step(incident, one.order), evidence="Seen", actor=actor, now=now)

"""Loading the demo step by step. Each step is one transaction and knows whether it has been done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, ValidationError

from apps.common.errors import NotAllowed, Refused
from apps.portal.demo import (
    campaign,
    certified,
    checked,
    figures,
    inventory,
    leaver,
    mandate,
    people,
    rehearsed,
    responding,
    story,
)
from apps.portal.demo.moments import Moments

log = structlog.get_logger(__name__)


@dataclass
class Loaded:
    """What was done now, and what there is."""

    done: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.done)

    def as_json(self) -> dict[str, Any]:
        return {
            "changed": self.changed,
            "done": self.done,
            "left_out": self.left_out,
            **self.counts,
            "sign_ins": people.sign_ins(),
        }


def load(*, now: datetime) -> Loaded:
    """Bring the demo's data into an empty portal, or finish what was interrupted. A second run changes nothing.

    Raises Refused outside the demo, and in a portal that somebody else started.
    """
    if not settings.DEMO:
        raise Refused("The demo's people are invented and share one password. Set DEMO=true to load them.")
    if people.is_started_by_others():
        raise Refused("This portal has been started by real people. The demo loads into an empty one.")
    moments = campaign.calendar(now)
    loaded = Loaded()
    for name, step in _steps(moments):
        if step():
            loaded.done.append(name)
    for name, step in _story(moments):
        _tell(name, step, loaded)
    loaded.counts = figures.summary()
    return loaded


def _tell(name: str, step: Callable[[], bool], loaded: Loaded) -> None:
    """One part of the story. In a demo that visitors have changed a part may not fit any more: then it is left out."""
    try:
        if step():
            loaded.done.append(name)
    except (Refused, NotAllowed, ValidationError, ObjectDoesNotExist, LookupError, StopIteration):
        if "people" in loaded.done:  # nobody has changed a demo that is being loaded for the first time
            raise
        log.warning("demo.left_out", part=name, exc_info=True)
        loaded.left_out.append(name)


def _steps(moments: Moments) -> list[tuple[str, Callable[[], bool]]]:
    return [
        ("people", lambda: people.load_people(now=moments.started)),
        ("inventory", lambda: inventory.load_inventory(now=moments.imported)),
        ("owners", lambda: inventory.load_owners(moments)),
        ("pilot", lambda: certified.load_pilot(moments)),
        ("campaign", lambda: campaign.load_campaign(moments)),
        ("nominations", lambda: inventory.load_nominations(moments)),
        ("answers", lambda: campaign.load_answers(moments)),
        ("checks", lambda: checked.load_checks(moments)),
    ]


def _story(moments: Moments) -> list[tuple[str, Callable[[], bool]]]:
    return [
        ("absences", lambda: story.load_absences(moments)),
        ("authority", lambda: story.load_authority(moments)),
        ("predictions", lambda: story.load_predictions(moments)),
        ("handovers", lambda: story.load_handovers(moments)),
        ("charter", lambda: mandate.load_charter(moments)),
        ("trainings", lambda: mandate.load_trainings(moments)),
        ("matrix", lambda: mandate.load_matrix(moments)),
        ("reach", lambda: responding.load_reach(moments)),
        ("preparations", lambda: responding.load_preparations(moments)),
        ("watching", lambda: responding.load_watching(moments)),
        ("leaver", lambda: leaver.load_leaver(moments)),
        ("findings", lambda: leaver.load_findings(moments)),
        ("past incidents", lambda: responding.load_past(moments)),
        ("drills", lambda: rehearsed.load_drills(moments)),
        ("live incident", lambda: responding.load_live(moments)),
    ]

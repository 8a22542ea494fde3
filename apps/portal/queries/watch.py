"""The watchman: every duty that the portal has without being asked, and whether it was done.

Reads PostgreSQL only: it tells the truth while Redis is down and no worker runs. To add a duty, write a check (one
query that counts) and put it into DUTIES.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.db import connection, transaction
from django.db.models import Q

from apps.access.queries import may
from apps.audit.models import SweepRun
from apps.findings.models import Finding
from apps.people.models import Person, RoleGrant
from apps.people.rules import RoleName
from apps.portal.queries import watch_campaigns, watch_incidents, watch_people, watch_work
from apps.portal.queries.watch_checks import Duty, Example, Scene, Tends
from apps.registry.queries import visible_systems
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach, Level

DUTIES: tuple[Duty, ...] = (*watch_work.DUTIES, *watch_campaigns.DUTIES, *watch_people.DUTIES, *watch_incidents.DUTIES)
NOT_DONE = "duty-not-done"
PATH = "/status/"
READERS = "seat holders, auditors and the person who holds the mandate"
NOT_LOOKED = "Nobody knows whether it was done: the check itself failed."

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one duty, who sees to it where it was not done, and the finding that told them."""

    duty: Duty
    undone: int
    examples: tuple[Example, ...]
    person: Person | None
    finding: Finding | None = None
    looked: bool = True

    @property
    def done(self) -> bool:
        """Whether it was done. What could not be looked at was not."""
        return self.looked and not self.undone

    @property
    def sees_to_it(self) -> Person | None:
        """Who was told; before that, who will be."""
        return self.finding.person if self.finding else self.person

    @property
    def words(self) -> str:
        """What was not done."""
        return self.duty.words(self.undone) if self.looked else f"{self.duty.what}: unknown"


@dataclass(frozen=True)
class Watched:
    """All duties at one moment, those that were not done first."""

    now: datetime
    outcomes: list[Outcome]
    sweeps: list[SweepRun]

    @property
    def undone(self) -> list[Outcome]:
        """The duties that were not done."""
        return [one for one in self.outcomes if not one.done]

    @property
    def done(self) -> list[Outcome]:
        """The duties that were done."""
        return [one for one in self.outcomes if one.done]

    @property
    def verdict(self) -> str:
        """The whole in one sentence."""
        missing, every = len(self.undone), len(self.outcomes)
        if not missing:
            return f"All {every} duties are done."
        return f"{missing} of {every} duties {'was' if missing == 1 else 'were'} not done."


def watched(now: datetime, *, reader: Person | None = None, duties: Iterable[Duty] = DUTIES) -> Watched:
    """Look at every duty now. One query a duty and a few more, however large the register is.

    A reader sees examples of the systems that they may see, and links to pages that they may open; without a reader
    there are none. A check that fails is a duty that nobody knows to be done, and harms no other.
    """
    scene = Scene(now)
    tends, told = _who_tends(now), _told()
    looked = [_outcome(duty, scene, tends) for duty in duties]
    outcomes = [replace(one, finding=None if one.done else told.get(one.duty.key)) for one in looked]
    outcomes.sort(key=lambda one: one.done)
    return Watched(now, _for_reader(outcomes, reader), _sweeps(scene))


def _outcome(duty: Duty, scene: Scene, tends: dict[Tends, Person | None]) -> Outcome:
    person = tends[duty.tends]
    try:
        # In an open transaction a failed statement would take the others with it.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            look = duty.look(scene)
    except Exception:  # one broken check must not hide the others
        log.exception("watch.check_failed", duty=duty.key)
        return Outcome(duty, 0, (Example(NOT_LOOKED),), person, looked=False)
    return Outcome(duty, look.undone, look.examples, person)


def _sweeps(scene: Scene) -> list[SweepRun]:
    """Those that fail or are late first."""
    return sorted(scene.sweeps, key=lambda run: (not run.failures_in_a_row, not run.is_late(scene.now), run.name))


def _who_tends(now: datetime) -> dict[Tends, Person | None]:
    """Who sees to what: the first administrator, and whoever holds the mandate; that one where there is no other."""
    holder = mandate_holder()
    grants = RoleGrant.objects.filter(
        Q(until=None) | Q(until__gt=now), role=RoleName.ADMINISTRATOR, revoked_at=None, person__is_active=True,
        person__kind=Person.Kind.HUMAN,
    ).select_related("person")  # fmt: skip
    first = grants.order_by("granted_at", "pk").first()
    return {Tends.MANDATE: holder, Tends.ADMINISTRATOR: first.person if first else holder}


def _told() -> dict[str, Finding]:
    """Key of a duty -> the finding that waits for somebody. One query."""
    waiting = Finding.objects.filter(code=NOT_DONE).exclude(state=Finding.State.CLOSED)
    return {one.subject: one for one in waiting.select_related("person")}


def _for_reader(outcomes: list[Outcome], reader: Person | None) -> list[Outcome]:
    """Examples as this reader may have them."""
    if reader is None:
        return [replace(one, examples=()) for one in outcomes]
    asked = {example.system_id for one in outcomes for example in one.examples if example.system_id}
    visible = set(visible_systems(reader).filter(pk__in=asked).values_list("pk", flat=True)) if asked else set()

    def shown(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        seen = [one for one in examples if one.system_id is None or one.system_id in visible]
        return tuple(replace(one, path="") if one.needs and not may(reader, one.needs) else one for one in seen)

    return [replace(one, examples=shown(one.examples)) for one in outcomes]


def watch_breaches(now: datetime) -> list[Breach]:
    """One breach for each duty that was not done, so that somebody by name is told. A source of findings.

    Its words hold no number: they would change with each look, and each change is an event.
    """
    return [_breach(one, one.person) for one in watched(now).undone if one.person is not None]


def _breach(outcome: Outcome, person: Person) -> Breach:
    duty = outcome.duty
    return Breach(
        check=NOT_DONE,
        level=Level.WARN,
        severity=duty.severity,
        subject=duty.key,
        title=duty.title if outcome.looked else f"{duty.what}: nobody knows whether it was done.",
        remedy=duty.action,
        person_id=person.pk,
        path=PATH,
    )

"""Things of findings for tests."""

from datetime import datetime, timedelta
from typing import Any

from apps.findings import actions
from apps.findings.models import Finding
from apps.people.models import Person
from apps.registry.rules.breaches import Breach, Level, Severity
from tests.cast import Cast
from tests.factories import NOW

LATER = NOW + timedelta(hours=2)


def breach(person: Person, subject: str = "one", **fields: Any) -> Breach:
    """A breach as a check finds it."""
    values: dict[str, Any] = {
        "check": "R01",
        "level": Level.BLOCK,
        "severity": Severity.HIGH,
        "title": f"Nobody is accountable for {subject}.",
        "remedy": "Give the A to one party.",
    }
    return Breach(subject=subject, person_id=person.pk, **(values | fields))


def a_finding(cast: Cast, *, person: Person | None = None, now: datetime = NOW, **fields: Any) -> Finding:
    """A finding that Mara reported, for Ada to put right."""
    values: dict[str, Any] = {
        "title": "The channel is not tested.",
        "remedy": "Test it.",
        "severity": "medium",
        "actor": cast.mara,
    }
    return actions.raise_finding(person=person or cast.ada, now=now, **(values | fields))


def an_action(cast: Cast, finding: Finding, *, person: Person | None = None, now: datetime = NOW) -> Any:
    """An action that Ada planned for Ben."""
    return actions.plan_action(
        finding, what="Test the channel", person=person or cast.ben, due_on=finding.due_on, actor=cast.ada, now=now
    )


def done(cast: Cast, finding: Finding, *, person: Person | None = None, now: datetime = NOW) -> Any:
    """An action that Ben says is done."""
    action = an_action(cast, finding, person=person, now=now)
    return actions.complete_action(action, evidence="Tested at 10:00", actor=action.person, now=now)

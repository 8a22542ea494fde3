"""A small campaign on its way through the roll-up: two units, each with a system or two."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from apps.attestations import actions
from apps.attestations.actions import Confirmation, closing, nodes, rollup, samples
from apps.attestations.actions.reviews import accept
from apps.attestations.actions.samples import Check
from apps.attestations.models import Assignment, Campaign, RollupNode, Signature
from apps.attestations.queries.reviews import Reviewers, asked_questions
from apps.attestations.queries.rollup import Signatories, below
from apps.attestations.rules import Given
from apps.audit.rules import COMMAND, SCHEDULER
from apps.people.models import Person
from tests.attestations.test_signing import answer, sign
from tests.attestations.world import NOW, PERIOD, register

# After the grace period of 2026Q4.
AFTER = datetime(2026, 12, 20, 9, 0, tzinfo=NOW.tzinfo)
LATER = NOW + timedelta(hours=1)
EXCEPTION = Given("no", "Nobody tried", "We test it on the copy", "2026-12-11", "high", "Nothing")


def opened(cast: Any, *, two_seats: bool = False) -> Campaign:
    """Two systems of Claims (Ada's) and one of Developer Tools (Nils's), which nobody heads."""
    from apps.attestations.actions.campaigns import quarterly

    register(cast, "one", owner=cast.ada)
    register(cast, "two", owner=cast.ada)
    register(cast, "tool", owner=cast.nils, unit=cast.devtools)
    if two_seats:
        template = quarterly()
        template.top_seats = ["legal", "ciso"]
        template.save()
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def of(key: str) -> Assignment:
    """The present assignment of a system."""
    rows = Assignment.objects.select_related("campaign", "system__owner", "person", "snapshot", "unit")
    return rows.exclude(state="reassigned").get(system__key=key)


def signed(key: str, **special: Given) -> Assignment:
    """Answered and signed by its owner."""
    assignment = of(key)
    sign(answer(assignment, assignment.system.owner, **special), assignment.system.owner)
    # As at the end of its transaction: in a test all happens in one.
    connection.check_constraints()
    return of(key)


def reviewed(key: str, now: datetime = LATER) -> Assignment:
    """Accepted, or re-performed where it is a sample, by the first who is asked."""
    assignment = of(key)
    reviewer = Reviewers(now).of(assignment)
    assert reviewer is not None
    by = proof(reviewer, now)
    if assignment.sampled:
        checks = {question.key: Check(True) for question in asked_questions(assignment)}
        samples.perform_sample(assignment, checks=checks, **by)
    else:
        accept(assignment, **by)
    return of(key)


def proof(person: Person, now: datetime) -> dict[str, Any]:
    """What every signature comes with."""
    return {
        "declared_true": True, "typed_name": person.display_name, "confirmation": Confirmation("password", now),
        "actor": person, "now": now,
    }  # fmt: skip


def rolled_up(
    cast: Any,
    *,
    silent: tuple[str, ...] = (),
    two_seats: bool = False,
    campaign: Campaign | None = None,
    **special: Given,
) -> Campaign:
    """In the roll-up, everything accepted but for the silent ones; `special` answers are those of system one."""
    campaign = campaign or opened(cast, two_seats=two_seats)
    for key in ("one", "two", "tool"):
        if key not in silent:
            signed(key, **(special if key == "one" else {}))
            reviewed(key)
    campaign = actions.begin_rollup(campaign, actor=SCHEDULER, now=AFTER)
    nodes.ready_nodes(now=AFTER)
    return campaign


def node(campaign: Campaign, level: str, unit: Any = None) -> RollupNode:
    """One node, as it is now."""
    return campaign.nodes.select_related("campaign", "unit").get(level=level, unit=unit)


def sign_node(found: RollupNode, person: Person, now: datetime = AFTER, **changed: Any) -> Signature:
    """Sign a node having read what is below it."""
    return rollup.sign_node(found, **{"read": below(found).sha256, **proof(person, now), **changed})


def sign_all(campaign: Campaign, now: datetime = AFTER) -> None:
    """Everybody signs what is ready, up to the top."""
    while ready := list(campaign.nodes.filter(state="ready").select_related("campaign", "unit").order_by("pk")):
        for found in ready:
            for one in Signatories(now).of(found):
                assert one.person is not None
                sign_node(found, one.person, now)


def closed(cast: Any, **how: Any) -> Campaign:
    """Signed to the top, without exceptions, and closed."""
    campaign = rolled_up(cast, **how)
    sign_all(campaign)
    assert closing.finish_due(now=AFTER) == [PERIOD, PERIOD]
    campaign.refresh_from_db()
    return campaign


def sealed(cast: Any, **how: Any) -> Campaign:
    """Closed and sealed."""
    return closing.seal(closed(cast, **how), actor=cast.mara, now=AFTER)

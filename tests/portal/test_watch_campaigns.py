"""The watchman over campaigns: not opened, somebody left out, nobody told, not moved on, not made, not scanned."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.attestations import actions
from apps.attestations.models import (
    Assignment,
    Campaign,
    CampaignDocument,
    CampaignTemplate,
    EvidenceFile,
    Reassignment,
    RollupNode,
    Snooze,
)
from apps.audit.rules import COMMAND
from apps.portal.queries import watch_campaigns
from apps.portal.queries.watch import watched
from tests.attestations.world import NOW, PERIOD, register
from tests.cast import Cast


def berlin(day: int, hour: int = 10, minute: int = 0, month: int = 11) -> datetime:
    """A local time in Berlin in the winter of 2026."""
    return datetime(2026, month, day, hour - 1, minute, tzinfo=UTC)


def undone(now: datetime, reader: Any = None) -> dict[str, int]:
    found = watched(now, reader=reader, duties=watch_campaigns.DUTIES)
    assert all(one.looked for one in found.outcomes)
    return {one.duty.key: one.undone for one in found.undone}


def examples(now: datetime, reader: Any) -> list[tuple[str, str]]:
    found = watched(now, reader=reader, duties=watch_campaigns.DUTIES)
    return [(example.text, example.path) for one in found.undone for example in one.examples]


def open_it() -> Campaign:
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def test_a_quarter_that_is_not_opened(cast: Cast) -> None:
    assert undone(NOW) == {}, "nothing is on the register"
    register(cast, "one", owner=cast.ada)
    opening = berlin(9, 9)
    assert undone(opening + timedelta(minutes=15, seconds=-1)) == {}
    late = opening + timedelta(minutes=15)
    assert undone(late) == {"campaigns-not-opened": 1}
    assert examples(late, cast.mara) == [(f"{CampaignTemplate.objects.get(key='quarterly').name}, Q4 2026", "")]
    actions.open_due(now=late)
    assert undone(late) == {}
    assert undone(berlin(10, 23, 59, month=12)).get("campaigns-not-opened") is None


def test_after_its_end_a_quarter_is_not_missed_any_more(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada)
    assert undone(berlin(10, 23, 59, month=12)) == {"campaigns-not-opened": 1}
    assert undone(berlin(11, 1, month=12)) == {}


def test_a_template_that_rests_opens_nothing(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada)
    CampaignTemplate.objects.update(is_active=False)
    assert undone(NOW) == {}


def test_a_live_system_that_was_left_out(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada)
    open_it()
    later = NOW + timedelta(hours=1)
    assert undone(later) == {}
    register(cast, "went-live-later", owner=cast.ada, now=later)
    assert undone(later) == {}, "it was not there at the opening"
    register(cast, "hidden", owner=cast.ada, restricted=True)
    assert undone(later) == {"systems-not-asked": 1}
    assert examples(later, cast.mara) == [("HIDDEN in Q4 2026", "/systems/hidden/")]
    assert examples(later, cast.cleo) == []


def test_an_owner_who_was_not_told_what_is_past_its_due_date(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada, tier="critical")
    open_it()
    assert Assignment.objects.get().due_on == date(2026, 11, 16)
    # Two working days after Monday the 16th is Wednesday: the 18th is no holiday in Germany as a whole.
    assert undone(berlin(18, 11, 59)) == {}
    assert undone(berlin(18, 12)) == {"reminders-not-said": 1}
    assert examples(berlin(18, 12), cast.mara) == [("Ada Nwosu for ONE, due 16 Nov 2026", "/systems/one/")]
    actions.remind_all_due(now=berlin(16, 10))
    assert undone(berlin(18, 12)) == {"reminders-not-said": 1}, "what was said on the day itself is not it"
    actions.remind_all_due(now=berlin(17, 10))
    assert undone(berlin(18, 12)) == {}


def test_who_put_reminders_off_is_not_told(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada, tier="critical")
    campaign = open_it()
    Snooze.objects.create(
        campaign=campaign, person=cast.ada, from_day=date(2026, 11, 16), until=date(2026, 11, 18), set_at=NOW
    )
    assert undone(berlin(18, 12)) == {}


def test_a_campaign_that_does_not_move_on(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada)
    open_it()
    midnight = datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert undone(midnight + timedelta(minutes=59)) == {}
    assert undone(midnight + timedelta(hours=1)) == {"campaigns-not-moved-on": 1}
    actions.move_on_due(now=midnight + timedelta(hours=1))
    assert undone(midnight + timedelta(hours=1)) == {}
    closing = Campaign.objects.get().closes_at
    assert "campaigns-not-moved-on" not in undone(closing + timedelta(minutes=59))
    assert undone(closing + timedelta(hours=1))["campaigns-not-moved-on"] == 1


def test_evidence_documents_and_requests_that_wait(cast: Cast) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = open_it()
    assignment = Assignment.objects.get()
    EvidenceFile.objects.create(
        assignment=assignment, question="q", name="a.pdf", content_type="application/pdf", size=1, sha256="a" * 64,
        effective_on=date(2026, 11, 1), uploaded_by=cast.ada, recorded_at=NOW,
    )  # fmt: skip
    CampaignDocument.objects.create(
        kind="report", campaign=campaign, requested_by=cast.mara, requested_at=NOW, source_sha256="b" * 64
    )
    Reassignment.objects.create(
        assignment=assignment, from_person=cast.ada, to_person=cast.nils, asked=cast.nils, reason="Moved",
        requested_by=cast.ada, requested_at=NOW, answer_by=date(2026, 11, 11),
    )  # fmt: skip
    assert undone(NOW + timedelta(hours=1)) == {}
    later = NOW + timedelta(hours=1, seconds=1)
    assert undone(later) == {"evidence-not-scanned": 1, "documents-not-made": 1}
    assert examples(later, cast.mara) == [
        ("A file of Ada Nwosu for ONE, put here 10 Nov 2026", "/systems/one/"),
        ("Report, Q4 2026, for Mara Lindt", "/attestations/2026Q4/"),
    ]
    assert "reassignments-not-escalated" not in undone(berlin(12, 23, 59))
    assert undone(berlin(13, 0 + 1))["reassignments-not-escalated"] == 1


@pytest.mark.parametrize("systems", [1, 40])
def test_looking_costs_the_same_for_many(cast: Cast, systems: int) -> None:
    for number in range(systems):
        register(cast, f"sys-{number}", tier="critical")
    open_it()
    with CaptureQueriesContext(connection) as seen:
        assert undone(berlin(18, 12)) == {"reminders-not-said": systems}
    assert len([one for one in seen.captured_queries if "SAVEPOINT" not in one["sql"]]) == 19


@pytest.mark.committed
def test_a_step_of_the_roll_up_that_nobody_was_told_of(
    committed_db: str, as_owner: Callable[[str], Any], fresh_connection: None
) -> None:
    """Its owner switches the rules off: how a step becomes ready is not what this is about."""
    cast = Cast()
    register(cast, "one", owner=cast.ada)
    open_it()
    with as_owner(committed_db) as owner:
        owner.execute("ALTER TABLE attestations_rollupnode DISABLE TRIGGER USER")
    top = RollupNode.objects.filter(level="top")
    top.update(state="ready", ready_at=berlin(10, 20))
    assert undone(berlin(12, 11, 59)) == {}
    assert undone(berlin(12, 12)) == {"rollup-not-told": 1}
    assert examples(berlin(12, 12), cast.mara) == [("Top, Q4 2026", "/attestations/2026Q4/")]
    top.update(told_at=berlin(12, 9))
    assert undone(berlin(12, 12)) == {}

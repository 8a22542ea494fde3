"""What a reviewer is told about how an attestation came about: exact, and nothing where nothing is known."""

from datetime import timedelta
from typing import Any

import pytest

from apps.attestations import actions
from apps.attestations.models import Answer, Assignment, Campaign
from apps.attestations.queries import stamps
from apps.attestations.rules.stamps import Flag, FlagCode, Measured, flags_from, pace_words
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.attestations.signed import answer, assignment_of
from tests.attestations.world import NOW, PERIOD, register

CALM = Measured(
    answers=10, timed=10, seconds=600, all_yes=False, same_comments=0, batch_size=1, signed=1, span=0
)  # fmt: skip


@pytest.fixture
def campaign(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    for key in ("one", "two", "three"):
        register(cast, key, owner=cast.ada)
    register(cast, "calm", owner=cast.ben)
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"seconds": 99}, Flag(FlagCode.FAST, "99 s for 10 answers")),
        ({"all_yes": True}, Flag(FlagCode.ALL_YES, "All 10 answers are yes")),
        ({"signed": 3, "span": 59}, Flag(FlagCode.ONE_MINUTE, "3 systems signed within 59 s")),
        ({"same_comments": 2}, Flag(FlagCode.SAME_COMMENT, "The same comment stands at 2 systems")),
        ({"batch_size": 5}, Flag(FlagCode.BATCH, "Signed together with 4 more")),
    ],
)
def test_each_pattern_is_one_flag(changed: dict[str, Any], flag: Flag) -> None:
    assert flags_from(Measured(**{**CALM.__dict__, **changed})) == [flag]


@pytest.mark.parametrize(
    "changed",
    [
        {"seconds": 100}, {"seconds": None, "timed": 0}, {"all_yes": True, "answers": 2}, {"signed": 2, "span": 1},
        {"signed": 3, "span": 60}, {"same_comments": 1},
    ],
)  # fmt: skip
def test_the_limits_themselves_and_what_is_not_known_raise_none(changed: dict[str, Any]) -> None:
    assert flags_from(Measured(**{**CALM.__dict__, **changed})) == []


def test_times_in_words() -> None:
    assert [pace_words(each) for each in (None, 4.4, 119, 180)] == ["not measured", "4 s", "119 s", "3 min"]


def test_a_person_who_clicks_through_is_seen_and_one_who_does_not_is_not(cast: Any, campaign: Campaign) -> None:
    for place, key in enumerate(("one", "two", "three")):
        row = answer(assignment_of(campaign, key), cast.ada, NOW + timedelta(hours=1))
        Answer.objects.filter(assignment=row).update(seconds=2, comment=" As agreed ")
        sign_only(row, cast.ada, NOW + timedelta(hours=2, seconds=20 * place))
    row = answer(assignment_of(campaign, "calm"), cast.ben, NOW + timedelta(hours=1))
    Answer.objects.filter(assignment=row).update(seconds=40)
    Answer.objects.filter(assignment=row, question="drills").update(value="not_applicable", comment="None was due")
    sign_only(row, cast.ben, NOW + timedelta(hours=2))
    rows = list(Assignment.objects.filter(campaign=campaign))
    flags = {row.system.key: [flag.code.value for flag in stamps.flags_of(rows).get(row.pk, [])] for row in rows}
    noticed = ["fast", "all_yes", "one_minute", "same_comment"]
    assert flags == {"one": noticed, "two": noticed, "three": noticed, "calm": []}
    found = stamps.pace(campaign)
    assert (found.signed, found.timed, found.not_measured, found.median) == (4, 4, 0, 2.0)
    assert (found.fast, found.all_yes, found.same_comment, found.one_minute, found.flagged) == (3, 3, 3, 3, 3)
    assert (found.in_batches, found.largest_batch) == (0, 1)
    assert found.people == (
        stamps.PersonPace(str(cast.ada.pk), "Ada Nwosu", 3, 3, 3, 3, 3, 2.0, 40, True, 1),
    )  # fmt: skip


def sign_only(row: Assignment, person: Any, now: Any) -> None:
    """Sign what is answered."""
    from apps.people.rules import Confirmation

    actions.sign(
        row, version=row.version, declared_true=True, typed_name=person.display_name,
        confirmation=Confirmation("password", now), actor=person, now=now,
    )  # fmt: skip


def test_what_was_not_measured_is_unknown(cast: Any, campaign: Campaign) -> None:
    row = answer(assignment_of(campaign, "one"), cast.ada, NOW + timedelta(hours=1))
    Answer.objects.filter(assignment=row).update(seconds=None)
    sign_only(row, cast.ada, NOW + timedelta(hours=2))
    found = stamps.pace(campaign)
    assert (found.signed, found.timed, found.not_measured, found.median, found.fast) == (1, 0, 1, None, 0)
    assert stamps.pace(Campaign(pk=0)) == stamps.Pace()
    assert stamps.flags_of([]) == {}

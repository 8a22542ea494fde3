"""What goes into the outbox at once, what is taken back, and who is not reached."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext

from apps.notify import actions
from apps.notify.actions import Note, enqueue, enqueue_many, withdraw
from apps.notify.delivery import claim_next, deliver_pending
from apps.notify.models import Message
from apps.notify.queries import outbox_counts, undelivered_since
from apps.notify.rules import DEACTIVATED, NO_ADDRESS, SERVICE_ACCOUNT
from tests.cast import Cast
from tests.notify.conftest import NOW
from tests.notify.server import Box

SIGNED = "Ada Nwosu has signed"
TOMORROW = NOW + timedelta(days=1)


def states() -> dict[str, str]:
    return dict(Message.objects.order_by("key").values_list("key", "state"))


def test_each_note_leaves_at_its_own_time(cast: Cast) -> None:
    notes = [
        Note("b", cast.ada, "S", "B", "/", NOW + timedelta(hours=2)),
        Note("a", cast.ben, "S\nT", "B"),
        Note("c", cast.ivan, "S", "B"),
        Note("d", cast.robot, "S", "B"),
        Note("a", cast.ada, "Another", "B"),
    ]
    assert enqueue_many(notes, now=NOW, not_before=TOMORROW) == 2
    rows = Message.objects.order_by("key").values_list("key", "state", "not_before", "error", "recipient", "subject")
    assert list(rows) == [
        ("a", "queued", TOMORROW, "", cast.ben.pk, "S T"),
        ("b", "queued", NOW + timedelta(hours=2), "", cast.ada.pk, "S"),
        ("c", "failed", TOMORROW, DEACTIVATED, cast.ivan.pk, "S"),
        ("d", "failed", TOMORROW, SERVICE_ACCOUNT, cast.robot.pk, "S"),
    ]
    assert enqueue_many([*notes, Note("e", cast.ada, "S", "B")], now=TOMORROW) == 1
    assert Message.objects.get(key="e").not_before == TOMORROW
    assert enqueue_many([], now=NOW) == 0


def test_many_notes_take_a_statement_for_some_thousands(cast: Cast) -> None:
    notes = [Note(f"digest:{number:05}", cast.ada, "Subject", "Body ä\n" * 20, "/") for number in range(12_000)]
    with CaptureQueriesContext(connection) as seen:
        assert enqueue_many(notes, now=NOW) == 12_000
    assert len(seen) == 3
    assert enqueue_many(notes[:5001], now=NOW) == 0
    assert Message.objects.filter(state="queued", attempts=0, created_at=NOW, not_before=NOW).count() == 12_000


def test_what_is_not_needed_any_more_is_taken_back(cast: Cast, box: Box) -> None:
    for key in ("digest:2026Q4:ada:1", "digest:2026Q4:ada:2", "digest:2026Q4:ben:1", "digest_2026Q4:ada:3", "other"):
        enqueue(key=key, recipient=cast.ada, subject="S", body="B", now=NOW, not_before=TOMORROW)
    assert withdraw(prefix="digest:2026Q4:ada:", reason=SIGNED, now=NOW) == 2
    assert withdraw(prefix="digest:2026Q4:ada:", reason=SIGNED, now=NOW) == 0
    assert withdraw(keys=["other", "not there"], prefix="digest_", reason=SIGNED, now=NOW) == 2
    assert withdraw(keys=[], reason=SIGNED, now=NOW) == 0, "no keys are none, not all"
    assert states() == {
        "digest:2026Q4:ada:1": "withdrawn",
        "digest:2026Q4:ada:2": "withdrawn",
        "digest:2026Q4:ben:1": "queued",
        "digest_2026Q4:ada:3": "withdrawn",
        "other": "withdrawn",
    }
    gone = Message.objects.get(key="other")
    assert (gone.error, gone.withdrawn_at, gone.sent_at) == (SIGNED, NOW, None)
    assert deliver_pending(clock_now=lambda: TOMORROW).sent == 1
    assert len(box.mails) == 1
    assert outbox_counts() == {"queued": 0, "claimed": 0, "sent": 1, "failed": 0, "uncertain": 0, "withdrawn": 4}
    assert enqueue(key="other", recipient=cast.ada, subject="S", body="B", now=TOMORROW) == 0, "said once is said"


def test_a_percent_sign_in_a_key_is_no_pattern(cast: Cast) -> None:
    enqueue(key="a:1", recipient=cast.ada, subject="S", body="B", now=NOW)
    assert withdraw(prefix="%", reason=SIGNED, now=NOW) == 0
    assert withdraw(prefix="a_1", reason=SIGNED, now=NOW) == 0


def test_taking_back_needs_a_reason(cast: Cast) -> None:
    enqueue(key="a", recipient=cast.ada, subject="S", body="B", now=NOW)
    with pytest.raises(ValueError, match="Say why"):
        withdraw(keys=["a"], reason=" ", now=NOW)
    assert states() == {"a": "queued"}


def test_a_rolled_back_signature_takes_nothing_back(cast: Cast) -> None:
    enqueue(key="a", recipient=cast.ada, subject="S", body="B", now=NOW)
    with transaction.atomic():
        assert withdraw(keys=["a"], reason=SIGNED, now=NOW) == 1
        transaction.set_rollback(True)
    assert states() == {"a": "queued"}


@pytest.mark.committed
def test_what_is_being_sent_is_not_tried_again(
    committed_db: str, scripted: Callable[..., Any], settings: Any, fresh_connection: None
) -> None:
    cast = Cast()
    enqueue(key="a", recipient=cast.ada, subject="S", body="B", now=NOW)
    message = claim_next(now=NOW)
    assert message is not None
    assert withdraw(keys=["a"], reason=SIGNED, now=NOW) == 0, "it may be on its way"
    message.refresh_from_db()
    assert (message.state, message.withdrawn_at) == ("claimed", NOW)
    from apps.notify.delivery import Sweep, _postpone

    sweep = Sweep()
    _postpone(message, "The mail server refused the recipient: 450", sweep, NOW)
    message.refresh_from_db()
    assert (message.state, message.error, sweep.postponed) == ("withdrawn", SIGNED, 1)
    assert claim_next(now=NOW + timedelta(days=9)) is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("state = 'withdrawn'", IntegrityError),
        ("state = 'withdrawn', withdrawn_at = now()", IntegrityError),
        ("withdrawn_at = now()", IntegrityError),
    ],
)
def test_the_database_keeps_withdrawn_rows_whole(cast: Cast, change: str, error: type[Exception]) -> None:
    enqueue(key="a", recipient=cast.ada, subject="S", body="B", now=NOW)
    with pytest.raises(error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE notify_message SET {change}")
    assert states() == {"a": "queued"}


def test_what_was_taken_back_never_waits_again(cast: Cast) -> None:
    enqueue(key="a", recipient=cast.ada, subject="S", body="B", now=NOW)
    withdraw(keys=["a"], reason=SIGNED, now=NOW)
    for change in ("state = 'queued', withdrawn_at = NULL", "state = 'claimed', claimed_at = now()"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE notify_message SET {change}")
    assert states() == {"a": "withdrawn"}


def test_who_is_not_reached_is_who_the_last_mail_did_not_reach(cast: Cast) -> None:
    def put(key: str, person: Any, state: str, hours: int, error: str = "") -> None:
        moment = NOW + timedelta(hours=hours)
        enqueue(key=key, recipient=person, subject="S", body="B", now=moment)
        rows = Message.objects.filter(key=key, state="queued")
        if state != "queued" and rows.exists():
            rows.update(state="claimed", claimed_at=moment)
            Message.objects.filter(key=key).update(
                state=state, error=error, sent_at=moment if state == "sent" else None
            )

    put("ada:1", cast.ada, "failed", 1, "550 unknown")
    put("ada:2", cast.ada, "sent", 2)
    put("ben:1", cast.ben, "sent", 1)
    put("ben:2", cast.ben, "failed", 2, "550 no such user")
    put("ben:3", cast.ben, "queued", 3)
    put("ben:4", cast.ben, "uncertain", 4, "?")
    put("ivan:1", cast.ivan, "failed", 1)
    put("una:1", cast.una, "failed", -5, "550 old")
    found = undelivered_since(NOW)
    assert {(one.recipient, one.error) for one in found} == {
        (cast.ben, "550 no such user"),
        (cast.ivan, DEACTIVATED),
    }
    assert undelivered_since(NOW - timedelta(days=1)).count() == 3
    assert set(found.values_list("recipient", flat=True)) == {cast.ben.pk, cast.ivan.pk}
    assert NO_ADDRESS not in {one.error for one in found}


def test_a_batch_boundary_loses_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "BATCH", 2)
    assert enqueue_many([Note(f"k{n}", cast.ada, "S", "B") for n in range(5)], now=NOW) == 5
    assert sorted(states()) == ["k0", "k1", "k2", "k3", "k4"]

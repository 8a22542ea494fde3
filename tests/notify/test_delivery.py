"""The outbox is emptied once: claimed, sent, confirmed; and what went wrong is written down."""

import email
import email.policy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, transaction

from apps.notify.delivery import claim_next, deliver_pending, give_up_old_claims, mail_of
from apps.notify.models import Message
from apps.notify.queries import outbox_counts, undelivered
from apps.notify.rules import CLAIM_EXPIRES, DEACTIVATED
from apps.notify.tasks import deliver_pending as task
from apps.people.actions import deactivate_person
from tests.cast import Cast
from tests.notify.conftest import NOW
from tests.notify.server import Box, free_port

Say = Callable[..., Message]


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def taken(box: Box, place: int = 0) -> Any:
    return email.message_from_bytes(box.mails[place], policy=email.policy.default)


def test_a_message_is_sent_once_and_confirmed(cast: Cast, box: Box, say: Say) -> None:
    message = say(cast.ada)
    assert deliver_pending(clock_now=at(NOW)).sent == 1
    assert deliver_pending(clock_now=at(NOW)).sent == 0
    message.refresh_from_db()
    assert (message.state, message.attempts, message.sent_at, message.error) == ("sent", 1, NOW, "")
    assert len(box.mails) == 1


def test_what_the_mail_says(cast: Cast, box: Box, say: Say, settings: Any) -> None:
    say(cast.ada, subject="Nominiert: Schadenprüfung", body="Frist: 27 Nov 2026\n.\n.gov stands alone")
    deliver_pending(clock_now=at(NOW))
    mail = taken(box)
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "Nominiert: Schadenprüfung"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content().replace("\r\n", "\n")
    assert "\n.\n.gov stands alone\n" in text
    assert f"\n{settings.SITE_URL}/who/\n" in text
    assert "Aldermoor Mutual" in text
    assert "invented" not in text


def test_the_demo_says_that_it_is_one(cast: Cast, say: Say, settings: Any) -> None:
    settings.DEMO = True
    assert "The people in it are invented." in mail_of(say(cast.ada)).get_content()


def test_the_message_id_belongs_to_the_occasion(cast: Cast, say: Say) -> None:
    first, second = say(cast.ada, "a"), say(cast.ada, "b")
    assert mail_of(first)["Message-ID"] == mail_of(first)["Message-ID"]
    assert mail_of(first)["Message-ID"] != mail_of(second)["Message-ID"]


def test_a_line_break_never_makes_a_header(cast: Cast, box: Box, say: Say) -> None:
    say(cast.ada, "a", subject="Claims\r\nBcc: everybody@example.org")
    broken = Message.objects.create(
        key="b", recipient=cast.ben, subject="Claims\r\nBcc: everybody@example.org", body="x", not_before=NOW,
        created_at=NOW,
    )  # fmt: skip
    sweep = deliver_pending(clock_now=at(NOW))
    assert (sweep.sent, sweep.failed) == (1, 1)
    assert taken(box)["Bcc"] is None
    broken.refresh_from_db()
    assert (broken.state, broken.attempts) == ("failed", 1)
    assert "can't be written" in broken.error


def test_one_connection_for_many(cast: Cast, box: Box, say: Say) -> None:
    for number in range(12):
        say(cast.ada, f"many:{number}")
    assert deliver_pending(clock_now=at(NOW)).sent == 12
    assert len(box.sessions) == 1


def test_nothing_is_sent_before_its_time(cast: Cast, box: Box, say: Say) -> None:
    say(cast.ada, not_before=NOW + timedelta(hours=1))
    assert deliver_pending(clock_now=at(NOW)).sent == 0
    assert deliver_pending(clock_now=at(NOW + timedelta(hours=1))).sent == 1


def test_a_leaver_gets_nothing(cast: Cast, box: Box, say: Say) -> None:
    message = say(cast.nils)
    deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    assert deliver_pending(clock_now=at(NOW)).failed == 1
    message.refresh_from_db()
    assert (message.state, message.error) == ("failed", DEACTIVATED)
    assert box.mails == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"refuse_recipient": "550 no such person"}, "refused the recipient: 550"),
        ({"refuse_recipient": "450 greylisted"}, "refused the recipient: 450"),
        ({"refuse_data": "552 too much"}, "refused the mail: 552"),
        ({"refuse_data": "451 try later"}, "refused the mail: 451"),
    ],
)
def test_a_refusal_is_tried_again(cast: Cast, box: Box, say: Say, fault: dict[str, str], said: str) -> None:
    message = say(cast.ada)
    for name, answer in fault.items():
        setattr(box, name, answer)
    assert deliver_pending(clock_now=at(NOW)).postponed == 1
    message.refresh_from_db()
    assert (message.state, message.not_before) == ("queued", NOW + timedelta(minutes=1))
    assert said in message.error
    assert list(undelivered(now=NOW)) == [message]
    for name in fault:
        setattr(box, name, "")
    assert deliver_pending(clock_now=at(NOW)).sent == 0
    assert deliver_pending(clock_now=at(NOW + timedelta(minutes=1))).sent == 1
    assert list(undelivered(now=NOW)) == []


def test_the_waits_grow_and_then_it_has_failed(cast: Cast, say: Say, settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    message, now, waits = say(cast.ada), NOW, []
    while message.state == "queued":
        deliver_pending(clock_now=at(now))
        message.refresh_from_db()
        waits.append(message.not_before - now)
        now = max(message.not_before, now)
    minutes = [wait.total_seconds() / 60 for wait in waits[:-1]]
    assert minutes == [1, 5, 30, 120, 360]
    assert (message.state, message.attempts) == ("failed", 6)
    assert "can't be reached" in message.error
    assert list(undelivered(now=now)) == [message]


def test_what_a_dead_worker_held_is_shown_before_the_next_sweep(cast: Cast, say: Say) -> None:
    message = say(cast.ada)
    claim_next(now=NOW)
    assert list(undelivered(now=NOW + CLAIM_EXPIRES)) == []
    assert list(undelivered(now=NOW + CLAIM_EXPIRES + timedelta(seconds=1))) == [message]


def test_an_unreachable_server_costs_one_attempt_a_sweep(cast: Cast, say: Say, settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    first, second = say(cast.ada, "a"), say(cast.ben, "b")
    deliver_pending(clock_now=at(NOW))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.attempts, second.attempts) == (1, 0)


@pytest.mark.parametrize("last", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("hang", [False, True])
def test_broken_off_before_the_text_is_not_sent(
    cast: Cast, say: Say, scripted: Callable[..., Any], last: str, hang: bool
) -> None:
    message, server = say(cast.ada), scripted(last=last, hang=hang)
    assert deliver_pending(clock_now=at(NOW)).postponed == 1
    message.refresh_from_db()
    assert (message.state, server.texts) == ("queued", 0)
    assert "broke off" in message.error


@pytest.mark.parametrize("hang", [False, True])
def test_broken_off_after_the_text_is_uncertain_for_good(
    cast: Cast, say: Say, scripted: Callable[..., Any], hang: bool
) -> None:
    message, other = say(cast.ada, "a"), say(cast.ben, "b")
    server = scripted(last="TEXT", hang=hang)
    assert deliver_pending(clock_now=at(NOW)).uncertain == 1
    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.state, other.state) == ("uncertain", "queued")
    assert "did not confirm" in message.error
    Message.objects.filter(pk=other.pk).update(not_before=NOW + timedelta(days=30))
    assert deliver_pending(clock_now=at(NOW + timedelta(days=1))).sent == 0
    assert server.texts == 1
    assert message in undelivered(now=NOW)


def test_dropping_the_line_after_the_confirmation_changes_nothing(
    cast: Cast, say: Say, scripted: Callable[..., Any]
) -> None:
    message = say(cast.ada)
    scripted(last="QUIT")
    assert deliver_pending(clock_now=at(NOW)).sent == 1
    message.refresh_from_db()
    assert message.state == "sent"


def test_a_forgotten_claim_becomes_uncertain_after_ten_minutes(cast: Cast, box: Box, say: Say) -> None:
    message = say(cast.ada)
    claim_next(now=NOW)
    assert give_up_old_claims(now=NOW + timedelta(minutes=10)) == 0
    sweep = deliver_pending(clock_now=at(NOW + timedelta(minutes=11)))
    assert (sweep.uncertain, sweep.sent) == (1, 0)
    message.refresh_from_db()
    assert message.state == "uncertain"
    assert box.mails == []


def test_a_late_worker_does_not_overwrite_what_was_settled(cast: Cast, box: Box, say: Say) -> None:
    message = say(cast.ada)
    moments = iter([NOW, NOW, NOW])

    def clock() -> datetime:
        moment = next(moments, None)
        if moment is None:
            give_up_old_claims(now=NOW + timedelta(minutes=11))
            return NOW + timedelta(minutes=11)
        return moment

    assert deliver_pending(clock_now=clock).sent == 0
    message.refresh_from_db()
    assert (message.state, message.sent_at) == ("uncertain", None)


@pytest.mark.parametrize("state", ["queued", "claimed", "failed"])
def test_the_database_refuses_to_send_again(cast: Cast, box: Box, say: Say, state: str) -> None:
    message = say(cast.ada)
    deliver_pending(clock_now=at(NOW))
    with pytest.raises(ProgrammingError, match="Invalid transition"), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(state=state, sent_at=None)


def test_an_address_that_no_plain_server_takes(cast: Cast, box: Box, say: Say) -> None:
    message = say(cast.ada)
    type(cast.ada).objects.filter(pk=cast.ada.pk).update(email="adä@example.org")
    assert deliver_pending(clock_now=at(NOW)).postponed == 1
    message.refresh_from_db()
    assert "letters" in message.error


def test_the_task_and_the_command(cast: Cast, box: Box, say: Say) -> None:
    say(cast.ada, "a")
    task()
    say(cast.ben, "b")
    out = StringIO()
    call_command("deliver_mail", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["sent"] == 1
    assert told["outbox"]["sent"] == outbox_counts()["sent"] == 2
    assert told["undelivered"] == []
    box.refuse_recipient = "550 gone"
    late = say(cast.nils, "c")
    out = StringIO()
    call_command("deliver_mail", stdout=out)
    assert "1 to try again" in out.getvalue()
    assert "nils@example.org" in out.getvalue()
    assert list(Message.objects.filter(recipient=cast.nils)) == [late]

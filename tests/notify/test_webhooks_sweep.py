"""The outbox of webhooks is emptied once: claimed, sent, confirmed; and what went wrong is written down."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings as loaded
from django.db import DatabaseError, connection, transaction

from apps.notify import safe_http
from apps.notify.actions import Note, enqueue, withdraw
from apps.notify.actions.channels import remove_channel
from apps.notify.actions.deliveries import Call, enqueue_deliveries, enqueue_delivery
from apps.notify.actions.endpoints import change_endpoint, end_endpoint
from apps.notify.actions.endpoints import test_endpoint as try_endpoint
from apps.notify.actions.reach import send_to
from apps.notify.delivery import claim_next as claim_mail
from apps.notify.delivery import deliver_pending
from apps.notify.models import Delivery, Endpoint, Message
from apps.notify.rules.webhooks import delivery_id
from apps.notify.tasks import deliver_webhooks as task
from apps.notify.webhooks import claim_next, deliver_webhooks
from apps.people.models import Person
from tests import databases
from tests.cast import Cast
from tests.notify.conftest import NOW
from tests.notify.receiver import Hanging, Receiver, listening, verifies
from tests.notify.server import Box
from tests.notify.webhooks_world import a_channel, an_endpoint

SAID = {"type": "incident.page", "title": "INC-0042", "text": "You lead."}
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def local_receivers(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as found:
        yield found


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def sweep(moment: datetime = NOW) -> dict[str, int]:
    done = vars(deliver_webhooks(clock_now=at(moment)))
    return {name: count for name, count in done.items() if name != "silent" and count}


def put(endpoint: Endpoint, key: str = "page:1", **fields: Any) -> Delivery:
    enqueue_delivery(key=key, endpoint=endpoint, content=SAID, now=NOW, **fields)
    return Delivery.objects.get(key=key)


def test_it_is_sent_once_signed_and_confirmed(cast: Cast, receiver: Receiver) -> None:
    saved = an_endpoint(cast.mara, receiver.url("/in"))
    one = put(saved.endpoint)
    assert sweep() == {"sent": 1}
    assert sweep() == {}
    one.refresh_from_db()
    assert (one.state, one.attempts, one.sent_at, one.status, one.error) == ("sent", 1, NOW, 202, "")
    (taken,) = receiver.taken
    assert taken.path == "/in"
    assert taken.headers["webhook-id"] == delivery_id("page:1")
    assert verifies(saved.shown, taken)
    assert taken.json["data"]["title"] == "INC-0042"
    assert taken.json["type"] == "incident.page"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("slack", "text", "INC-0042"), ("teams", "type", "message"), ("pagerduty", "dedup_key", "page:1"),
     ("opsgenie", "alias", "page:1")],
)  # fmt: skip
def test_each_kind_arrives(cast: Cast, receiver: Receiver, kind: str, field: str, value: str) -> None:
    put(an_endpoint(cast.mara, receiver.url("/services/T/B/secret"), kind=kind).endpoint)
    assert sweep() == {"sent": 1}
    assert receiver.taken[0].path == "/services/T/B/secret"
    assert receiver.taken[0].json[field] == value


def test_one_key_is_said_once(cast: Cast, receiver: Receiver) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    calls = [Call(f"k{n}", endpoint, SAID) for n in (1, 2, 2, 3)]
    assert enqueue_deliveries(calls[:2] + calls[3:], now=NOW) == 3
    assert enqueue_delivery(key="k2", endpoint=endpoint, content=SAID, now=NOW) == 0
    assert sweep() == {"sent": 3}
    assert len(receiver.taken) == 3


def test_who_is_called_goes_first(cast: Cast, receiver: Receiver) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    put(endpoint, "early")
    enqueue_delivery(key="urgent", endpoint=endpoint, content=SAID, now=NOW + MINUTE, urgent=True)
    later = NOW + 2 * MINUTE
    assert [one.key for one in (claim_next(now=later), claim_next(now=later)) if one] == ["urgent", "early"]
    enqueue(key="slow", recipient=cast.ada, subject="S", body="B", now=NOW)
    enqueue(key="fast", recipient=cast.ada, subject="S", body="B", now=NOW + MINUTE, urgent=True)
    assert [one.key for one in (claim_mail(now=later), claim_mail(now=later)) if one] == ["fast", "slow"]


@pytest.mark.parametrize(("urgent", "waits"), [(True, [15, 30, 60, 120, 300]), (False, [60, 300, 1800, 7200, 21600])])
def test_a_refusal_is_tried_again_sooner_where_somebody_is_called(
    cast: Cast, receiver: Receiver, urgent: bool, waits: list[int]
) -> None:
    receiver.status, receiver.text = 503, "busy"
    one, moment = put(an_endpoint(cast.mara, receiver.url()).endpoint, urgent=urgent), NOW
    for wait in waits:
        assert sweep(moment) == {"postponed": 1}
        one.refresh_from_db()
        assert (one.state, one.not_before - moment) == ("queued", timedelta(seconds=wait))
        assert (one.status, one.error) == (503, "The other side answered 503: busy")
        assert sweep(one.not_before - timedelta(seconds=1)) == {}
        moment = one.not_before
    assert sweep(moment) == {"failed": 1}
    one.refresh_from_db()
    assert (one.state, one.attempts) == ("failed", 6)
    assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == 1


def test_an_answer_that_asks_to_wait_is_heard(cast: Cast, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "600"}
    one = put(an_endpoint(cast.mara, receiver.url()).endpoint, urgent=True)
    sweep()
    one.refresh_from_db()
    assert one.not_before == NOW + timedelta(minutes=10)


@pytest.mark.parametrize("kind", ["generic", "pagerduty", "opsgenie"])
def test_in_doubt_it_is_sent_again_to_those_that_drop_a_double(cast: Cast, receiver: Receiver, kind: str) -> None:
    receiver.status = 504
    one = put(an_endpoint(cast.mara, receiver.url(), kind=kind).endpoint, urgent=True)
    assert sweep() == {"postponed": 1}
    receiver.status = 202
    assert sweep(NOW + timedelta(seconds=15)) == {"sent": 1}
    one.refresh_from_db()
    assert (one.state, one.attempts) == ("sent", 2)
    same = {"generic": "webhook-id", "pagerduty": "dedup_key", "opsgenie": "alias"}[kind]
    assert len({taken.headers.get(same) or taken.json[same] for taken in receiver.taken}) == 1


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_in_doubt_a_chat_is_not_told_twice(cast: Cast, receiver: Receiver, kind: str) -> None:
    receiver.status = 504
    one = put(an_endpoint(cast.mara, receiver.url(), kind=kind).endpoint, urgent=True)
    assert sweep() == {"uncertain": 1}
    assert sweep(NOW + timedelta(days=1)) == {}
    one.refresh_from_db()
    assert (one.state, one.status) == ("uncertain", 504)
    assert len(receiver.taken) == 1


def test_a_time_out_after_the_request_is_a_doubt(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_http, "ANSWER_SECONDS", 0.3)
    server = Hanging()
    try:
        put(an_endpoint(cast.mara, f"http://127.0.0.1:{server.port}/", kind="slack").endpoint)
        assert sweep() == {"uncertain": 1}
    finally:
        server.stop()
    assert len(server.requests) == 1
    assert "it took too long" in Delivery.objects.get(key="page:1").error


def test_one_that_does_not_answer_holds_nobody_up(cast: Cast, receiver: Receiver) -> None:
    with listening(Receiver()) as gone:
        silent = an_endpoint(cast.mara, gone.url(), name="Gone").endpoint
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    for number in range(3):
        put(silent, f"a{number}")
        put(endpoint, f"b{number}")
    assert sweep() == {"sent": 3, "postponed": 1}


def test_the_network_is_looked_at_again_when_it_is_sent(cast: Cast, receiver: Receiver, settings: Any) -> None:
    one = put(an_endpoint(cast.mara, receiver.url()).endpoint)
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    assert sweep() == {"failed": 1}
    one.refresh_from_db()
    assert one.error == "The portal does not send there: 127.0.0.1 is this computer."
    assert receiver.taken == []


def test_a_new_key_of_the_portal_loses_no_secret(cast: Cast, receiver: Receiver, settings: Any) -> None:
    from apps.notify.actions.endpoints import seal_again

    saved = an_endpoint(cast.mara, receiver.url())
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another key"
    put(saved.endpoint, "lost")
    assert seal_again() == (0, ["Gateway"])
    assert sweep() == {"failed": 1}
    assert "SECRET_KEY has changed" in Delivery.objects.get(key="lost").error
    settings.SECRET_KEY_FALLBACKS = [old]
    put(saved.endpoint, "found")
    assert sweep() == {"sent": 1}
    assert seal_again() == (1, [])
    settings.SECRET_KEY_FALLBACKS = []
    put(saved.endpoint, "sealed")
    assert sweep() == {"sent": 1}
    assert verifies(saved.shown, receiver.taken[-1])


def test_a_secret_opens_for_its_own_row_only(cast: Cast, receiver: Receiver) -> None:
    first = an_endpoint(cast.mara, receiver.url()).endpoint
    second = an_endpoint(cast.mara, receiver.url(), name="Second").endpoint
    Endpoint.objects.filter(pk=second.pk).update(secret=first.secret)
    put(second)
    assert sweep() == {"failed": 1}
    assert b"whsec_" not in bytes(Endpoint.objects.get(pk=first.pk).secret or b"")


def test_an_ended_endpoint_and_a_removed_channel_get_nothing(cast: Cast, receiver: Receiver) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    channel = a_channel(cast.ada, endpoint)
    sweep()
    receiver.taken.clear()
    put(endpoint, "to channel", channel=channel)
    remove_channel(channel, actor=cast.ada, now=NOW)
    assert sweep() == {"failed": 1}
    assert Delivery.objects.get(key="to channel").error == "The person removed this way to be reached"
    put(endpoint, "before")
    end_endpoint(endpoint, actor=cast.mara, now=NOW)
    assert sweep() == {"failed": 1}
    endpoint.refresh_from_db()
    assert put(endpoint, "after").state == "failed"
    assert receiver.taken == []


def test_no_call_after_somebody_has_it(cast: Cast, receiver: Receiver, box: Box) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    a_channel(cast.ada, endpoint)
    sweep()
    receiver.taken.clear()
    note = Note("page:42:ada", cast.ada, "INC-0042", "You lead.")
    send_to(cast.ada, note, SAID, now=NOW)
    assert Message.objects.get(key="page:42:ada").urgent
    assert withdraw(keys=["page:42:ada"], reason="Ben has it", now=NOW) == 2
    send_to(cast.ada, Note("page:43:ada", cast.ada, "INC-0043", "You lead."), SAID, now=NOW)
    assert withdraw(prefix="page:43:", reason="Ben has it", now=NOW) == 2
    assert sweep() == {}
    assert deliver_pending(clock_now=at(NOW)).sent == 0
    assert (receiver.taken, box.mails) == ([], [])
    assert set(Delivery.objects.filter(state="withdrawn").values_list("error", "withdrawn_at")) == {("Ben has it", NOW)}


def test_what_is_taken_back_after_the_claim_is_not_sent(
    cast: Cast, receiver: Receiver, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement comes between claim and sending: the last look finds it."""
    endpoint = an_endpoint(cast.mara, receiver.url()).endpoint
    put(endpoint, "page:1")
    enqueue(key="page:2", recipient=cast.ada, subject="S", body="B", now=NOW)

    def take(claim: Callable[..., Any]) -> Callable[..., Any]:
        def claimed(**how: Any) -> Any:
            found = claim(**how)
            withdraw(prefix="page:", reason="Ben has it", now=NOW)
            return found

        return claimed

    monkeypatch.setattr("apps.notify.webhooks.claim_next", take(claim_next))
    monkeypatch.setattr("apps.notify.delivery.claim_next", take(claim_mail))
    assert sweep() == {"withdrawn": 1}
    assert deliver_pending(clock_now=at(NOW)).sent == 0
    assert (receiver.taken, box.mails) == ([], [])
    assert Delivery.objects.get(key="page:1").state == Message.objects.get(key="page:2").state == "withdrawn"


def test_what_is_taken_back_while_it_is_refused_is_not_tried_again(cast: Cast, receiver: Receiver) -> None:
    one = put(an_endpoint(cast.mara, receiver.url()).endpoint)
    receiver.status = 500
    claimed = claim_next(now=NOW)
    assert claimed is not None
    withdraw(keys=["page:1"], reason="Ben has it", now=NOW)
    from apps.notify.webhooks import Sweep, _postpone

    _postpone(claimed, safe_http.NotTakenError("No", status=500), Sweep(), NOW)
    one.refresh_from_db()
    assert (one.state, one.error) == ("withdrawn", "Ben has it")


def test_a_test_shows_what_came_of_it(cast: Cast, receiver: Receiver) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url(), kind="pagerduty").endpoint
    try_endpoint(endpoint, actor=cast.mara, now=NOW)
    receiver.status, receiver.text = 400, "invalid routing key"
    assert sweep() == {"postponed": 1}
    endpoint.refresh_from_db()
    assert (endpoint.tested_at, endpoint.test_error) == (NOW, "The other side answered 400: invalid routing key")
    receiver.status = 202
    assert sweep(NOW + MINUTE) == {"sent": 2}
    endpoint.refresh_from_db()
    assert (endpoint.tested_at, endpoint.test_error) == (NOW + MINUTE, "")
    assert [taken.json["event_action"] for taken in receiver.taken] == ["trigger", "trigger", "resolve"]
    assert receiver.taken[1].json["payload"]["summary"] == "TEST: Govportal reaches Gateway"
    assert len({taken.json["dedup_key"] for taken in receiver.taken}) == 1
    change_endpoint(endpoint, name="Gateway", announces=False, secret="N3W" + "0" * 29, actor=cast.mara, now=NOW)
    endpoint.refresh_from_db()
    assert endpoint.tested_at is None, "what was tested was another key"


@pytest.mark.parametrize(
    "change",
    ["content = '{}'", "key = 'other'", "urgent = true", "state = 'sent', sent_at = now()", "state = 'withdrawn'"],
)
def test_the_database_keeps_what_was_to_be_said(cast: Cast, receiver: Receiver, change: str) -> None:
    put(an_endpoint(cast.mara, receiver.url()).endpoint)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE notify_delivery SET {change}")
    assert list(Delivery.objects.values_list("key", "state", "urgent", "content")) == [
        ("page:1", "queued", False, SAID)
    ]
    assert sweep() == {"sent": 1}


def test_the_sweep_and_the_command(cast: Cast, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    put(an_endpoint(cast.mara, receiver.url()).endpoint)
    call_command("deliver_webhooks")
    assert capsys.readouterr().out == "1 taken, 0 to try again, 0 failed, 0 uncertain, 0 taken back\n"
    assert task() == 0


def test_two_workers_share_the_outbox(committed_db: str, receiver: Receiver) -> None:
    mara = Person.objects.get(email="mara@example.org")
    endpoint = an_endpoint(mara, receiver.url()).endpoint
    enqueue_deliveries([Call(f"shared:{n}", endpoint, SAID) for n in range(40)], now=NOW)
    sent: list[int] = []
    ready = threading.Barrier(2)

    def work() -> None:
        try:
            ready.wait()
            sent.append(deliver_webhooks(clock_now=at(NOW)).sent)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sum(sent) == 40
    assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == len(receiver.taken) == 40


@pytest.mark.parametrize(("kind", "after"), [("generic", {"postponed": 1}), ("slack", {"uncertain": 1})])
def test_a_worker_that_is_killed_between_claim_and_confirmation(
    committed_db: str, kind: str, after: dict[str, int]
) -> None:
    mara, server = Person.objects.get(email="mara@example.org"), Hanging()
    try:
        endpoint = an_endpoint(mara, f"http://127.0.0.1:{server.port}/", kind=kind).endpoint
        put(endpoint, urgent=True)
        worker = _worker(committed_db)
        assert server.reached.wait(60)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
    finally:
        server.stop()
    one = Delivery.objects.get(key="page:1")
    assert (one.state, one.attempts) == ("claimed", 1)
    claimed = one.claimed_at
    assert claimed is not None
    assert sweep(claimed + MINUTE) == {}
    assert sweep(claimed + 3 * MINUTE) == after
    assert len(server.requests) == 1
    if kind == "generic":
        with listening(Receiver()) as again:
            Endpoint.objects.filter(pk=endpoint.pk).update(url=again.url())
            assert sweep(claimed + 4 * MINUTE) == {"sent": 1}
        assert again.taken[0].headers["webhook-id"] == delivery_id("page:1")
        assert again.taken[0].json["data"] == json.loads(server.requests[0])["data"]


def _worker(database: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DATABASE_URL": databases.app_url(database),
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "deliver_webhooks"],
        cwd=loaded.BASE_DIR,
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )

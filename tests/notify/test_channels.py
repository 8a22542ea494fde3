"""How a person is reached: codes that come through, their order, what is said on which way."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.actions import Note
from apps.notify.actions.channels import add_channel, confirm_test, move_channel, remove_channel, verify_channel
from apps.notify.actions.channels import test_channel as try_channel
from apps.notify.actions.endpoints import change_endpoint, end_endpoint
from apps.notify.actions.reach import Said, send_to, send_to_many
from apps.notify.models import Channel, Delivery, Endpoint, Message
from apps.notify.queries import silent_endpoints, undelivered_calls
from apps.notify.queries.channels import reach, reach_many
from apps.notify.rules.masks import masked
from apps.notify.secrets import unseal
from apps.people.actions import deactivate_person
from tests.cast import Cast
from tests.notify.conftest import NOW
from tests.notify.webhooks_world import ROUTING, a_channel, an_endpoint, code_of

MINUTE = timedelta(minutes=1)
URL = "https://93.184.215.14/in"
NUMBER = "+493055500142"
SAID = {"type": "incident.page", "title": "INC-0042", "text": "You lead."}


@pytest.fixture
def gateway(cast: Cast) -> Endpoint:
    return an_endpoint(cast.mara, URL).endpoint


def rows(person: Any) -> list[tuple[str, str, bool]]:
    return [(one.kind, one.address, one.tested_at is not None) for one in reach(person)]


def test_the_address_of_the_profile_always_counts_and_was_never_tested(cast: Cast) -> None:
    assert rows(cast.ada) == [("email", "ada@example.org", False)]
    assert (reach(cast.ada)[0].channel, reach(cast.ada)[0].usable) == (None, True)


def test_a_code_that_came_through_verifies_and_tests(cast: Cast, gateway: Endpoint) -> None:
    channel = add_channel(cast.ada, kind="sms", address="+49 30 5550-0142", endpoint=gateway, actor=cast.ada, now=NOW)
    assert (channel.address, channel.verified_at, channel.position) == (NUMBER, None, 0)
    sent = Delivery.objects.get(channel=channel)
    code = code_of(channel)
    assert sent.urgent
    assert sent.content == {
        "type": "channel.code",
        "title": f"{code} is your code for Govportal",
        "text": f"Your code is {code}. It counts for 10 minutes. Enter it on the page “How you are reached”.",
        "link": f"/profile/channels/?channel={channel.pk}&code={code}",
        "severity": "sev4",
        "thread": f"channel:{channel.pk}",
        "to": NUMBER,
        "by": "sms",
    }
    assert code.encode() not in bytes(channel.code_digest or b"")
    assert [one.usable for one in reach(cast.ada)] == [False, True]
    verified = verify_channel(channel, f" {code[:3]} {code[3:]}", actor=cast.ada, now=NOW + MINUTE)
    assert (verified.verified_at, verified.tested_at, verified.code_digest) == (NOW + MINUTE, NOW + MINUTE, None)
    assert rows(cast.ada) == [("sms", NUMBER, True), ("email", "ada@example.org", False)]
    with pytest.raises(Refused, match="Send a new one"):
        verify_channel(channel, code, actor=cast.ada, now=NOW + MINUTE)


def test_an_email_code_goes_by_the_outbox_of_mails(cast: Cast) -> None:
    channel = add_channel(cast.ada, kind="email", actor=cast.ada, now=NOW)
    mail = Message.objects.get(recipient=cast.ada)
    code = code_of(channel)
    assert (mail.subject, mail.urgent) == ("Confirm that this mail reached you", True)
    assert mail.path == f"/profile/channels/?channel={channel.pk}&code={code}"
    verify_channel(channel, code, actor=cast.ada, now=NOW + 9 * MINUTE)
    assert rows(cast.ada) == [("email", "ada@example.org", True)]


def test_an_address_that_the_person_has_no_more_says_nothing(cast: Cast) -> None:
    a_channel(cast.ada, None, kind="email", address="")
    cast.ada.email = "ada.new@example.org"
    assert rows(cast.ada) == [("email", "ada.new@example.org", False)]


def test_five_tries_and_ten_minutes(cast: Cast, gateway: Endpoint) -> None:
    channel = add_channel(cast.ada, kind="sms", address=NUMBER, endpoint=gateway, actor=cast.ada, now=NOW)
    code = code_of(channel)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    with pytest.raises(Refused, match="counts for 10 minutes"):
        verify_channel(channel, code, actor=cast.ada, now=NOW + 11 * MINUTE)
    for left in ("4 tries", "3 tries", "2 tries", "1 try", "0 tries"):
        with pytest.raises(Refused, match=f"not the code that was sent. {left} left"):
            verify_channel(channel, wrong, actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="wrong 5 times"):
        verify_channel(channel, code, actor=cast.ada, now=NOW)
    channel.refresh_from_db()
    assert (channel.code_tries, channel.verified_at) == (5, None)
    assert not AuditEvent.objects.filter(kind="channel.verified").exists()
    try_channel(channel, actor=cast.ada, now=NOW + MINUTE)
    assert verify_channel(channel, code_of(channel), actor=cast.ada, now=NOW + MINUTE).verified_at == NOW + MINUTE


def test_codes_flood_nobody(cast: Cast, gateway: Endpoint) -> None:
    channel = add_channel(cast.ada, kind="sms", address=NUMBER, endpoint=gateway, actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="less than a minute ago"):
        try_channel(channel, actor=cast.ada, now=NOW + timedelta(seconds=59))
    for number in range(1, 6):
        try_channel(channel, actor=cast.ada, now=NOW + number * MINUTE)
    with pytest.raises(Refused, match="6 codes were sent within the hour"):
        try_channel(channel, actor=cast.ada, now=NOW + 6 * MINUTE)
    with pytest.raises(Refused, match="6 codes were sent within the hour"):
        add_channel(cast.ada, kind="sms", address="+4930123456", endpoint=gateway, actor=cast.ada, now=NOW + 7 * MINUTE)
    assert Channel.objects.count() == 1
    assert Delivery.objects.count() == 6
    try_channel(channel, actor=cast.ada, now=NOW + 61 * MINUTE)


def test_a_test_is_confirmed_by_its_own_code(cast: Cast, gateway: Endpoint) -> None:
    channel = a_channel(cast.ada, gateway)
    old = Delivery.objects.get(channel=channel).content["text"]
    later = NOW + timedelta(days=100)
    assert not reach(cast.ada)[0].is_tested(later)
    try_channel(channel, actor=cast.ada, now=later)
    assert code_of(channel) != old
    tested = confirm_test(channel, code_of(channel), actor=cast.ada, now=later + MINUTE)
    assert (tested.verified_at, tested.tested_at) == (NOW + MINUTE, later + MINUTE)
    assert reach(cast.ada)[0].is_tested(later + MINUTE)
    kinds = AuditEvent.objects.filter(kind__startswith="channel.").values_list("kind", flat=True)
    assert sorted(kinds) == ["channel.added", "channel.tested", "channel.verified"]


def test_a_paging_service_is_told_that_the_code_was_entered(cast: Cast) -> None:
    pager = an_endpoint(cast.mara, URL, kind="pagerduty").endpoint
    channel = a_channel(cast.ada, pager, kind="voice")
    opened, closed = Delivery.objects.filter(channel=channel).order_by("pk")
    assert (opened.content.get("action"), closed.content["action"]) == (None, "resolve")
    assert opened.content["thread"] == closed.content["thread"]


def test_only_the_person_decides(cast: Cast, gateway: Endpoint) -> None:
    channel = a_channel(cast.ada, gateway)
    for act in (
        lambda: add_channel(cast.ada, kind="email", actor=cast.mara, now=NOW),
        lambda: remove_channel(channel, actor=cast.mara, now=NOW),
        lambda: move_channel(channel, up=True, actor=cast.mara, now=NOW),
        lambda: try_channel(channel, actor=cast.mara, now=NOW + 9 * MINUTE),
        lambda: verify_channel(channel, "000000", actor=cast.mara, now=NOW),
    ):
        with pytest.raises(NotAllowed, match="Only the person decides"):
            act()
    assert Channel.objects.filter(removed_at=None).count() == 1


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        ("sms", "030 5550 0142", "with its country"),
        ("sms", "+0123456789", "with its country"),
        ("sms", "+49", "with its country"),
        ("voice", "ada@example.org", "with its country"),
        ("chat", "#claims", "Choose the endpoint"),
        ("pigeon", "x", "Choose the endpoint"),
    ],
)
def test_what_nothing_can_be_sent_to(cast: Cast, kind: str, address: str, said: str) -> None:
    pager = an_endpoint(cast.mara, URL, kind="pagerduty").endpoint
    with pytest.raises(Refused, match=said):
        add_channel(cast.ada, kind=kind, address=address, endpoint=pager, actor=cast.ada, now=NOW)
    assert (Channel.objects.count(), Delivery.objects.count()) == (0, 0)


def test_one_way_is_there_once_and_ten_are_enough(cast: Cast, gateway: Endpoint) -> None:
    channel = a_channel(cast.ada, gateway)
    with pytest.raises(Refused, match="is here already"):
        a_channel(cast.ada, gateway)
    remove_channel(channel, actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match="was removed"):
        remove_channel(channel, actor=cast.ada, now=NOW)
    a_channel(cast.ada, gateway)
    Channel.objects.bulk_create(
        [
            Channel(person=cast.ada, kind="chat", address=f"#{n}", endpoint=gateway, created_at=NOW, position=n)
            for n in range(9)
        ]
    )
    with pytest.raises(Refused, match="There are 10 ways"):
        add_channel(cast.ada, kind="email", actor=cast.ada, now=NOW)


def test_the_order_is_the_persons(cast: Cast, gateway: Endpoint) -> None:
    sms = a_channel(cast.ada, gateway)
    mail = a_channel(cast.ada, None, kind="email", address="")
    assert [one.kind for one in reach(cast.ada)] == ["sms", "email"]
    move_channel(mail, up=True, actor=cast.ada, now=NOW)
    assert [one.kind for one in reach(cast.ada)] == ["email", "sms"]
    with pytest.raises(Refused, match="at the end"):
        move_channel(sms, up=False, actor=cast.ada, now=NOW)


def went(person: Any, count: int = 2, key: str = "page:1") -> list[dict[str, Any]]:
    return send_to(person, Note(key, person, "INC-0042", "You lead."), SAID, now=NOW, channels=count)


def test_a_call_goes_to_the_first_ways_that_work(cast: Cast, gateway: Endpoint) -> None:
    sms = a_channel(cast.ada, gateway)
    add_channel(cast.ada, kind="voice", address=NUMBER, endpoint=gateway, actor=cast.ada, now=NOW)
    assert went(cast.ada) == [
        {"channel": sms.pk, "kind": "sms", "address": "…0142"},
        {"channel": None, "kind": "email", "address": "a…@example.org"},
    ]
    call = Delivery.objects.get(key=f"page:1#{sms.pk}")
    assert (call.urgent, call.channel, call.endpoint) == (True, sms, gateway)
    assert call.content == {**SAID, "to": NUMBER, "by": "sms"}
    mail = Message.objects.get(key="page:1")
    assert (mail.urgent, mail.subject, mail.recipient) == (True, "INC-0042", cast.ada)
    assert [one["kind"] for one in went(cast.ada, 1, "page:2")] == ["sms"]
    assert not Message.objects.filter(key="page:2").exists()
    assert [one["kind"] for one in went(cast.ada, 0, "page:3")] == ["sms", "email"]
    went(cast.ada)
    assert Delivery.objects.filter(key__startswith="page:1").count() == 1, "one key is said once"


def test_who_can_be_reached_by_mail_only_gets_the_mail(cast: Cast) -> None:
    assert went(cast.ben) == [{"channel": None, "kind": "email", "address": "b…@example.org"}]


def test_who_left_is_not_called_and_a_row_says_so(cast: Cast, gateway: Endpoint) -> None:
    a_channel(cast.nils, gateway)
    deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    cast.nils.refresh_from_db()
    assert went(cast.nils) == [{"channel": None, "kind": "email", "address": "n…@example.org"}]
    assert Message.objects.get(key="page:1").state == "failed"
    assert not Delivery.objects.filter(key__startswith="page:").exists()


def test_many_are_called_in_few_statements(cast: Cast, gateway: Endpoint, django_assert_num_queries: Any) -> None:
    people = [cast.ada, cast.ben, cast.una, cast.cleo]
    for person in people:
        a_channel(person, gateway)
    said = [Said(Note(f"page:{one.pk}", one, "S", "B"), SAID) for one in people]
    with django_assert_num_queries(3):
        found = send_to_many(said, now=NOW)
    assert {len(ways) for ways in found.values()} == {2}
    with django_assert_num_queries(1):
        assert len(reach_many(people)) == 4


def test_an_ended_endpoint_carries_nothing_and_people_are_told(cast: Cast, gateway: Endpoint) -> None:
    channel = a_channel(cast.ada, gateway)
    end_endpoint(gateway, actor=cast.mara, now=NOW)
    assert [one["kind"] for one in went(cast.ada)] == ["email"]
    told = Message.objects.get(key=f"channel:{channel.pk}:ended")
    assert (told.recipient, told.subject) == (cast.ada, "Gateway no longer carries calls to you")
    with pytest.raises(Refused, match="was ended"):
        add_channel(cast.ben, kind="sms", address=NUMBER, endpoint=gateway, actor=cast.ben, now=NOW)
    with pytest.raises(Refused, match="was ended"):
        end_endpoint(gateway, actor=cast.mara, now=NOW)


@pytest.mark.parametrize(
    ("kind", "url", "secret", "said"),
    [
        ("generic", "https://10.0.0.5/", "", "10.0.0.5 is a private address"),
        ("generic", "https://169.254.169.254/latest/", "", "a link-local address"),
        ("slack", "https://[::ffff:127.0.0.1]/", "", "written as IPv6"),
        ("generic", "http://93.184.215.14/", "", "begin with https"),
        ("pagerduty", URL, "short", "32 letters and digits"),
        ("opsgenie", URL, "a key with spaces", "letters, digits and hyphens"),
        ("opsgenie", URL, "", "letters, digits and hyphens"),
    ],
)
def test_an_endpoint_that_is_refused_is_not_kept(cast: Cast, kind: str, url: str, secret: str, said: str) -> None:
    with pytest.raises(Refused, match=said.replace(".", r"\.")):
        an_endpoint(cast.mara, url, kind=kind, secret=secret)
    assert Endpoint.objects.count() == 0
    assert not AuditEvent.objects.filter(kind="endpoint.added").exists()


def test_a_name_is_taken_once(cast: Cast, gateway: Endpoint) -> None:
    with pytest.raises(ValidationError, match="already exists"):
        an_endpoint(cast.mara, URL)
    assert Endpoint.objects.count() == 1


def test_the_address_of_a_chat_is_its_secret(cast: Cast) -> None:
    slack = an_endpoint(cast.mara, "https://93.184.215.14/services/T/B/secret", kind="slack").endpoint
    slack.refresh_from_db()
    assert slack.url == "https://93.184.215.14/"
    assert b"secret" not in bytes(slack.secret or b"")
    assert unseal(slack.secret or b"", row=slack.pk) == "https://93.184.215.14/services/T/B/secret"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_private WHERE value LIKE '%%services/T%%'")
        assert cursor.fetchone() == (0,)


def test_a_key_does_not_follow_an_address(cast: Cast) -> None:
    pager = an_endpoint(cast.mara, URL, kind="pagerduty").endpoint
    by: dict[str, Any] = {"name": "Gateway", "announces": False, "actor": cast.mara, "now": NOW}
    with pytest.raises(Refused, match="Enter the key again"):
        change_endpoint(pager, url="https://93.184.215.15/in", **by)
    change_endpoint(pager, url="https://93.184.215.15/in", secret=ROUTING[::-1], **by)
    pager.refresh_from_db()
    assert (pager.url, unseal(pager.secret or b"", row=pager.pk)) == ("https://93.184.215.15/in", ROUTING[::-1])
    change_endpoint(pager, **{**by, "name": "Renamed", "announces": True})
    pager.refresh_from_db()
    assert (pager.name, pager.announces, unseal(pager.secret or b"", row=pager.pk)) == ("Renamed", True, ROUTING[::-1])


def test_a_new_secret_takes_the_place_of_the_old(cast: Cast) -> None:
    saved = an_endpoint(cast.mara, URL)
    new = change_endpoint(saved.endpoint, name="G", announces=False, renew=True, actor=cast.mara, now=NOW).shown
    assert new.startswith("whsec_")
    assert new != saved.shown
    saved.endpoint.refresh_from_db()
    assert unseal(saved.endpoint.secret or b"", row=saved.endpoint.pk) == new


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE notify_channel SET address = '+4930999999'", "keeps its person and its address"),
        ("UPDATE notify_channel SET code_tries = 6", "channel_five_tries"),
        ("UPDATE notify_channel SET verified_at = NULL", "channel_tested_is_verified"),
        ("UPDATE notify_channel SET code_digest = '\\x00'", "channel_code_ends"),
        ("DELETE FROM notify_channel", "stays on record"),
        ("TRUNCATE notify_channel CASCADE", "permission denied|stays on record"),
        ("UPDATE notify_endpoint SET kind = 'slack'", "keeps its kind"),
        ("UPDATE notify_endpoint SET url = 'ftp://x'", "endpoint_is_http"),
        ("DELETE FROM notify_endpoint", "stays on record"),
    ],
)
def test_the_database_keeps_its_rules(cast: Cast, gateway: Endpoint, statement: str, said: str) -> None:
    channel = a_channel(cast.ada, gateway)
    with pytest.raises(DatabaseError, match=said), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    channel.refresh_from_db()
    assert (channel.address, channel.code_tries, channel.tested_at) == (NUMBER, 0, NOW + MINUTE)


def test_what_was_removed_is_not_used_again(cast: Cast, gateway: Endpoint) -> None:
    remove_channel(a_channel(cast.ada, gateway), actor=cast.ada, now=NOW)
    with pytest.raises(DatabaseError, match="not used again"), transaction.atomic():
        Channel.objects.update(removed_at=None)


def test_who_does_not_take_what_is_sent_is_found(cast: Cast, gateway: Endpoint) -> None:
    a_channel(cast.ada, gateway)
    Delivery.objects.update(state="claimed", claimed_at=NOW)
    Delivery.objects.update(state="failed", error="The other side answered 500")
    assert [(one.endpoint, one.calls, one.reason) for one in silent_endpoints(since=NOW)] == [
        (gateway, 1, "The other side answered 500")
    ]
    assert undelivered_calls(now=NOW).count() == 1
    went(cast.ada)
    Delivery.objects.filter(state="queued").update(state="claimed", claimed_at=NOW)
    Delivery.objects.filter(state="claimed").update(state="sent", sent_at=NOW + MINUTE)
    assert silent_endpoints(since=NOW) == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.org", "a…@example.org"),
        (NUMBER, "…0142"),
        ("#claims-duty", "#cl…"),
        ("x", "…"),
        ("U012AB3CD", "U01…"),
    ],
)
def test_what_others_see_of_an_address(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_networks_of_the_settings(settings: Any, cast: Cast) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("10.20.0.0/16")]
    assert an_endpoint(cast.mara, "https://10.20.1.1/in").endpoint.url == "https://10.20.1.1/in"

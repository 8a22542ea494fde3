"""Signing together: only what is unchanged, low and was clean; each with its own answers and its own signature."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.attestations import actions
from apps.attestations.actions import Confirmation
from apps.attestations.models import Assignment, Signature
from apps.attestations.queries.together import candidates, could_be_together
from apps.attestations.queries.workload import overloaded
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people.actions import seat_person
from tests.attestations.test_signing import answer, sign
from tests.attestations.world import NOW, PERIOD, REGISTERED, register

LATER = NOW + timedelta(hours=1)
NEXT = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
THEN = NEXT + timedelta(hours=1)
NONE = Given("not_applicable", "It has none")


def twice(cast: Any, *keys: str, tier: str = "low", **special: Any) -> list[Assignment]:
    """These systems of Ada's attested cleanly once, and asked for again in the next quarter."""
    seat_person("ai_lead", cast.nils, actor=cast.mara, now=REGISTERED)
    for key in keys:
        register(cast, key, owner=cast.ada, tier=tier, purpose="Sorts letters.", regulatory_class="minimal")
    special = {"identities": NONE, "kill_switch": NONE, "drills": NONE, "runbook": NONE, **special}
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    for one in Assignment.objects.select_related("campaign", "system").order_by("pk"):
        sign(answer(one, cast.ada, **special), cast.ada)
    actions.open_campaign("2027Q1", actor=COMMAND, now=NEXT)
    return list(
        Assignment.objects.filter(campaign__period="2027Q1")
        .select_related("campaign", "system")
        .order_by("system__key")
    )


def together(assignments: list[Assignment], person: Any, **changed: Any) -> Any:
    values: dict[str, Any] = {
        "declared_true": True, "typed_name": person.display_name, "confirmation": Confirmation("password", THEN),
        "actor": person, "now": THEN, **changed,
    }  # fmt: skip
    return actions.sign_together(assignments, **values)


def test_each_gets_its_own_answers_and_signature_with_the_size_of_the_batch(cast: Any) -> None:
    rows = twice(cast, "one", "two", "three")
    assert [(row.delta, row.tier) for row in rows] == [("unchanged", "low")] * 3
    done = together(rows, cast.ada)
    assert (len(done.signatures), done.dropped) == (3, [])
    batch = done.signatures[0].batch
    assert [(s.batch, s.batch_size, s.meaning) for s in done.signatures] == [(batch, 3, "certify")] * 3
    for signature in done.signatures:
        payload = json.loads(signature.payload)
        assert payload["batch"] == {"id": str(batch), "size": 3}
        assert payload["sections"][0]["answers"]
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.result) == ("submitted", "clean")
        assert set(row.answers.exclude(value="").values_list("answered_by", "saved_at")) == {(cast.ada.pk, THEN)}
    event = json.loads(AuditEvent.objects.get(kind="attestation.signed_together").body)
    assert (event["after"]["size"], event["after"]["dropped"]) == (3, [])
    assert AuditEvent.objects.filter(kind="attestation.signed", cause=event["id"]).count() == 3


def test_one_alone_is_no_batch(cast: Any) -> None:
    signature = together(twice(cast, "one"), cast.ada).signatures[0]
    assert (signature.batch, signature.batch_size) == (None, 1)


@pytest.mark.parametrize("tier", ["medium", "high", "critical", "unknown"])
def test_never_for_another_tier(cast: Any, tier: str) -> None:
    rows = twice(cast, "one", tier=tier)
    before = Signature.objects.count()
    assert list(could_be_together(cast.ada)) == []
    with pytest.raises(Refused, match="not of the low tier"):
        together(rows, cast.ada)
    assert Signature.objects.count() == before


def test_never_for_what_is_new_or_was_begun(cast: Any) -> None:
    rows = twice(cast, "one")
    begun = actions.save_answers(rows[0], "ownership", {"deputy": Given("yes")}, version=0, actor=cast.ada, now=THEN)
    with pytest.raises(Refused, match="begun already"):
        together([begun], cast.ada)


def test_what_was_not_clean_drops_out_by_name(cast: Any) -> None:
    rows = twice(cast, "one", drills=Given("cannot_attest", "New team"))
    judged = candidates(rows, today=THEN.date())
    assert [one.why_not for one in judged] == ["The last attestation was not clean, or something changed since."]
    with pytest.raises(Refused, match=r"None can be signed together\. ONE"):
        together(rows, cast.ada)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"declared_true": False}, "declaration"),
        ({"typed_name": "Somebody Else"}, "name"),
        ({"confirmation": Confirmation("password", THEN - timedelta(hours=1))}, "Confirm"),
    ],
)
def test_it_is_confirmed_like_every_signature(cast: Any, changed: dict[str, Any], says: str) -> None:
    rows = twice(cast, "one")
    with pytest.raises(Refused, match=says):
        together(rows, cast.ada, **changed)


def test_nobody_signs_for_others_and_no_more_than_a_page(cast: Any) -> None:
    rows = twice(cast, "one")
    with pytest.raises(NotAllowed):
        together(rows, cast.una)
    with pytest.raises(Refused, match="1 to 25"):
        together([], cast.ada)
    with pytest.raises(Refused, match="1 to 25"):
        together(rows * 26, cast.ada)


def test_too_many_items_are_told_to_the_mandate_holder_once(cast: Any) -> None:
    for number in range(26):
        register(cast, f"s{number:02}", owner=cast.ada, tier="low")
    campaign = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]
    assert [(load.name, load.items) for load in overloaded(campaign)] == [("Ada Nwosu", 26)]
    assert actions.tell_overloads(now=LATER) == 1
    assert actions.tell_overloads(now=LATER) == 0
    note = Message.objects.get(key="campaign:2026Q4:overload")
    assert (note.recipient, note.subject) == (cast.mara, "Q4 2026: 1 person answers for more than 25 systems")
    assert "- Ada Nwosu: 26" in note.body

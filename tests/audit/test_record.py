"""What one line of the trail holds, and what it does not."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from django.db import transaction

from apps.audit.actions import Entry, record, record_many
from apps.audit.models import AuditEvent, AuditPrivate
from apps.audit.rules import COMMAND, Kind, Subject, canonical, microseconds
from apps.registry import actions
from tests.cast import Cast
from tests.factories import NOW, a_system


def test_a_line_holds_ids_and_commitments_only(cast: Cast) -> None:
    event_id = record(
        Kind.SYSTEM_CHANGED,
        actor=cast.mara,
        subject=Subject("system", "7", "Secret agent (SYS-7)"),
        now=NOW,
        before={"tier": "low"},
        after={"tier": "high"},
        reason="Asked by Ada Nwosu",
        private={"contact": "ada@example.org"},
    )
    event = AuditEvent.objects.get(pk=event_id)
    body = json.loads(event.body)
    assert sorted(body) == [
        "actor",
        "after",
        "before",
        "commitments",
        "id",
        "kind",
        "month",
        "request",
        "subject",
        "ts",
        "v",
    ]
    assert (event.kind, event.subject_kind, event.subject_id) == ("system.changed", "system", "7")
    assert event.actor == f"u:{cast.mara.pk}"
    assert event.at == NOW
    assert event.ts_us == microseconds(NOW)
    assert sorted(body["commitments"]) == ["actor_function", "actor_name", "contact", "reason", "subject_label"]
    for word in ("Mara", "Ada", "Secret", "@"):
        assert word not in event.body


def test_each_commitment_opens_with_its_salt(cast: Cast) -> None:
    event_id = record(Kind.SYSTEM_CHANGED, actor=cast.mara, subject=Subject("system", "7", "S"), now=NOW, reason="Why")
    commitments = json.loads(AuditEvent.objects.get(pk=event_id).body)["commitments"]
    rows = AuditPrivate.objects.filter(event_id=event_id)
    assert {row.field for row in rows} == set(commitments)
    for row in rows:
        digest = hashlib.sha256(b"\x02" + bytes(row.salt) + row.value.encode()).hexdigest()
        assert digest == commitments[row.field]


def test_the_body_is_canonical_json(cast: Cast) -> None:
    event_id = record(
        Kind.SYSTEM_CHANGED, actor=COMMAND, subject=Subject("system", "7"), now=NOW, after={"b": 1, "a": "é"}
    )
    body = AuditEvent.objects.get(pk=event_id).body
    assert body == canonical(json.loads(body))
    assert '"after":{"a":"é","b":1}' in body


@pytest.mark.committed
def test_outside_a_transaction_nothing_is_written(committed_db: str) -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(transaction.TransactionManagementError):
        record(Kind.SYSTEM_CHANGED, actor=COMMAND, subject=Subject("system", "7"), now=NOW)
    assert AuditEvent.objects.count() == before


@pytest.mark.committed
def test_a_verb_that_fails_leaves_no_line(committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast)
    before = AuditEvent.objects.count()

    def retires_and_fails() -> None:
        with transaction.atomic():
            actions.retire_system(system, actor=cast.mara, now=NOW, reason="Replaced")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        retires_and_fails()
    system.refresh_from_db()
    assert (AuditEvent.objects.count(), system.stage) == (before, "production")


@pytest.mark.committed
def test_a_month_nobody_prepared_gets_its_partition(committed_db: str) -> None:
    then = datetime(2034, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    for _ in range(2):
        with transaction.atomic():
            event_id = record(Kind.SYSTEM_CHANGED, actor=COMMAND, subject=Subject("system", "7"), now=then)
    event = AuditEvent.objects.get(pk=event_id)
    assert (event.month.isoformat(), event.ts_us % 1_000_000) == ("2034-02-01", 999_999)
    assert event.at == then


def test_events_of_one_import_share_their_cause(cast: Cast) -> None:
    cause = record(Kind.IMPORT_APPLIED, actor=cast.mara, subject=Subject("import", "1"), now=NOW)
    entries = [Entry(Kind.SYSTEM_REGISTERED, Subject("system", str(n))) for n in range(1500)]
    ids = record_many(entries, actor=cast.mara, now=NOW, cause=cause)
    assert len(set(ids)) == 1500
    assert AuditEvent.objects.filter(cause=cause).count() == 1500


def test_names_stay_as_they_were(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    actions.change_person(cast.ada, display_name="Ada Okoro", actor=cast.mara, now=NOW)
    event = AuditEvent.objects.get(kind="system.owner.accepted", subject_id=str(system.pk))
    kept = dict(AuditPrivate.objects.filter(event_id=event.pk).values_list("field", "value"))
    assert kept["actor_name"] == "Ada Nwosu"

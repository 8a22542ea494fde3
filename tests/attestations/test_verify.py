"""verify_campaign: one changed byte anywhere is found and named."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.attestations.actions import evidence
from apps.attestations.models import Campaign
from apps.attestations.queries.verify_end import verify
from apps.attestations.rules.manifest import drawn, hashed
from tests.attestations.rollup_world import AFTER, LATER, closed, of, opened, rolled_up, sealed
from tests.attestations.world import PERIOD
from tests.cast import Cast

CHECKS = {
    "snapshot_hash_is_of_facts": "scopesnapshot",
    "signature_hash_is_of_payload": "signature",
    "record_hash_is_of_body": "campaignrecord",
}
# What somebody with all rights changes -> where the fault is named.
TAMPERED = {
    "answer": (
        "UPDATE attestations_answer SET comment = 'Fine' WHERE question = 'runbook' AND assignment_id IN (SELECT a.id"
        " FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id WHERE s.key = 'two')",
        "answers: system two, question runbook, comment: expected nothing, found Fine",
    ),
    "facts": (
        "UPDATE attestations_scopesnapshot SET facts = replace(facts, 'medium', 'nedium') WHERE system_id ="
        " (SELECT id FROM registry_system WHERE key = 'two')",
        "facts: system two: expected",
    ),
    "payload": (
        "UPDATE attestations_signature SET payload = replace(payload, 'TWO', 'TVO') WHERE payload LIKE '%TWO%'"
        " AND kind = 'attestation'",
        "signatures: signature",
    ),
    "signer": (
        "UPDATE attestations_signature SET signer_name = 'Somebody' WHERE kind = 'rollup' AND seat = 'legal'",
        "name: expected Lea Abelmann, found Somebody",
    ),
    "review": (
        "UPDATE attestations_review SET reviewer_id = (SELECT id FROM people_person WHERE email LIKE 'bo@%')"
        " WHERE kind = 'acceptance'",
        "reviews: review of system",
    ),
    "node": (
        "UPDATE attestations_rollupnode SET state = 'declined', reason = 'x' WHERE level = 'ciso'",
        "roll-up: roll-up, ciso, declined under a signature: expected true, found false",
    ),
    "result": (
        "UPDATE attestations_assignment SET result = 'qualified' WHERE id IN (SELECT a.id"
        " FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id WHERE s.key = 'two')",
        "what was below: expected",
    ),
    "manifest": (
        "UPDATE attestations_campaignrecord SET body = replace(body, '\"late\":0', '\"late\":1')"
        " WHERE kind = 'manifest'",
        "manifest: counts",
    ),
    "closing": (
        "UPDATE attestations_campaignrecord SET body = replace(body, 'Claims', 'Clains') WHERE kind = 'closing'",
        "closing: its hash: expected",
    ),
    "seed": (
        "UPDATE attestations_campaign SET sampling_seed = 'x' || substr(sampling_seed, 2)",
        "sampling: commitment",
    ),
}  # fmt: skip


def told(*, fails: bool = False) -> dict[str, Any]:
    """What the command says."""
    out = StringIO()
    if fails:
        with pytest.raises(SystemExit) as caught:
            call_command("verify_campaign", PERIOD, "--json", stdout=out)
        assert caught.value.code == 1
    else:
        call_command("verify_campaign", PERIOD, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_it_verifies_while_it_runs_and_after_it_is_sealed(cast: Any) -> None:
    opened(cast)
    first = told()
    assert (first["verified"], first["state"], first["compared"]["facts"]) == (True, "open", 6)


def test_a_sealed_campaign_verifies_with_figures(cast: Any) -> None:
    campaign = sealed(cast, silent=("two",))
    assert not verify(campaign, at=AFTER).faults
    found = told()
    assert (found["verified"], found["state"], found["faults"]) == (True, "sealed", [])
    assert found["manifest_sha256"] == campaign.manifest_sha256
    assert found["compared"]["chain"] == 9
    assert found["compared"]["sampling"] == 4


def test_the_draw_is_the_same_in_python(cast: Any) -> None:
    campaign = opened(cast)
    expected = drawn(campaign.sampling_seed, 5, {"one": "medium", "two": "medium", "tool": "medium"})
    assert {key: of(key).sampled for key in expected} == expected
    assert campaign.sampling_commitment == hashed(campaign.sampling_seed)


@pytest.mark.committed
def test_each_changed_byte_is_found_and_named(committed_db: str, as_owner: Any) -> None:
    """As the owner of the database, with triggers and checks off; each change alone, and put back."""
    sealed(Cast())
    with as_owner(committed_db) as owner:
        for name, table in CHECKS.items():
            owner.execute(f"ALTER TABLE attestations_{table} DROP CONSTRAINT {name}")
        tables = [row[0] for row in owner.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'attestations_%'")]  # fmt: skip
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for name, (sql, where) in TAMPERED.items():
            changed = sql.split()[1]
            owner.execute(f"CREATE TABLE kept AS SELECT * FROM {changed}")
            assert owner.execute(sql).rowcount > 0, name
            faults = [f"{one['what']}: {one['where']}: expected {one['expected']}, found {one['found']}"
                      for one in told(fails=True)["faults"]]  # fmt: skip
            assert any(where in fault for fault in faults), (name, faults)
            columns = [row[0] for row in owner.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " AND attgenerated = ''", [changed])]  # fmt: skip
            sets = ", ".join(f"{column} = k.{column}" for column in columns if column != "id")
            owner.execute(f"UPDATE {changed} t SET {sets} FROM kept k WHERE k.id = t.id")
            owner.execute("DROP TABLE kept")
            assert told()["verified"], name


def test_a_changed_byte_in_a_file_is_found(cast: Any, tmp_path: Path, settings: Any) -> None:
    settings.EVIDENCE_DIR = str(tmp_path)
    opened(cast)
    evidence.add_evidence(
        of("one"), "kill_switch", name="drill.txt", content=b"We stopped it at 10:42.\n", effective_on=LATER.date(),
        expires_on=None, actor=cast.ada, now=LATER,
    )  # fmt: skip
    campaign = Campaign.objects.get()
    assert verify(campaign, at=AFTER).figures["evidence"] == 1
    [path] = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.chmod(0o600)
    path.write_bytes(b"We stopped it at 10:43.\n")
    [fault] = verify(campaign, at=AFTER).faults
    assert (fault.what, fault.where) == ("evidence", "system one, bytes of drill.txt")
    path.unlink()
    [fault] = verify(campaign, at=AFTER).faults
    assert "not in the store" in fault.found


def test_before_it_is_sealed_a_changed_review_of_a_sample_is_found(cast: Any) -> None:
    campaign = rolled_up(cast)
    look = verify(campaign, at=AFTER)
    assert not look.faults
    assert look.figures["reviews"] > 10


def test_an_unknown_campaign_is_said_so(cast: Any) -> None:
    from django.core.management.base import CommandError

    with pytest.raises(CommandError, match="no campaign 2031Q1"):
        call_command("verify_campaign", "2031Q1")
    assert closed(cast).state == "closed"

"""The report at close: exact numbers, the same bytes for the same rows, safe cells, and beside another campaign."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import override_settings

from apps.attestations import actions
from apps.attestations.models import Campaign
from apps.attestations.queries.differences import Difference, changed, differences, matrix
from apps.attestations.queries.report import report_body, report_json, report_sha256
from apps.attestations.rules import Given
from apps.attestations.rules.report import CSV_HEADER, flat
from apps.attestations.templatetags.attestations import same_contradictions
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.csv_export import lines
from apps.registry.models import System
from tests.attestations.signed import accept, assignment_of, sign
from tests.attestations.world import NOW, PERIOD, register

EXCEPTION = Given("no", "=1+1", "Test it at night", "2026-12-05", severity="low", control="A person watches")
AFTER = NOW + timedelta(days=40)


@pytest.fixture
def campaign(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    for key in ("one", "two", "three"):
        register(cast, key, owner=cast.ada)
    register(cast, "four")
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def played(campaign: Campaign, cast: Any) -> Campaign:
    """One clean and accepted, one with an exception, two not attested, being rolled up."""
    sign(assignment_of(campaign, "one"), cast.ada, NOW + timedelta(hours=2))
    accept(assignment_of(campaign, "one"), cast.cleo, NOW + timedelta(hours=3))
    sign(assignment_of(campaign, "two"), cast.ada, NOW + timedelta(days=22), kill_switch=EXCEPTION)
    return actions.begin_rollup(campaign, actor=COMMAND, now=campaign.closes_at)


def test_it_holds_what_became_of_everything(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    body = report_body(found, now=AFTER)
    assert body["campaign"]["draft"] is True
    assert body["scope"]["systems"] == 4
    assert body["scope"]["sha256"] == campaign.scope_hash
    assert body["results"]["all"] == {
        "systems": 4, "signed": 2, "clean": 1, "qualified": 1, "late": 1, "accepted": 1, "not_attested": 2, "open": 0,
        "percent": 50,
    }  # fmt: skip
    assert [(row["key"], row["person"]) for row in body["not_attested"]["rows"]] == [
        ("four", cast.una.display_name), ("three", "Ada Nwosu"),
    ]  # fmt: skip
    assert body["ownership_gaps"]["total"] == 1
    assert body["signatures"]["total"] == 3
    assert [row["kind"] for row in body["signatures"]["rows"]][1] in {"acceptance", "sample"}
    assert body["changes"]["since"] is None
    assert body["decision_times"]["signed"] == 2
    assert body["manifest_sha256"] == ""
    assert body["sampling"]["seed"] == "", "told when it is closed, not before"


def test_the_same_rows_are_the_same_bytes(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    first, second = report_body(found, now=AFTER), report_body(found, now=AFTER + timedelta(hours=1))
    assert report_json(first) == report_json(second)
    assert report_sha256(first) == report_sha256(second)
    assert json.loads(report_json(first)) == json.loads(json.dumps(first))
    assert report_sha256(report_body(found, now=AFTER, limit=1)) != report_sha256(first)


def test_exceptions_have_an_age_and_overdue_ones_are_counted(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    if not found.exceptions.exists():
        pytest.skip("signing does not raise exceptions here")
    body = report_body(found, now=AFTER)["exceptions"]
    assert body["by_severity"] == {"low": {"declared": 1, "to_decide": 1, "overdue": 1}}
    assert (body["total"], body["overdue"]) == (1, 1)
    assert body["rows"][0]["age_days"] == 18
    assert body["rows"][0]["overdue"] is True


def test_people_are_named_only_where_the_organisation_names_them(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    with override_settings(NAME_OVERDUE_PEOPLE=False):
        rows = report_body(found, now=AFTER)["not_attested"]["rows"]
    assert {row["person"] for row in rows} == {""}
    assert len(rows) == 2


def test_a_restricted_system_is_counted_and_named_only_to_who_may_open_it(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    System.objects.filter(key="four").update(restricted=True)
    nobody = report_body(found, now=AFTER)
    assert nobody["not_attested"]["total"] == 2
    assert [row["key"] for row in nobody["not_attested"]["rows"]] == ["three"]
    assert nobody["scope"]["not_named"] == 1
    holder = report_body(found, now=AFTER, reader=cast.una)
    assert {row["key"] for row in holder["not_attested"]["rows"]} == {"three", "four"}


def test_a_cell_is_never_a_formula(cast: Any, campaign: Campaign) -> None:
    found = played(campaign, cast)
    text = "".join(lines(CSV_HEADER, flat(report_body(found, now=AFTER))))
    assert '"not attested","Claims"' in text
    assert '"=' not in text
    assert all(line.count('","') == len(CSV_HEADER) - 1 for line in text.splitlines() if line.startswith('"'))


def test_beside_the_campaign_before(cast: Any, campaign: Campaign) -> None:
    played(campaign, cast)
    System.objects.filter(key="four").update(stage="retired", retired_at=NOW)
    register(cast, "five", owner=cast.ada)
    following = actions.open_campaign("2027Q1", actor=COMMAND, now=NOW + timedelta(days=75))[0]
    sign(assignment_of(following, "two"), cast.ada, NOW + timedelta(days=76))
    counted = matrix(following, campaign)
    assert counted == {
        ("clean", "open"): 1, ("not_attested", ""): 1, ("not_attested", "open"): 1, ("qualified", "clean"): 1,
        ("", "open"): 1,
    }  # fmt: skip
    assert changed(counted) == 5
    assert differences(following, campaign, hidden=[], limit=2, offset=3) == [
        Difference("two", "TWO", "qualified", "clean"), Difference("four", "FOUR", "not_attested", ""),
    ]  # fmt: skip
    body = report_body(following, now=NOW + timedelta(days=77))
    assert body["changes"]["since"] == PERIOD
    assert (body["changes"]["qualified_to_clean"], body["changes"]["clean_to_qualified"]) == (1, 0)
    assert body["changes"]["retired"] == 1


def test_the_same_explanation_is_one_line_to_a_reader() -> None:
    rows = [{"key": f"S-{n}", "contradiction": "No deputy", "explanation": "Behind"} for n in range(8)]
    rows += [{"key": "S-0", "contradiction": "No identity", "explanation": ""}]
    same = same_contradictions(rows)
    assert [(row["contradiction"], row["explanation"], row["count"], row["more"]) for row in same] == [
        ("No deputy", "Behind", 8, 2), ("No identity", "", 1, 0)
    ]  # fmt: skip
    assert same[0]["keys"] == [f"S-{n}" for n in range(6)]


def test_the_pages_and_files(cast: Any, browse: Any, campaign: Campaign) -> None:
    played(campaign, cast)
    client = browse(cast.eve)
    page = client.get(f"/attestations/{PERIOD}/report/").content.decode()
    for words in ("Draft", "2 not attested.", "2 of 4", "Method and limits", "There is no manifest yet", "Ada Nwosu"):
        assert words in page, words
    made = client.get(f"/attestations/{PERIOD}/report.json")
    assert json.loads(made.content)["campaign"]["code"] == PERIOD
    assert len(made["X-Content-SHA256"]) == 64
    table = b"".join(client.get(f"/attestations/{PERIOD}/report.csv").streaming_content).decode()
    assert table.startswith('"Part","Group"')
    assert client.get(f"/attestations/{PERIOD}/compare/{PERIOD}/").status_code == 404
    for person in (cast.dov, cast.ada):
        for path in ("report/", "report.csv", "report.json", f"compare/{PERIOD}/"):
            assert browse(person).get(f"/attestations/{PERIOD}/{path}").status_code == 404
        assert browse(person).post(f"/attestations/{PERIOD}/report/pdf/").status_code == 404


def test_ages_count_to_the_closing(campaign: Campaign) -> None:
    from apps.attestations.queries.report import as_of

    assert as_of(campaign, AFTER) == date(2026, 12, 20)
    campaign.closed_at = NOW
    assert as_of(campaign, AFTER) == date(2026, 11, 10)

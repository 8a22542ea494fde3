"""The systems list and the system page, over HTTP."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.registry import actions
from apps.registry.models import SavedView, System
from tests.cast import Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]


def names(response: Any) -> list[str]:
    return [row.system.name for row in response.context["rows"]]


@pytest.fixture
def systems(cast: Cast) -> None:
    a_system(cast, key="SYS-1", name="Alpha", tier="critical", owner=cast.ada, vendor="Initech")
    a_system(cast, key="SYS-2", name="Beta", tier="low", identities=[("agent_id", "beta-agent-7")])
    a_system(cast, key="SYS-3", name="Gamma", stage="retired")
    a_system(cast, key="SYS-4", name="Delta", stage="unknown", unit=cast.devtools, contact_given="caio@hhs.gov")


@pytest.mark.usefixtures("systems")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Alpha", "Beta", "Delta"]),
        ("live=all", ["Alpha", "Beta", "Delta", "Gamma"]),
        ("live=0", ["Gamma"]),
        ("stage=retired", ["Gamma"]),
        ("basis=interim", ["Beta", "Delta"]),
        ("basis=accepted", ["Alpha"]),
        ("tier=critical&tier=low", ["Alpha", "Beta"]),
        ("q=beta-agent", ["Beta"]),
        ("q=INITECH", ["Alpha"]),
        ("q=sys-4", ["Delta"]),
        ("q=claims", ["Alpha", "Beta"]),
        ("q=velop", ["Delta"]),
        ("q=nothing+there", []),
        ("q=%25", []),
        ("sort=-name", ["Delta", "Beta", "Alpha"]),
        ("sort=tier", ["Alpha", "Delta", "Beta"]),
        ("deputy=none", ["Beta", "Delta"]),
        ("age=30", []),
        ("page=99", ["Alpha", "Beta", "Delta"]),
        ("tier=nonsense&unit=x&owner=y&age=-3&attestation=z&live=7&sort=evil", ["Alpha", "Beta", "Delta"]),
    ],
)
def test_the_address_says_what_is_listed(cast: Cast, browse: Browse, query: str, expected: list[str]) -> None:
    response = browse(cast.mara).get(f"/systems/?{query}")
    assert response.status_code == 200
    if query == "sort=tier":
        assert names(response)[0] == "Alpha"
        assert set(names(response)) == set(expected)
    else:
        assert names(response) == expected


@pytest.mark.usefixtures("systems")
def test_everybody_sees_their_own(cast: Cast, browse: Browse) -> None:
    assert names(browse(cast.ada).get("/systems/")) == ["Alpha"]
    assert names(browse(cast.una).get("/systems/")) == ["Beta"]
    response = browse(cast.dov).get("/systems/")
    assert names(response) == []
    assert "You answer for nothing yet" in response.content.decode()


@pytest.mark.usefixtures("systems")
def test_htmx_gets_the_table_only(cast: Cast, browse: Browse) -> None:
    response = browse(cast.mara).get("/systems/?q=beta", headers={"HX-Request": "true"})
    text = response.content.decode()
    assert "<html" not in text
    assert "Beta" in text
    assert "Alpha" not in text
    assert "HX-Request" in response["Vary"]


@pytest.mark.usefixtures("systems")
def test_why_nobody_has_accepted(cast: Cast, browse: Browse) -> None:
    beta = System.objects.get(key="SYS-2")
    nomination = actions.nominate_owner(beta, cast.nils, actor=cast.mara, now=NOW)
    words = {row.system.key: row.why.word for row in browse(cast.mara).get("/systems/?basis=interim").context["rows"]}
    assert words == {"SYS-2": "Nominated", "SYS-4": "Mailbox"}
    actions.decline_ownership(nomination, actor=cast.nils, now=NOW, reason="No")
    words = {row.system.key: row.why.word for row in browse(cast.mara).get("/systems/?basis=interim").context["rows"]}
    assert words["SYS-2"] == "Declined"


@pytest.mark.usefixtures("systems")
def test_the_export_holds_what_is_filtered_and_no_formula(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-5", name='=HYPERLINK("http://evil.example")', tier="low")
    response = browse(cast.mara).get("/systems/export.csv?tier=low&sort=name")
    rows = list(csv.reader(io.StringIO(b"".join(response).decode())))
    assert rows[0][:2] == ["key", "name"]
    assert [row[:2] for row in rows[1:]] == [["SYS-5", '\'=HYPERLINK("http://evil.example")'], ["SYS-2", "Beta"]]
    selected = browse(cast.mara).post("/systems/export.csv", {"system": ["SYS-1", "SYS-4"]})
    assert [row[0] for row in csv.reader(io.StringIO(b"".join(selected).decode()))] == ["key", "SYS-1", "SYS-4"]


@pytest.mark.usefixtures("systems")
def test_a_view_is_saved_shared_and_deleted(cast: Cast, browse: Browse) -> None:
    mara, cleo = browse(cast.mara), browse(cast.cleo)
    body = {"name": "Critical ones", "query": "tier=critical&page=4&evil=1", "shared": "on"}
    response = mara.post("/systems/views/", body)
    assert (response.status_code, response["Location"]) == (302, "/systems/?tier=critical")
    view = SavedView.objects.get()
    assert [tab.label for tab in cleo.get("/systems/").context["tabs"]][-1] == "Critical ones"
    assert mara.post("/systems/views/", body).status_code == 422
    assert mara.post("/systems/views/", {"name": "", "query": "q=x"}).status_code == 422
    assert cleo.post(f"/systems/views/{view.pk}/delete/").status_code == 404
    assert mara.post(f"/systems/views/{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def register(client: Client, **changes: str) -> Any:
    body = {
        "key": "SYS-9",
        "name": "New one",
        "purpose": "",
        "stage": "pilot",
        "tier": "high",
        "regulatory_class": "unknown",
        "operating_model": "unknown",
        **changes,
    }
    return client.post("/systems/register/", body)


def test_registering_makes_nobody_the_owner(cast: Cast, browse: Browse) -> None:
    response = register(browse(cast.cleo), unit=str(cast.claims.pk), kind_0="agent_id", value_0="agent-1")
    assert (response.status_code, response["Location"]) == (302, "/systems/SYS-9/")
    system = System.objects.get(key="SYS-9")
    assert (system.owner, system.owner_basis) == (cast.una, "interim")
    assert list(system.identities.values_list("kind", "value")) == [("agent_id", "agent-1")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": "has space"}, "key"),
        ({"key": "import"}, "key"),
        ({"name": ""}, "name"),
        ({"name": "x" * 501}, "name"),
        ({"stage": "retired"}, "stage"),
        ({"tier": "huge"}, "tier"),
        ({"unit": ""}, "unit"),
        ({"key": "TAKEN"}, "key"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_kept(
    cast: Cast, browse: Browse, changes: dict[str, str], field: str
) -> None:
    a_system(cast, key="TAKEN")
    response = register(browse(cast.mara), **{"unit": str(cast.claims.pk), **changes})
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert "There is a problem" in response.content.decode()
    assert System.objects.count() == 1


def test_an_identity_belongs_to_one_system(cast: Cast, browse: Browse) -> None:
    a_system(cast, identities=[("agent_id", "agent-1")])
    response = register(browse(cast.mara), unit=str(cast.claims.pk), kind_0="agent_id", value_0="agent-1")
    assert response.status_code == 422
    assert "belongs to another system" in response.content.decode()
    assert System.objects.count() == 1


def test_the_owner_edits_less_than_the_mandate(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="SYS-A", owner=cast.ada, tier="low")
    ada = browse(cast.ada)
    form = ada.get("/systems/SYS-A/edit/").context["form"]
    assert "tier" not in form.fields
    body = {"name": "Better name", "stage": "pilot", "operating_model": "iaas", "tier": "critical", "restricted": "on"}
    assert ada.post("/systems/SYS-A/edit/", body).status_code == 302
    system.refresh_from_db()
    assert (system.name, system.tier, system.restricted) == ("Better name", "low", False)


def test_retiring_wants_a_reason(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="SYS-A", owner=cast.ada)
    mara = browse(cast.mara)
    assert mara.post("/systems/SYS-A/retire/", {"reason": " "}).status_code == 422
    assert mara.post("/systems/SYS-A/retire/", {"reason": "Replaced"}).status_code == 302
    system.refresh_from_db()
    assert (system.stage, system.owner) == ("retired", cast.ada)
    assert mara.get("/systems/SYS-A/").status_code == 200


def test_the_matrix_names_a_person_for_each_domain(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-A", owner=cast.ada)
    response = browse(cast.ada).get("/systems/SYS-A/ownership/")
    rows = {row.key: row for row in response.context["page"].grid.rows}
    assert len(rows) == 38
    holders = {key: [cell.who for cell in row.cells if "A" in cell.letters] for key, row in rows.items()}
    assert (holders["stop"], holders["data-leakage"]) == (["Ada Nwosu"], ["Cleo Marchetti"])
    assert (rows["stop"].nobody, rows["cost-attribution"].nobody) == (False, True)
    assert next(cell.letters for cell in rows["attest"].cells if cell.who == "Ada Nwosu") == "AR"


def test_not_there_and_not_yours_are_the_same(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-A", owner=cast.ada)
    dov = browse(cast.dov)
    for part in ("", "ownership/", "trail/", "edit/", "retire/", "nominate/"):
        not_yours, not_there = dov.get(f"/systems/SYS-A/{part}"), dov.get(f"/systems/SYS-B/{part}")
        assert (not_yours.status_code, not_there.status_code) == (404, 404)
        assert "SYS-A" not in not_yours.content.decode()


def test_page_of_a_system(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-A", name="<script>alert(1)</script>", owner=cast.ada)
    response = browse(cast.ada).get(reverse("portal:system", args=["SYS-A"]))
    text = response.content.decode()
    assert "<script>alert" not in text
    assert "Ben Ortega" in text
    met = {check.name: check.met for check in response.context["page"].checks}
    assert met["A person owns it"] is True
    assert met["Cost is acted on"] is None


def test_silence_and_an_old_statement_are_no_yes(cast: Any) -> None:
    from datetime import UTC, date, datetime

    from apps.attestations import actions as attestations
    from apps.attestations.models import Assignment
    from apps.audit.rules import COMMAND
    from apps.portal.queries.system import system_page
    from tests.attestations.signed import assignment_of, sign
    from tests.attestations.world import NOW as OPENED
    from tests.attestations.world import register

    def check(key: str) -> tuple[bool | None, str]:
        system = assignment_of(campaign, key).system
        page = system_page(cast.mara, system, today=date(2026, 12, 20))
        found = next(one for one in page.checks if one.name == "The owner attested")
        return found.met, found.finding

    for key in ("kept", "silent"):
        register(cast, key, owner=cast.ada)
    campaign = attestations.open_campaign("2026Q4", actor=COMMAND, now=OPENED)[0]
    sign(assignment_of(campaign, "kept"), cast.ada, OPENED)
    assert check("kept") == (True, "Signed for Q4 2026")
    attestations.begin_rollup(campaign, actor=COMMAND, now=campaign.closes_at)
    assert check("silent") == (False, "Not attested for Q4 2026")
    Assignment.objects.filter(system__key="kept").update(
        stale_at=datetime(2026, 12, 1, tzinfo=UTC), stale_because=["vendor", "operating_model"]
    )
    assert check("kept") == (False, "Changed since it was signed: vendor, operating model")

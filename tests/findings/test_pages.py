"""The pages of findings: who sees which, what each form does, and what a wrong one says."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.access.actions import issue_token
from apps.common import clock
from apps.findings import actions
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries import open_findings, open_for_system, visible_findings
from apps.findings.queries.rights import rights_over
from apps.people import actions as people
from apps.registry import actions as registry
from tests.cast import Cast
from tests.factories import a_system
from tests.findings.world import a_finding, an_action, done

Browse = Callable[[Any], Client]


def page(finding: Finding, verb: str = "", *args: Any) -> str:
    name = f"findings:{verb}" if verb else "findings:finding"
    return reverse(name, args=[finding.pk, *args])


def now_finding(cast: Cast, **fields: Any) -> Finding:
    return a_finding(cast, now=clock.now(), **fields)


def day(days: int) -> str:
    return (clock.local_date(clock.now()) + timedelta(days=days)).isoformat()


def test_who_sees_which(cast: Cast) -> None:
    system = a_system(cast, owner=cast.nils)
    secret = a_system(cast, owner=cast.nils, restricted=True)
    about = {
        "system": a_finding(cast, system=system),
        "secret": a_finding(cast, system=secret),
        "unit": a_finding(cast, unit=cast.claims),
        "all": a_finding(cast),
    }
    names = {finding.pk: name for name, finding in about.items()}
    seen = {
        who: {names[pk] for pk in visible_findings(getattr(cast, who)).values_list("pk", flat=True)}
        for who in ("mara", "cleo", "eve", "bo", "nils", "una", "dov", "ada", "ivan")
    }
    everything = set(about)
    assert seen == {
        "mara": everything,
        "cleo": everything - {"secret"},
        "eve": everything,
        "bo": everything - {"secret"},
        "nils": {"system", "secret"},
        "una": {"unit"},
        "dov": set(),
        "ada": everything,
        "ivan": set(),
    }
    assert list(open_for_system(system)) == [about["system"]]
    assert len(open_findings(cast.mara)) == 4


def test_the_line_manager_sees_what_came_up_to_them(cast: Cast, browse: Browse) -> None:
    finding = a_finding(cast)
    assert browse(cast.una).get(page(finding)).status_code == 404
    Finding.objects.update(step=2)
    assert browse(cast.una).get(page(finding)).status_code == 200


def test_the_list_says_who_by_when_and_what_next(cast: Cast, browse: Browse) -> None:
    planned = now_finding(cast, title="No deputy for SYS-1.")
    an_action(cast, planned, now=clock.now())
    now_finding(cast, title="Nobody drilled.", person=cast.nils, severity="critical")
    body = browse(cast.mara).get("/findings/?tab=all").content.decode()
    for words in ("No deputy for SYS-1.", "Ada Nwosu", "Test the channel", "Nils Okafor", "Critical", "Test it."):
        assert words in body, words
    mine = browse(cast.ada).get("/findings/").content.decode()
    assert "No deputy for SYS-1." in mine
    assert "Nobody drilled." not in mine


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("severity=critical", {"B"}),
        ("check=reported", {"A", "B", "C"}),
        ("check=R01", set()),
        ("person=nils", {"B"}),
        ("person=nobody", set()),
        ("unit=0", set()),
        ("unit=x&severity=y", {"A", "B", "C"}),
    ],
)
def test_filters(cast: Cast, browse: Browse, query: str, titles: set[str]) -> None:
    now_finding(cast, title="A")
    now_finding(cast, title="B", person=cast.nils, severity="critical")
    now_finding(cast, title="C", unit=cast.claims)
    response = browse(cast.mara).get(f"/findings/?tab=all&{query}")
    assert {row.finding.title for row in response.context["rows"]} == titles
    export = b"".join(browse(cast.mara).get(f"/findings/export.csv?tab=all&{query}")).decode()  # type: ignore[arg-type]
    assert export.count("\n") == len(titles) + 1


def test_the_filter_for_a_unit_takes_those_below(cast: Cast, browse: Browse) -> None:
    now_finding(cast, title="C", unit=cast.claims)
    rows = browse(cast.mara).get(f"/findings/?tab=all&unit={cast.claims.pk}").context["rows"]
    assert [row.finding.title for row in rows] == ["C"]


def test_reporting(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada)
    client = browse(cast.dov)
    wrong = client.post("/findings/report/", {"system": "SYS-NONE", "severity": "high"})
    assert wrong.status_code == 422
    assert "There is no live system with the key SYS-NONE that you may see." in wrong.content.decode()
    assert Finding.objects.count() == 0
    sent = {"title": "It shows names", "remedy": "Mask them", "severity": "high", "system": system.key.lower()}
    response = client.post("/findings/report/", sent)
    finding = Finding.objects.get()
    assert response["Location"] == page(finding)
    assert (finding.person, finding.system, finding.raised_by) == (cast.ada, system, cast.dov)
    assert client.get(page(finding)).status_code == 200, "who reported it sees what becomes of it"
    both = client.post("/findings/report/", sent | {"unit": cast.claims.pk})
    assert (both.status_code, Finding.objects.count()) == (422, 1)
    client.post("/findings/report/", sent | {"system": "", "unit": cast.claims.pk})
    client.post("/findings/report/", sent | {"system": ""})
    assert [one.person for one in Finding.objects.order_by("pk")] == [cast.ada, cast.una, cast.mara]


def test_from_plan_to_closed_in_pages(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    ada, ben = browse(cast.ada), browse(cast.ben)
    assert ben.get(page(finding)).status_code == 404
    missing = ada.post(page(finding, "plan"), {"what": "", "person": "claims@example.org", "due_on": "soon"})
    assert missing.status_code == 422
    words = missing.content.decode()
    for sentence in ("Say what is done about it.", "Write the day like 11 Dec 2026.", "There is a problem"):
        assert sentence in words
    past = ada.post(page(finding, "plan"), {"what": "Test", "person": cast.ben.email, "due_on": day(-1)})
    assert (past.status_code, CorrectiveAction.objects.count()) == (422, 0)
    assert (
        ada.post(page(finding, "plan"), {"what": "Test", "person": "Ben Ortega", "due_on": day(3)}).status_code == 302
    )
    action = CorrectiveAction.objects.get()
    assert ben.get(page(finding)).status_code == 200, "who is asked sees it"
    assert ben.post(page(finding, "finish", action.pk), {"evidence": ""}).status_code == 422
    assert ben.post(page(finding, "finish", action.pk), {"evidence": "Tested"}).status_code == 302
    assert ben.post(page(finding, "verify", action.pk), {"answer": "verify"}).status_code == 403
    assert ada.post(page(finding, "verify", action.pk), {"answer": "reject"}).status_code == 422
    assert ada.post(page(finding, "verify", action.pk), {"answer": "verify"}).status_code == 302
    finding.refresh_from_db()
    assert finding.state == "closed"
    body = ada.get(page(finding)).content.decode()
    for sentence in ("Put right and verified", "Tested", "verified an action", "Open it again"):
        assert sentence in body
    assert ada.post(page(finding, "reopen"), {"reason": ""}).status_code == 422
    assert ada.post(page(finding, "reopen"), {"reason": "Silent"}).status_code == 302
    finding.refresh_from_db()
    assert finding.state == "in_progress"
    assert "close" not in ada.get(page(finding)).context["forms"]
    assert ada.post(page(finding, "close")).status_code in {403, 422}
    finding.refresh_from_db()
    assert (finding.state, finding.closed_because) == ("in_progress", "")


def test_who_stands_in_opens_what_home_names(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast, person=cast.nils)
    dov = browse(cast.dov)
    assert dov.get(page(finding)).status_code == 404
    today = clock.local_date(clock.now())
    absence = registry.record_absence(
        cast.nils, starts_on=today, ends_on=today, delegate=cast.dov, actor=cast.nils, now=clock.now()
    )
    home = dov.get("/").content.decode()
    assert "You act for Nils Okafor." in home
    assert page(finding) in home
    assert dov.get(page(finding)).status_code == 200
    assert finding.title in dov.get("/findings/?tab=mine").content.decode()
    registry.cancel_absence(absence, actor=cast.nils, now=clock.now())
    assert dov.get(page(finding)).status_code == 404


def test_accepting_in_pages(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    sent = {"reason": "Small", "until": day(30)}
    refused = browse(cast.cleo).post(page(finding, "accept"), sent)
    assert refused.status_code == 403
    assert "the holder of the mandate" in refused.content.decode()
    mara = browse(cast.mara)
    assert mara.post(page(finding, "accept"), sent | {"until": day(400)}).status_code == 422
    assert mara.post(page(finding, "accept"), sent).status_code == 302
    finding.refresh_from_db()
    assert finding.state == "accepted"
    assert "accepted the risk until" in mara.get(page(finding)).content.decode()
    assert browse(cast.ada).get("/findings/?tab=accepted").context["rows"][0].finding == finding
    assert mara.post(page(finding, "withdraw"), {"reason": ""}).status_code == 422
    assert mara.post(page(finding, "withdraw"), {"reason": "It happened"}).status_code == 302
    finding.refresh_from_db()
    assert finding.state == "open"


def test_who_only_reads_changes_nothing(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    action = done(cast, finding, now=clock.now())
    before = list(Finding.objects.values())
    for reader in (cast.eve, cast.bo):
        client = browse(reader)
        assert client.get(page(finding)).status_code == 200
        for verb in ("assign", "plan", "accept", "withdraw", "reopen", "close"):
            assert client.post(page(finding, verb), {"reason": "x"}).status_code == 403, verb
        for verb in ("finish", "verify"):
            assert client.post(page(finding, verb, action.pk), {"answer": "verify"}).status_code == 403, verb
    for verb in ("assign", "plan", "accept", "withdraw", "reopen", "close"):
        assert browse(cast.dov).post(page(finding, verb), {"reason": "x"}).status_code == 404, verb
    assert list(Finding.objects.values()) == before


def test_whom_it_concerns_does_not_withdraw_the_acceptance(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    assert rights_over(finding.person, finding).manages
    assert not rights_over(finding.person, finding).may_withdraw
    assert browse(finding.person).post(page(finding, "withdraw"), {"reason": "x"}).status_code == 403


def test_an_action_of_another_finding_is_not_there(cast: Cast, browse: Browse) -> None:
    action = done(cast, now_finding(cast), now=clock.now())
    other = now_finding(cast)
    assert browse(cast.mara).post(page(other, "verify", action.pk), {"answer": "verify"}).status_code == 404
    assert browse(cast.mara).get(f"/findings/{2**70}/").status_code == 404


def test_assigning_away_leads_to_what_one_still_sees(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    response = browse(cast.ada).post(page(finding, "assign"), {"person": "nils@example.org", "reason": ""})
    assert response["Location"] == "/findings/"


def test_home_says_what_to_put_right_do_and_verify(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast)
    done(cast, now_finding(cast, title="Second"), now=clock.now())
    an_action(cast, finding, now=clock.now())
    ada = browse(cast.ada).get("/").content.decode()
    for words in ("Put right: The channel is not tested.", "Verify: Second", "Ben Ortega says that it is done."):
        assert words in ada, words
    assert "Do: Test the channel" in browse(cast.ben).get("/").content.decode()
    for number in range(6):
        now_finding(cast, title=f"Number {number}")
    assert "Put 8 findings right" in browse(cast.ada).get("/").content.decode()


def test_the_systems_page_and_the_board_show_them(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada)
    now_finding(cast, system=system)
    assert "The channel is not tested." in browse(cast.ada).get(f"/systems/{system.key}/").content.decode()
    assert "Findings overdue for more than 10 days" not in browse(cast.bo).get("/readiness/").content.decode()
    Finding.objects.update(due_on=date(2026, 1, 5))
    board = browse(cast.bo).get("/readiness/").content.decode()
    assert "Findings overdue for more than 10 days" in board
    assert "The channel is not tested." in board
    menu = browse(cast.mara).get("/").content.decode()
    assert '<span class="hidden-visually"> overdue</span>' in menu


def test_the_api(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    about, other = now_finding(cast, system=system), now_finding(cast, severity="critical")
    done(cast, about, now=clock.now())
    _, secret = issue_token(cast.mara, name="Test", scopes=["read"], actor=cast.mara, now=clock.now())
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    rows = client.get("/api/v1/findings/").json()["results"]
    assert [row["id"] for row in rows] == [about.pk, other.pk]
    assert (rows[0]["system"], rows[0]["check_name"], rows[0]["person"]["name"]) == (
        system.key,
        "reported",
        "Ada Nwosu",
    )
    assert [row["id"] for row in client.get("/api/v1/findings/?severity=critical").json()["results"]] == [other.pk]
    assert [row["id"] for row in client.get(f"/api/v1/findings/?system={system.key}").json()["results"]] == [about.pk]
    assert client.get("/api/v1/findings/?overdue=true").json()["results"] == []
    assert client.get("/api/v1/findings/?wrong=1").status_code == 400
    one = client.get(f"/api/v1/findings/{about.pk}/").json()
    assert (one["state"], one["actions"][0]["verifier"]["name"]) == ("to_verify", "Ada Nwosu")
    _, dovs = issue_token(cast.dov, name="Test", scopes=["read"], actor=cast.dov, now=clock.now())
    stranger = Client(headers={"Authorization": f"Bearer {dovs}"})
    assert stranger.get("/api/v1/findings/").json()["results"] == []
    assert stranger.get(f"/api/v1/findings/{about.pk}/").status_code == 404


def test_the_board_chair_accepts_a_grave_risk(cast: Cast, browse: Browse) -> None:
    finding = now_finding(cast, severity="critical")
    people.seat_person("board", cast.bo, actor=cast.mara, now=clock.now())
    sent = {"reason": "Until the vendor moves", "until": day(60)}
    refused = browse(cast.mara).post(page(finding, "accept"), sent)
    assert refused.status_code == 403
    assert "Bo Herrera" in refused.content.decode()
    assert browse(cast.bo).post(page(finding, "accept"), sent).status_code == 302
    actions.sweep_registry(now=clock.now(), sources={})
    finding.refresh_from_db()
    assert finding.state == "accepted"


def test_the_trail_hides_what_is_found_about_a_hidden_system(cast: Cast, browse: Browse) -> None:
    now_finding(cast, system=a_system(cast, owner=cast.nils, restricted=True), title="The secret one fails.")
    now_finding(cast, title="The open one fails.")
    shown = {who: browse(getattr(cast, who)).get("/trail/").content.decode() for who in ("cleo", "mara")}
    assert "The open one fails." in shown["cleo"]
    assert "The secret one fails." not in shown["cleo"]
    assert "The secret one fails." in shown["mara"]

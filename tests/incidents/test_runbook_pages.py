"""Pages of runbooks and of the steps of an incident, without script."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.incidents.actions import runbooks as verbs
from apps.incidents.actions import steps as working
from apps.incidents.forms.runbooks import StepRows, moved
from apps.incidents.models import Runbook, RunbookVersion
from apps.incidents.queries.runbooks import draft_of, published, revision_of, steps_of
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.steps_world import CONTAIN, FREEZE, RESTART, STEPS, TELL, a_draft, a_runbook, an_incident, step

pytestmark = pytest.mark.django_db
Browse = Callable[[Any], Client]
LIST = "/incidents/runbooks/"
PAGE = f"{LIST}data-access/"


def text_of(response: Any) -> str:
    """What stands on the page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def sent(version: RunbookVersion, **changes: Any) -> dict[str, Any]:
    """The editor's form as a browser sends it."""
    version = RunbookVersion.objects.get(pk=version.pk)
    data: dict[str, Any] = {"read": revision_of(version), "note": version.note}
    rows = StepRows.of(steps_of(version))
    for place, row in enumerate(rows):
        data |= {f"s{place}-{name}": value for name, value in row.items() if value not in (False, None)}
    return data | {"count": len(rows), "do": "save"} | changes


def titles(key: str = "data-access") -> list[str]:
    draft = draft_of(Runbook.objects.get(key=key))
    return [one.title for one in steps_of(draft)] if draft else []


def test_the_list_says_what_for_who_and_when(cast: Cast, browse: Browse) -> None:
    runbook = a_runbook(
        "Of the claims agent", system=a_system(cast, owner=cast.ada, name="Claims agent"), owner=cast.nils
    )
    a_draft(cast, "complaint")
    Runbook.objects.filter(pk=runbook.pk).update(review_due=None)
    body = text_of(browse(cast.ada).get(LIST))
    assert "Of the claims agent Version 1, 6 steps Claims agent It accessed data" in body
    assert "It accessed data that it should not Version 1, 10 steps The organisation It accessed data" in body
    assert "Nils Okafor" in body
    assert "Draft" in body
    assert "Of the claims agent" not in text_of(browse(cast.dov).get(LIST))
    found = text_of(browse(cast.ada).get(LIST, {"q": "claims agent", "scenario": "data-access"}))
    assert "Of the claims agent" in found
    assert "It accessed data that it should not" not in found
    assert "No runbook like this" in text_of(browse(cast.ada).get(LIST, {"q": "zzz"}))
    assert "not sure what" in text_of(browse(cast.ada).get(LIST, {"scenario": "none"}))


def test_the_list_costs_the_same_with_more(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    client.get(LIST)
    counts = []
    for more in ("few", "many"):
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        counts.append(len(captured))
        for number in range(12):
            a_runbook(f"Runbook {more} {number}", system=a_system(cast), owner=cast.nils)
    assert counts[0] == counts[1]


def test_one_page_says_the_steps_in_words(cast: Cast, browse: Browse) -> None:
    body = text_of(browse(cast.dov).get(PAGE))
    said = (
        "Nobody yet", "Cut off its access without deleting anything", "within 15 min", "Contains the incident",
        "Freezes the evidence", "General Counsel agrees first", "Two people", "Owner of the system",
    )  # fmt: skip
    for words in said:
        assert words in body, words
    assert "Start the next version" not in body
    assert "Start the next version" in text_of(browse(cast.mara).get(PAGE))
    assert browse(cast.dov).get(f"{LIST}not-there/").status_code == 404


def test_a_runbook_of_a_system_one_may_not_open_is_not_there(cast: Cast, browse: Browse) -> None:
    a_runbook("Own", system=a_system(cast, owner=cast.ada))
    for path in ("", "edit/", "publish/", "discard/", "review/", "owner/", "retire/", "versions/1/"):
        assert browse(cast.dov).get(f"{LIST}own/{path}").status_code == 404, path
    assert browse(cast.ada).get(f"{LIST}own/").status_code == 200


@pytest.mark.parametrize("path", ["edit/", "publish/", "discard/", "review/", "owner/", "retire/"])
def test_who_does_not_keep_it_changes_nothing(cast: Cast, browse: Browse, path: str) -> None:
    draft = a_draft(cast)
    for person in (cast.dov, cast.ada, cast.eve, cast.bo):
        response = browse(person).post(PAGE + path, {"do": "start", "note": "x", "reason": "x", "owner": person.email})
        assert response.status_code == 403
        assert "only its owner" in text_of(response)
    assert (draft_of(Runbook.objects.get(key="data-access")), published(draft.runbook).number) == (draft, 1)  # type: ignore[union-attr]


def test_the_next_version_is_written_without_script(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    assert client.post(f"{PAGE}edit/", {"do": "start"})["Location"] == f"{PAGE}edit/"
    draft = draft_of(Runbook.objects.get(key="data-access"))
    assert draft is not None
    before = titles()
    assert client.get(f"{PAGE}edit/").status_code == 200
    response = client.post(f"{PAGE}edit/", sent(draft, do="down-1"))
    assert (response.status_code, response["Location"]) == (302, f"{PAGE}edit/#step-2")
    assert titles() == [before[1], before[0], *before[2:]]
    client.post(f"{PAGE}edit/", sent(draft, do="up-2"))
    assert titles() == before
    client.post(f"{PAGE}edit/", sent(draft, do="remove-10"))
    assert titles() == before[:9]
    client.post(f"{PAGE}edit/", sent(draft, **{"s0-title": "Cut it off", "note": "Shorter"}))
    draft.refresh_from_db()
    assert (titles()[0], draft.note) == ("Cut it off", "Shorter")


def test_a_step_that_is_added_waits_for_its_words(cast: Cast, browse: Browse) -> None:
    draft, client = a_draft(cast, steps=STEPS), browse(cast.mara)
    response = client.post(f"{PAGE}edit/", sent(draft, do="add-2", note="Kept"))
    body = response.content.decode()
    assert response.status_code == 200
    assert "Not saved yet" in body
    assert 'value="7"' in body
    assert "Kept" in body
    assert titles() == [one.title for one in STEPS]
    data = sent(
        draft, count=7, **{"s6-title": "Insurer", "s6-instruction": "Call", "s6-phase": "tell", "s6-role": "lead"}
    )
    assert client.post(f"{PAGE}edit/", data).status_code == 302
    assert titles()[-1] == "Insurer"


def test_a_failed_form_says_where(cast: Cast, browse: Browse) -> None:
    draft = a_draft(cast, steps=STEPS)
    response = browse(cast.mara).post(
        f"{PAGE}edit/", sent(draft, **{"s1-title": "", "s2-target_minutes": "soon", "s3-role": "cfo"})
    )
    body = text_of(response)
    assert response.status_code == 422
    assert "Step 2: Give the step a title." in body
    assert "Step 3: Give the minutes as a whole number, or nothing." in body
    assert titles() == [one.title for one in STEPS]


def test_who_saves_an_old_draft_keeps_what_they_typed(cast: Cast, browse: Browse) -> None:
    draft = a_draft(cast, steps=STEPS)
    response = browse(cast.cleo).post(f"{PAGE}edit/", sent(draft, read="x", **{"s0-title": "Mine"}))
    assert response.status_code == 409
    assert "Somebody saved this draft after you opened it" in text_of(response)
    assert 'value="Mine"' in response.content.decode()
    assert titles()[0] == "Stop it"


def test_publishing_shows_faults_and_changes_first(cast: Cast, browse: Browse) -> None:
    draft, client = a_draft(cast, steps=[CONTAIN, RESTART, FREEZE]), browse(cast.mara)
    body = text_of(client.get(f"{PAGE}publish/"))
    assert "Step 2 : It changes the system before the evidence is frozen." in body
    assert "Move it below step 3" in body
    assert "No step tells anybody." in body
    assert client.post(f"{PAGE}publish/", {"read": revision_of(draft)}).status_code == 422
    verbs.change_runbook_draft(
        draft, steps=[CONTAIN, FREEZE, TELL], note="", read=revision_of(draft), actor=cast.mara, now=NOW
    )
    page = client.get(f"{PAGE}publish/")
    assert "Nothing is in the way." in text_of(page)
    assert "Removed" in text_of(page)
    assert client.post(f"{PAGE}publish/", {"read": "x"}).status_code == 409
    draft.refresh_from_db()
    assert client.post(f"{PAGE}publish/", {"read": revision_of(draft)})["Location"] == PAGE
    assert published(draft.runbook).number == 2  # type: ignore[union-attr]
    assert "Version 2, in use since" in text_of(client.get(PAGE))


def test_versions_are_compared(cast: Cast, browse: Browse) -> None:
    steps = steps_of(published(Runbook.objects.get(key="data-access")))  # type: ignore[arg-type]
    draft = a_draft(cast, steps=[*steps[1:], TELL])
    client = browse(cast.dov)
    body = text_of(client.get(f"{PAGE}versions/{draft.number}/"))
    assert "A draft: no incident begins with it" in body
    assert "Since version 1." in body
    assert "Added Tell the CISO now step 10" in body
    assert "Removed Cut off its access without deleting anything was step 1" in body
    assert "What it changed" not in text_of(client.get(f"{PAGE}versions/1/"))
    assert "Since version 2." in text_of(client.get(f"{PAGE}versions/1/?since=2"))
    assert client.get(f"{PAGE}versions/9/").status_code == 404
    assert client.get(f"{PAGE}versions/1/?since=x").status_code == 200


def test_reviewing_owning_retiring_discarding(cast: Cast, browse: Browse) -> None:
    client, runbook = browse(cast.mara), Runbook.objects.get(key="complaint")
    page = f"{LIST}complaint/"
    assert client.post(f"{page}review/", {"note": ""}).status_code == 422
    assert client.post(f"{page}review/", {"note": "Read it"}).status_code == 302
    assert client.post(f"{page}owner/", {"owner": "claims@example.org"}).status_code == 422
    assert client.post(f"{page}owner/", {"owner": "nils@example.org"}).status_code == 302
    runbook.refresh_from_db()
    assert (runbook.reviewed_by, runbook.owner) == (cast.mara, cast.nils)
    verbs.draft_runbook(runbook, actor=cast.nils, now=NOW)
    assert client.post(f"{page}retire/", {"reason": "x"}).status_code == 422
    assert "Discard version 2?" in text_of(client.get(f"{page}discard/"))
    assert client.post(f"{page}discard/")["Location"] == LIST
    assert client.get(f"{page}discard/")["Location"] == page
    assert client.post(f"{page}retire/", {"reason": "As not sure"}).status_code == 302
    assert "Retired on" in text_of(client.get(page))


def test_a_new_one_is_begun(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, owner=cast.ada)
    data = {"title": "Claims data", "scenario": "data-access", "system": system.key}
    assert browse(cast.dov).post(f"{LIST}new/", data).status_code == 403
    client = browse(cast.ada)
    assert "Give it a title." in text_of(client.post(f"{LIST}new/", {}))
    both = client.post(f"{LIST}new/", data | {"operating_model": "iaas"})
    assert "one of them" in text_of(both)
    assert client.post(f"{LIST}new/", data | {"system": "SYS-NONE"}).status_code == 422
    assert "only who manages incidents" in text_of(client.post(f"{LIST}new/", data | {"system": ""})).lower()
    assert client.post(f"{LIST}new/", data)["Location"] == f"{LIST}claims-data/edit/"
    again = client.post(f"{LIST}new/", data)
    assert again.status_code == 422
    assert "There is a runbook for this scenario and scope already" in text_of(again)


def test_rows_move() -> None:
    rows = [{"title": name} for name in "abc"]

    def order(what: str) -> tuple[str, int] | None:
        found = moved(rows, what)
        return ("".join(str(row["title"] or "-") for row in found[0]), found[1]) if found else None

    assert [order(what) for what in ("up-2", "down-2", "up-1", "down-3", "remove-2", "add-0", "add-3")] == [
        ("bac", 1), ("acb", 3), ("abc", 1), ("abc", 3), ("ac", 1), ("-abc", 1), ("abc-", 4),
    ]  # fmt: skip
    assert [order(what) for what in ("up-9", "up-", "save", "fly-1", "up-x", "remove-0", "")] == [None] * 7


# -- the steps of an incident


def test_a_step_is_worked_on_from_its_page(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    path, client = f"{incident.path}steps/1/", browse(cast.ben)
    body = text_of(client.get(path))
    assert "Stop it" in body
    assert "Ada Nwosu" in body
    assert client.post(path, {"do": "finish", "seen": "todo", "evidence": ""}).status_code == 422
    response = client.post(path, {"do": "start", "seen": "todo"})
    assert (response.status_code, response["Location"]) == (302, f"{incident.path}#step-1")
    late = client.post(path, {"do": "finish", "seen": "todo", "evidence": "What I typed"})
    assert late.status_code == 409
    assert "Somebody worked on step 1 meanwhile" in text_of(late)
    assert "What I typed" in late.content.decode()
    assert client.post(path, {"do": "finish", "seen": "doing", "evidence": "Rule 7"}).status_code == 302
    assert (step(incident, 1).state, step(incident, 1).done_by) == ("done", cast.ben)
    assert client.post(path, {"do": "fly"}).status_code == 422
    assert client.get(f"{incident.path}steps/99/").status_code == 404


def test_who_reads_an_incident_and_takes_no_part_changes_nothing(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    path = f"{incident.path}steps/3/"
    for person, expected in ((cast.eve, 403), (cast.bo, 403), (cast.nils, 404)):
        for do in ("start", "finish", "skip", "block", "agree"):
            response = browse(person).post(path, {"do": do, "evidence": "x", "reason": "x"})
            assert response.status_code == expected, (person.display_name, do)
    assert step(incident, 3).state == "todo"
    assert "Mark done" not in text_of(browse(cast.eve).get(path))


def test_the_general_counsel_agrees_from_the_page(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    path = f"{incident.path}steps/5/"
    assert "Your agreement" in text_of(browse(cast.lea).get(path))
    assert "Your agreement" not in text_of(browse(cast.ada).get(path))
    assert browse(cast.ada).post(path, {"do": "agree"}).status_code == 403
    assert browse(cast.lea).post(path, {"do": "agree", "note": "Go"}).status_code == 302
    assert step(incident, 5).agreed_by == cast.lea


def test_the_freeze_is_waived_from_its_page(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    path = f"{incident.path}evidence-waiver/"
    assert browse(cast.ada).get(path).status_code == 403
    assert browse(cast.nils).get(path).status_code == 404
    assert browse(cast.cleo).post(path, {"reason": ""}).status_code == 422
    assert browse(cast.cleo).post(path, {"reason": "Danger"}).status_code == 302
    assert browse(cast.cleo).get(path).status_code == 403
    incident.refresh_from_db()
    assert incident.freeze_waived_by == cast.cleo


def test_steps_are_added_from_the_page(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    path = f"{incident.path}steps/"
    assert browse(cast.eve).post(path, {"scenario": "data-access"}).status_code == 403
    assert browse(cast.ada).post(path, {"scenario": "fire"}).status_code == 404
    assert browse(cast.ada).post(path, {"scenario": "data-access"}).status_code == 302
    assert incident.steps.count() > 6
    assert browse(cast.ada).get(path).status_code == 405


def test_text_of_others_is_text(cast: Cast, browse: Browse) -> None:
    incident = an_incident(cast)
    working.finish_step(step(incident, 4), evidence="<script>alert(1)</script>", actor=cast.ada, now=NOW)
    body = browse(cast.ada).get(f"{incident.path}steps/4/").content.decode()
    assert "&lt;script&gt;alert(1)" in body
    assert "<script>alert" not in body

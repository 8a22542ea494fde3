"""The list, the page of one incident, what can be done there, the bar above every page."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.common import clock
from apps.incidents.actions.declare import declare
from apps.incidents.actions.files import add_file
from apps.incidents.actions.leads import ask_handover, take_lead
from apps.incidents.actions.states import classify, dismiss
from apps.incidents.actions.timeline import add_note, set_task
from apps.incidents.models import Incident, IncidentTask, LeadHandover, TimelineEntry
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.page import live_on, needing
from apps.notify.models import Message
from tests.factories import a_system
from tests.incidents.world import settle

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
TITLE = "It read letters of others"
pytestmark = pytest.mark.django_db


def declared(cast: Any, **more: Any) -> Incident:
    """Declared by Dov about a system of Ada's; Ada leads where nothing else is said."""
    system = more.pop("system", None) or a_system(cast, owner=cast.ada, name="Claims Adjudication Agent")
    settle()
    values = {"title": TITLE, "actor": cast.dov, "now": NOW} | more
    return declare(system=system, **values)


def active(cast: Any) -> Incident:
    """Ada took it, and it is severe."""
    incident = take_lead(declared(cast), cast.ada, actor=cast.ada, now=NOW)
    return classify(incident, "sev2", reason="61 people", actor=cast.ada, now=NOW)


def does(incident: Incident, verb: str) -> str:
    """The address of one thing that can be done."""
    return f"{incident.path}do/{verb}/"


def everything(incident: Incident) -> tuple[int, int, int, int]:
    """What a refusal must leave as it is: version, lines, events, messages."""
    incident.refresh_from_db()
    return (
        incident.version,
        incident.timeline.count(),
        AuditEvent.objects.count(),
        Message.objects.count(),
    )


def test_what_is_live_comes_first(cast: Any, browse: Any) -> None:
    over = dismiss(declared(cast, title="It was slow"), because="benign", note="No", actor=cast.mara, now=NOW)
    live = declared(cast, now=NOW - timedelta(days=1))
    declared(cast, title="A try", mode="test", actor=cast.mara)

    page = browse(cast.mara).get("/incidents/").content.decode()

    assert page.index(live.title) < page.index(over.title)
    assert "A try" not in page
    assert "1 live incident." in page
    rehearsed = browse(cast.mara).get("/incidents/?series=rehearsed").content.decode()
    assert "A try" in rehearsed
    assert live.title not in re.sub(r"<aside class=\"live-bars\".*?</aside>", "", rehearsed)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=live", ["One", "Two"]),
        ("state=over", ["Three"]),
        ("state=dismissed", ["Three"]),
        ("severity=sev1", ["Two"]),
        ("scenario=cost-spike", ["Two"]),
        ("scenario=none", ["One", "Three"]),
        ("system=SYS-ONE", ["One"]),
        ("q=two", ["Two"]),
        ("q=Zebra agent", ["One"]),
        ("q=nothing-there", []),
        ("state=bogus", ["One", "Two", "Three"]),
    ],
)
def test_filters(cast: Any, browse: Any, query: str, found: list[str]) -> None:
    one = a_system(cast, key="SYS-ONE", name="Zebra agent", owner=cast.ada)
    declared(cast, title="Case One", system=one)
    declared(cast, title="Case Two", severity="sev1", scenario="cost-spike")
    dismiss(declared(cast, title="Case Three"), because="benign", note="No", actor=cast.mara, now=NOW)

    page = browse(cast.mara).get(f"/incidents/?{query}").content.decode()
    lines = b"".join(browse(cast.mara).get(f"/incidents/export.csv?{query}").streaming_content).decode()

    assert {name for name in ("One", "Two", "Three") if f"Case {name}</a>" in page} == set(found)
    assert {name for name in ("One", "Two", "Three") if f"Case {name}" in lines} == set(found)


def test_nothing_in_the_csv_is_a_formula(cast: Any, browse: Any) -> None:
    declared(cast, title="=HYPERLINK(1)")
    body = b"".join(browse(cast.mara).get("/incidents/export.csv").streaming_content).decode()
    assert '"\'=HYPERLINK(1)"' in body


def test_an_empty_list_says_when_the_last_one_closed(cast: Any, browse: Any) -> None:
    page = browse(cast.mara).get("/incidents/").content.decode()
    assert "No live incident." in page
    assert "No incident yet" in page


def test_25_a_page(cast: Any, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    for number in range(26):
        declared(cast, title=f"Case {number}", system=system)
    client = browse(cast.mara)
    assert client.get("/incidents/").content.decode().count('scope="row"') == 25
    assert client.get("/incidents/?page=2").content.decode().count('scope="row"') == 1


def test_the_bar_is_on_every_page_for_who_may_see_it(cast: Any, browse: Any) -> None:
    incident = declared(cast)
    for path in ("/", "/systems/", "/profile/"):
        assert f"{incident.code} Claims Adjudication Agent" in browse(cast.ada).get(path).content.decode()
    assert "live-bar" not in browse(cast.nils).get("/").content.decode()
    assert "1 live" in browse(cast.mara).get("/").content.decode()


def test_a_drill_or_test_is_never_in_the_red_bar(cast: Any, browse: Any) -> None:
    declared(cast, mode="test", actor=cast.mara)
    page = browse(cast.mara).get("/").content.decode()
    assert "1 live" not in page
    assert "<strong>Live</strong>" not in page


def test_a_restricted_one_is_in_nobody_elses_bar(cast: Any, browse: Any) -> None:
    incident = declared(cast, visibility="restricted", actor=cast.cleo)
    assert incident.code not in browse(cast.bo).get("/").content.decode()
    assert browse(cast.bo).get(incident.path).status_code == 404
    assert browse(cast.ada).get(incident.path).status_code == 200


def test_no_live_incident_costs_one_statement(cast: Any, browse: Any) -> None:
    client = browse(cast.dov)
    client.get("/keys/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/keys/")
    assert sum("incidents_incident" in query["sql"] for query in captured) == 1


def test_who_answers_stands_on_the_page(cast: Any, browse: Any) -> None:
    incident = declared(cast)
    page = browse(cast.ada).get(incident.path).content.decode()
    assert "is called, has not answered yet" in page
    assert "+49 30 5550 0142" in page
    assert "You lead the response. Do you take it?" in page

    response = browse(cast.ada).post(does(incident, "take"), {"version": incident.version})

    assert response["Location"] == incident.path
    incident.refresh_from_db()
    assert incident.lead_accepted_at is not None
    assert "took it at" in browse(cast.ada).get(incident.path).content.decode()


def test_a_poll_brings_regions_and_no_page(cast: Any, browse: Any) -> None:
    incident = active(cast)
    body = browse(cast.ada).get(incident.path, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in body
    assert 'id="live-poll"' in body
    for region in ("live-head", "live-strip", "live-cards", "live-lines", "live-calls", "live-tasks", "live-files"):
        assert re.search(rf'id="{region}"[^>]* hx-swap-oob="true"', body), region
    assert "<textarea" not in body


def test_what_is_over_is_not_polled(cast: Any, browse: Any) -> None:
    incident = dismiss(declared(cast), because="false_positive", note="No", actor=cast.mara, now=NOW)
    page = browse(cast.mara).get(incident.path).content.decode()
    assert "every 15s" not in page
    assert "It was none: false positive." in page


def test_a_note_a_decision_and_a_correction(cast: Any, browse: Any) -> None:
    incident = active(cast)
    client = browse(cast.ada)
    client.post(does(incident, "note"), {"text": "The gateway is paused", "at": "00:00"})
    client.post(does(incident, "note"), {"text": "By hand until restart", "is_decision": "on"})
    note, decision = TimelineEntry.objects.filter(person=cast.ada, kind__in=["note", "decision"]).order_by("pk")[1:]
    assert (note.kind, decision.kind) == ("note", "decision")
    assert note.at < note.written_at

    answer = client.post(f"{incident.path}timeline/{note.pk}/correct/", {"text": "Only the first gateway"})

    assert answer.status_code == 302
    assert TimelineEntry.objects.get(corrects=note).text == "Only the first gateway"
    note.refresh_from_db()
    assert note.text == "The gateway is paused"
    assert "<del><p>The gateway is paused</p></del>" in client.get(incident.path).content.decode().replace(
        "<del>The gateway is paused</del>", "<del><p>The gateway is paused</p></del>"
    )


def test_a_time_that_is_ahead_is_refused_and_what_was_typed_stays(cast: Any, browse: Any) -> None:
    incident = active(cast)
    before = everything(incident)
    answer = browse(cast.ada).post(does(incident, "note"), {"text": "Typed words", "at": "17 Nov 2099, 09:14"})
    assert answer.status_code == 422
    assert "Typed words" in answer.content.decode()
    assert everything(incident) == before


def test_somebody_was_there_first(cast: Any, browse: Any) -> None:
    incident = active(cast)
    seen = incident.version
    classify(incident, "sev1", reason="Many more", actor=cast.mara, now=NOW)
    before = everything(incident)

    answer = browse(cast.ada).post(
        does(incident, "classify"), {"version": seen, "severity": "sev3", "reason": "Only 3 people"}
    )

    body = answer.content.decode()
    assert answer.status_code == 409
    assert "Only 3 people" in body
    assert everything(incident) == before
    version = re.search(r'name="version" value="(\d+)"', body)
    assert version is not None
    assert int(version[1]) == incident.version
    again = browse(cast.ada).post(
        does(incident, "classify"), {"version": version[1], "severity": "sev3", "reason": "Only 3 people"}
    )
    assert again.status_code == 302
    incident.refresh_from_db()
    assert incident.severity == "sev3"


VERBS = {
    "take": {}, "decline": {"reason": "x"}, "hand-over": {"person": "ben@example.org", "briefing": "x"},
    "relieve": {"person": "ben@example.org", "reason": "x"}, "classify": {"severity": "sev1", "reason": "x"},
    "contain": {"note": "x"}, "resolve": {"resolution": "x"}, "close": {}, "merge": {"into": "INC-0001"},
    "change": {"title": "Other", "visibility": "open"}, "note": {"text": "x"}, "update": {"text": "x"},
    "task": {"what": "x", "person": "ben@example.org"}, "bring-in": {"why": "x", "person": "ben@example.org"},
    "renew": {}, "take-for": {"person": "ben@example.org"}, "snooze": {"minutes": "60", "reason": "x"},
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_who_only_reads_changes_nothing(cast: Any, browse: Any, verb: str) -> None:
    """The board and the auditor see it, and do nothing; the refusal names who may. Others do not see it at all."""
    incident = active(cast)
    before = everything(incident)
    for reader in (cast.bo, cast.eve):
        answer = browse(reader).post(does(incident, verb), VERBS[verb])
        assert answer.status_code == 403
        assert "may" in answer.content.decode()
    assert browse(cast.nils).post(does(incident, verb), VERBS[verb]).status_code == 404
    assert everything(incident) == before


def test_who_declared_it_writes_but_does_not_run_it(cast: Any, browse: Any) -> None:
    incident = active(cast)
    client = browse(cast.dov)
    assert client.post(does(incident, "note"), {"text": "It began at 08:20"}).status_code == 302
    for verb in ("classify", "contain", "merge", "change", "relieve"):
        assert client.post(does(incident, verb), VERBS[verb]).status_code == 403, verb
    incident.refresh_from_db()
    assert incident.severity == "sev2"


def test_a_system_that_is_known_is_not_forgotten(cast: Any, browse: Any) -> None:
    """The field was emptied: nothing would come of it, and the page says so instead of saving the rest."""
    system = a_system(cast, key="SYS-0117", owner=cast.ada)
    incident = declared(cast, system=system)
    before = everything(incident)
    told = {"title": "Other", "visibility": "open", "system": "", "scenario": ""}
    answer = browse(cast.ada).post(does(incident, "change"), told)
    assert answer.status_code == 422
    assert "It stays about a system. Give the key of the right one; it is SYS-0117 now." in answer.content.decode()
    assert everything(incident) == before


def test_who_only_reads_is_told_who_may(cast: Any, browse: Any) -> None:
    incident = active(cast)
    page = browse(cast.bo).get(incident.path).content.decode()
    assert "You may read this. Ada Nwosu leads the response." in page
    assert "note-form" in page
    assert "<textarea" not in page.split("note-form")[1].split("</section>")[0]


def test_a_state_that_passed_leads_back(cast: Any, browse: Any) -> None:
    incident = active(cast)
    assert browse(cast.ada).get(does(incident, "close"))["Location"] == incident.path
    assert browse(cast.ada).post(does(incident, "close"), {}).status_code == 422
    assert browse(cast.ada).get(does(incident, "bogus")).status_code == 404


def test_a_handover_is_asked_and_taken(cast: Any, browse: Any) -> None:
    incident = active(cast)
    told = {"person": "nils@example.org", "briefing": "All agents are paused"}
    assert browse(cast.ada).post(does(incident, "hand-over"), told).status_code == 302
    page = browse(cast.nils).get(incident.path).content.decode()
    assert "Ada Nwosu asks you to take over" in page
    assert "All agents are paused" in page
    assert browse(cast.cleo).post(does(incident, "take-over"), {}).status_code == 403

    assert browse(cast.nils).post(does(incident, "take-over"), {}).status_code == 302

    incident.refresh_from_db()
    assert incident.lead == cast.nils
    assert LeadHandover.objects.get().state == "taken"


def test_a_handover_is_declined_with_a_reason(cast: Any, browse: Any) -> None:
    incident = active(cast)
    ask_handover(incident, cast.nils, briefing="x", actor=cast.ada, now=NOW)
    client = browse(cast.nils)
    assert client.post(does(incident, "not-over"), {"reason": ""}).status_code == 422
    assert client.post(does(incident, "not-over"), {"reason": "On a train"}).status_code == 302
    incident.refresh_from_db()
    assert incident.lead == cast.ada


def test_a_task_is_set_and_done(cast: Any, browse: Any) -> None:
    incident = active(cast)
    what = {"what": "List the claimants", "person": "nils@example.org", "due_at": "60"}
    assert browse(cast.ada).post(does(incident, "task"), what).status_code == 302
    task = IncidentTask.objects.get()
    assert browse(cast.nils).get(incident.path).status_code == 200
    done = browse(cast.nils).post(f"{incident.path}tasks/{task.pk}/", {"outcome": "61 people"})
    assert done["Location"] == f"{incident.path}#tasks"
    again = browse(cast.nils).post(f"{incident.path}tasks/{task.pk}/", {"outcome": "x"})
    assert again.status_code == 422


def test_a_task_of_another_incident_is_not_there(cast: Any, browse: Any) -> None:
    one, other = active(cast), declared(cast)
    task = set_task(other, what="x", person=cast.ben, actor=cast.ada, now=NOW)
    line = add_note(other, text="x", actor=cast.ada, now=NOW)
    assert browse(cast.ada).get(f"{one.path}tasks/{task.pk}/").status_code == 404
    assert browse(cast.ada).get(f"{one.path}timeline/{line.pk}/correct/").status_code == 404


@pytest.fixture
def store(settings: Any, tmp_path: Any) -> None:
    """A folder of this test's own for the bytes."""
    settings.EVIDENCE_DIR = tmp_path


def test_a_file_is_kept_and_read(cast: Any, browse: Any, store: None) -> None:
    incident = active(cast)
    file = add_file(incident, name="../list.csv", content=b"a,b\n1,2\n", actor=cast.ada, now=NOW, note="The claimants")
    answer = browse(cast.cleo).get(f"{incident.path}files/{file.number}/")
    assert answer.content == b"a,b\n1,2\n"
    assert answer["Content-Disposition"] == 'attachment; filename="list.csv"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert browse(cast.nils).get(f"{incident.path}files/{file.number}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.exe", b"MZ", "is not taken"),
        ("page.csv", b"<html><script>", "HTML or a script"),
        ("empty.csv", b"", "is empty"),
        ("large.csv", b"a" * (11 * 1024 * 1024), "10 MB are taken"),
    ],
)
def test_a_file_that_is_not_taken(cast: Any, browse: Any, store: None, name: str, content: bytes, said: str) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    incident = active(cast)
    before = everything(incident)
    answer = browse(cast.ada).post(does(incident, "file"), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 422
    assert said in answer.content.decode() or "The submitted file is empty." in answer.content.decode()
    assert everything(incident) == before


def test_an_infected_file_is_not_attached(cast: Any, store: None, settings: Any) -> None:
    from apps.common.errors import Refused

    incident, settings.EVIDENCE_SCAN_COMMAND = active(cast), ["/bin/false"]
    with pytest.raises(Refused, match="found something"):
        add_file(incident, name="list.csv", content=b"a\n", actor=cast.ada, now=NOW)
    assert incident.files.count() == 0


def test_home_puts_what_is_live_first(cast: Any, browse: Any) -> None:
    incident = declared(cast)
    page = browse(cast.ada).get("/").content.decode()
    assert f"You lead the response to {incident.code}" in page
    assert page.index(f"You lead the response to {incident.code}") < page.index("What you answer for")
    assert needing(cast.nils, visible_incidents(cast.nils)) == []


def test_the_system_shows_what_is_live_on_it(cast: Any, browse: Any) -> None:
    system, calm = a_system(cast, owner=cast.ada, name="Claims"), a_system(cast, owner=cast.ada)
    incident = declared(cast, system=system)
    assert live_on(cast.ada, [system, calm]) == {system.pk: incident}
    assert live_on(cast.nils, [system, calm]) == {}
    for place in ("/systems/", "/incidents/systems/"):
        page = browse(cast.ada).get(f"{place}{system.key}/").content.decode()
        assert f"{incident.code} is live" in page
        assert '<span class="name">Ada Nwosu</span> is called. Declared ' in page
        assert "is live" not in browse(cast.ada).get(f"{place}{calm.key}/").content.decode()


def test_the_summary_is_plain_text(cast: Any, browse: Any) -> None:
    incident = active(cast)
    answer = browse(cast.ada).get(f"{incident.path}summary.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    lines = answer.content.decode().split("\n")
    assert lines[0] == f"{incident.code} {TITLE}"
    assert "Ada Nwosu leads, +49 30 5550 0142" in lines


def test_the_page_costs_the_same_with_much_on_it(cast: Any, browse: Any) -> None:
    incident = active(cast)
    client = browse(cast.ada)

    def cost() -> int:
        client.get(incident.path)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(incident.path).status_code == 200
        return len(captured)

    add_note(incident, text="One", actor=cast.ada, now=NOW)
    set_task(incident, what="One", person=cast.ben, actor=cast.ada, now=NOW)
    few = cost()
    for number in range(30):
        add_note(incident, text=f"Line {number}", actor=cast.ada, now=clock.now())
        set_task(incident, what=f"Task {number}", person=cast.ben, actor=cast.ada, now=NOW)
    assert cost() == few

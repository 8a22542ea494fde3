"""The trail page: who sees it, what it says, what the filters leave, how it is exported."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from apps.assurance.queries import page_of, trail_of_system
from apps.assurance.rules import WORDS, words_of
from apps.audit import queries
from apps.audit.actions import record
from apps.audit.models import AuditEvent
from apps.audit.queries import Filters
from apps.audit.rules import SCHEDULER, Kind, Subject
from apps.incidents.actions.declare import declare
from apps.registry.actions import nominate_owner, register_system
from apps.registry.models import System
from tests.cast import Cast

Browse = Callable[[Any], Client]
NOW = datetime(2026, 12, 7, 9, 0, tzinfo=UTC)


@pytest.fixture
def system(cast: Cast) -> System:
    return register_system(
        key="claims-1", name="Claims triage", unit=cast.claims, stage="production", actor=cast.mara, now=NOW
    )


def write(cast: Cast, count: int, **fields: Any) -> None:
    with transaction.atomic():
        for step in range(count):
            record(
                fields.get("kind", Kind.VIEW_SAVED),
                actor=fields.get("actor", cast.cleo),
                subject=Subject("view", str(step), fields.get("label", f"View {step}")),
                now=fields.get("now", NOW) + timedelta(seconds=step),
                reason=fields.get("reason", ""),
            )


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(Kind)
    assert words_of("later.kind") == "later.kind"


@pytest.mark.parametrize(
    ("name", "status"), [("mara", 200), ("cleo", 200), ("eve", 200), ("bo", 403), ("ada", 403), ("dov", 403)]
)
def test_who_reads_the_trail(cast: Cast, browse: Browse, name: str, status: int) -> None:
    client = browse(getattr(cast, name))
    event = AuditEvent.objects.order_by("ts_us").first()
    assert event is not None
    for path in ("/trail/", "/trail/export.csv", f"/trail/{event.id}/"):
        assert client.get(path).status_code == status, path


def test_a_page_says_who_did_what_to_what(cast: Cast, browse: Browse, system: System) -> None:
    nominate_owner(system, cast.ada, actor=cast.mara, now=NOW, reason="Built it")
    text = browse(cast.eve).get("/trail/?system=claims-1").content.decode()
    for words in ("Nominated an owner", "Registered a system", "Mara Lindt", "Claims triage (claims-1)", "Built it"):
        assert escape(words) in text
    assert "/systems/claims-1/" in text
    assert "Una Brandt" in text, "the interim owner stands there by name, not by id"


def test_older_pages_lose_and_repeat_nothing(cast: Cast) -> None:
    write(cast, 120)
    with transaction.atomic():
        for _ in range(60):  # many in the same microsecond
            record(Kind.VIEW_SAVED, actor=cast.cleo, subject=Subject("view", "same"), now=NOW)
    seen, older = [], ""
    while True:
        page = page_of(cast.eve, Filters(kinds=["view.saved"]), older)
        seen += [row.id for row in page.rows]
        older = page.older
        write(cast, 1, now=NOW + timedelta(days=1))  # the trail grows meanwhile
        if not older:
            break
    assert len(seen) == len(set(seen)) == 180


@pytest.mark.parametrize("older", ["x", "1", "1.x", "9" * 400 + ".x", "-5.00000000-0000-0000-0000-000000000000"])
def test_a_senseless_position_is_no_error(cast: Cast, browse: Browse, older: str) -> None:
    assert browse(cast.eve).get("/trail/", {"older": older}).status_code == 200


def found(cast: Cast, browse: Browse, query: str) -> list[str]:
    return [row.subject_label or "" for row in browse(cast.eve).get(f"/trail/?{query}").context["page"].rows]


def test_filters(cast: Cast, browse: Browse) -> None:
    write(cast, 1, label="Mine", actor=cast.cleo)
    write(cast, 1, label="Other", actor=cast.lea, now=NOW + timedelta(days=2), reason="For the audit")
    write(cast, 1, label="Machine", actor=SCHEDULER, now=NOW + timedelta(days=4))
    about = "about=view&"
    assert found(cast, browse, about) == ["Machine", "Other", "Mine"]
    assert found(cast, browse, about + f"person={cast.cleo.pk}") == ["Mine"]
    assert found(cast, browse, about + "who=abelmann") == ["Other"]
    assert found(cast, browse, about + "q=for the AUDIT") == ["Other"]
    assert found(cast, browse, about + "q=mine") == ["Mine"]
    assert found(cast, browse, about + "since=2026-12-08") == ["Machine", "Other"]
    assert found(cast, browse, about + "since=2026-12-09&until=2026-12-09") == ["Other"]
    assert found(cast, browse, about + "kind=people") == []
    assert found(cast, browse, about + "kind=systems&until=2026-12-07") == ["Mine"]


def test_days_are_the_readers(cast: Cast, browse: Browse) -> None:
    write(cast, 1, label="Late", now=datetime(2026, 12, 9, 23, 30, tzinfo=UTC))
    assert found(cast, browse, "about=view&since=2026-12-10") == []
    cast.eve.time_zone = "Asia/Tokyo"
    cast.eve.save(update_fields=["time_zone"])
    assert found(cast, browse, "about=view&since=2026-12-10") == ["Late"]


@pytest.mark.parametrize(
    "query",
    ["since=soon", "since=0001-01-01", "until=9999-12-31", "since=2026-12-02&until=2026-12-01", "kind=none",
     "system=nothing", "person=me"],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_said(cast: Cast, browse: Browse, query: str) -> None:
    for page in ("/trail/", "/trail/export.csv"):
        response = browse(cast.eve).get(f"{page}?{query}")
        assert response.status_code == 422
        assert b"There is a problem" in response.content


def test_restricted_systems_stay_with_those_who_see_them(cast: Cast, browse: Browse) -> None:
    secret = register_system(
        key="secret", name="Whistle", unit=cast.devtools, stage="pilot", restricted=True, actor=cast.mara, now=NOW
    )
    event = AuditEvent.objects.get(subject_kind="system", subject_id=str(secret.pk))
    for person, sees in ((cast.mara, True), (cast.eve, True), (cast.cleo, False)):
        client = browse(person)
        assert (b"Whistle" in client.get("/trail/?about=system").content) is sees
        assert (b"Whistle" in b"".join(client.get("/trail/export.csv").streaming_content)) is sees
        assert (client.get(f"/trail/{event.id}/").status_code == 200) is sees
        assert (client.get("/trail/?system=secret").status_code == 200) is sees


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change what stands beside events as only the database's owner could: None erases a field."""

    def change(field: str, text: str | None = None) -> None:
        real = queries.values_beside

        def changed(found: Any) -> Any:
            values = real(found)
            for fields in values.values():
                kept = fields.pop(field, None)
                if kept and text is not None:
                    fields[field] = queries.Value(kept.salt, text)
            return values

        monkeypatch.setattr(queries, "values_beside", changed)

    return change


def test_an_event_shows_what_holds_and_what_was_erased(
    cast: Cast, browse: Browse, system: System, beside: Callable[..., None]
) -> None:
    event = AuditEvent.objects.get(subject_kind="system", subject_id=str(system.pk))
    page = browse(cast.eve).get(f"/trail/{event.id}/").content.decode()
    assert escape(event.body) in page
    assert "Verified" in page
    assert "Does not match" not in page
    beside("actor_name")
    response = browse(cast.eve).get(f"/trail/{event.id}/")
    verdicts = {value.field: value.verdict for value in response.context["committed"]}
    assert verdicts["actor name"] == "Erased"
    assert verdicts["subject label"] == "Verified"
    assert response.context["row"].who == "Erased"
    assert b"Name erased" in browse(cast.eve).get("/trail/?system=claims-1").content


def test_a_value_that_is_not_the_one_committed_to_shows(
    cast: Cast, browse: Browse, system: System, beside: Callable[..., None]
) -> None:
    event = AuditEvent.objects.get(subject_kind="system", subject_id=str(system.pk))
    beside("actor_name", "Somebody else")
    page = browse(cast.eve).get(f"/trail/{event.id}/").content
    assert page.count(b"Does not match") == 1


@pytest.mark.parametrize("event_id", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_no_such_event(cast: Cast, browse: Browse, event_id: str) -> None:
    assert browse(cast.eve).get(f"/trail/{event_id}/").status_code == 404


def test_export_is_what_is_filtered_and_runs_nothing(cast: Cast, browse: Browse) -> None:
    write(cast, 1, label="=HYPERLINK(1)", reason="＠sum")
    write(cast, 3, label="Other", now=NOW + timedelta(days=1))
    response = browse(cast.eve).get("/trail/export.csv?about=view&until=2026-12-07")
    text = b"".join(response.streaming_content).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["Subject"] for line in lines] == ["'=HYPERLINK(1)"]
    assert lines[0]["Reason"] == "'＠sum"
    assert all(cell.startswith('"') for cell in text.splitlines()[1].split(",", 1))
    assert response["Content-Type"].startswith("text/csv")


def test_export_reads_in_parts(cast: Cast, monkeypatch: pytest.MonkeyPatch, browse: Browse) -> None:
    monkeypatch.setattr("apps.assurance.queries.EXPORT_CHUNK", 4)
    write(cast, 10)
    text = b"".join(browse(cast.eve).get("/trail/export.csv?about=view").streaming_content).decode()
    assert len(list(csv.reader(io.StringIO(text)))) == 11


def test_as_many_queries_for_many_events(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.eve)
    client.get("/trail/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/trail/?about=system")
    for number in range(45):
        register_system(key=f"more-{number}", name="More", unit=cast.devtools, stage="pilot", actor=cast.lea, now=NOW)
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/trail/?about=system").context["page"].rows) == 46
    assert len(many) == len(few)


def test_the_trail_of_a_system(cast: Cast, system: System) -> None:
    nominate_owner(system, cast.ada, actor=cast.mara, now=NOW + timedelta(hours=1))
    rows = trail_of_system(system, 10)
    assert [row.kind for row in rows] == ["system.owner.nominated", "system.registered"]
    assert trail_of_system(system, 1)[0].kind == "system.owner.nominated"


def test_posting_is_refused(cast: Cast, browse: Browse) -> None:
    assert browse(cast.eve).post("/trail/").status_code == 405


def test_signed_out_people_are_sent_to_sign_in(cast: Cast) -> None:
    assert Client().get("/trail/").status_code == 302


def test_a_deed_is_said_whole_and_facts_in_words(cast: Cast, system: System) -> None:
    record(
        Kind.SYSTEM_OWNER_ACCEPTED,
        subject=Subject("system", str(system.pk), system.name),
        actor=cast.ada,
        now=NOW + timedelta(minutes=1),
        before={"tier": ""},
        after={"answers": {"purpose": "yes_with_exception"}, "expires": "2026-11-23T02:18:31.480733+00:00", "tier": ""},
    )
    row = trail_of_system(system)[0]
    assert row.deed == "accepted to answer for it"
    assert {change.label: change.after for change in row.told} == {
        "answers": "purpose: yes with exception",
        "expires": "23 Nov 2026, 02:18 UTC",
    }


def test_who_is_called_stands_there_by_name_and_leads_to_the_incident(cast: Cast, system: System) -> None:
    incident = declare(title="It wrote to strangers", about="an agent", actor=cast.dov, now=NOW)

    called = AuditEvent.objects.get(kind=Kind.INCIDENT_PAGED)
    row = next(row for row in page_of(cast.eve, Filters(subject_kind="incident")).rows if row.id == called.id)

    assert {change.label: change.after for change in row.changes} == {
        "people": "Mara Lindt", "round": "1", "lap": "1", "step": "1",
    }  # fmt: skip
    assert row.href == incident.path

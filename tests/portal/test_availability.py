"""Availability: who may keep whose days, the acting person on every page, and the calendar upload."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.people.models import Absence
from apps.portal.queries.navigation import duty_lead
from apps.portal.queries.who import One, resolve
from apps.registry import actions as registry
from apps.registry.models import System
from apps.registry.rules import Scenario
from tests.cast import Cast
from tests.factories import a_system

OWN = "/profile/availability/"


def today() -> date:
    return clock.now().date()


def days(first: int = 0, last: int = 5, **more: Any) -> dict[str, Any]:
    """A form that says: away from in `first` days to in `last` days."""
    at = {"starts_on": today() + timedelta(days=first), "ends_on": today() + timedelta(days=last)}
    return {"do": "add", "kind": "away", **{name: day.isoformat() for name, day in at.items()}, **more}


def away(person: Any, **fields: Any) -> Absence:
    wanted = {"starts_on": today() - timedelta(days=1), "ends_on": today() + timedelta(days=5)} | fields
    return registry.record_absence(person, actor=person, now=clock.now(), **wanted)


def until() -> str:
    return clock.day_words(today() + timedelta(days=5))


def owned(cast: Cast, **fields: Any) -> System:
    return a_system(cast, key="SYS-1", name="Claims Agent", owner=cast.ada, **fields)


def answer(cast: Cast, scenario: Scenario | None = None) -> Any:
    result = resolve(cast.dov, "SYS-1", scenario)
    assert isinstance(result, One)
    return result.answer


def test_one_keeps_one_s_own_days(cast: Cast, browse: Any) -> None:
    client = browse(cast.ada)
    response = client.post(OWN, days(delegate="nils@example.org"))
    assert (response.status_code, response["Location"]) == (302, OWN)
    absence = Absence.objects.get()
    assert (absence.person, absence.delegate, absence.kind) == (cast.ada, cast.nils, "away")
    page = client.get(OWN).content.decode()
    assert "Nils Okafor acts" in page
    client.post(OWN, days(0, 2, do="change", absence=absence.pk, delegate=""))
    new = Absence.objects.get(cancelled_at=None)
    assert (new.ends_on, new.delegate) == (today() + timedelta(days=2), None)
    client.post(OWN, {"do": "cancel", "absence": new.pk})
    assert not Absence.objects.filter(cancelled_at=None).exists()
    assert "Put back" in client.get(OWN).content.decode()
    client.post(OWN, {"do": "restore", "absence": new.pk})
    assert Absence.objects.get(cancelled_at=None).ends_on == new.ends_on


def test_a_delegation_while_here(cast: Cast, browse: Any) -> None:
    browse(cast.ada).post(OWN, days(kind="delegated", delegate="nils@example.org"))
    assert Absence.objects.get().kind == "delegated"
    owned(cast)
    assert (answer(cast).person, answer(cast).basis) == (cast.nils, "acting")
    assert f"Ada Nwosu has delegated until {until()}" in [str(step) for step in answer(cast).derivation]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"starts_on": ""}, "Give the first day."),
        ({"ends_on": "31.12.2026"}, "Write the date as 2026-12-31."),
        ({"ends_on": "2020-01-01"}, "The last day is not before the first."),
        ({"starts_on": "2020-01-01", "ends_on": "2020-01-02"}, "These days are over"),
        ({"kind": "delegated"}, "Name the person to whom you delegate."),
        ({"delegate": "ivan@example.org"}, "Ivan Kolar is deactivated."),
        ({"delegate": "ada@example.org"}, "Choose another person than yourself."),
        ({"kind": "asleep"}, "asleep is not one of the available choices"),
    ],
)
def test_a_bad_form_changes_nothing(cast: Cast, browse: Any, change: dict[str, str], said: str) -> None:
    before = AuditEvent.objects.count()
    response = browse(cast.ada).post(OWN, days() | change)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert (Absence.objects.count(), AuditEvent.objects.count()) == (0, before)


def test_who_may_keep_somebody_s_days(cast: Cast, browse: Any) -> None:
    path = reverse("portal:person_availability", args=[cast.ada.pk])
    for person in (cast.dov, cast.ben, cast.eve, cast.cleo):
        assert browse(person).get(path).status_code == 403
        assert browse(person).post(path, days()).status_code == 403
    assert not Absence.objects.exists()
    assert browse(cast.una).post(path, days(8, 9)).status_code == 302  # the line manager
    assert browse(cast.mara).post(path, days(0, 1)).status_code == 302  # administers people
    assert browse(cast.ada).get(path).status_code == 200
    assert Absence.objects.filter(person=cast.ada).count() == 2


def test_somebody_else_s_absence_is_not_there(cast: Cast, browse: Any) -> None:
    absence = away(cast.ada)
    for do in ("cancel", "change", "restore"):
        assert browse(cast.ben).post(OWN, {"do": do, "absence": absence.pk}).status_code == 404
    assert browse(cast.ben).post(OWN, {"do": "cancel", "absence": "x"}).status_code == 404
    assert browse(cast.ben).get(f"{OWN}?change={absence.pk}").status_code == 404
    absence.refresh_from_db()
    assert absence.cancelled_at is None


def test_a_calendar_is_uploaded(cast: Cast, browse: Any) -> None:
    first, last = today() + timedelta(days=10), today() + timedelta(days=13)
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Private\r\n"
        f"DTSTART;VALUE=DATE:{first:%Y%m%d}\r\nDTEND;VALUE=DATE:{last:%Y%m%d}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    client = browse(cast.ada)

    def send(content: bytes) -> Any:
        file = SimpleUploadedFile("x.ics", content, content_type="text/calendar")
        return client.post(OWN, {"do": "calendar", "file": file}, follow=True)

    assert "1 added." in send(text.encode()).content.decode()
    assert "Nothing changed: these days are known." in send(text.encode()).content.decode()
    response = send(b"Dear all")
    assert response.status_code == 422
    assert "Line 1 is no line of a calendar file." in response.content.decode()
    assert send(b"").status_code == 422
    assert send(b"x" * 600_000).status_code == 422
    assert Absence.objects.count() == 1


def test_the_look_up_names_who_acts(cast: Cast, browse: Any) -> None:
    owned(cast)
    away(cast.ada)
    found = answer(cast)
    assert (found.person, found.basis, found.acts_for, found.owner) == (cast.ben, "acting", cast.ada, cast.ada)
    assert found.role == f"Claims engineer · acts for Ada Nwosu until {until()}"
    assert [str(step) for step in found.derivation][-2:] == [
        f"Ada Nwosu is away until {until()}",
        "Deputy: Ben Ortega acts",
    ]
    assert [n.person for n in found.then] == [cast.una, cast.mara]
    assert found.channels[0].value == "+49 30 5550 0143"
    page = browse(cast.dov).get("/who/?system=SYS-1").content.decode()
    assert "Call Ben Ortega" in page
    assert f"Accepted · away until {until()}" in page


def test_an_absent_deputy_is_not_called(cast: Cast) -> None:
    owned(cast)
    away(cast.ben)
    found = answer(cast)
    assert (found.person, [n.person for n in found.then]) == (cast.ada, [cast.una, cast.mara])
    assert f"Ben Ortega, the deputy, is away until {until()}" in found.problems


def test_nobody_stands_in_is_said(cast: Cast, browse: Any) -> None:
    owned(cast)
    for person in (cast.ada, cast.ben, cast.una, cast.mara):
        away(person)
    found = answer(cast)
    assert (found.person, found.basis, found.nobody_stands_in) == (cast.ada, "accepted", True)
    assert f"Ada Nwosu is away until {until()} and nobody stands in" in found.problems
    assert "Away, nobody stands in" in browse(cast.dov).get("/who/?system=SYS-1").content.decode()


def test_a_scenario_is_led_by_who_acts_for_its_lead(cast: Cast, browse: Any) -> None:
    owned(cast)
    away(cast.cleo, delegate=cast.nils)
    found = answer(cast, Scenario.DATA_ACCESS)
    assert (found.person, found.basis, found.acts_for, found.owner) == (cast.nils, "lead", cast.cleo, cast.ada)
    assert found.role == "Acts for Cleo Marchetti, CISO, who leads the response"
    page = browse(cast.dov).get("/who/?system=SYS-1&scenario=data-access").content.decode()
    assert "Acts for" in page


def test_a_lead_for_whom_nobody_acts_leaves_it_to_the_acting_owner(cast: Cast) -> None:
    owned(cast)
    away(cast.cleo)
    away(cast.ada)
    found = answer(cast, Scenario.DATA_ACCESS)
    assert (found.person, found.basis) == (cast.ben, "acting")


def test_pages_api_and_export_agree(cast: Cast, browse: Any, client: Any) -> None:
    owned(cast)
    away(cast.ada)
    reader = browse(cast.eve)
    assert f"acts for Ada Nwosu until {until()}" in reader.get("/systems/").content.decode()
    assert f"Away until {until()}" in reader.get("/systems/SYS-1/").content.decode()
    export = b"".join(reader.get("/systems/export.csv").streaming_content).decode().splitlines()
    row = dict(zip(*(line.strip('"').split('","') for line in export), strict=True))
    assert (row["answers today"], row["owner"]) == ("Ben Ortega", "Ada Nwosu")
    assert row["acts until"] == (today() + timedelta(days=5)).isoformat()
    _, secret = issue_token(cast.eve, name="T", scopes=["read"], actor=cast.eve, now=clock.now())
    headers = {"Authorization": f"Bearer {secret}"}
    who = client.get("/api/v1/who-answers/?q=SYS-1", headers=headers).json()["answer"]
    assert (who["person"]["name"], who["acts_for"]["name"], who["basis"]) == ("Ben Ortega", "Ada Nwosu", "acting")
    assert who["until"] == (today() + timedelta(days=5)).isoformat()
    for path in ("/api/v1/systems/", "/api/v1/systems/SYS-1/"):
        got = client.get(path, headers=headers).json()
        one = got["results"][0] if "results" in got else got
        assert one["answers_today"]["person"]["name"] == "Ben Ortega"
        assert one["answers_today"]["acts_for"] == "Ada Nwosu"
        assert one["owner"]["person"]["name"] == "Ada Nwosu"


def test_home_says_for_whom_one_acts(cast: Cast, browse: Any) -> None:
    owned(cast)
    away(cast.ada)
    assert f"You act for Ada Nwosu until {until()}." in browse(cast.ben).get("/").content.decode()
    assert "You act for" not in browse(cast.una).get("/").content.decode()
    assert f"Away until {until()} · Ben Ortega acts" in browse(cast.ada).get("/").content.decode()
    person = browse(cast.dov).get(f"/people/{cast.ada.pk}/").content.decode()
    assert f"Away until {until()} · Ben Ortega acts" in person


def test_the_duty_lead_is_who_acts(cast: Cast) -> None:
    away(cast.mara, delegate=cast.cleo)
    lead = duty_lead()
    assert lead is not None
    assert (lead.name, lead.function) == ("Cleo Marchetti", "acts for Mara Lindt")

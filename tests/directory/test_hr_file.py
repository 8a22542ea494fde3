"""The file of people: read, reviewed, applied whole or not at all; the same file twice changes nothing."""

from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from psycopg import errors

from apps.audit.models import AuditEvent
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.directory import actions
from apps.directory.actions import people_file
from apps.directory.actions.offboard import offboard
from apps.directory.actions.people_file import PeopleChanged, PeopleFileRefused, review_people
from apps.directory.models import OffboardingCase, PeopleFile, Placement
from apps.directory.rules.people_file import template_csv
from apps.people.models import Absence, Person
from apps.registry.models import System
from apps.registry.queries import visible_systems
from tests.cast import Cast
from tests.directory.provider import trail
from tests.factories import NOW, a_system

HEADER = "email,name,title,manager_email,deputy_email,unit_code,function,last_working_day,status,time_zone,absences"
CAST = ("mara", "cleo", "lea", "una", "ada", "ben", "eve", "bo", "nils", "dov")


def a_file(*rows: str, header: str = HEADER) -> bytes:
    width = header.count(",")
    return "\n".join([header, *(row + "," * (width - row.count(",")) for row in rows)]).encode()


def received(cast: Cast, content: bytes, *, complete: bool = False) -> PeopleFile:
    return actions.receive_people_file(
        file_name="people.csv", content=content, complete=complete, actor=cast.mara, now=NOW
    )


def applied(cast: Cast, content: bytes, *, complete: bool = False, leavers: int | None = None) -> PeopleFile:
    file = received(cast, content, complete=complete)
    return actions.apply_people_file(file, actor=cast.mara, now=NOW, leavers=leavers)


def person(name: str) -> Person:
    return Person.objects.get(email=f"{name}@example.org")


ROWS = (
    # The manager and the deputy come later in the file.
    "Zoe@Example.org,Zoe Quinn,Analyst,kim@example.org,ola@example.org,CLAIMS,legal,2026-12-31,active,"
    "europe/paris,2026-12-21..2026-12-23; 2027-01-04",
    "kim@example.org,Kim Lee,Head",
    "ola@example.org,Ola Berg",
    "ada@example.org,,Director of Claims",
)


def test_joiners_and_movers(cast: Cast) -> None:
    before = trail()
    file = applied(cast, a_file(*ROWS))
    zoe = person("zoe")
    assert (zoe.display_name, zoe.title, zoe.line_manager, zoe.deputy, zoe.time_zone, zoe.leaving_on) == (
        "Zoe Quinn", "Analyst", person("kim"), person("ola"), "Europe/Paris", date(2026, 12, 31),
    )  # fmt: skip
    assert [function.code for function in zoe.functions.all()] == ["legal"]
    assert Placement.objects.get(person=zoe).unit == cast.claims
    days = Absence.objects.filter(person=zoe).order_by("starts_on").values_list("starts_on", "ends_on", "source")
    assert list(days) == [
        (date(2026, 12, 21), date(2026, 12, 23), "directory"), (date(2027, 1, 4), date(2027, 1, 4), "directory"),
    ]  # fmt: skip
    ada = person("ada")
    assert (ada.title, ada.display_name, ada.deputy, ada.line_manager) == (
        "Director of Claims", "Ada Nwosu", cast.ben, cast.una,
    )  # fmt: skip
    assert (file.state, file.content, file.report["rows"]) == ("applied", None, [])
    assert file.report["counts"] == {"joiner": 3, "returning": 0, "mover": 1, "leaver": 0, "unchanged": 0}
    assert trail() - before == {
        "people.file.received": 1, "people.file.applied": 1, "caused person.provisioned": 3,
        "caused person.changed": 2, "caused absence.recorded": 2,
    }  # fmt: skip


def test_the_same_file_twice_changes_nothing(cast: Cast) -> None:
    applied(cast, a_file(*ROWS))
    before = trail()
    again = applied(cast, a_file(*ROWS))
    assert again.report["counts"] == {"joiner": 0, "returning": 0, "mover": 0, "leaver": 0, "unchanged": 4}
    assert trail() - before == {"people.file.received": 1, "people.file.applied": 1}


def test_every_wrong_row_is_named_and_nothing_is_applied(cast: Cast) -> None:
    content = a_file(
        "zoe@example.org",
        "ciso@example.org,C",
        "robot@example.org,R",
        "nobody,N",
        "kim@example.org,Kim,,boss@example.org",
        "KIM@example.org,Kim again",
        "ada@example.org,,,,ada@example.org",
        "ben@example.org,,,,,nowhere",
        "eve@example.org,,,,,,cooking",
        "bo@example.org,,,,,,,31.12.2026",
        "nils@example.org,,,,,,,,gone",
        "dov@example.org,,,,,,,,,Mars/Olympus",
        "lea@example.org,,,,,,,,,,2027-01-05..2027-01-04",
    )
    people, before = Person.objects.count(), trail()
    file = received(cast, content)
    assert [(one["row"], one["column"]) for one in file.report["problems"]] == [
        (2, "name"), (3, "email"), (4, "email"), (5, "email"), (6, "manager_email"), (7, "email"), (8, "deputy_email"),
        (9, "unit_code"), (10, "function"), (11, "last_working_day"), (12, "status"), (13, "time_zone"),
        (14, "absences"),
    ]  # fmt: skip
    said = {one["row"]: one["message"] for one in file.report["problems"]}
    assert said[7] == "row 6 has kim@example.org too. Keep one row for each person."
    assert said[6] == "nobody has the address boss@example.org. Add a row for them, or correct the address."
    with pytest.raises(PeopleFileRefused, match="13 problems"):
        actions.apply_people_file(file, actor=cast.mara, now=NOW)
    assert (Person.objects.count(), trail() - before) == (people, {"people.file.received": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"email;name\na@b.org;A", "commas"),
        (b"name\nA", "missing: email"),
        (b"email,shoe\na@b.org,43", "unknown: shoe"),
        (b"email\n", "no rows"),
        (b"email\n\xff", "not UTF-8"),
        ("email,name".encode("utf-16"), "UTF-16"),
        (b"email,name\na\x00@b.org,A", "NUL"),
    ],
)
def test_what_is_no_such_file(cast: Cast, content: bytes, message: str) -> None:
    with pytest.raises(PeopleFileRefused, match=message):
        received(cast, content)
    assert PeopleFile.objects.count() == 0


def test_leavers_of_one_file_never_take_over_from_each_other(cast: Cast) -> None:
    """Ada's deputy and line manager leave in the same file: what she answers for goes to who holds the mandate."""
    system = a_system(cast, owner=cast.ada)
    rows = [f"{name}@example.org,,,,,,,,left" for name in ("ada", "ben", "una")]
    file = received(cast, a_file(*rows))
    for wrong in (None, 2, 4):
        with pytest.raises(Refused, match="3 people leave by this file"):
            actions.apply_people_file(file, actor=cast.mara, now=NOW, leavers=wrong)
    assert person("ada").is_active
    actions.apply_people_file(file, actor=cast.mara, now=NOW, leavers=3)
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.mara, "interim")
    assert set(OffboardingCase.objects.values_list("person__email", "source")) == {
        (f"{name}@example.org", "hr_file") for name in ("ada", "ben", "una")
    }
    interim = AuditEvent.objects.filter(kind="system.owner.interim").count()
    assert interim == 1


def test_who_is_missing_leaves_only_by_a_complete_file_and_a_confirmed_number(cast: Cast) -> None:
    rows = [f"{name}@example.org" for name in CAST if name not in ("dov", "nils")]
    file = applied(cast, a_file(*rows))
    assert file.report["missing"] == 2
    assert person("dov").is_active
    whole = received(cast, a_file(*rows), complete=True)
    assert [name for name, _ in whole.report["missing_people"]] == ["Dov Watanabe", "Nils Okafor"]
    with pytest.raises(Refused, match="2 people leave"):
        actions.apply_people_file(whole, actor=cast.mara, now=NOW)
    assert person("dov").is_active
    actions.apply_people_file(whole, actor=cast.mara, now=NOW, leavers=2)
    assert not Person.objects.filter(email__in=["dov@example.org", "nils@example.org"], is_active=True).exists()
    assert person("robot").is_active


def test_nobody_leaves_by_their_own_hand(cast: Cast) -> None:
    file = received(cast, a_file("ada@example.org"), complete=True)
    with pytest.raises(PeopleFileRefused, match="you have left yourself"):
        actions.apply_people_file(file, actor=cast.mara, now=NOW, leavers=9)
    assert person("mara").is_active


def test_a_circle_of_managers_is_said_and_works(cast: Cast) -> None:
    rows = (
        "zoe@example.org,Zoe,,kim@example.org",
        "kim@example.org,Kim,,ola@example.org",
        "ola@example.org,Ola,,zoe@example.org",
        "pat@example.org,Pat,,pat@example.org",
    )
    file = received(cast, a_file(*rows))
    assert file.report["circles"] == ["zoe@example.org → kim@example.org → ola@example.org → zoe@example.org"]
    actions.apply_people_file(file, actor=cast.mara, now=NOW)
    assert person("ola").line_manager == person("zoe")
    assert person("pat").line_manager is None
    system = a_system(cast, owner=person("zoe"), unit=cast.devtools)
    applied(cast, a_file(*(f"{name}@example.org,,,,,,,,left" for name in ("zoe", "kim"))), leavers=2)
    assert System.objects.get(pk=system.pk).owner == cast.mara


def test_a_manager_who_left_says_nothing(cast: Cast) -> None:
    content = a_file(
        "ada@example.org,,,ivan@example.org", "ben@example.org,,,una@example.org", "una@example.org,,,,,,,,left"
    )
    file = received(cast, content)
    notes = {row[2]: row[5] for row in file.report["rows"]}
    assert notes["ada@example.org"] == ["The line manager ivan@example.org has left; nothing changes."]
    actions.apply_people_file(file, actor=cast.mara, now=NOW, leavers=1)
    before = trail()
    applied(cast, content)
    assert trail() - before == {"people.file.received": 1, "people.file.applied": 1}


def test_somebody_comes_back(cast: Cast) -> None:
    file = applied(cast, a_file("ivan@example.org,,Engineer"))
    ivan = person("ivan")
    assert (ivan.is_active, ivan.title, file.report["counts"]["returning"]) == (True, "Engineer", 1)


def test_a_dash_empties_and_an_empty_cell_does_not(cast: Cast) -> None:
    applied(cast, a_file("ada@example.org,,-,-"))
    ada = person("ada")
    assert (ada.title, ada.line_manager, ada.deputy) == ("", None, cast.ben)


def test_absences_of_the_file_follow_the_file_and_leave_others_alone(cast: Cast) -> None:
    from apps.people.actions import record_absence

    record_absence(cast.ada, starts_on=date(2027, 2, 1), ends_on=date(2027, 2, 5), actor=cast.ada, now=NOW)
    row = "ada@example.org,,,,,,,,,,"
    applied(cast, a_file(row + "2027-01-04..2027-01-05; 2027-02-03..2027-02-10; 2020-01-01"))
    applied(cast, a_file(row + "2027-01-05..2027-01-06"))
    live = Absence.objects.filter(person=cast.ada, cancelled_at=None).order_by("starts_on")
    assert list(live.values_list("starts_on", "ends_on")) == [
        (date(2027, 1, 5), date(2027, 1, 6)), (date(2027, 2, 1), date(2027, 2, 5)),
    ]  # fmt: skip


def test_what_changed_after_the_review_is_looked_at_again(cast: Cast) -> None:
    file = received(cast, a_file("ben@example.org,,,,,,,,left", "dov@example.org,,Clerk"))
    offboard(cast.ben, actor=cast.mara, now=NOW)
    with pytest.raises(PeopleChanged):
        actions.apply_people_file(file, actor=cast.mara, now=NOW, reviewed=file.report["fingerprint"], leavers=1)
    assert person("dov").title == ""
    again = actions.review_people_file_again(file, actor=cast.mara, now=NOW)
    actions.apply_people_file(again, actor=cast.mara, now=NOW)
    assert person("dov").title == "Clerk"
    with pytest.raises(Refused, match="not waiting any more"):
        actions.apply_people_file(again, actor=cast.mara, now=NOW)


def test_only_administrators(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        actions.receive_people_file(
            file_name="x", content=a_file("a@example.org,A"), complete=False, actor=cast.cleo, now=NOW
        )
    assert PeopleFile.objects.count() == 0


def test_the_last_working_day_passes(cast: Cast) -> None:
    """The day after, in the organisation's zone (Berlin): at 22:59 UTC on the day itself nobody leaves yet."""
    system = a_system(cast, owner=cast.ada)
    applied(cast, a_file("ada@example.org,,,,,,,2026-11-20"))
    evening = datetime.fromisoformat("2026-11-20T22:59:00+00:00")
    assert actions.offboard_due(now=evening) == 0
    assert person("ada").is_active
    assert actions.offboard_due(now=evening + timedelta(minutes=2)) == 1
    assert (person("ada").is_active, System.objects.get(pk=system.pk).owner) == (False, cast.ben)
    assert actions.offboard_due(now=evening + timedelta(days=1)) == 0
    assert OffboardingCase.objects.get().source == "hr_file"


@pytest.mark.parametrize("error", [errors.DeadlockDetected, errors.LockNotAvailable])
def test_who_collides_does_not_hold_up_the_others(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, error: type[errors.Error]
) -> None:
    """A collision is for the next sweep. Anything else that the database says is not swallowed."""
    for name in ("ada", "nils"):
        applied(cast, a_file(f"{name}@example.org,,,,,,,2026-11-20"))

    def collides(gone: Person, **rest: Any) -> OffboardingCase:
        if gone == cast.ada:
            raise OperationalError from error()
        return offboard(gone, **rest)

    after = datetime.fromisoformat("2026-11-21T08:00:00+00:00")
    with monkeypatch.context() as patched:
        patched.setattr(people_file, "offboard", collides)
        if error is errors.LockNotAvailable:
            with pytest.raises(OperationalError):
                actions.offboard_due(now=after)
            return
        assert actions.offboard_due(now=after) == 1
    assert (person("ada").is_active, person("nils").is_active) == (True, False)
    assert actions.offboard_due(now=after) == 1
    assert not person("ada").is_active


def test_days_of_a_file_show_the_systems_to_who_stands_in(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, unit=cast.claims)
    row = "ada@example.org,,,,,,,,,,"
    assert system not in visible_systems(cast.una)
    applied(cast, a_file(f"{row}{clock.local_date(NOW)}..2027-01-05"))
    assert system in visible_systems(cast.una)
    applied(cast, a_file(f"{row}2027-01-04..2027-01-05"))
    assert system not in visible_systems(cast.una)


def test_ten_thousand_rows_are_reviewed_at_a_constant_cost(cast: Cast) -> None:
    def cost(many: int) -> int:
        content = a_file(*(f"p{n}@example.org,P {n},,p{n // 10 + 1}@example.org" for n in range(many)))
        with CaptureQueriesContext(connection) as captured:
            plan = review_people(content, complete=False, actor=cast.mara, now=NOW)
        assert (len(plan.effects), plan.problems) == (many, [])
        return len(captured)

    assert cost(10) == cost(10_000)


def test_the_pages(cast: Cast, browse: Any) -> None:
    client = browse(cast.mara)
    assert client.get("/directory/import/template/").content.decode() == template_csv()
    assert client.post("/directory/import/", {}).status_code == 422
    upload = SimpleUploadedFile("people.csv", a_file("zoe@example.org,Zoe Quinn", "dov@example.org,,,,,,,,left"))
    response = client.post("/directory/import/", {"file": upload})
    assert response.status_code == 302
    path = response["Location"]
    shown = client.get(path).content.decode()
    assert "1 person to change, 1 to off-board" in shown
    assert "Zoe Quinn" in shown
    fingerprint = PeopleFile.objects.get().report["fingerprint"]
    wrong = client.post(path, {"do": "apply", "reviewed": fingerprint, "leavers": "7"})
    assert wrong.status_code == 422
    assert "1 person leaves by this file. Confirm that number." in wrong.content.decode()
    assert person("dov").is_active
    assert client.post(path, {"do": "apply", "reviewed": fingerprint, "leavers": "1"}).status_code == 302
    assert not person("dov").is_active
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?show=nonsense&page=zz").status_code == 200
    assert client.post(path, {"do": "discard"}).status_code == 422


def test_a_discarded_file_is_forgotten(cast: Cast, browse: Any) -> None:
    file = received(cast, a_file("zoe@example.org,Zoe"))
    assert browse(cast.mara).post(f"/directory/import/{file.pk}/", {"do": "discard"}).status_code == 302
    file.refresh_from_db()
    assert (file.state, file.content, file.report["rows"]) == ("discarded", None, [])
    assert not Person.objects.filter(email="zoe@example.org").exists()


def test_the_command(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(a_file("zoe@example.org,Zoe", "dov@example.org,,,,,,,,left"))
    out = StringIO()
    call_command("import_people", str(path), "--dry-run", stdout=out)
    assert "1 join, 0 return, 0 change, 1 leave, 0 stay as they are" in out.getvalue()
    assert PeopleFile.objects.count() == 0
    with pytest.raises(CommandError, match="Confirm that number"):
        call_command("import_people", str(path), stdout=StringIO())
    assert PeopleFile.objects.get().state == "discarded"
    call_command("import_people", str(path), "--leavers", "1", stdout=StringIO())
    assert not person("dov").is_active
    path.write_bytes(a_file("zoe@example.org,,,nobody@example.org"))
    with pytest.raises(CommandError, match="1 problems"):
        call_command("import_people", str(path), stdout=StringIO(), stderr=StringIO())


def test_tokens_on_their_page(cast: Cast, browse: Any) -> None:
    client = browse(cast.mara)
    assert client.post("/directory/tokens/", {"name": "", "days": "365"}).status_code == 422
    shown = client.post("/directory/tokens/", {"name": "Okta", "days": "90"}).content.decode()
    secret = shown.split('<p class="well mono break-anywhere">')[1].split("<")[0]
    assert secret not in client.get("/directory/tokens/").content.decode()
    from apps.directory.models import ScimToken
    from apps.directory.queries.scim import live_token

    token = ScimToken.objects.get()
    assert live_token(secret, now=clock.now()) == token
    assert secret not in str(bytes(token.digest))
    assert client.post("/directory/tokens/", {"name": "Okta", "days": "90"}).status_code == 422
    assert browse(cast.ada).post(f"/directory/tokens/{token.pk}/revoke/").status_code == 403
    assert live_token(secret, now=clock.now()) == token
    assert client.post(f"/directory/tokens/{token.pk}/revoke/").status_code == 302
    assert live_token(secret, now=clock.now()) is None
    out = StringIO()
    call_command("scim_token", "Entra", stdout=out, stderr=StringIO())
    assert live_token(out.getvalue().strip(), now=clock.now()).name == "Entra"  # type: ignore[union-attr]

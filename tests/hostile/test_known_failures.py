"""What is known to break in registers of who answers: leavers, bulk imports by address, mail that does not arrive,
owners who are nobody, and who becomes owner without being asked. Each through every door that leads there."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from psycopg import errors

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.models import OffboardingCase, PeopleFile
from apps.findings.actions import raise_finding, sweep_registry
from apps.findings.models import Finding
from apps.notify.actions import enqueue
from apps.notify.delivery import deliver_pending
from apps.notify.models import Message
from apps.people import actions as people
from apps.people.models import Person
from apps.registry import actions as registry
from apps.registry.models import Handover, ImportRun, Nomination, OwnershipTerm, System, SystemUserPermission, Unit
from apps.registry.queries.acting import acting_owners
from apps.registry.rules.imports import OWN_COLUMNS
from tests import databases
from tests.cast import PASSWORD, Cast
from tests.directory.provider import Provider, a_user
from tests.factories import a_system, set_letters
from tests.hostile.leavers import NOW, entangled, history_of, points_to
from tests.notify.server import Box, mail_server

Browse = Callable[[Any], Client]
LEAVES = NOW + timedelta(hours=2)


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch) -> None:
    """All doors are open at one time."""
    monkeypatch.setattr(clock, "now", lambda: LEAVES)


# --- Somebody leaves who is in everything -----------------------------------------------------------------------


def by_page(cast: Cast, browse: Browse) -> None:
    answer = browse(cast.mara).post(f"/people/{cast.ada.pk}/", {"do": "deactivate", "reason": "Left"})
    assert answer.status_code == 302, answer.content


def by_identity_provider(cast: Cast, browse: Browse) -> None:
    provider = Provider()
    user = provider.add("ada@example.org", displayName="Ada Nwosu")
    assert provider.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}}).status == 200


def by_deletion_there(cast: Cast, browse: Browse) -> None:
    provider = Provider()
    user = provider.add("ada@example.org", displayName="Ada Nwosu")
    assert provider.call("DELETE", f"/Users/{user['id']}").status == 204


def by_file(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    file = SimpleUploadedFile("people.csv", b"email,name,status\nada@example.org,Ada Nwosu,left\n")
    path = client.post("/directory/import/", {"file": file})["Location"]
    form = {"do": "apply", "reviewed": PeopleFile.objects.get().report["fingerprint"], "leavers": "1"}
    answer = client.post(path, form)
    assert answer.status_code == 302, answer.content


def by_command(cast: Cast, browse: Browse) -> None:
    call_command("offboard", "ADA@example.org", "--reason", "Left", stdout=StringIO())


DOORS = [by_page, by_identity_provider, by_deletion_there, by_file, by_command]


@pytest.mark.parametrize("leaves", DOORS)
def test_who_is_in_everything_leaves(cast: Cast, browse: Browse, leaves: Callable[[Cast, Browse], None]) -> None:
    systems = entangled(cast)
    issue_token(cast.ada, name="T", scopes=["read"], actor=cast.ada, now=NOW)
    named, history = points_to(cast.ada), history_of(cast.ada)
    assert set(named) >= {
        "live systems", "grants", "units", "seats", "deputies", "line managers", "nominations", "hand-overs",
        "letters", "questions for letters", "findings", "actions", "tokens",
    }  # fmt: skip
    assert all(history.values()), history

    leaves(cast, browse)

    assert not Person.objects.get(pk=cast.ada.pk).is_active
    assert points_to(cast.ada) == {}
    _somebody_answers(cast, systems)
    kept = history_of(cast.ada)
    assert kept == history
    case = OffboardingCase.objects.get(person=cast.ada)
    assert (case.counts["systems"], case.counts["seats"], case.counts["units"]) == (2, 1, 1)
    trail = browse(cast.eve).get("/trail/").content.decode()
    assert "Ada Nwosu" in trail
    assert Person.objects.filter(pk=cast.ada.pk, email="ada@example.org").exists()


def _somebody_answers(cast: Cast, systems: dict[str, System]) -> None:
    """Deputy, head above, the deputised one himself, somebody near to who is away: never the leaver."""
    now = {name: System.objects.select_related("owner", "unit").get(pk=one.pk) for name, one in systems.items()}
    assert {name: (one.owner.display_name, one.owner_basis) for name, one in now.items()} == {
        "accepted": ("Ben Ortega", "interim"),
        "interim": ("Una Brandt", "interim"),
        "deputy": ("Nils Okafor", "accepted"),
        "delegate": ("Dov Watanabe", "accepted"),
        "asked": ("Una Brandt", "interim"),
        "successor": ("Cleo Marchetti", "accepted"),
    }
    acting = acting_owners(list(now.values()), LEAVES)
    assert all(one.acts.is_active and one.acts.pk != cast.ada.pk for one in acting.values())
    assert acting[systems["delegate"].pk].acts != cast.dov, "he is away"


def test_who_comes_back_stands_in_again_where_the_days_still_name_them(cast: Cast, browse: Browse) -> None:
    system = entangled(cast)["delegate"]

    def sees() -> bool:
        return SystemUserPermission.objects.filter(content_object=system, user=cast.ada).exists()

    assert sees()
    by_page(cast, browse)
    assert not sees()
    assert browse(cast.mara).post(f"/people/{cast.ada.pk}/", {"do": "reactivate"}).status_code == 302
    assert sees()
    assert (
        acting_owners([System.objects.select_related("owner", "unit").get(pk=system.pk)], LEAVES)[system.pk].acts
        == cast.ada
    )
    assert set(points_to(cast.ada)) == {"grants"}


@pytest.mark.committed
def test_sql_that_skips_the_verb_is_refused(committed_db: str) -> None:
    """DELETE never; UPDATE is_active neither while anything has to be answered; nothing of the trail is emptied."""
    cast = Cast()
    entangled(cast)
    named, history = points_to(cast.ada), history_of(cast.ada)
    for url in (databases.app_url, databases.owner_url):
        with psycopg.connect(url(committed_db), autocommit=True) as shell:
            for statement in (
                "DELETE FROM people_person WHERE id = %s",
                "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s",
            ):
                with pytest.raises((errors.RestrictViolation, errors.ForeignKeyViolation)):
                    shell.execute(statement, [cast.ada.pk])
            for table in ("audit_event", "audit_private", "people_person", "registry_ownershipterm"):
                with pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)):
                    shell.execute(f"TRUNCATE {table} CASCADE")
    assert (points_to(cast.ada), history_of(cast.ada)) == (named, history)


@pytest.mark.committed
@pytest.mark.parametrize("what", ["owner", "seat", "letter", "hand-over", "finding"])
def test_each_duty_alone_holds_in_the_database(committed_db: str, what: str) -> None:
    cast = Cast()
    _give(cast, what)
    with psycopg.connect(databases.app_url(committed_db), autocommit=True) as shell:
        statement = "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s"
        with pytest.raises(errors.ForeignKeyViolation):
            shell.execute(statement, [cast.nils.pk])
    assert Person.objects.get(pk=cast.nils.pk).is_active


def _give(cast: Cast, what: str) -> None:
    if what == "owner":
        a_system(cast, owner=cast.nils, now=NOW)
    elif what == "seat":
        people.seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    elif what == "letter":
        set_letters("drills", {str(cast.nils.pk): "A", "engineering": "R"}, unit=cast.claims, now=NOW)
    elif what == "hand-over":
        asked = registry.nominate_owner(a_system(cast, owner=cast.ada, now=NOW), cast.nils, actor=cast.mara, now=NOW)
        assert isinstance(registry.accept_ownership(asked, actor=cast.nils, now=LEAVES), Handover)
    else:
        raise_finding(title="T", remedy="R", severity="low", person=cast.nils, actor=cast.mara, now=NOW)


# --- 5,000 systems by the address of their owner ----------------------------------------------------------------

ADDRESSES = (
    "ada@example.org", "ADA@Example.ORG", " Nils@example.org ", "ghost@example.org", "ivan@example.org",
    "robot@example.org", "ai-team@example.org", "",
)  # fmt: skip


def inventory(rows: int, **wrong: dict[str, str]) -> bytes:
    """Forty rows with the addresses above, the rest with one each that nobody here has."""
    lines = [",".join(OWN_COLUMNS)]
    for number in range(1, rows + 1):
        cells = {"key": f"K-{number}", "name": f"System {number}", "unit": "claims", "stage": "production"}
        cells["owner_email"] = ADDRESSES[number % len(ADDRESSES)] if number <= 40 else f"p{number}@example.org"
        cells |= wrong.get(f"row{number}", {})
        lines.append(",".join(f'"{cells.get(column, "")}"' for column in OWN_COLUMNS))
    return "\n".join(lines).encode()


def upload(client: Client, content: bytes) -> Any:
    return client.post("/systems/import/", {"file": SimpleUploadedFile("systems.csv", content), "format": ""})


def test_five_thousand_systems_by_address_account_for_every_row(cast: Cast, browse: Browse, settings: Any) -> None:
    settings.SHARED_ADDRESS_THRESHOLD = 20
    client = browse(cast.mara)
    path = upload(client, inventory(5_000))["Location"]
    report = ImportRun.objects.get().report
    assert (report["rows_read"], report["created"], report["skipped"]) == (5_000, 5_000, [])
    assert report["contacts"] == {
        # Ada's in two ways of writing and Nils'; ghost, ivan and the robot are nobody who could be asked.
        "person": 15, "unknown": 15 + 4_960, "shared": 5, "several": 0, "not_an_address": 0, "none": 5,
    }  # fmt: skip
    assert not System.objects.exists()
    client.post(path, {"do": "apply", "reviewed": report["fingerprint"]})
    assert set(System.objects.values_list("owner__display_name", "owner_basis")) == {("Una Brandt", "interim")}
    assert System.objects.count() == OwnershipTerm.objects.count() == 5_000
    asked = Nomination.objects.values_list("nominee__display_name", flat=True)
    assert sorted(asked) == ["Ada Nwosu"] * 10 + ["Nils Okafor"] * 5
    told = Message.objects.filter(key__startswith="import:").values_list("recipient__display_name", flat=True)
    assert sorted(told) == ["Ada Nwosu", "Nils Okafor"], "one mail a person"


def test_a_few_wrong_rows_in_five_thousand_and_nothing_is_registered(cast: Cast, browse: Browse) -> None:
    wrong = {
        "row7": {"owner_email": "ben@example.org; una@example.org"},
        "row8": {"owner_email": "TBD"},
        "row4998": {"unit": "no-such-unit"},
        "row4999": {"stage": "someday"},
        "row5000": {"key": "K-1"},
    }
    answer = upload(browse(cast.mara), inventory(5_000, **wrong))
    page = " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).replace(",", "").split())
    assert answer.status_code == 422
    for said in (
        # As a spreadsheet counts them: the first is the heading.
        "8 owner_email “ben@example.org; una@example.org” is not one address.",
        "9 owner_email “TBD” is not one address.",
        "5000 stage",
        "5001 key",
    ):
        assert said in page, page[:4000]
    assert not System.objects.exists()
    assert not Nomination.objects.exists()
    assert not ImportRun.objects.exists()
    assert not Message.objects.exists()


def test_a_file_of_people_with_two_rows_for_one_address_changes_nobody(cast: Cast, browse: Browse) -> None:
    content = b"email,name\nzoe@example.org,Zoe\nZOE@example.org,Zoe again\nteam@example.org,Team\n"
    before = Person.objects.count()
    client = browse(cast.mara)
    path = client.post("/directory/import/", {"file": SimpleUploadedFile("people.csv", content)})["Location"]
    page = client.get(path).content.decode()
    assert "zoe@example.org too" in page
    found = PeopleFile.objects.get().report["problems"]
    assert [(one["row"], one["column"]) for one in found] == [(3, "email"), (4, "email")]
    assert client.post(path, {"do": "apply"}).status_code == 422
    assert Person.objects.count() == before


# --- A mail that does not arrive --------------------------------------------------------------------------------


@pytest.fixture
def box(settings: Any) -> Iterator[Box]:
    box = Box()
    with mail_server(box) as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield box


def say(person: Person, key: str = "k1") -> Message:
    enqueue(key=key, recipient=person, subject="Answer for Claims bot", body="b", path="/", now=NOW)
    return Message.objects.get(key=key)


def swept() -> list[tuple[str, str, str]]:
    sweep_registry(now=LEAVES)
    found = Finding.objects.filter(code="mail-not-delivered").exclude(state="closed")
    return sorted(found.values_list("title", "person__display_name", "severity"))


def deactivated(cast: Cast) -> Message:
    return say(cast.ivan)


def no_address(cast: Cast) -> Message:
    Person.objects.filter(pk=cast.nils.pk).update(email="")
    return say(Person.objects.get(pk=cast.nils.pk))


def service_account(cast: Cast) -> Message:
    return say(cast.robot)


def deactivated_meanwhile(cast: Cast) -> Message:
    message = say(cast.nils)
    people.deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    return message


@pytest.mark.parametrize(
    ("happens", "name", "reason", "severity"),
    [
        (deactivated, "Ivan Kolar", "The person is deactivated", "low"),
        (no_address, "Nils Okafor", "There is no address to send it to", "high"),
        (service_account, "Deployment robot", "A service account reads no mail", "high"),
        (deactivated_meanwhile, "Nils Okafor", "The person is deactivated", "low"),
    ],
)
def test_who_gets_no_mail_is_not_skipped(
    cast: Cast, browse: Browse, box: Box, happens: Callable[[Cast], Message], name: str, reason: str, severity: str
) -> None:
    message = happens(cast)
    deliver_pending(clock_now=lambda: LEAVES)
    message.refresh_from_db()
    assert (message.state, message.error) == ("failed", reason)
    assert box.mails == []
    page = browse(cast.mara).get("/mail/").content.decode()
    assert reason in page
    assert name in page
    assert swept() == [(f"Not delivered to {name}: 1 mail. {reason}.", "Mara Lindt", severity)]
    told = Message.objects.filter(key__startswith="findings:new:", recipient=cast.mara)
    assert told.count() == 1, "one digest to somebody who can act"


def test_a_mail_that_bounces_until_it_is_given_up(cast: Cast, browse: Browse, box: Box) -> None:
    message, box.refuse_recipient = say(cast.nils), "550 5.1.1 no such person"
    now = NOW
    for _ in range(6):
        deliver_pending(clock_now=lambda: now)  # noqa: B023
        message.refresh_from_db()
        now = max(message.not_before, now)
    assert (message.state, message.attempts, message.sent_at) == ("failed", 6, None)
    [(title, person, severity)] = swept()
    assert title.startswith("Not delivered to Nils Okafor: 1 mail. The mail server refused the recipient: 550 5.1.1")
    assert (person, severity) == ("Mara Lindt", "high")
    assert "550 5.1.1 no such person" in browse(cast.mara).get("/mail/").content.decode()
    box.refuse_recipient = ""
    say(cast.nils, "k2")
    deliver_pending(clock_now=lambda: now)
    assert swept() == [], "a later mail got through"


def test_what_does_not_reach_the_mandate_holder_goes_to_another_seat(cast: Cast) -> None:
    Person.objects.filter(pk=cast.mara.pk).update(email="")
    say(Person.objects.get(pk=cast.mara.pk))
    [(title, person, _)] = swept()
    assert title.startswith("Not delivered to Mara Lindt")
    assert person == "Cleo Marchetti"
    told = Message.objects.get(key__startswith="findings:new:", recipient=cast.cleo)
    assert (told.state, told.subject) == ("queued", "1 new finding for you")


def test_when_nobody_gets_mail_it_is_one_finding(cast: Cast) -> None:
    for number in range(30):
        person = people.provision_person(
            email=f"p{number}@example.org", display_name=f"P {number}", actor=cast.mara, now=NOW
        )
        say(person, f"many:{number}")
    Message.objects.update(state="failed", error="The mail server can't be reached: refused")
    [(title, person, severity)] = [one for one in swept() if "people" in one[0]]
    assert title == "Not delivered to 30 people: 30 mails. The mail server can't be reached: refused."
    assert (person, severity) == ("Mara Lindt", "critical")


def test_a_note_for_nobody_is_recorded_once(cast: Cast) -> None:
    say(cast.ivan)
    assert enqueue(key="k1", recipient=cast.ivan, subject="s", body="b", now=NOW) == 0
    assert Message.objects.count() == 1
    assert deliver_pending(clock_now=lambda: LEAVES).sent == 0


# --- An owner who is nobody -------------------------------------------------------------------------------------

NOBODY = ["ai-team@example.org", "robot@example.org", "guest", "guest@example.org", "TBD", "tbd@example.org", "n/a"]


@pytest.mark.parametrize("typed", NOBODY)
def test_nobody_is_nominated_by_form_or_by_import(cast: Cast, browse: Browse, typed: str) -> None:
    system = a_system(cast, key="SYS-1", now=NOW)
    client = browse(cast.mara)
    for path, more in (("/systems/SYS-1/nominate/", {}), ("/systems/nominate/", {"system": ["SYS-1"], "confirm": "1"})):
        assert client.post(path, {"nominee": typed, **more}).status_code == 422, path
    answer = upload(client, inventory(1, row1={"owner_email": typed}))
    if "@" in typed:
        report = ImportRun.objects.get().report
        assert (report["contacts"]["person"], report["nominations"]) == (0, 0)
        client.post(answer["Location"], {"do": "apply", "reviewed": report["fingerprint"]})
        assert System.objects.filter(key="K-1", owner=cast.una).exists()
    else:
        assert (answer.status_code, ImportRun.objects.count()) == (422, 0)
    assert not Nomination.objects.exists()
    assert not Message.objects.exists()
    assert set(System.objects.values_list("owner", flat=True)) == {cast.una.pk}
    system.refresh_from_db()
    assert system.owner == cast.una


@pytest.mark.parametrize(
    "address", ["ai-team@example.org", "guest@example.org", "tbd@example.org", "noreply@example.org"]
)
def test_a_mailbox_becomes_no_person_through_any_door(cast: Cast, browse: Browse, address: str) -> None:
    before, client = Person.objects.count(), browse(cast.mara)
    answer = client.post("/people/new/", {"email": address, "display_name": "Guest", "time_zone": "UTC"})
    assert answer.status_code == 422
    Provider().call("POST", "/Users", a_user(address)).refused(400, "invalidValue")
    with pytest.raises(Refused, match="is a mailbox"):
        people.provision_person(email=address, display_name="Guest", actor=cast.mara, now=NOW)
    with pytest.raises(Refused):
        people.change_email(cast.nils, address, actor=cast.mara, now=NOW)
    file = SimpleUploadedFile("people.csv", f"email,name\n{address},Guest\n".encode())
    path = client.post("/directory/import/", {"file": file})["Location"]
    assert client.post(path, {"do": "apply"}).status_code == 422
    assert Person.objects.count() == before


def test_a_robot_of_the_identity_provider_is_no_person(cast: Cast) -> None:
    provider, before = Provider("Entra"), Person.objects.count()
    provider.call("POST", "/Users", a_user("robot@example.org")).refused(400, "invalidValue")
    user = provider.add("zoe@example.org")
    operation = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "svc-team@example.org"}
    provider.patch(f"/Users/{user['id']}", operation).refused(400, "invalidValue")
    assert Person.objects.get(pk=cast.robot.pk).kind == "service"
    assert Person.objects.count() == before + 1


@pytest.mark.parametrize("person", ["robot", "ivan"])
def test_the_verbs_refuse_who_cannot_answer(cast: Cast, person: str) -> None:
    system, events = a_system(cast, now=NOW), AuditEvent.objects.count()
    with pytest.raises(Refused):
        registry.nominate_owner(system, getattr(cast, person), actor=cast.mara, now=NOW)
    assert (AuditEvent.objects.count(), Nomination.objects.count()) == (events, 0)


def test_a_program_appoints_nobody(cast: Cast) -> None:
    _, secret = issue_token(cast.mara, name="T", scopes=["read", "write"], actor=cast.mara, now=NOW)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    sent = {"key": "new-1", "name": "New", "unit": "claims"}
    for owner in ({"owner": "robot@example.org"}, {"owner_id": str(cast.robot.pk)}, {"owner_basis": "accepted"}):
        answer = client.post("/api/v1/systems/", json.dumps(sent | owner), content_type="application/json")
        assert answer.status_code == 400, answer.content
    assert not System.objects.exists()


@pytest.mark.committed
@pytest.mark.parametrize("name", ["robot", "ivan"])
def test_sql_makes_nobody_an_owner_nominee_or_head(committed_db: str, name: str) -> None:
    cast = Cast()
    system = a_system(cast, now=NOW)
    person = getattr(cast, name)
    with psycopg.connect(databases.app_url(committed_db), autocommit=True) as shell:
        for statement in (
            "UPDATE registry_system SET owner_id = %(person)s WHERE id = %(system)s",
            "UPDATE people_seat SET holder_id = %(person)s, since = now() WHERE function_id = 'finance'",
        ):
            with pytest.raises(errors.ForeignKeyViolation):
                shell.execute(statement, {"person": person.pk, "system": system.pk})
    system.refresh_from_db()
    assert system.owner == cast.una


# --- Who registers it does not own it, who is asked does not own it yet --------------------------------------------


def test_who_registers_a_system_is_not_its_owner(cast: Cast, browse: Browse) -> None:
    form = {
        "key": "BY-FORM",
        "name": "One",
        "unit": cast.claims.pk,
        "stage": "production",
        "tier": "high",
        "regulatory_class": "unknown",
        "operating_model": "unknown",
    }
    answer = browse(cast.cleo).post("/systems/register/", form)
    assert answer.status_code == 302, re.sub(r"<[^>]+>", " ", answer.content.decode())
    _, secret = issue_token(cast.cleo, name="T", scopes=["read", "write"], actor=cast.cleo, now=NOW)
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    sent = {"key": "by-program", "name": "Two", "unit": "claims", "stage": "production"}
    answer = program.post("/api/v1/systems/", json.dumps(sent), content_type="application/json")
    assert answer.status_code == 201, answer.content
    path = upload(browse(cast.mara), inventory(1))["Location"]
    browse(cast.mara).post(path, {"do": "apply", "reviewed": ImportRun.objects.get().report["fingerprint"]})
    assert (
        list(System.objects.order_by("name").values_list("owner__display_name", "owner_basis"))
        == [("Una Brandt", "interim")] * 3
    )
    assert Unit.objects.get(code="claims").head == cast.una


def signature_of(page: Any, name: str, **fields: str) -> dict[str, str]:
    read = re.search(r'name="read_sha256" value="([0-9a-f]{64})"', page.content.decode())
    assert read
    return {"read_sha256": read[1], "declare": "on", "name": name, "password": PASSWORD, **fields}


def test_a_transfer_is_complete_when_the_new_owner_accepted_and_both_signed(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="SYS-1", owner=cast.ada, now=NOW)
    ada, nils, mara = browse(cast.ada), browse(cast.nils), browse(cast.mara)

    def owner() -> tuple[str, str]:
        found = System.objects.select_related("owner").get(pk=system.pk)
        term = OwnershipTerm.objects.get(system=system, period__upper_inf=True)
        assert (term.person_id, term.basis) == (found.owner_id, found.owner_basis)
        return found.owner.display_name, found.owner_basis

    assert mara.post("/systems/SYS-1/nominate/", {"nominee": "nils@example.org"}).status_code == 302
    assert owner() == ("Ada Nwosu", "accepted")
    asked = Nomination.objects.get(nominee=cast.nils)
    for other in (ada, mara):
        assert other.post(f"/nominations/{asked.pk}/", {"do": "accept", "answer": "accept"}).status_code in {
            403,
            404,
            422,
        }
    registry.accept_ownership(asked, actor=cast.nils, now=LEAVES)
    assert owner() == ("Ada Nwosu", "accepted")
    url = f"/handovers/{Handover.objects.get().pk}/"
    assert nils.post(url, {"declare": "on", "name": "Nils Okafor", "password": PASSWORD}).status_code in {403, 422}
    assert owner() == ("Ada Nwosu", "accepted")
    signed = ada.post(url, signature_of(ada.get(url), "Ada Nwosu", judgement="Watch it.", vendor_contacts=""))
    assert (signed.status_code, owner()) == (302, ("Ada Nwosu", "accepted"))
    done = nils.post(url, signature_of(nils.get(url), "Nils Okafor"))
    assert (done.status_code, owner()) == (302, ("Nils Okafor", "accepted"))


@pytest.mark.committed
def test_sql_transfers_nothing_without_two_signatures(committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast, owner=cast.ada, now=NOW)
    values = {"person": cast.nils.pk, "system": system.pk}
    with psycopg.connect(databases.app_url(committed_db)) as shell:
        shell.execute(
            "UPDATE registry_ownershipterm SET period = tstzrange(lower(period), now()) "
            "WHERE system_id = %(system)s AND upper_inf(period)", values,
        )  # fmt: skip
        shell.execute(
            "INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) "
            "VALUES (%(system)s, %(person)s, 'accepted', tstzrange(now(), NULL), '[]')", values,
        )  # fmt: skip
        shell.execute("UPDATE registry_system SET owner_id = %(person)s WHERE id = %(system)s", values)
        with pytest.raises(errors.IntegrityError):
            shell.commit()
    system.refresh_from_db()
    assert system.owner == cast.ada

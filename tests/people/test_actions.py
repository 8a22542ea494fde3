"""The verbs of people."""

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError

from apps.access.queries import standings_of
from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.people import actions
from apps.people.models import Person, RoleGrant, Seat
from apps.people.rules import RoleName, initials, is_role_address
from tests.cast import Cast
from tests.factories import NOW, a_system


def provision(cast: Cast, email: str, **fields: object) -> Person:
    return actions.provision_person(email=email, display_name="New Person", actor=cast.mara, now=NOW, **fields)


def test_an_address_in_another_case_is_the_same_person(cast: Cast) -> None:
    before = Person.objects.count()
    with pytest.raises(ValidationError) as caught:
        provision(cast, " ADA@Example.org ")
    assert "email" in caught.value.message_dict
    assert Person.objects.count() == before


@pytest.mark.parametrize(
    "address", ["caio@hhs.gov", "ai-team@example.org", "tbd@example.org", "no.reply.support@x.org"]
)
def test_a_mailbox_is_not_a_person(cast: Cast, address: str) -> None:
    with pytest.raises(Refused, match="mailbox"):
        provision(cast, address)
    assert not Person.objects.filter(email=address).exists()


@pytest.mark.parametrize("address", ["maria.data-ortiz@x.org", "ann@x.org", "aida@x.org", "teamer@x.org"])
def test_a_name_is_not_taken_for_a_mailbox(address: str) -> None:
    assert is_role_address(address) is (address == "maria.data-ortiz@x.org")


@pytest.mark.parametrize(
    ("name", "mark"),
    [("Ada Nwosu", "AN"), ("Cher", "C"), ("Jean-Luc de la Tour", "JT"), ("李 小龍", "李小"), ("  ", "?"), ("42", "?")],
)
def test_initials(name: str, mark: str) -> None:
    assert initials(name) == mark


@pytest.mark.parametrize("password", ["short", "password1234", "ada.newperson@example.org"])
def test_weak_passwords_are_refused(cast: Cast, password: str) -> None:
    with pytest.raises(ValidationError):
        provision(cast, "ada.newperson@example.org", password=password)
    assert not Person.objects.filter(email="ada.newperson@example.org").exists()


def test_deactivating_ends_sessions_and_needs_succession_first(cast: Cast, browse: object) -> None:
    system = a_system(cast, owner=cast.ada)
    with pytest.raises(Refused, match="Hand those over first"):
        actions.deactivate_person(cast.ada, actor=cast.mara, now=NOW)
    client, unseen = browse(cast.nils), browse(cast.nils)  # type: ignore[operator]
    assert client.get("/").status_code == 200
    assert Session.objects.count() == 2
    actions.deactivate_person(cast.nils, actor=cast.mara, now=NOW, reason="Left")
    assert Session.objects.count() == 1, "the one that nobody had noted is worthless without being looked for"
    assert client.get("/").status_code == unseen.get("/").status_code == 302
    system.refresh_from_db()
    assert system.owner == cast.ada
    assert AuditEvent.objects.filter(kind="person.deactivated").count() == 2


def test_the_seat_that_holds_the_mandate_is_never_vacant(cast: Cast) -> None:
    with pytest.raises(Refused, match="successor"):
        actions.vacate_seat("platform", actor=cast.mara, now=NOW)
    assert Seat.objects.get(function_id="platform").holder == cast.mara
    actions.seat_person("platform", cast.nils, actor=cast.mara, now=NOW)
    assert Seat.objects.get(function_id="platform").holder == cast.nils


def test_a_role_ends_on_its_day(cast: Cast) -> None:
    actions.grant_role(cast.dov, RoleName.AUDITOR, actor=cast.mara, now=NOW, until=NOW.replace(day=17))
    assert "auditor" in standings_of(Person.objects.get(pk=cast.dov.pk), now=NOW)
    assert "auditor" not in standings_of(Person.objects.get(pk=cast.dov.pk), now=NOW.replace(day=17))
    actions.grant_role(cast.dov, RoleName.AUDITOR, actor=cast.mara, now=NOW.replace(day=18))
    assert RoleGrant.objects.filter(person=cast.dov).count() == 2


def test_a_role_is_given_once(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="already"):
        actions.grant_role(cast.eve, RoleName.AUDITOR, actor=cast.mara, now=NOW)
    actions.revoke_role(cast.eve, RoleName.AUDITOR, actor=cast.mara, now=NOW)
    with pytest.raises(Refused):
        actions.revoke_role(cast.eve, RoleName.AUDITOR, actor=cast.mara, now=NOW)


@pytest.mark.parametrize("field", ["deputy", "line_manager"])
def test_who_cannot_act_is_no_deputy(cast: Cast, field: str) -> None:
    for name in ("ivan", "robot", "ada"):
        with pytest.raises((Refused, ValidationError)):
            actions.change_person(cast.ada, actor=cast.mara, now=NOW, **{field: getattr(cast, name)})
    cast.ada.refresh_from_db()
    assert (cast.ada.deputy, cast.ada.line_manager) == (cast.ben, cast.una)

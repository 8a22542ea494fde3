"""The same button pressed twice at the same moment, in two browsers: one act, one sentence, no error page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test import Client, RequestFactory

from apps.access.actions import issue_token
from apps.attestations.actions import open_campaign
from apps.attestations.models import Assignment, Campaign, Signature
from apps.attestations.questions import DEFAULT_SET
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.people.models import Person
from apps.portal.middleware import ErrorsMiddleware
from apps.registry import actions as registry
from apps.registry.models import Mandate, Nomination, OwnershipTerm, System
from tests.attestations.world import answer_all
from tests.cast import PASSWORD, Cast
from tests.factories import NOW, a_system
from tests.hostile.races import at_once

pytestmark = pytest.mark.committed
Browse = Callable[[Any], Client]


def posted(client: Client, path: str, data: dict[str, Any], **headers: str) -> Callable[[], Any]:
    """Press a button, from a thread of its own."""
    body = urlencode(data, doseq=True)
    return lambda: (
        client.post(path, body, content_type="application/x-www-form-urlencoded", headers=headers).status_code
    )


def asked(cast: Cast) -> Nomination:
    return registry.nominate_owner(a_system(cast), cast.nils, actor=cast.mara, now=NOW)


def test_accept_decline_and_withdraw(committed_db: str, browse: Browse) -> None:
    cast = Cast()
    nomination = asked(cast)
    page = f"/nominations/{nomination.pk}/"
    got = at_once(
        posted(browse(cast.nils), page, {"answer": "accept"}),
        posted(browse(cast.nils), page, {"answer": "decline", "reason": "No."}),
        posted(browse(cast.mara), f"{page}withdraw/", {}),
    )
    assert sorted(got) == [302, 422, 422]
    kinds = ("system.owner.accepted", "system.owner.declined", "system.owner.withdrawn")
    assert AuditEvent.objects.filter(kind__in=kinds, subject_id=nomination.system_id).count() == 1


def test_accept_and_deactivate(committed_db: str, browse: Browse) -> None:
    cast = Cast()
    nomination = asked(cast)
    got = at_once(
        posted(browse(cast.nils), f"/nominations/{nomination.pk}/", {"answer": "accept"}),
        posted(browse(cast.mara), f"/people/{cast.nils.pk}/", {"do": "deactivate", "reason": "Left."}),
    )
    nils, system = Person.objects.get(pk=cast.nils.pk), System.objects.get(pk=nomination.system_id)
    assert nils.is_active == (system.owner == nils)
    assert 302 in got
    assert all(status < 500 for status in got)


def test_registering_a_key_twice(committed_db: str, browse: Browse) -> None:
    cast = Cast()
    data = {"key": "TWICE", "name": "Twice", "unit": cast.claims.pk, "stage": "production", "tier": "low",
            "regulatory_class": "unknown", "operating_model": "unknown"}  # fmt: skip
    got = at_once(*(posted(browse(cast.mara), "/systems/register/", data) for _ in range(3)))
    assert sorted(got) == [302, 422, 422]
    assert OwnershipTerm.objects.filter(system__key="TWICE").count() == 1


def test_registering_a_key_twice_by_the_api(committed_db: str) -> None:
    cast = Cast()
    _, secret = issue_token(cast.mara, name="T", scopes=["write"], actor=cast.mara, now=clock.now())
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    body = {"key": "TWICE", "name": "Twice", "unit": "claims"}
    ask = lambda: client.post("/api/v1/systems/", body, content_type="application/json").status_code  # noqa: E731
    assert sorted(at_once(ask, ask, ask)) == [201, 400, 400]


def test_the_same_person_unit_view_and_role_twice(committed_db: str, browse: Browse) -> None:
    cast = Cast()
    forms = {
        "/people/new/": {"email": "new@example.org", "display_name": "New", "time_zone": "UTC"},
        "/units/new/": {"name": "New", "code": "new"},
        "/systems/views/": {"name": "Mine", "query": "q=x"},
        f"/people/{cast.nils.pk}/": {"do": "grant", "role": "auditor"},
    }
    for page, data in forms.items():
        got = at_once(*(posted(browse(cast.mara), page, data) for _ in range(2)))
        assert sorted(got) == [302, 422], page


def test_the_first_start_twice(bare_db: str) -> None:
    forms = [{"display_name": f"P{n}", "email": f"p{n}@example.org", "function": function, "password": PASSWORD}
             for n, function in enumerate(("platform", "ciso"))]  # fmt: skip
    got = at_once(*(posted(Client(), "/setup/", form) for form in forms))
    assert 302 in got
    assert set(got) <= {302, 404}
    assert Mandate.objects.count() == Person.objects.count() == 1


def test_opening_a_campaign_twice(committed_db: str) -> None:
    cast = Cast()
    a_system(cast)
    opened = at_once(*(lambda: open_campaign("2026Q4", actor=COMMAND, now=NOW) for _ in range(3)))
    assert sorted(new for _, new in opened) == [False, False, True]
    assert (Campaign.objects.count(), Assignment.objects.count()) == (1, 1)


@pytest.fixture
def answered(committed_db: str) -> Assignment:
    cast = Cast()
    system = a_system(cast, owner=cast.ada, now=NOW - timedelta(days=1))
    campaign, _ = open_campaign("2026Q4", actor=COMMAND, now=NOW)
    assignment = campaign.assignments.select_related("campaign", "system").get(system=system)
    return answer_all(assignment, cast.ada, now=NOW)


def test_signing_twice(answered: Assignment, browse: Browse) -> None:
    cast = Cast()
    page = f"/attestations/2026Q4/{answered.system.key}/check/"
    data = {"declare": "on", "name": "Ada Nwosu", "password": PASSWORD, "version": answered.version}
    with time_machine.travel(NOW + timedelta(hours=1)):
        got = at_once(*(posted(browse(cast.ada), page, data) for _ in range(3)))
    assert got.count(302) >= 1
    assert set(got) <= {302, 422}
    assert Signature.objects.count() == 1
    assert AuditEvent.objects.filter(kind="attestation.signed").count() == 1


def test_one_section_in_two_windows(answered: Assignment, browse: Browse) -> None:
    cast, section = Cast(), DEFAULT_SET[0]
    page = f"/attestations/2026Q4/{answered.system.key}/{section.slug}/"
    key = section.questions[0].key
    values = [value for value in section.questions[0].values if value != "yes"][:2]
    with time_machine.travel(NOW + timedelta(hours=1)):
        got = at_once(
            *(posted(browse(cast.ada), page, {key: value, "version": answered.version}) for value in values),
        )
    assert sorted(got) == [302, 409]


def test_applying_an_import_twice(committed_db: str, browse: Browse) -> None:
    from apps.registry.rules.imports import template_csv

    cast = Cast()
    run = registry.receive_import(file_name="x.csv", content=template_csv().encode(), actor=cast.mara, now=NOW)
    press = [
        posted(browse(cast.mara), f"/systems/import/{run.pk}/", {"do": do}) for do in ("apply", "apply", "discard")
    ]
    got = at_once(*press)
    assert sorted(got) == [302, 422, 422]
    assert System.objects.count() in {0, 1}


def test_what_nobody_foresaw_is_a_sentence_too(committed_db: str) -> None:
    """The net below: whatever else two transactions do to each other is said, logged, and not a 500."""
    cast = Cast()

    def collide() -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO registry_unit (name, code) SELECT name, code FROM registry_unit LIMIT 1")

    request = RequestFactory().post("/units/new/")
    request.user = cast.mara  # type: ignore[assignment]
    with pytest.raises(DatabaseError) as caught:
        collide()
    response = ErrorsMiddleware(lambda request: None).process_exception(request, caught.value)  # type: ignore[arg-type, return-value]
    assert response is not None
    assert response.status_code == 409
    assert b"Somebody changed the same thing" in response.content

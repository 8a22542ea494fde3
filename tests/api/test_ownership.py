"""Who answered on a day, and facts that name an owner, for programs."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.registry import actions
from apps.registry.models import OwnershipFact
from apps.registry.rules.authority import Powers
from tests.api.conftest import Program
from tests.cast import Cast
from tests.factories import NOW, a_system, hand_over

Programs = Callable[..., Program]
LATER = NOW + timedelta(hours=3)


def answered(program: Program, on: str) -> Any:
    response = program.get("systems/SYS-1/answered/", {"on": on})
    assert response.status_code == 200, response.content
    return response.json()


def test_who_answered_when(cast: Cast, program: Programs) -> None:
    system = a_system(cast, key="SYS-1", owner=cast.ada)
    hand_over(cast, system, cast.nils, now=LATER)
    mara = program(cast.mara)
    day = answered(mara, "2026-11-16")
    assert [one["person"]["name"] for one in day["answered"]] == ["Una Brandt", "Ada Nwosu", "Nils Okafor"]
    assert (day["time_zone"], day["why_nobody"]) == ("Europe/Berlin", "")
    moment = answered(mara, "2026-11-16T12:00:00+01:00")["answered"]
    assert [(one["person"]["name"], one["basis"], one["acted"]) for one in moment] == [("Ada Nwosu", "accepted", None)]
    # Midnight is the organisation's: 23:30 in UTC on the 15th is the 16th in Berlin.
    assert answered(mara, "2026-11-15")["why_nobody"] == "The system was not on the register yet."
    assert answered(mara, "2999-01-01")["why_nobody"] == "This lies in the future: nobody knows who answers then."
    assert answered(mara, "2026-11-15T23:30:00Z")["answered"] == []


def test_who_acted_then(cast: Cast, program: Programs) -> None:
    from apps.people.models import Absence

    a_system(cast, key="SYS-1", owner=cast.ada)
    Absence.objects.create(
        person=cast.ada, starts_on="2026-11-18", ends_on="2026-11-19", created_at=NOW, in_force=False
    )
    one = answered(program(cast.mara), "2026-11-18")["answered"][0]
    assert (one["person"]["name"], one["acted"]["name"]) == ("Ada Nwosu", "Ben Ortega")
    assert answered(program(cast.mara), "2026-11-20")["answered"][0]["acted"] is None


@pytest.mark.parametrize("on", ["", "x", "2026-13-01", "2026-11-16T12:00:00", "0000-00-00", "2026-11-16T99:00:00Z"])
def test_what_is_no_day(cast: Cast, program: Programs, on: str) -> None:
    a_system(cast, key="SYS-1")
    response = program(cast.mara).get("systems/SYS-1/answered/", {"on": on})
    assert response.status_code == 400
    assert "on" in response.json()["errors"]


def test_a_restricted_system_is_not_there(cast: Cast, program: Programs) -> None:
    a_system(cast, key="SYS-1", owner=cast.ada, restricted=True)
    query = {"on": "2026-11-17"}
    asked = {name: program(getattr(cast, name)) for name in ("ada", "ben", "cleo", "dov", "eve")}
    got = {name: one.get("systems/SYS-1/answered/", query).status_code for name, one in asked.items()}
    assert got == {"ada": 200, "ben": 200, "cleo": 404, "dov": 404, "eve": 200}
    assert program(cast.dov).get("systems/SYS-1/ownership-facts/").status_code == 404


def test_authority_is_read(cast: Cast, program: Programs) -> None:
    system = a_system(cast, key="SYS-1", owner=cast.ada)
    assert program(cast.mara).get("systems/SYS-1/").json()["authority"] is None
    powers = Powers(may_stop=True, spend_cap=Decimal("10"), currency="EUR")
    actions.grant_authority(system, powers, actor=cast.mara, now=LATER)
    seen = program(cast.mara).get("systems/SYS-1/").json()["authority"]
    assert (seen["may_stop"], seen["may_revoke"], seen["spend_cap"], seen["currency"]) == (True, False, "10.00", "EUR")
    assert seen["granted_by"]["name"] == "Mara Lindt"


def test_facts_are_noted_and_predict(cast: Cast, program: Programs) -> None:
    a_system(cast, key="SYS-1")
    seen = (timezone.now() - timedelta(days=1)).isoformat()
    body = {"kind": "code_owner", "value": "@nils", "origin": "claims", "seen_at": seen}
    events = AuditEvent.objects.count()
    created = program(cast.mara).post("systems/SYS-1/ownership-facts/", body)
    assert created.status_code == 201, created.content
    assert created.json()["predicted"]["name"] == "Nils Okafor"
    assert AuditEvent.objects.filter(kind="ownership.fact.recorded").count() == 1
    assert AuditEvent.objects.count() > events
    other = {**body, "kind": "deployer", "value": "dov@example.org"}
    assert (
        program(cast.mara).post("systems/SYS-1/ownership-facts/", other).json()["why_not"] == "the facts name 2 people"
    )
    assert program(cast.cleo).post("systems/SYS-1/ownership-facts/", body).status_code == 403
    assert program(cast.mara, ["read"]).post("systems/SYS-1/ownership-facts/", body).status_code == 403
    assert program(cast.dov).post("systems/SYS-1/ownership-facts/", body).status_code == 404
    for wrong in ({"kind": "x"}, {"value": ""}, {"seen_at": "2999-01-01T00:00:00Z"}, {"more": 1}):
        assert program(cast.mara).post("systems/SYS-1/ownership-facts/", body | wrong).status_code == 400, wrong
    assert OwnershipFact.objects.count() == 2

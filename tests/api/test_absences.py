"""Absences by the API."""

from datetime import date, timedelta
from typing import Any

import pytest

from apps.common import clock
from apps.people.models import Absence
from apps.registry import actions as registry
from tests.cast import Cast


def days(first: int = 0, last: int = 5) -> dict[str, str]:
    today = clock.now().date()
    return {
        "starts_on": (today + timedelta(days=first)).isoformat(),
        "ends_on": (today + timedelta(days=last)).isoformat(),
    }


def test_record_list_cancel(cast: Cast, program: Any) -> None:
    ada = program(cast.ada)
    made = ada.post("absences/", days() | {"delegate": str(cast.nils.pk)})
    assert made.status_code == 201
    body = made.json()
    assert (body["person"]["name"], body["delegate"]["name"], body["kind"]) == ("Ada Nwosu", "Nils Okafor", "away")
    assert [row["id"] for row in ada.get("absences/").json()["results"]] == [body["id"]]
    assert ada.get(f"absences/{body['id']}/").json() == body
    assert ada.client.delete(f"/api/v1/absences/{body['id']}/").status_code == 204
    assert Absence.objects.get().cancelled_at is not None
    assert ada.client.delete(f"/api/v1/absences/{body['id']}/").status_code == 404
    assert program(cast.ada, ["read"]).post("absences/", days()).status_code == 403


def test_the_line_manager_and_the_mandate_keep_them_too(cast: Cast, program: Any) -> None:
    for person, at in ((cast.una, days()), (cast.mara, days(8, 9))):
        made = program(person).post("absences/", at | {"person": str(cast.ada.pk)})
        assert made.status_code == 201
    assert len(program(cast.una).get("absences/", {"person": str(cast.ada.pk)}).json()["results"]) == 2


def test_nobody_else_does(cast: Cast, program: Any) -> None:
    today = clock.now().date()
    absence = registry.record_absence(cast.ada, starts_on=today, ends_on=today, actor=cast.ada, now=clock.now())
    ben = program(cast.ben)
    assert ben.get("absences/", {"person": str(cast.ada.pk)}).status_code == 403
    assert ben.post("absences/", days() | {"person": str(cast.ada.pk)}).status_code == 403
    assert ben.get(f"absences/{absence.pk}/").status_code == 404
    assert ben.client.delete(f"/api/v1/absences/{absence.pk}/").status_code == 404
    assert Absence.objects.get().cancelled_at is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "delegated"}, 400),
        ({"kind": "asleep"}, 400),
        ({"starts_on": "soon"}, 400),
        ({"ends_on": date(2020, 1, 1).isoformat()}, 400),
        ({"delegate": "00000000-0000-0000-0000-000000000000"}, 400),
        ({"person": "00000000-0000-0000-0000-000000000000"}, 404),
        ({"title": "Knee"}, 400),
    ],
)
def test_bad_input_changes_nothing(cast: Cast, program: Any, change: dict[str, str], status: int) -> None:
    response = program(cast.ada).post("absences/", days() | change)
    assert (response.status_code, Absence.objects.count()) == (status, 0)


def test_a_rule_that_says_no(cast: Cast, program: Any) -> None:
    response = program(cast.ada).post("absences/", {"starts_on": "2020-01-01", "ends_on": "2020-01-02"})
    assert response.status_code in {400, 409, 422}
    assert "These days are over" in response.json()["detail"]

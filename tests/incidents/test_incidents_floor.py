"""The benchmark's floors give what the pages' own queries give; otherwise its ratios would mean nothing."""

from datetime import timedelta
from typing import Any

import pytest

from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.states import dismiss
from apps.incidents.models import Incident
from benchmarks import incidents
from tests.cast import Cast
from tests.incidents.paging_world import NOW, contained, declared, minutes


@pytest.mark.committed
def test_the_floors_give_the_same_rows(committed_db: str, as_owner: Any) -> None:
    cast = Cast()
    for number in range(6):
        incident = declared(cast, severity="sev2", now=NOW + timedelta(seconds=number))
        if number % 2:
            incident = acknowledge(incident, actor=cast.ada, now=minutes(3 + number))
        if number == 3:
            contained(incident, cast.ada, minutes(20))
        if number == 4:
            dismiss(incident, because="benign", note="A test page.", actor=cast.ada, now=minutes(9))
    with as_owner(committed_db) as owner:
        codes = incidents.floor_codes(owner)
        assert codes == incidents.page_codes("eve@example.org")
        assert len(codes) == 6
        assert codes[-1] == Incident.objects.order_by("pk")[4].code
        spans = incidents.floor_spans(owner, minutes(60))
    assert spans == incidents.page_spans(minutes(60))
    assert [row[:3] for row in spans] == [("real", "accepted", 3), ("real", "contain", 1)]

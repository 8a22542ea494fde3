"""Duties towards people in an incident, and the sign of life to a watchman outside."""

from datetime import timedelta
from typing import Any

import pytest

from apps.incidents.actions.paging import acknowledge, advance_due
from apps.incidents.models import Escalation
from apps.notify.models import Message
from apps.notify.safe_http import OutOfReachError
from apps.portal import dead_man
from apps.portal.queries.watch import watched
from apps.portal.queries.watch_incidents import DUTIES, VITAL
from tests.incidents.paging_world import NOW, declared, minutes

pytestmark = pytest.mark.django_db
SENT = timedelta(seconds=1)


def undone(now: Any, reader: Any = None) -> dict[str, list[str]]:
    found = watched(now, reader=reader, duties=DUTIES).undone
    return {one.duty.key: [example.text.split(",")[0] for example in one.examples] for one in found}


def sent() -> None:
    Message.objects.filter(state="queued").update(state="claimed", claimed_at=NOW)
    Message.objects.filter(state="claimed").update(state="sent", sent_at=NOW + SENT)


def test_a_timer_that_did_not_fire_is_seen(cast: Any) -> None:
    incident = declared(cast)
    sent()
    assert undone(minutes(9.9), cast.mara) == {}
    assert undone(minutes(10.1), cast.mara) == {"calls-not-made": [incident.code]}
    advance_due(now=minutes(10.2))
    sent()
    assert undone(minutes(10.3), cast.mara) == {}


def test_acknowledgements_that_ran_out_unnoticed_are_seen(cast: Any) -> None:
    incident = declared(cast, now=NOW)
    sent()
    other = declared(cast, now=NOW)
    sent()
    acknowledge(incident, actor=cast.ada, now=minutes(1))
    acknowledge(other, actor=cast.ada, now=minutes(1))
    assert undone(minutes(60)) == {}
    assert set(undone(minutes(67))) == {"acknowledgements-not-expired"}


def test_a_call_that_waits_is_seen(cast: Any) -> None:
    declared(cast)
    assert undone(minutes(1.9), cast.mara) == {}
    found = undone(minutes(2.1), cast.mara)
    # The last three decide about clocks.
    assert {key: sorted(names) for key, names in found.items()} == {
        "calls-not-sent": ["Ada Nwosu", "Cleo Marchetti", "Lea Abelmann", "Mara Lindt"]
    }


def test_that_nobody_answered_is_seen_until_somebody_takes_it(cast: Any) -> None:
    incident = declared(cast)
    for _ in range(13):
        row = Escalation.objects.get(incident=incident)
        if row.due_at is not None:
            advance_due(now=row.due_at)
    sent()
    assert undone(minutes(150), cast.mara) == {"nobody-answered": [incident.code]}
    acknowledge(incident, actor=cast.mara, now=minutes(151))
    assert undone(minutes(152), cast.mara) == {}


def test_the_sign_of_life_is_off_without_an_address(cast: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(dead_man, "post", lambda *_: pytest.fail("sent"))
    assert not dead_man.sign_of_life(now=NOW)


def test_the_sign_of_life_goes_out_while_calling_works(cast: Any, monkeypatch: Any, settings: Any) -> None:
    settings.DEAD_MAN_URL, posted = "https://watch.example.org/ping", []
    monkeypatch.setattr(dead_man, "post", lambda url, *_: posted.append(url))
    declared(cast)
    sent()
    assert dead_man.sign_of_life(now=minutes(1))
    assert posted == [settings.DEAD_MAN_URL]
    # The next call was due at five past and was not made: silence is the alarm.
    assert not dead_man.sign_of_life(now=minutes(11))
    assert len(posted) == 1
    assert {duty.key for duty in DUTIES} >= VITAL


def test_a_sign_of_life_that_can_not_be_sent_fails_nothing(cast: Any, monkeypatch: Any, settings: Any) -> None:
    def unreachable(*_: Any) -> None:
        raise OutOfReachError("no route")

    settings.DEAD_MAN_URL = "https://watch.example.org/ping"
    monkeypatch.setattr(dead_man, "post", unreachable)
    assert not dead_man.sign_of_life(now=NOW)

"""A sweep looks at little to find that nothing is new, and never misses what is."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction

from apps.attestations import actions
from apps.attestations import queries as attestation_queries
from apps.attestations.actions import ladder as sweep
from apps.attestations.models import Campaign, Snooze
from apps.attestations.queries.ladder import ladder
from apps.audit.rules import COMMAND
from apps.notify.actions import withdraw
from apps.people.models import Absence, Person
from apps.registry.models import Unit
from tests.attestations.test_ladder import DIGEST, OPENED, at, fail, start
from tests.attestations.world import register

HOURS = (8, 16)


def crowd(cast: Any) -> Campaign:
    """Everything that decides who hears: other zones, no manager, a head who owns, away, unreached, no address."""
    register(cast, "plain", owner=cast.ada, tier="low")
    register(cast, "grave", owner=cast.ada, tier="critical")
    register(cast, "heads", owner=cast.una, tier="high")
    register(cast, "seat", owner=cast.cleo, unit=cast.devtools)
    register(cast, "other", owner=cast.nils, unit=cast.devtools)
    register(cast, "alone", owner=cast.dov, tier="high")
    Person.objects.filter(pk=cast.ben.pk).update(time_zone="America/Los_Angeles")
    Person.objects.filter(pk=cast.nils.pk).update(time_zone="Asia/Tokyo", deputy=cast.lea, line_manager=cast.una)
    Person.objects.filter(pk=cast.dov.pk).update(line_manager=None, email="")
    campaign = start()
    Absence.objects.create(
        person=cast.una, starts_on=date(2026, 11, 28), ends_on=date(2026, 12, 2), delegate=cast.eve,
        created_at=OPENED,
    )  # fmt: skip
    fail(cast.lea, at(20))
    Snooze.objects.create(
        campaign=campaign, person=cast.ada, from_day=date(2026, 11, 22), until=date(2026, 11, 24), set_at=at(22)
    )
    return campaign


def test_nothing_that_is_new_is_passed_over(cast: Any, monkeypatch: Any) -> None:
    """At each moment the sweep that looks at everything says as much as the one that looks first."""
    crowd(cast)
    quiet = busy = 0
    for hours in range(32 * 24):
        now = OPENED + timedelta(hours=hours)
        if now.hour not in HOURS:
            continue
        with transaction.atomic(), monkeypatch.context() as always:
            always.setattr(sweep, "_may_be_new", lambda *_: True)
            whole = actions.remind_all_due(now=now)
            transaction.set_rollback(True)
        assert actions.remind_all_due(now=now) == whole, now
        quiet, busy = quiet + (not whole), busy + bool(whole)
    assert busy > 10
    assert quiet > 20


def test_a_sweep_with_nothing_new_reads_no_list(cast: Any, monkeypatch: Any) -> None:
    register(cast, "one", owner=cast.ada)
    start()
    assert actions.remind_all_due(now=at(23)) == 1
    with monkeypatch.context() as once:
        once.setattr(sweep, "open_places", _everything)
        assert actions.remind_all_due(now=at(23, minute=10)) == 0
        assert actions.remind_all_due(now=at(24)) == 0
    withdraw(now=at(24), reason="It was signed.", prefix=DIGEST)
    assert actions.remind_all_due(now=at(24, minute=10)) == 1


def _everything(*_: Any) -> list[Any]:
    raise AssertionError("Everything was read though nothing was new.")


def test_managers_are_counted_beyond_those_who_are_named(cast: Any) -> None:
    """Three line managers by name, most first; a deactivated one is told of nothing; who is unreached is counted."""
    unit = Unit.objects.get(pk=cast.claims.pk)
    for place in range(5):
        manager = Person.objects.create(
            email=f"boss{place}@example.org", display_name=f"Boss {place}", created_at=OPENED
        )
        person = Person.objects.create(
            email=f"own{place}@example.org", display_name=f"Owns {place}", line_manager=manager, created_at=OPENED
        )
        for number in range(5 - place):
            register(cast, f"s{place}-{number}", owner=person, unit=unit)
    gone = Person.objects.get(email="boss0@example.org")
    gone.is_active, gone.deactivated_at = False, OPENED
    gone.save(update_fields=["is_active", "deactivated_at"])
    fail(Person.objects.get(email="boss4@example.org"), at(30))
    campaign = start()
    step = ladder(campaign, date(2026, 12, 1))[1]
    assert (step.people, step.systems, step.not_reached) == (5, 15, 1)
    assert step.names == ("Boss 1 4", "Boss 2 3", "Boss 3 2", "others 1")


def test_counts_of_several_campaigns(cast: Any, django_assert_num_queries: Any) -> None:
    register(cast, "one", owner=cast.ada)
    first = start()
    later = datetime(2027, 2, 8, 9, tzinfo=UTC)
    second = actions.open_campaign("2027Q1", actor=COMMAND, now=later)[0]
    day = date(2026, 12, 1)
    with django_assert_num_queries(1):
        found = attestation_queries.totals([first, second], today=day)
    assert found == {one.pk: attestation_queries.completion(one, today=day).counts for one in (first, second)}
    assert attestation_queries.totals([], today=day) == {}

"""At no committed moment has a live system an inactive or a missing answerer.

Random joins, moves, leaves, returns, absences, nominations and hand-overs, several at once in transactions of their
own, while another connection looks at every state that it can see. A failure names its seed.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection

from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import is_collision
from apps.directory.actions import bring_back, offboard
from apps.people import actions as people
from apps.people.models import Person, Seat
from apps.registry import actions as registry
from apps.registry.actions.handover import cancel_handover
from apps.registry.models import Handover, Mandate, Nomination, System, Unit
from apps.registry.queries import live
from apps.registry.queries.acting import acting_owners
from tests.cast import Cast
from tests.factories import NOW, a_system

pytestmark = pytest.mark.committed

WORKERS, STEPS, SYSTEMS = 4, 30, 8

# Each row is a live system that breaks the promise, in the one statement's snapshot.
EMPTY_SQL = """
SELECT s.key, p.email, p.is_active, p.kind, t.person_id FROM registry_system s
LEFT JOIN people_person p ON p.id = s.owner_id
LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
WHERE s.stage NOT IN ('proposed', 'retired')
  AND (p.id IS NULL OR NOT p.is_active OR p.kind <> 'human' OR t.person_id IS DISTINCT FROM s.owner_id
       OR t.basis IS DISTINCT FROM s.owner_basis)
"""
MANDATE_SQL = """
SELECT p.is_active FROM registry_mandate m JOIN people_seat s ON s.function_id = m.holder_id
LEFT JOIN people_person p ON p.id = s.holder_id WHERE p.is_active IS NOT TRUE
"""


class Life:
    """What can happen to people and systems, each drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311
        self.now = NOW + timedelta(days=1, minutes=seed % 1000)
        self.joined = 0
        self.seed = seed

    def step(self) -> None:
        """One act. What a person would be told in a sentence is an answer; all else is a failure."""
        self.now += timedelta(minutes=1)
        act = self.dice.choice(self.acts())
        try:
            act()
        except (Refused, NotAllowed, ValidationError):
            pass
        except DatabaseError as error:
            if not is_collision(error):
                raise

    def acts(self) -> list[Callable[[], Any]]:
        often = [self.nominate, self.accept, self.leave, self.come_back]
        return [*often, *often, self.decline, self.join, self.move, self.deputise, self.away, self.head, self.seat,
                self.sign_handover, self.leaving_soon]  # fmt: skip

    def person(self, *, active: bool = True) -> Person:
        found = list(Person.objects.filter(is_active=active, kind="human").order_by("email"))
        if not found:
            raise Refused("nobody")
        return self.dice.choice(found)

    def system(self) -> System:
        return self.dice.choice(list(live(System.objects.all()).order_by("key")))

    def unit(self) -> Unit:
        return self.dice.choice(list(Unit.objects.order_by("code")))

    def by(self) -> dict[str, Any]:
        return {"actor": COMMAND, "now": self.now}

    def join(self) -> None:
        self.joined += 1
        name = f"joiner{self.seed}-{self.joined}"
        people.provision_person(email=f"{name}@example.org", display_name=name, **self.by())

    def move(self) -> None:
        registry.change_person(self.person(), line_manager=self.person(), **self.by())

    def deputise(self) -> None:
        registry.change_person(self.person(), deputy=self.person(), **self.by())

    def away(self) -> None:
        starts = self.now.date() + timedelta(days=self.dice.randint(-1, 1))
        fields = {"starts_on": starts, "ends_on": starts + timedelta(days=self.dice.randint(0, 3))}
        registry.record_absence(self.person(), **fields, **self.by())

    def leaving_soon(self) -> None:
        Person.objects.filter(pk=self.person().pk).update(leaving_on=self.now.date())

    def head(self) -> None:
        registry.change_unit(self.unit(), head=self.person(), **self.by())

    def seat(self) -> None:
        registry.seat_person(self.dice.choice(["platform", "ciso", "legal"]), self.person(), **self.by())

    def nominate(self) -> None:
        registry.nominate_owner(self.system(), self.person(), **self.by())

    def _waiting(self) -> Nomination:
        waiting = list(Nomination.objects.filter(state="open").select_related("nominee").order_by("pk"))
        if not waiting:
            raise Refused("nothing waits")
        return self.dice.choice(waiting)

    def accept(self) -> None:
        nomination = self._waiting()
        registry.accept_ownership(nomination, actor=nomination.nominee, now=self.now)

    def decline(self) -> None:
        nomination = self._waiting()
        registry.decline_ownership(nomination, actor=nomination.nominee, now=self.now, reason="No")

    def sign_handover(self) -> None:
        running = Handover.objects.filter(state__in=["open", "signed"]).order_by("pk").first()
        if running is not None:
            cancel_handover(running, reason="Not now", actor=running.outgoing, now=self.now)

    def leave(self) -> None:
        offboard(self.person(), **self.by())

    def come_back(self) -> None:
        bring_back(self.person(active=False), **self.by())


def broken() -> list[Any]:
    """What breaks the promise in the state that is committed now."""
    with connection.cursor() as cursor:
        cursor.execute(EMPTY_SQL)
        rows = cursor.fetchall()
        cursor.execute(MANDATE_SQL)
        return rows + cursor.fetchall()


def live_together(seed: int) -> tuple[list[Any], list[Exception], int]:
    """Several lives at once, and somebody who looks all the time. What was seen broken, what failed, how many looks."""
    seen: list[Any] = []
    failed: list[Exception] = []
    looks = 0
    over = threading.Event()

    def one(number: int) -> None:
        life = Life(seed * 10 + number)
        try:
            for _ in range(STEPS):
                life.step()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    def look() -> None:
        nonlocal looks
        try:
            while not over.is_set():
                seen.extend(broken())
                looks += 1
        finally:
            connection.close()

    watcher = threading.Thread(target=look)
    workers = [threading.Thread(target=one, args=(number,)) for number in range(WORKERS)]
    for thread in (watcher, *workers):
        thread.start()
    for thread in workers:
        thread.join(120)
    over.set()
    watcher.join(30)
    assert not any(thread.is_alive() for thread in workers), "they wait for each other"
    return seen, failed, looks


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_committed_moment_without_an_answerer(committed_db: str, seed: int) -> None:
    cast = Cast()
    for number in range(SYSTEMS):
        owner = (cast.ada, cast.nils, None)[number % 3]
        a_system(cast, owner=owner, unit=(cast.claims, cast.devtools)[number % 2])
    seen, failed, looks = live_together(seed)
    assert not failed, f"seed {seed}: {failed[0]!r}"
    assert not seen, f"seed {seed}: {seen[:3]}"
    assert looks > 10
    happened = Counter(AuditEvent.objects.values_list("kind", flat=True))
    assert happened["person.offboarded"] >= 3, "too little happened to prove anything"
    assert happened["system.owner.accepted"] >= 5
    assert happened["absence.recorded"] >= 1
    assert not broken()
    _somebody_is_called(NOW + timedelta(days=2))


def _somebody_is_called(now: Any) -> None:
    """Whoever is away: for each live system one active human is called."""
    systems = list(live(System.objects.select_related("owner", "unit")))
    called = acting_owners(systems, now)
    assert len(called) == len(systems)
    for acting in called.values():
        assert acting.acts.is_active
        assert acting.acts.kind == "human"
    assert Seat.objects.get(function_id=Mandate.objects.get().holder_id).holder is not None

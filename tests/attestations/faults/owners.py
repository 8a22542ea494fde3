"""Owners at work while everything breaks: they answer and sign, and remember what the portal told them was saved."""

import random
import threading
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from apps.attestations import actions
from apps.attestations.actions.signing import sections_of
from apps.attestations.models import Assignment
from apps.attestations.questions import Section, Type
from apps.attestations.rules import Given
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.rules import Confirmation
from tests.attestations import world
from tests.attestations.faults.moved import Clock


class Owners(threading.Thread):
    """One system after the other, section by section, then the signature; some are left half done."""

    def __init__(self, clock: Clock, keys: list[str], dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.clock, self.left, self.dice = clock, list(keys), dice
        self.given: dict[tuple[str, str], str] = {}
        self.maybe: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.version: dict[str, int] = {}
        self.signed: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.broken: list[BaseException] = []
        self._ended, self._nonce = threading.Event(), 0
        self.may = threading.Event()

    def run(self) -> None:
        """Work until told to stop."""
        try:
            while self.left and not self._ended.is_set():
                if self.may.wait(0.2):
                    self._one(self.left[-1])
        except BaseException as error:
            self.broken.append(error)
            raise
        finally:
            connection.close()

    def stop(self) -> None:
        """End after what is being done."""
        self._ended.set()
        self.join(60)
        assert not self.broken
        assert not self.is_alive()

    def _one(self, key: str) -> None:
        try:
            row = Assignment.objects.select_related("campaign", "system__owner", "snapshot").exclude(state="reassigned")
            assignment = row.get(system__key=key, campaign__is_event=False)
            self._work(key, assignment, assignment.system.owner)
        except (DatabaseError, InterfaceError, psycopg.Error):
            # The server went away. Whether the last one was saved nobody was told.
            self.seen["broken off"] += 1
            connection.close()
            self._ended.wait(0.1)
            return
        except (Refused, NotAllowed):
            self.seen["refused"] += 1
        self.left.remove(key)

    def _work(self, key: str, assignment: Assignment, person: Person) -> None:
        sections = sections_of(assignment)
        half = self.dice.random() < 0.4
        for section in sections[: len(sections) // 2] if half else sections:
            given = self._page(section, person)
            for question, one in given.items():
                self.maybe[key, question].add(_said(one))
            now = self.clock.now()
            assignment = actions.save_answers(
                assignment, section.slug, given, version=assignment.version, actor=person, now=now
            )
            self.seen["saved"] += 1
            self.version[key] = assignment.version
            for question, one in given.items():
                self.given[key, question] = _said(one)
                self.maybe[key, question] = set()
        if not half:
            self._sign(key, assignment, person, self.clock.now())

    def _sign(self, key: str, assignment: Assignment, person: Person, now: datetime) -> None:
        signature = actions.sign(
            assignment, version=assignment.version, declared_true=True, typed_name=person.display_name,
            confirmation=Confirmation("password", now), actor=person, now=now,
        )  # fmt: skip
        self.seen["signed"] += 1
        self.signed[key] = signature.payload_sha256

    def _page(self, section: Section, person: Person) -> dict[str, Given]:
        """An answer to each question that is asked; files are not given here."""
        given = {one.key: self._given(one, person) for one in section.questions if one.type != Type.EVIDENCE}
        chosen = {key: one.value for key, one in given.items()}
        return {one.key: given[one.key] for one in section.asked(chosen) if one.key in given}

    def _given(self, question: Any, person: Person) -> Given:
        self._nonce += 1
        if question.type == Type.TEXT:
            return Given("given", text=f"By telephone {self._nonce}")
        return world.given_for(question, person, self.clock.now())

    def lost(self, owner: psycopg.Connection[Any]) -> list[tuple[str, str, str, str | None]]:
        """What was said to be saved and is not there, and no later try may have replaced it."""
        # Somebody may save between the two looks: what they are told of then counts as well as what was said before.
        told = dict(self.given)
        rows = {(key, question): value for key, question, value in owner.execute(_ANSWERS).fetchall()}
        return [
            (*pair, value, rows.get(pair))
            for pair, value in told.items()
            if value.split("|")[0] and rows.get(pair) not in {value, self.given[pair], *self.maybe[pair]}
        ]


def _said(given: Given) -> str:
    """What of an answer is kept whatever it is compared with."""
    return "|".join((given.value, given.text, given.day))


_ANSWERS = """
SELECT s.key, n.question, concat_ws('|', n.value, n.text, n.day)
FROM attestations_answer n JOIN attestations_assignment a ON a.id = n.assignment_id
JOIN registry_system s ON s.id = a.system_id JOIN attestations_campaign c ON c.id = a.campaign_id
WHERE a.state <> 'reassigned' AND NOT c.is_event
"""

"""Files of people: receive with a review, then apply whole or discard. Each leaver is off-boarded."""

import hashlib
import logging
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q

from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import SCHEDULER, Actor, Kind, Subject
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.common.saving import is_collision
from apps.directory.actions.offboard import bring_back, offboard
from apps.directory.actions.tokens import require_runs_directory
from apps.directory.actions.users import one_at_a_time, place_person
from apps.directory.models import PeopleFile
from apps.directory.queries.people_file import Effect, PeoplePlan, plan_people
from apps.directory.rules.people_file import FileProblem, read_people
from apps.people import actions as people
from apps.people.actions.absences import absence_facts, add_absence, cancel_rows
from apps.people.models import Absence, Person
from apps.registry.actions import change_person, leavers
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.raci import lock_letters_of
from apps.registry.actions.succession import change_tree
from apps.registry.models import System
from apps.registry.rules.imports import Problem

logger = logging.getLogger(__name__)

SOURCE = "hr_file"
LEFT = "Left, says the file of people."


class PeopleFileRefused(Refused):
    """The file can't be applied as it is; `problems` says in which rows and what to do."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        more = f" There are {len(problems)} problems." if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more} Nothing changed.")


class PeopleChanged(Refused):
    """What was confirmed is not what would happen: somebody changed people meanwhile."""


def people_file_subject(file: PeopleFile) -> Subject:
    """How the trail refers to a file."""
    return Subject("people_file", str(file.pk), file.file_name)


def review_people(content: bytes, *, complete: bool, actor: Actor, now: datetime) -> PeoplePlan:
    """What a file would do now, with what is wrong in it. Raises PeopleFileRefused where it can't be read."""
    if len(content) > settings.IMPORT_MAX_BYTES:
        megabytes = settings.IMPORT_MAX_BYTES // (1024 * 1024)
        raise PeopleFileRefused([Problem(0, "", f"it is larger than {megabytes} MB. Split it.")])
    try:
        read = read_people(content)
    except FileProblem as error:
        raise PeopleFileRefused([error.problem]) from error
    plan = plan_people(read, complete=complete, now=now)
    if isinstance(actor, Person) and actor.pk in {person.pk for person in plan.leavers}:
        plan.problems.append(Problem(0, "", "by this file you have left yourself. Ask somebody else to apply it."))
    return plan


@transaction.atomic
def receive_people_file(*, file_name: str, content: bytes, complete: bool, actor: Actor, now: datetime) -> PeopleFile:
    """Keep a file with the review of its effect. Nobody is changed yet.

    Raises NotAllowed for who may not, PeopleFileRefused for a file that can't be read.
    """
    require_runs_directory(actor)
    plan = review_people(content, complete=complete, actor=actor, now=now)
    file = PeopleFile.objects.create(
        file_name=file_name[-255:] or "people.csv",
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        complete=complete,
        report=plan.report(),
        created_by=actor if isinstance(actor, Person) else None,
        created_at=now,
    )
    _record(Kind.PEOPLE_FILE_RECEIVED, file, actor, now)
    return file


@transaction.atomic
def review_people_file_again(file: PeopleFile, *, actor: Actor, now: datetime) -> PeopleFile:
    """Bring a waiting file's review up to date. Raises as receive_people_file does."""
    require_runs_directory(actor)
    file = _waiting(file)
    plan = review_people(bytes(file.content or b""), complete=file.complete, actor=actor, now=now)
    file.report = plan.report()
    file.save(update_fields=["report"])
    _record(Kind.PEOPLE_FILE_RECEIVED, file, actor, now)
    return file


@transaction.atomic
def apply_people_file(
    file: PeopleFile, *, actor: Actor, now: datetime, reviewed: str = "", leavers: int | None = None
) -> PeopleFile:
    """Carry out everything that the review shows, in one transaction, or nothing.

    `reviewed` is the fingerprint and `leavers` the number that somebody confirmed. Raises PeopleChanged where people
    changed since, PeopleFileRefused for a row that is wrong, Refused where the number is not confirmed or the file is
    not waiting any more, NotAllowed for who may not.
    """
    require_runs_directory(actor)
    one_at_a_time()
    file = _waiting(file)
    plan = review_people(bytes(file.content or b""), complete=file.complete, actor=actor, now=now)
    if plan.problems:
        raise PeopleFileRefused(plan.problems)
    report = plan.report()
    if report["fingerprint"] != (reviewed or file.report["fingerprint"]):
        raise PeopleChanged("People changed since this review. Nothing was changed. Look at the effect again.")
    if report["leavers"] and leavers != report["leavers"]:
        many = "1 person leaves" if report["leavers"] == 1 else f"{report['leavers']:,} people leave"
        raise Refused(f"{many} by this file. Confirm that number.")
    file.state, file.applied_at, file.content = PeopleFile.State.APPLIED, now, None
    file.report = _without_names(report)
    file.save(update_fields=["state", "applied_at", "content", "report"])
    cause = _record(Kind.PEOPLE_FILE_APPLIED, file, actor, now)
    _Application(plan, actor, now, cause).carry_out()
    return file


@transaction.atomic
def discard_people_file(file: PeopleFile, *, actor: Actor, now: datetime) -> PeopleFile:
    """Forget a waiting file. Raises NotAllowed, and Refused where it is not waiting."""
    require_runs_directory(actor)
    file = _waiting(file)
    file.state, file.content, file.report = PeopleFile.State.DISCARDED, None, _without_names(file.report)
    file.save(update_fields=["state", "content", "report"])
    record(Kind.PEOPLE_FILE_DISCARDED, actor=actor, subject=people_file_subject(file), now=now)
    return file


def offboard_due(*, now: datetime) -> int:
    """Off-board everybody whose last working day is over, each on their own. Returns how many.

    Who can't be now, also because somebody else changes the same systems, is tried again by the next sweep.
    """
    over = Person.objects.filter(is_active=True, kind=Person.Kind.HUMAN, leaving_on__lt=local_date(now))
    gone = 0
    for person in over.order_by("leaving_on", "pk"):
        try:
            offboard(person, actor=SCHEDULER, now=now, source=SOURCE, reason="Their last working day is over.")
        except (Refused, DatabaseError) as error:
            if isinstance(error, DatabaseError) and not is_collision(error):
                raise
            logger.warning("somebody whose last day is over can't be off-boarded", extra={"person": str(person.pk)})
        else:
            gone += 1
    return gone


def _record(kind: Kind, file: PeopleFile, actor: Actor, now: datetime) -> uuid.UUID:
    report = file.report
    told = {name: report[name] for name in ("rows_read", "leavers", "missing")}
    after = {"sha256": file.sha256, "complete": file.complete, "counts": report["counts"], **told}
    return record(kind, actor=actor, subject=people_file_subject(file), now=now, after=after)


def _without_names(report: dict[str, Any]) -> dict[str, Any]:
    """The counts of a review: who was in the file is not kept twice."""
    return {**report, "rows": [], "missing_people": [], "problems": [], "circles": []}


def _waiting(file: PeopleFile) -> PeopleFile:
    fresh = PeopleFile.objects.select_for_update(no_key=True).get(pk=file.pk)
    if fresh.state != PeopleFile.State.RECEIVED:
        raise Refused(f"This file is not waiting any more. It is: {fresh.get_state_display().lower()}.")
    return fresh


class _Application:
    """Everybody in the order in which each can name who came before."""

    def __init__(self, plan: PeoplePlan, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
        self.plan, self.actor, self.now, self.cause = plan, actor, now, cause

    def carry_out(self) -> None:
        """Mark who leaves, so that nobody who leaves takes over; joiners; changes; links; then each leaver."""
        going = self.plan.leavers
        self._lock(going)
        today = local_date(self.now)
        Person.objects.filter(Q(leaving_on=None) | Q(leaving_on__gt=today), pk__in=[p.pk for p in going]).update(
            leaving_on=today
        )
        staying = [effect for effect in self.plan.effects if effect.outcome in ("joiner", "returning", "mover")]
        for effect in staying:
            effect.person = self._arrive(effect) if effect.outcome == "joiner" else self._change(effect)
        self._link(effect for effect in staying if effect.links)
        for effect in staying:
            self._absences(effect)
        self._show(effect.known for effect in staying if effect.absences or effect.cancelled)
        self._leave(going)

    def _lock(self, going: list[Person]) -> None:
        """What the leaver's verb locks, in its order, of everybody in the file and before anybody's row."""
        if going:
            change_tree()
        changing = [effect.person for effect in self.plan.effects if effect.person and effect.outcome != "unchanged"]
        leavers.lock_systems_of(*changing, *going)
        for person in going:
            lock_letters_of(person)

    def _arrive(self, effect: Effect) -> Person:
        fields = dict(effect.fields)
        person = people.provision_person(
            email=effect.email,
            display_name=fields.pop("display_name"),
            functions=effect.functions or (),
            actor=self.actor,
            now=self.now,
            cause=self.cause,
            **fields,
        )
        self._place(person, effect)
        return person

    def _change(self, effect: Effect) -> Person:
        person = effect.known
        if effect.outcome == "returning":
            person = bring_back(person, actor=self.actor, now=self.now)
        if effect.fields or effect.functions is not None:
            by: dict[str, Any] = {"actor": self.actor, "now": self.now, "cause": self.cause}
            person = people.change_person(person, functions=effect.functions, **by, **effect.fields)
        self._place(person, effect)
        return person

    def _place(self, person: Person, effect: Effect) -> None:
        if effect.unit is not None:
            place_person(person, unit_id=effect.unit[0])

    def _link(self, effects: Iterable[Effect]) -> None:
        """Managers and deputies, once everybody is there."""
        waiting = list(effects)
        named = {address for effect in waiting for address in effect.links.values() if address}
        known = {person.email: person for person in Person.objects.filter(email__in=named)}
        for effect in waiting:
            links = {name: known[address] if address else None for name, address in effect.links.items()}
            change_person(effect.known, actor=self.actor, now=self.now, cause=self.cause, **links)

    def _absences(self, effect: Effect) -> None:
        if not (effect.absences or effect.cancelled):
            return
        person = people.held(effect.known)
        gone = Absence.objects.filter(pk__in=effect.cancelled).select_related("person").order_by("pk")
        entries = cancel_rows(gone, now=self.now)
        for starts_on, ends_on in effect.absences or ():
            absence = add_absence(
                person,
                starts_on=starts_on,
                ends_on=ends_on,
                delegate=None,
                kind=Absence.Kind.AWAY,
                source=Absence.Source.DIRECTORY,
                uid="",
                now=self.now,
            )
            subject = people.person_subject(person)
            entries.append(Entry(Kind.ABSENCE_RECORDED, subject, after=absence_facts(absence)))
        record_many(entries, actor=self.actor, now=self.now, cause=self.cause)

    def _show(self, away: Iterable[Person]) -> None:
        """Who stands in for those whose days changed sees what they answer for."""
        sync_grants(list(System.objects.filter(owner__in=[person.pk for person in away]).values_list("pk", flat=True)))

    def _leave(self, going: list[Person]) -> None:
        for person in going:
            offboard(person, actor=self.actor, now=self.now, source=SOURCE, reason=LEFT)

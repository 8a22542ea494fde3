"""Who reviews a signed attestation, what waits for whom, and the drawn samples. Never the signer, never the owner."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, Func, JSONField, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from apps.attestations.models import Answer, Assignment, Campaign, Review
from apps.attestations.questions import Question, thawed
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.models import Mandate, Unit

# Campaigns that still take a review.
REVIEWABLE = ("open", "grace", "rollup", "pending_actions")
SEATS = ("ai_lead", "ciso")


class Reviewers:
    """Units, heads, seats and absences, read once (five queries), for one or many questions about who reviews."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        mandate = Mandate.objects.select_related("holder__seat__holder").first()
        self._mandate = mandate.holder.seat.holder if mandate else None
        held = {
            seat.function_id: seat.holder for seat in Seat.objects.filter(function__in=SEATS).select_related("holder")
        }
        self._seats = [held.get(code) for code in SEATS]
        self._presence = Presence(now)
        self._known: dict[tuple[int | None, bool], list[Person]] = {}

    def _heads(self, unit_id: int | None) -> Iterator[Person | None]:
        while unit_id is not None:
            unit = self.units[unit_id]
            yield unit.head
            unit_id = unit.parent_id

    def candidates(self, unit_id: int | None, *, sample: bool = False) -> list[Person]:
        """Everybody who can act and may be asked, in order: heads upward, AI lead, CISO, the mandate holder.

        For a sample the seats come first, and the head who accepts comes last.
        """
        key = (unit_id, sample)
        if key not in self._known:
            heads = list(self._heads(unit_id))
            order = [*self._seats, self._mandate, *heads] if sample else [*heads, *self._seats, self._mandate]
            able = {person.pk: person for person in order if person is not None and self._presence.can_act(person)}
            people = list(able.values())
            if sample and len(people) > 1:
                accepts = self.candidates(unit_id)[0]
                people.sort(key=lambda person: person.pk == accepts.pk)
            self._known[key] = people
        return self._known[key]

    def able(self, unit_id: int | None, barred: Iterable[UUID | None], *, sample: bool = False) -> list[Person]:
        """The candidates without those who are barred: who signed, who owns the system, who carries a plan out."""
        out = set(barred)
        return [person for person in self.candidates(unit_id, sample=sample) if person.pk not in out]

    def of(self, assignment: Assignment) -> Person | None:
        """Who is asked to review it: the first who can and is neither its signer nor the system's owner."""
        barred = (assignment.person_id, assignment.system.owner_id)
        found = self.able(assignment.unit_id, barred, sample=bool(assignment.sampled))
        return found[0] if found else None

    def may_review(self, person: Person, assignment: Assignment, *, sample: bool = False) -> bool:
        """Whether somebody may: whoever is asked, and everybody after them in the list."""
        barred = (assignment.person_id, assignment.system.owner_id)
        return any(one.pk == person.pk for one in self.able(assignment.unit_id, barred, sample=sample))

    def places(self, person: Person, *, sample: bool) -> dict[str, list[str]]:
        """The units in which the person is among the first three, with who comes before them.

        Whoever comes at a later place is never asked: everybody before has to be the signer or the owner.
        """
        found = {}
        for unit_id in self.units:
            ids = [str(one.pk) for one in self.candidates(unit_id, sample=sample)[:3]]
            if str(person.pk) in ids:
                found[str(unit_id)] = ids[: ids.index(str(person.pk))]
        return found


class _Before(Func):
    """Who is asked before somebody, by unit: the first or the second of a list in a JSON object; NULL for nobody."""

    template = "(%(expressions)s)"
    arg_joiner = " ->> "

    def __init__(self, places: dict[str, list[str]], place: int) -> None:
        listed = {unit: before[place] for unit, before in places.items() if len(before) > place}
        super().__init__(Value(listed, JSONField()), Cast("unit_id", TextField()), output_field=TextField(null=True))


def _waiting(person: Person, reviewers: Reviewers, *, sample: bool) -> QuerySet[Assignment]:
    places = reviewers.places(person, sample=sample)
    rows = Assignment.objects.filter(state=Assignment.State.SUBMITTED, campaign__state__in=REVIEWABLE)
    rows = rows.exclude(sampled="") if sample else rows.filter(sampled="")
    rows = rows.filter(unit__in=[int(unit) for unit in places]).exclude(person=person).exclude(system__owner=person)
    own = [Cast("person_id", TextField()), Cast("system__owner_id", TextField())]
    for name, number in (("first", 0), ("second", 1)):
        if any(len(before) > number for before in places.values()):
            rows = rows.annotate(**{name: _Before(places, number)})
            rows = rows.filter(Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__in": own}))
    return rows.select_related("campaign", "system__owner", "person", "unit").order_by("submitted_at", "pk")


def to_review(person: Person, now: datetime, *, reviewers: Reviewers | None = None) -> QuerySet[Assignment]:
    """Signed attestations that wait for this person to accept them, the longest waiting first. No sample is in it."""
    return _waiting(person, reviewers or Reviewers(now), sample=False)


def to_sample(person: Person, now: datetime, *, reviewers: Reviewers | None = None) -> QuerySet[Assignment]:
    """Signed samples that wait for this person to re-perform them, the longest waiting first."""
    return _waiting(person, reviewers or Reviewers(now), sample=True)


def acceptable_at_once(rows: QuerySet[Assignment]) -> QuerySet[Assignment]:
    """Those that one ceremony may accept: clean, in time, not critical, not drawn, nothing contradicted."""
    contradicted = Answer.objects.filter(assignment=OuterRef("pk")).exclude(contradiction="")
    clean = rows.filter(result=Assignment.Result.CLEAN, late_days=0, sampled="", stale_at=None)
    return clean.exclude(tier="critical").filter(~Exists(contradicted))


@dataclass(frozen=True)
class SampleProgress:
    """How far the samples of one campaign are."""

    campaign: Campaign
    drawn: int
    performed: int
    disagreed: int

    @property
    def words(self) -> str:
        """3 of 12 re-performed."""
        return f"{self.performed:,} of {self.drawn:,} re-performed"


def sample_progress(campaign: Campaign) -> SampleProgress:
    """How many were drawn and re-performed, and where somebody disagreed. Two queries."""
    drawn = campaign.assignments.exclude(sampled="").exclude(state=Assignment.State.REASSIGNED).count()
    reviews = Review.objects.filter(assignment__campaign=campaign, kind=Review.Kind.SAMPLE)
    counts = reviews.aggregate(
        performed=Count("assignment", distinct=True, filter=Q(signature__round=F("assignment__round"))
                        | Q(verdict="changes")),
        disagreed=Count("pk", filter=Q(verdict="changes")),
    )  # fmt: skip
    return SampleProgress(campaign, drawn, counts["performed"], counts["disagreed"])


def find_review(person: Person, code: str, key: str, now: datetime, *, sample: bool = False) -> Assignment:
    """A signed attestation that this person may review. Raises Assignment.DoesNotExist for everybody else."""
    found = (
        Assignment.objects.select_related("campaign", "person", "snapshot", "unit", "system__owner", "system__unit")
        .prefetch_related("signatures", "answers__person", "answers__plan_owner")
        .filter(campaign__code=code, system__key=key, state__in=["submitted", "accepted"])
        .filter(campaign__state__in=REVIEWABLE)
        .order_by("-snapshot__number")
        .first()
    )
    if found is None or not Reviewers(now).may_review(person, found, sample=sample):
        raise Assignment.DoesNotExist
    return found


def reviews_of(assignment: Assignment) -> QuerySet[Review]:
    """Every review of an assignment, newest first."""
    rows: QuerySet[Any] = assignment.reviews.select_related("reviewer", "signature", "signed").order_by("-pk")
    return rows


def asked_questions(assignment: Assignment) -> list[Question]:
    """Every question that was answered under the signature, in order. Needs the campaign and the snapshot."""
    sections = thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts))
    given = set(assignment.answers.exclude(value="").values_list("question", flat=True))
    return [question for section in sections for question in section.questions if question.key in given]

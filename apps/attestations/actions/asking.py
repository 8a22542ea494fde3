"""Asking those who review and decide: one mail a person and working day, with how much waits for them."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from apps.attestations.models import Assignment, AttestationException
from apps.attestations.queries.exceptions import decider, on_record
from apps.attestations.queries.reviews import REVIEWABLE, Reviewers
from apps.attestations.rules import OFFICE_HOUR
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind, Subject
from apps.common.clock import local_date, organisation_zone
from apps.common.workdays import is_working_day
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person

Waits = dict[UUID, Counter[str]]


@transaction.atomic
def ask_reviewers(*, now: datetime, actor: Actor = SCHEDULER) -> int:
    """Tell everybody what waits for their review or decision, once a working day. Returns how many mails are new.

    Nothing leaves before the office opens. Safe to run twice: the key of a mail names the person and the day.
    """
    today = local_date(now)
    if now.astimezone(organisation_zone()).hour < OFFICE_HOUR or not is_working_day(today):
        return 0
    people: dict[UUID, Person] = {}
    waits = _waits(Reviewers(now), people)
    notes = [_note(people[pk], counts, f"attestations:asked:{today}:{pk}") for pk, counts in waits.items()]
    new = enqueue_many(notes, now=now)
    if new:
        record(
            Kind.CAMPAIGN_REMINDED, actor=actor, subject=Subject("reviews", str(today), "Reviews and decisions"),
            now=now, after={"mails": new},
        )  # fmt: skip
    return new


def _waits(reviewers: Reviewers, people: dict[UUID, Person]) -> Waits:
    """How much waits for whom: reviews, samples, decisions. Two queries."""
    found: Waits = {}

    def add(person: Person | None, what: str, count: int) -> None:
        if person is not None:
            people[person.pk] = person
            found.setdefault(person.pk, Counter())[what] += count

    rows = Assignment.objects.filter(state=Assignment.State.SUBMITTED, campaign__state__in=REVIEWABLE).order_by()
    groups: Any = rows.values_list("unit", "person", "system__owner", "sampled").annotate(n=Count("pk"))
    for unit, signer, owner, sampled, count in groups:
        able = reviewers.able(unit, (signer, owner), sample=bool(sampled))
        add(able[0] if able else None, "sample" if sampled else "review", count)
    for one in on_record(AttestationException.objects.filter(state="requested")).iterator(chunk_size=2000):
        add(decider(one, reviewers), "decision", 1)
    later = AttestationException.objects.filter(state="approved", extensions__requested_at__isnull=False,
                                                extensions__is_granted=None)  # fmt: skip
    for one in on_record(later.distinct()):
        add(decider(one, reviewers), "decision", 1)
    return found


_WORDS = {
    "review": ("attestation to accept", "attestations to accept"),
    "sample": ("sample to re-perform", "samples to re-perform"),
    "decision": ("exception to decide", "exceptions to decide"),
}


def _note(person: Person, counts: Counter[str], key: str) -> Note:
    lines = [f"{counts[what]:,} {_WORDS[what][counts[what] > 1]}" for what in _WORDS if counts[what]]
    body = "These wait for you, because you neither signed them nor own the systems:\n\n" + "\n".join(
        f"- {line}" for line in lines
    )
    path = "/attestations/exceptions/" if set(counts) == {"decision"} else "/"
    return Note(key, person, f"Waiting for you: {', '.join(lines)}", body, path)

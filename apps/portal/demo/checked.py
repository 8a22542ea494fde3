"""What others do in the running campaign: accept, send back, re-perform, decide, prepare."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.attestations.actions.delegation import delegate_work, last_day_of
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.actions.reviews import accept, request_changes
from apps.attestations.actions.samples import Check, perform_sample
from apps.attestations.models import Assignment, Delegation, Review
from apps.attestations.queries.exceptions import to_decide
from apps.attestations.queries.reviews import asked_questions, to_review, to_sample
from apps.attestations.rules import QUARTERLY
from apps.common.clock import local_date
from apps.people.models import Person
from apps.portal.demo.cast import FIRST_OWNER
from apps.portal.demo.certified import signed_by
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast

# Of what waits for a head: how many each accepts. One of the first head's is sent back.
EACH = 4
SENT_BACK = "The date of the last test of the stop is missing. Ask the team that ran it, then sign again."
# Samples that are re-performed, and plans that are decided about.
SAMPLES, DECISIONS = 2, 4
PREPARER, WHY = "imogen.tanaka", "She runs the drills and knows the dates."
PREPARED_DAYS = 9


@transaction.atomic
def load_checks(moments: Moments) -> bool:
    """Heads accept a part of what is signed in the quarter. False where anything of it was looked at."""
    if Review.objects.filter(assignment__campaign__template__key=QUARTERLY).exists():
        return False
    now = moments.now - timedelta(hours=5)
    _send_back(now)
    for place, (person, row) in enumerate(_waiting(now)):
        accept(row, **signed_by(person, now + timedelta(minutes=2 * place)))
    _re_perform(now + timedelta(hours=2))
    _decide(now + timedelta(hours=3))
    _prepare(now + timedelta(hours=4))
    return True


def _send_back(now: datetime) -> None:
    for person in cast().values():
        if row := to_review(person, now).filter(campaign__template__key=QUARTERLY).first():
            request_changes(row, note=SENT_BACK, actor=person, now=now - timedelta(minutes=9))
            return


def _waiting(now: datetime) -> list[tuple[Person, Assignment]]:
    return [
        (person, row)
        for person in cast().values()
        for row in to_review(person, now).filter(campaign__template__key=QUARTERLY)[:EACH]
    ]


def _re_perform(now: datetime) -> None:
    for person in cast().values():
        for row in to_sample(person, now).select_related("snapshot")[:SAMPLES]:
            checks = {question.key: Check(True) for question in asked_questions(row)}
            perform_sample(row, checks=checks, **signed_by(person, now))


def _decide(now: datetime) -> None:
    waiting = [(person, one) for person in cast().values() for one in to_decide(person, now)]
    for place, (person, exception) in enumerate(waiting[:DECISIONS]):
        decide_exception(
            exception, verdict="approved", note="", **signed_by(person, now + timedelta(minutes=4 * place))
        )


def _prepare(now: datetime) -> None:
    """The owner whom the tour shows lets a colleague prepare one system."""
    if Delegation.objects.exists():
        return
    owner, preparer = cast()[FIRST_OWNER], cast()[PREPARER]
    row = Assignment.objects.filter(
        system__owner=owner, state=Assignment.State.PENDING, campaign__template__key=QUARTERLY
    ).order_by("due_on", "system__key").first()  # fmt: skip
    if row is not None:
        until = min(local_date(now) + timedelta(days=PREPARED_DAYS), last_day_of(row))
        delegate_work(row, preparer, sections=(), reason=WHY, until=until, actor=owner, now=now)

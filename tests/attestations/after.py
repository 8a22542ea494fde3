"""Signed attestations, reviews and exceptions for the tests of what comes after the owner."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from apps.attestations import actions
from apps.attestations.actions import Confirmation
from apps.attestations.actions.exceptions import decide_exception
from apps.attestations.actions.samples import Check
from apps.attestations.models import Assignment, AttestationException, Campaign
from apps.attestations.queries.reviews import asked_questions
from apps.attestations.rules import Given
from apps.audit.rules import COMMAND
from apps.findings import actions as findings
from tests.attestations.test_signing import LATER, answer, sign
from tests.attestations.world import NOW, PERIOD, register

NEXT = LATER + timedelta(hours=1)
EXCEPTION = Given("no", "Nobody tried", "We test it on the copy", "2026-12-11", "medium", "On call")


def confirmed(person: Any, now: Any = NEXT, **more: Any) -> dict[str, Any]:
    """What every signature needs."""
    return {
        "declared_true": True, "typed_name": person.display_name,
        "confirmation": Confirmation("password", now), "actor": person, "now": now, **more,
    }  # fmt: skip


DECOY = "zz-decoy"


def opened(cast: Any, *keys: str, sample: str = DECOY, **fields: Any) -> Campaign:
    """A campaign with these systems, of Ada's unless said, in which one system is drawn: a decoy, or `sample`."""
    owner = fields.pop("owner", cast.ada)
    for key in keys:
        register(cast, key, owner=owner, **fields)
    register(cast, DECOY, owner=cast.nils)
    with patch(
        "apps.attestations.actions.campaigns.secrets.token_hex", return_value=seed_that_draws(sample, (*keys, DECOY))
    ):
        return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def seed_that_draws(drawn: str, keys: tuple[str, ...]) -> str:
    """A seed that draws this system first."""
    for number in range(10_000):
        seed = f"{number:064x}"
        if min(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest()) == drawn:
            return seed
    raise AssertionError


def found(key: str) -> Assignment:
    rows = Assignment.objects.exclude(state="reassigned")
    return rows.select_related("campaign", "system__owner", "snapshot").get(system__key=key)


def signed(cast: Any, key: str = "one", person: Any = None, *, known: bool = False, **special: Given) -> Assignment:
    """Ada's signature under one of her systems. `known`: as if the register contradicted nothing."""
    person = person or cast.ada
    with nothing_contradicts() if known else nullcontext():
        sign(answer(found(key), person, **special), person)
    return found(key)


@contextmanager
def nothing_contradicts() -> Iterator[None]:
    """As if the register knew all that the answers say."""
    with (
        patch("apps.attestations.rules.answers.contradiction", return_value=""),
        patch("apps.attestations.actions.keeping.contradiction", return_value=""),
    ):
        yield


def checks(assignment: Assignment, **disagree: str) -> dict[str, Check]:
    """Agreement with all answers, but where a note says otherwise."""
    return {
        question.key: Check(question.key not in disagree, disagree.get(question.key, ""))
        for question in asked_questions(assignment)
    }


def exception_of(cast: Any, key: str = "one", **special: Given) -> AttestationException:
    """An exception that Ada declared."""
    opened(cast, key)
    signed(cast, key, **(special or {"kill_switch": EXCEPTION}))
    return AttestationException.objects.select_related("finding", "assignment__system").get()


def approved(cast: Any) -> AttestationException:
    """An exception whose plan Una approved."""
    return decide_exception(exception_of(cast), verdict="approved", note="", **confirmed(cast.una))


def put_right(cast: Any, exception: AttestationException) -> None:
    """Its finding is done by Ada and verified by Una."""
    finding = exception.finding
    assert finding is not None
    planned = findings.plan_action(
        finding, what="Test it", person=cast.ada, due_on=exception.due_on, actor=cast.ada, now=NEXT
    )
    done = findings.complete_action(planned, evidence="Protocol 12", actor=cast.ada, now=NEXT)
    findings.verify_action(done, actor=cast.una, now=NEXT)

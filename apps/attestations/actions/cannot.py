"""Who can not say: every open question at once gets that answer, with one reason. It is an answer, and it is signed."""

from datetime import datetime

from django.db import transaction

from apps.attestations.actions.answers import locked_assignment, sections_that_apply
from apps.attestations.actions.keeping import changes_of, write_answers
from apps.attestations.models import Assignment
from apps.attestations.queries.desk import held_against
from apps.attestations.questions import Value
from apps.attestations.rules import COMMENT_LENGTH, Given
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry.actions.ownership import system_subject


@transaction.atomic
def cannot_attest(assignment: Assignment, *, reason: str, actor: Person, now: datetime) -> int:
    """Answer "I cannot say" to every question that is not answered and takes it. Returns how many.

    What was answered stays. Raises NotAllowed for anybody but the owner of today, Refused without a reason, where
    nothing is open, once signed or closed.
    """
    assignment = locked_assignment(assignment, actor=actor, now=now)
    reason = reason.strip()
    if not reason:
        raise Refused("Say why you cannot attest. An auditor reads it.")
    if len(reason) > COMMENT_LENGTH:
        raise Refused(f"Use {COMMENT_LENGTH} characters at most for the reason.")
    kept = {answer.question: answer for answer in assignment.answers.all()}
    against = held_against(assignment, local_date(now))
    assignment.version += 1
    given = Given(Value.CANNOT_ATTEST.value, reason)
    written: dict[str, str] = {}
    for section in sections_that_apply(assignment):
        chosen = {key: answer.value for key, answer in kept.items()}
        missing = {
            question.key: given
            for question in section.asked(chosen)
            if not chosen.get(question.key) and question.takes(given.value)
        }
        changes = changes_of(section, kept, missing, against=against, version=assignment.version)
        changes = {key: value for key, value in changes.items() if key in missing}
        write_answers(assignment, section, kept, changes, against=against, actor=actor, now=now)
        written |= {key: value.value for key, value in changes.items()}
    if not written:
        raise Refused("Every question that takes it is answered already. Check the answers and sign.")
    assignment.state = Assignment.State.IN_PROGRESS
    assignment.save(update_fields=["version", "state"])
    record(
        Kind.ATTESTATION_ANSWERED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={
            "campaign": assignment.campaign.code,
            "assignment": assignment.pk,
            "section": "",
            "version": assignment.version,
            "answers": written,
        },
        reason=reason,
    )
    return len(written)

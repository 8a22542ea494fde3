"""A system whose answers only wait for the signature."""

from datetime import timedelta

from apps.attestations.actions import open_campaign, save_answers
from apps.attestations.questions import DEFAULT_SET
from apps.attestations.rules import Given
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.cast import Cast
from tests.factories import a_system


def ready_to_sign(cast: Cast) -> str:
    """The path of the last page before the signature of Ada's system."""
    now = clock.now()
    a_system(cast, key="SYS-SIGN", owner=cast.ada)
    campaign = open_campaign("2026Q4", actor=COMMAND, now=now - timedelta(hours=1))[0]
    assignment = campaign.assignments.select_related("campaign", "system").get(system__key="SYS-SIGN")
    for section in DEFAULT_SET:
        given = {question.key: Given("yes") for question in section.questions}
        assignment = save_answers(assignment, section.slug, given, version=assignment.version, actor=cast.ada, now=now)
    return "/attestations/2026Q4/SYS-SIGN/check/"

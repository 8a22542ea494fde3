"""A system whose answers only wait for the signature."""

from datetime import timedelta

from apps.attestations.actions import open_campaign
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.attestations.world import answer_all
from tests.cast import Cast
from tests.factories import a_system


def ready_to_sign(cast: Cast) -> str:
    """The path of the last page before the signature of Ada's system."""
    now = clock.now()
    a_system(cast, key="SYS-SIGN", owner=cast.ada)
    campaign = open_campaign("2026Q4", actor=COMMAND, now=now - timedelta(hours=1))[0]
    assignment = campaign.assignments.select_related("campaign", "system").get(system__key="SYS-SIGN")
    answer_all(assignment, cast.ada, now=now)
    return "/attestations/2026Q4/SYS-SIGN/check/"

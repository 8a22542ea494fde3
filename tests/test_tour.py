"""docs/tour.md, its second part, walked: one system from registration to the board's page."""

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from apps.attestations.actions import Confirmation, begin_rollup, open_campaign, sign
from apps.attestations.actions.closing import finish_due, seal
from apps.attestations.actions.nodes import ready_nodes
from apps.attestations.models import Assignment
from apps.attestations.queries.verify_end import verify
from apps.audit.models import AuditEvent
from apps.audit.rules import SCHEDULER
from apps.common.clock import local_date
from apps.directory.actions import offboard
from apps.directory.queries.cases import waiting_systems
from apps.findings.actions import sweep_registry
from apps.findings.models import Finding
from apps.incidents.actions.declare import declare
from apps.incidents.actions.paging import acknowledge, advance_due
from apps.incidents.actions.states import dismiss
from apps.notify.delivery import deliver_pending
from apps.notify.models import Message
from apps.people.queries import acting_for
from apps.portal.queries.who import One, resolve
from apps.readiness.queries import board
from apps.registry import actions as registry
from apps.registry.models import System
from tests.attestations.rollup_world import reviewed, sign_all
from tests.attestations.world import answer_all
from tests.cast import Cast
from tests.incidents.world import settle
from tests.notify.server import Box, mail_server

TOUR = Path(settings.BASE_DIR) / "docs" / "tour.md"
NOW = datetime(2026, 11, 10, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=6)


def test_one_system_from_registration_to_the_board(cast: Cast, settings: Any) -> None:
    system = _registered(cast)
    _accepted(system, cast, settings)
    _went_wrong(system, cast)
    before = board(now=NOW, reader=cast.bo)
    assignment = _campaign_opened(system)
    _signed(assignment, cast)
    _accepted_by_another(assignment, cast)
    after = board(now=NOW + timedelta(hours=2), reader=cast.bo)
    assert before.counts is None
    assert after.counts is not None
    assert (after.counts.total, after.counts.signed) == (1, 1)
    assert (after.totals.live, after.totals.accepted) == (1, 1)
    assert str(after.headline)
    _away(cast)
    _left(system, cast)
    _found(system, cast)
    _sealed(assignment, cast)


def _away(cast: Cast) -> None:
    """Who acts is worked out for a moment: the deputy on the days away, the owner before."""
    day = local_date(LATER)
    registry.record_absence(cast.ada, starts_on=day, ends_on=day + timedelta(days=4), actor=cast.ada, now=NOW)
    assert acting_for(cast.ada, NOW).acts == cast.ada
    assert acting_for(cast.ada, LATER).acts == cast.ben


def _left(system: System, cast: Cast) -> None:
    case = offboard(cast.ada, actor=cast.mara, now=LATER, reason="Last working day.")
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.ben, "interim")
    assert (case.state, case.counts["accepted"], waiting_systems(case).count()) == ("open", 1, 1)
    _answers(cast.dov, "claims triage", "Ben Ortega")
    assert AuditEvent.objects.filter(kind="person.offboarded", subject_id=str(cast.ada.pk)).exists()


def _found(system: System, cast: Cast) -> None:
    """Interim for too long is a finding with a person and a date, until somebody has accepted."""
    sweep_registry(now=LATER + timedelta(days=31))
    finding = Finding.objects.get(system=system, code="interim-too-long")
    assert finding.person.is_active
    nomination = registry.nominate_owner(system, cast.una, actor=cast.mara, now=LATER + timedelta(days=32))
    registry.accept_ownership(nomination, actor=cast.una, now=LATER + timedelta(days=33))
    sweep_registry(now=LATER + timedelta(days=34))
    finding.refresh_from_db()
    assert (finding.state, finding.closed_because) == ("closed", "gone")


def _registered(cast: Cast) -> System:
    system = registry.register_system(
        key="claims-triage",
        name="Claims triage",
        unit=cast.claims,
        stage="production",
        tier="high",
        actor=cast.mara,
        now=NOW,
    )
    assert (system.owner, system.owner_basis) == (cast.una, "interim")
    _answers(cast.dov, "claims triage", "Una Brandt")
    _told("system.registered", system)
    return system


def _accepted(system: System, cast: Cast, settings: Any) -> None:
    nomination = registry.nominate_owner(system, cast.ada, actor=cast.una, now=NOW)
    box = Box()
    with mail_server(box) as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        deliver_pending(clock_now=lambda: NOW)
    assert Message.objects.get(recipient=cast.ada).state == "sent"
    assert b"/nominations/" in box.mails[0]
    registry.accept_ownership(nomination, actor=cast.ada, now=NOW + timedelta(hours=1))
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.ada, "accepted")
    _answers(cast.dov, "claims triage", "Ada Nwosu")
    _told("system.owner.accepted", system)


def _went_wrong(system: System, cast: Cast) -> None:
    """The owner leads and is called at once; nobody answers, so the plan goes on; once they have it, it stops."""
    settle()
    at = NOW + timedelta(hours=1, minutes=2)
    incident = declare(title="It read too much", system=system, actor=cast.dov, now=at)
    assert (incident.lead, incident.steps.exists(), incident.clocks.exists()) == (cast.ada, True, True)
    assert advance_due(now=at + timedelta(minutes=6)) == 1
    assert list(incident.pages.order_by("pk").values_list("person", flat=True)) == [cast.ada.pk, cast.ben.pk]
    incident = acknowledge(incident, actor=cast.ada, now=at + timedelta(minutes=7))
    assert incident.lead_accepted_at == at + timedelta(minutes=7)
    assert advance_due(now=at + timedelta(minutes=8)) == 0
    dismiss(incident, because="false_positive", note="A test account.", actor=cast.ada, now=at + timedelta(minutes=9))


def _campaign_opened(system: System) -> Assignment:
    campaign, opened = open_campaign("2026Q4", actor=SCHEDULER, now=NOW + timedelta(hours=1, minutes=10))
    assert opened
    return Assignment.objects.get(campaign=campaign, system=system)


def _signed(assignment: Assignment, cast: Cast) -> None:
    at = NOW + timedelta(hours=1, minutes=30)
    version = answer_all(assignment, cast.ada, now=at).version
    sign(
        assignment,
        version=version,
        declared_true=True,
        typed_name="Ada Nwosu",
        confirmation=Confirmation("password", at),
        actor=cast.ada,
        now=at,
    )
    _told("attestation.signed", assignment.system)


def _accepted_by_another(assignment: Assignment, cast: Cast) -> None:
    """By somebody who neither signed nor owns it; drawn as a sample, because one of one is at least five percent."""
    connection.check_constraints()  # as at the end of the signature's transaction
    accepted = reviewed(assignment.system.key, NOW + timedelta(hours=1, minutes=40))
    assert (accepted.state, accepted.sampled) == ("accepted", "random")
    assert accepted.reviews.get().reviewer not in {cast.ada, accepted.system.owner}
    _told("attestation.accepted", assignment.system)


def _sealed(assignment: Assignment, cast: Cast) -> None:
    """The tree signs from the bottom up, nothing is pending, the campaign is sealed, and every hash is right."""
    end = NOW + timedelta(days=45)
    campaign = assignment.campaign
    begin_rollup(campaign, actor=SCHEDULER, now=end)
    ready_nodes(now=end)
    sign_all(campaign, end)
    connection.check_constraints()
    assert finish_due(now=end) == ["2026Q4", "2026Q4"]
    sealed = seal(campaign, actor=cast.mara, now=end)
    assert {node.state for node in campaign.nodes.all()} == {"signed_clean"}
    assert (sealed.state, verify(sealed, at=end).faults) == ("sealed", [])


def _answers(asker: Any, text: str, name: str) -> None:
    found = resolve(asker, text)
    assert isinstance(found, One)
    assert found.answer.person.display_name == name


def _told(kind: str, system: System) -> None:
    assert AuditEvent.objects.filter(kind=kind, subject_kind="system", subject_id=str(system.pk)).exists()


def test_what_the_tour_names_exists() -> None:
    text = TOUR.read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)`\s+`(\w+)`", text)
    assert len(named) >= 54
    for path, function in named:
        assert function in _functions(path), f"{path} has no {function}"
    for path in re.findall(r"`((?:apps|tests)/[\w/]+\.py)`", text):
        assert (Path(settings.BASE_DIR) / path).is_file(), path


def _functions(path: str) -> set[str]:
    tree = ast.parse((Path(settings.BASE_DIR) / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_variable_stands_in_the_operations_manual() -> None:
    root = Path(settings.BASE_DIR)
    read = set(re.findall(r'env_\w+\(\s*"([A-Z_]+)"', (root / "govportal" / "settings.py").read_text(encoding="utf-8")))
    manual = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    assert len(read) > 20
    assert [name for name in sorted(read) if f"`{name}`" not in manual] == []


DOCUMENTS = (
    "README.md", "THREAT_MODEL.md", "docs/tour.md", "docs/operations.md", "docs/directory.md",
    "docs/attestations.md", "docs/verify.md", "docs/incidents.md", "docs/calling.md", "docs/offline.md",
)  # fmt: skip


@pytest.mark.parametrize("page", DOCUMENTS)
def test_links_in_the_documents_lead_somewhere(page: str) -> None:
    path = Path(settings.BASE_DIR) / page
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{page}: {target}"

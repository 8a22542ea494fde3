"""Every verb leaves exactly the events that it should: one primary of its own, and those that it causes.

A new verb without a row here fails.
"""

import ast
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.usersessions.models import UserSession

from apps.access import actions as access
from apps.attestations import actions as attestations
from apps.attestations.questions import DEFAULT_SET
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.findings import actions as findings
from apps.people import actions as people
from apps.people.rules import RoleName
from apps.portal import actions as portal
from apps.registry import actions as registry
from apps.registry.actions.escalation import escalate_nomination, escalate_nominations
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.actions.handover import escalate_handover, escalate_handovers
from apps.registry.models import SavedView, System
from apps.registry.rules.authority import Powers
from apps.registry.rules.imports import template_csv
from tests.attestations import (
    verbs_after,
    verbs_campaigns,
    verbs_documents,
    verbs_ladder,
    verbs_questions,
    verbs_rollup,
    verbs_work,
)
from tests.attestations.world import answer_all
from tests.cast import Cast
from tests.directory import verbs as directory_verbs
from tests.factories import NOW, a_system
from tests.findings.world import a_finding, an_action, breach, done
from tests.handovers import begin, sign_in, sign_out
from tests.incidents import (
    verbs_cards,
    verbs_clocks,
    verbs_inbound,
    verbs_learning,
    verbs_live,
    verbs_paging,
    verbs_runbooks,
)
from tests.notify import verbs_channels
from tests.registry import charter_verbs, raci_verbs

ROOT = Path(__file__).resolve().parent.parent.parent
LATER = NOW + timedelta(hours=2)
FILE = template_csv().encode()
# Parts of verbs, and sweeps that call a verb for each row.
NO_VERBS = {
    "add_absence", "cancel_rows", "today_of", "refresh_absences", "follow_calendar",  # parts and sweeps of absences
    *directory_verbs.NO_VERBS,
    *verbs_cards.NO_VERBS,
    *verbs_clocks.NO_VERBS,
    *verbs_channels.NO_VERBS,
    *verbs_inbound.NO_VERBS,
    *verbs_learning.NO_VERBS,
    *verbs_live.NO_VERBS,
    *verbs_paging.NO_VERBS,
    *verbs_runbooks.NO_VERBS,
    *verbs_after.NO_VERBS,
    *verbs_campaigns.NO_VERBS,
    *verbs_documents.NO_VERBS,
    *verbs_ladder.NO_VERBS,
    *verbs_questions.NO_VERBS,
    *verbs_rollup.NO_VERBS,
    *verbs_work.NO_VERBS,
    *raci_verbs.NO_VERBS,
    "close_all", "due_on", "end_acceptances", "record_each",  # parts of the verbs of findings
    "cancel_handovers_of", "grant_offered", "offer_authority", "take_over",  # parts of verbs about owners
    "acting_head_above", "answer_due", "apply_interim_changes", "head_above", "interim_changes",
    "change_owner", "enqueue", "enqueue_many", "facts_of", "freeze", "withdraw",
    "locked_assignment", "prepare_partitions", "record", "record_many", "retire_untouched", "revoke_tokens_of",
}  # fmt: skip


class World:
    """What the verbs work on."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.by: dict[str, Any] = {"actor": cast.mara, "now": LATER}
        self.system = a_system(cast, owner=cast.ada)
        self.interim = a_system(cast, unit=cast.devtools)

    def finding(self) -> Any:
        """A finding that waits for Ada."""
        return a_finding(self.cast)

    def verified(self) -> Any:
        """A finding of which one action is verified and one rejected, still open."""
        finding = self.finding()
        first, second = done(self.cast, finding), an_action(self.cast, finding)
        findings.verify_action(first, actor=self.cast.ada, now=NOW)
        second = findings.complete_action(second, evidence="Yes", actor=self.cast.ben, now=NOW)
        findings.reject_action(second, verdict="No", actor=self.cast.ada, now=NOW)
        return finding

    def accepted(self) -> Any:
        """A finding whose risk Mara accepted."""
        finding = self.finding()
        findings.accept_risk(finding, reason="Small", until=date(2026, 12, 1), actor=self.cast.mara, now=NOW)
        return finding

    def nominated(self) -> Any:
        """A nomination that waits for Nils."""
        return registry.nominate_owner(self.interim, self.cast.nils, actor=self.cast.mara, now=NOW)

    def handover(self) -> Any:
        """A hand-over from Ada to Nils that nobody has signed."""
        return begin(self.cast, self.system, self.cast.nils, now=NOW + timedelta(minutes=5))

    def signed_out(self) -> Any:
        """A hand-over that Ada has signed."""
        handover = self.handover()
        sign_out(handover, now=NOW + timedelta(minutes=10))
        return handover

    def received(self) -> Any:
        """An import that waits for its review."""
        return registry.receive_import(file_name="x.csv", content=FILE, actor=self.cast.mara, now=NOW)

    def applied(self) -> Any:
        """An import that was applied."""
        return registry.apply_import(self.received(), actor=self.cast.mara, now=NOW)

    def campaign(self) -> Any:
        """An open campaign."""
        return attestations.open_campaign("2026Q4", actor=COMMAND, now=NOW)[0]

    def assignment(self) -> Any:
        """Ada's assignment in an open campaign."""
        return self.campaign().assignments.select_related("campaign", "system").get(system=self.system)

    def answered(self) -> Any:
        """Ada's assignment with everything answered."""
        return answer_all(self.assignment(), self.cast.ada, now=NOW)

    def view(self) -> SavedView:
        """A saved view of Mara's."""
        return registry.save_view(name="V", query="q=x", shared=False, actor=self.cast.mara, now=NOW)

    def absence(self) -> Any:
        """Ada is away from today on."""
        return registry.record_absence(
            self.cast.ada, starts_on=TODAY, ends_on=TODAY + timedelta(days=5), actor=self.cast.ada, now=NOW
        )

    def token(self) -> Any:
        """A token of Ada's."""
        return access.issue_token(self.cast.ada, name="T", scopes=["read"], actor=self.cast.ada, now=NOW)[0]


def signed(w: World) -> Callable[[], Any]:
    assignment = w.answered()
    confirmation = attestations.Confirmation("password", LATER)
    return lambda: attestations.sign(
        assignment, version=assignment.version, declared_true=True, typed_name="Ada Nwosu",
        confirmation=confirmation, actor=w.cast.ada, now=LATER,
    )  # fmt: skip


def then(made: Any, act: Callable[[Any], Any]) -> Callable[[], Any]:
    """The thing is made before the count begins, the verb runs after."""
    return lambda: act(made)


def linked(w: World) -> Any:
    """Ada, known to an identity provider."""
    return portal.link_identity(w.cast.ada, provider="corp", subject="a-1", actor=w.cast.ada, now=NOW)


TODAY = LATER.date()
CALENDAR = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART;VALUE=DATE:20270104\r\n"
    b"DTEND;VALUE=DATE:20270106\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:b\r\nDTSTART;VALUE=DATE:20270204\r\n"
    b"DTEND;VALUE=DATE:20270206\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

VERBS: dict[str, tuple[Callable[[World], Callable[[], Any]], dict[str, int]]] = {
    "record_absence": (
        lambda w: lambda: registry.record_absence(w.cast.ada, starts_on=TODAY, ends_on=TODAY, **w.by),
        {"absence.recorded": 1},
    ),
    "delegate": (
        lambda w: lambda: registry.delegate(w.cast.ada, w.cast.nils, starts_on=TODAY, ends_on=TODAY, **w.by),
        {"absence.recorded": 1},
    ),
    "change_absence": (
        lambda w: then(
            w.absence(),
            lambda a: registry.change_absence(a, starts_on=TODAY, ends_on=TODAY, delegate=w.cast.nils, **w.by),
        ),
        {"absence.changed": 1},
    ),
    "cancel_absence": (
        lambda w: then(w.absence(), lambda a: registry.cancel_absence(a, **w.by)), {"absence.cancelled": 1},
    ),
    "import_calendar": (
        lambda w: lambda: registry.import_calendar(w.cast.ada, CALENDAR, **w.by),
        {"absence.imported": 1, "caused absence.recorded": 2},
    ),
    "raise_finding": (lambda w: w.finding, {"finding.raised": 1}),
    "assign": (
        lambda w: then(w.finding(), lambda f: findings.assign(f, w.cast.nils, **w.by)), {"finding.assigned": 1},
    ),
    "plan_action": (lambda w: then(w.finding(), lambda f: an_action(w.cast, f)), {"finding.action.planned": 1}),
    "complete_action": (
        lambda w: then(
            an_action(w.cast, w.finding()),
            lambda a: findings.complete_action(a, evidence="Yes", actor=w.cast.ben, now=LATER),
        ),
        {"finding.action.done": 1},
    ),
    "verify_action": (
        lambda w: then(done(w.cast, w.finding()), lambda a: findings.verify_action(a, actor=w.cast.ada, now=LATER)),
        {"finding.action.verified": 1, "caused finding.closed": 1},
    ),
    "reject_action": (
        lambda w: then(
            done(w.cast, w.finding()),
            lambda a: findings.reject_action(a, verdict="No", actor=w.cast.ada, now=LATER),
        ),
        {"finding.action.rejected": 1},
    ),
    "close_finding": (
        lambda w: then(w.verified(), lambda f: findings.close_finding(f, **w.by)), {"finding.closed": 1},
    ),
    "reopen": (
        lambda w: then(
            findings.close_finding(w.verified(), **w.by), lambda f: findings.reopen(f, reason="No", **w.by)
        ),
        {"finding.reopened": 1},
    ),
    "accept_risk": (
        lambda w: then(
            w.finding(), lambda f: findings.accept_risk(f, reason="Small", until=date(2026, 12, 1), **w.by)
        ),
        {"finding.risk.accepted": 1},
    ),
    "withdraw_acceptance": (
        lambda w: then(w.accepted(), lambda f: findings.withdraw_acceptance(f, reason="No", **w.by)),
        {"finding.acceptance.ended": 1},
    ),
    "reassign_findings": (
        lambda w: then(w.finding(), lambda _: findings.reassign_findings(w.cast.ada, w.cast.una, **w.by)),
        {"findings.reassigned": 1},
    ),
    "sweep_registry": (
        lambda w: lambda: findings.sweep_registry(
            now=LATER, sources={"matrix": lambda now: [breach(w.cast.ada, "a"), breach(w.cast.ada, "b")]}
        ),
        {"findings.swept": 1, "caused finding.raised": 2},
    ),
    "remind_overdue": (
        lambda w: then(w.finding(), lambda _: findings.remind_overdue(now=NOW + timedelta(days=14))),
        {"findings.reminded": 1},
    ),
    **charter_verbs.VERBS,
    **directory_verbs.VERBS,
    **verbs_clocks.VERBS,
    **verbs_channels.VERBS,
    **verbs_cards.VERBS,
    **verbs_inbound.VERBS,
    **verbs_learning.VERBS,
    **verbs_live.VERBS,
    **verbs_paging.VERBS,
    **verbs_runbooks.VERBS,
    **verbs_after.VERBS,
    **verbs_campaigns.VERBS,
    **verbs_documents.VERBS,
    **verbs_rollup.VERBS,
    **verbs_work.VERBS,
    **verbs_ladder.VERBS,
    **verbs_questions.VERBS,
    **raci_verbs.VERBS,
    "issue_token": (
        lambda w: lambda: access.issue_token(w.cast.ada, name="T", scopes=["read"], **w.by), {"api.token.issued": 1},
    ),
    "revoke_token": (lambda w: then(w.token(), lambda t: access.revoke_token(t, **w.by)), {"api.token.revoked": 1}),
    "view_assignment": (
        lambda w: then(w.assignment(), lambda a: attestations.view_assignment(a, actor=w.cast.ada, now=LATER)),
        {"attestation.viewed": 1},
    ),
    "save_answers": (
        lambda w: then(
            w.assignment(),
            lambda a: attestations.save_answers(
                a, DEFAULT_SET[0].slug, {DEFAULT_SET[0].questions[0].key: Given("yes")},
                version=a.version, actor=w.cast.ada, now=LATER,
            ),
        ),
        {"attestation.answered": 1},
    ),
    "sign": (signed, {"attestation.signed": 1}),
    "open_campaign": (lambda w: w.campaign, {"campaign.opened": 1}),
    "begin_rollup": (
        lambda w: then(
            w.campaign(), lambda c: attestations.begin_rollup(c, actor=COMMAND, now=NOW + timedelta(days=60))
        ),
        {"campaign.rollup_began": 1},
    ),
    "provision_person": (
        lambda w: lambda: people.provision_person(email="new@example.org", display_name="New", **w.by),
        {"person.provisioned": 1},
    ),
    "change_person": (
        lambda w: lambda: registry.change_person(w.cast.ada, title="Boss", deputy=w.cast.nils, **w.by),
        {"person.changed": 1},
    ),
    "seat_person": (
        lambda w: lambda: registry.seat_person("platform", w.cast.nils, **w.by),
        {"seat.held": 1, "caused system.owner.interim": 1},
    ),
    "vacate_seat": (lambda w: lambda: people.vacate_seat("ciso", **w.by), {"seat.vacated": 1}),
    "grant_role": (
        lambda w: lambda: people.grant_role(w.cast.dov, RoleName.AUDITOR, **w.by), {"role.granted": 1},
    ),
    "revoke_role": (
        lambda w: lambda: people.revoke_role(w.cast.eve, RoleName.AUDITOR, **w.by), {"role.revoked": 1},
    ),
    "deactivate_person": (
        lambda w: then(w.nominated(), lambda _: registry.deactivate_person(w.cast.nils, **w.by)),
        {"person.deactivated": 1, "caused system.owner.withdrawn": 1},
    ),
    "reactivate_person": (
        lambda w: lambda: people.reactivate_person(w.cast.ivan, **w.by), {"person.reactivated": 1},
    ),
    "change_second_factor": (
        lambda w: lambda: portal.change_second_factor(w.cast.ada, "passkey added", actor=w.cast.ada, now=NOW),
        {"person.changed": 1},
    ),
    "link_identity": (lambda w: lambda: linked(w), {"person.changed": 1}),
    "unlink_identity": (
        lambda w: then(linked(w), lambda _: portal.unlink_identity(w.cast.ada, provider="corp", **w.by)),
        {"person.changed": 1},
    ),
    "end_one_session": (
        lambda w: then(
            UserSession.objects.create(user=w.cast.ada, ip="127.0.0.1", session_key="one"),
            lambda row: portal.end_one_session(w.cast.ada, row.pk, actor=w.cast.ada, now=NOW),
        ),
        {"session.ended": 1},
    ),
    "end_other_sessions": (
        lambda w: lambda: portal.end_other_sessions(w.cast.ada, keep="one", actor=w.cast.ada, now=NOW),
        {"session.ended": 1},
    ),
    "start_session": (
        lambda w: lambda: portal.start_session(w.cast.ada, actor=w.cast.ada, now=NOW), {"session.started": 1},
    ),
    "end_session": (
        lambda w: lambda: portal.end_session(w.cast.ada, actor=w.cast.ada, now=NOW), {"session.ended": 1},
    ),
    "refuse_session": (lambda w: lambda: portal.refuse_session("x@y.org", now=NOW), {"session.refused": 1}),
    "change_password": (
        lambda w: lambda: portal.change_password(w.cast.ada, "a much longer password", actor=w.cast.ada, now=NOW),
        {"person.changed": 1},
    ),
    "escalate_nomination": (
        lambda w: then(w.nominated(), lambda n: escalate_nomination(n.pk, now=NOW + timedelta(days=30))),
        {"nomination.escalated": 1},
    ),
    "escalate_nominations": (
        lambda w: then(w.nominated(), lambda _: escalate_nominations(now=NOW + timedelta(days=30))),
        {"nomination.escalated": 1},
    ),
    "receive_import": (lambda w: w.received, {"import.received": 1}),
    "review_import_again": (
        lambda w: then(w.received(), lambda r: registry.review_import_again(r, **w.by)), {"import.received": 1},
    ),
    "apply_import": (
        lambda w: then(w.received(), lambda r: registry.apply_import(r, **w.by)),
        {"import.applied": 1, "caused system.registered": 1},
    ),
    "discard_import": (
        lambda w: then(w.received(), lambda r: registry.discard_import(r, **w.by)), {"import.discarded": 1},
    ),
    "undo_import": (
        lambda w: then(w.applied(), lambda r: registry.undo_import(r, **w.by)),
        {"import.undone": 1, "caused system.retired": 1},
    ),
    "nominate_owner": (lambda w: w.nominated, {"system.owner.nominated": 1}),
    # All or nothing over several systems: the verb for one, once for each.
    "nominate_many": (
        lambda w: lambda: registry.nominate_many([w.system, w.interim], w.cast.nils, **w.by),
        {"system.owner.nominated": 2},
    ),
    "accept_ownership": (
        lambda w: then(w.nominated(), lambda n: registry.accept_ownership(n, actor=w.cast.nils, now=LATER)),
        {"system.owner.accepted": 1},
    ),
    "withdraw_many": (
        lambda w: then(w.nominated(), lambda n: registry.withdraw_many([n], **w.by)), {"system.owner.withdrawn": 1},
    ),
    "grant_authority": (
        lambda w: lambda: registry.grant_authority(w.system, Powers(may_stop=True), **w.by), {"authority.granted": 1},
    ),
    "note_ownership_fact": (
        lambda w: lambda: note_ownership_fact(
            w.system, kind="code_owner", value="@nils", source="repo", seen_at=NOW, **w.by
        ),
        {"ownership.fact.recorded": 1},
    ),
    "note_handover": (
        lambda w: then(
            w.handover(),
            lambda h: registry.note_handover(h, vendor_contacts="", judgement="x", actor=w.cast.ada, now=LATER),
        ),
        {"handover.changed": 1},
    ),
    "sign_handover": (lambda w: then(w.handover(), lambda h: sign_out(h, now=LATER)), {"handover.signed": 1}),
    "complete_handover": (
        lambda w: then(w.signed_out(), lambda h: sign_in(h, now=LATER)),
        {"handover.completed": 1, "caused system.owner.accepted": 1},
    ),
    "cancel_handover": (
        lambda w: then(w.handover(), lambda h: registry.cancel_handover(h, reason="x", **w.by)),
        {"handover.cancelled": 1},
    ),
    "escalate_handover": (
        lambda w: then(w.handover(), lambda h: escalate_handover(h.pk, now=NOW + timedelta(days=30))),
        {"handover.escalated": 1},
    ),
    "escalate_handovers": (
        lambda w: then(w.handover(), lambda _: escalate_handovers(now=NOW + timedelta(days=30))),
        {"handover.escalated": 1},
    ),
    "decline_ownership": (
        lambda w: then(
            w.nominated(), lambda n: registry.decline_ownership(n, actor=w.cast.nils, now=LATER, reason="No time")
        ),
        {"system.owner.declined": 1},
    ),
    "withdraw_nomination": (
        lambda w: then(w.nominated(), lambda n: registry.withdraw_nomination(n, **w.by)),
        {"system.owner.withdrawn": 1},
    ),
    "register_system": (lambda w: lambda: a_system(w.cast), {"system.registered": 1}),
    "change_system": (
        lambda w: lambda: registry.change_system(w.system, tier="low", **w.by), {"system.changed": 1},
    ),
    "retire_system": (
        lambda w: then(w.nominated(), lambda _: registry.retire_system(w.interim, reason="Gone", **w.by)),
        {"system.retired": 1},
    ),
    "create_unit": (
        lambda w: lambda: registry.create_unit(name="U", code="u", **w.by), {"unit.created": 1},
    ),
    "change_unit": (
        lambda w: lambda: registry.change_unit(w.cast.devtools, head=w.cast.nils, **w.by),
        {"unit.changed": 1, "caused system.owner.interim": 1},
    ),
    "save_view": (lambda w: w.view, {"view.saved": 1}),
    "delete_view": (lambda w: then(w.view(), lambda v: registry.delete_view(v, **w.by)), {"view.deleted": 1}),
}  # fmt: skip
# These are tried where their own world is: an empty portal, and days on which something is due.
ELSEWHERE = {"start_portal", "open_due", "move_on_due", "remind_all_due", *verbs_work.ELSEWHERE, *verbs_live.ELSEWHERE}


def verbs_of_the_house() -> set[str]:
    """Public functions of the actions rooms that are told what time it is."""
    found = set()
    for path in (ROOT / "apps").rglob("*.py"):
        if "migrations" in path.parts or not (path.stem == "actions" or "actions" in path.parts):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if "now" in {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}:
                found.add(node.name)
    return found - NO_VERBS


def test_every_verb_has_a_row() -> None:
    assert verbs_of_the_house() == set(VERBS) | ELSEWHERE


def events() -> Counter[str]:
    """How many events of each kind there are, those that another event caused apart."""
    rows = AuditEvent.objects.values_list("kind", "cause")
    return Counter(f"caused {kind}" if cause else kind for kind, cause in rows)


@pytest.mark.parametrize("verb", VERBS)
def test_one_primary_event(verb: str, cast: Cast) -> None:
    prepare, expected = VERBS[verb]
    act = prepare(World(cast))
    before = events()
    act()
    assert events() - before == expected


def test_the_world_is_what_it_seems(cast: Cast) -> None:
    world = World(cast)
    assert System.objects.get(pk=world.system.pk).owner == cast.ada
    assert System.objects.get(pk=world.interim.pk).owner == cast.mara

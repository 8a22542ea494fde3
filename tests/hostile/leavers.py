"""Somebody who is in everything: whatever a portal can point at, it points at them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from apps.attestations import actions as attestations
from apps.attestations.models import Assignment, Signature
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.findings import actions as findings
from apps.findings.models import CorrectiveAction
from apps.people import actions as people
from apps.people.models import Function, Person
from apps.people.rules import Confirmation
from apps.registry import actions as registry
from apps.registry.actions import charter as charters
from apps.registry.actions import raci
from apps.registry.models import CharterSignature, OwnershipTerm, System
from apps.registry.queries.charter import revision_of
from tests.attestations.world import answer_all
from tests.cast import Cast
from tests.factories import a_system, set_letters

NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
# What is true today and names somebody: none of it may name a person who can't answer.
POINTS_TO = {
    "live systems": "SELECT 1 FROM registry_system WHERE owner_id = %s AND stage NOT IN ('proposed', 'retired')",
    "terms in force": "SELECT 1 FROM registry_ownershipterm t JOIN registry_system s ON s.id = t.system_id "
    "WHERE t.person_id = %s AND upper_inf(t.period) AND s.stage NOT IN ('proposed', 'retired')",
    "grants": "SELECT 1 FROM registry_systemuserpermission g JOIN registry_system s ON s.id = g.content_object_id "
    "WHERE g.user_id = %s AND s.stage <> 'retired'",
    "units": "SELECT 1 FROM registry_unit WHERE head_id = %s",
    "seats": "SELECT 1 FROM people_seat WHERE holder_id = %s",
    "deputies": "SELECT 1 FROM people_person WHERE deputy_id = %s AND is_active",
    "line managers": "SELECT 1 FROM people_person WHERE line_manager_id = %s AND is_active",
    "nominations": "SELECT 1 FROM registry_nomination WHERE nominee_id = %s AND state = 'open'",
    "hand-overs": "SELECT 1 FROM registry_handover WHERE %s IN (incoming_id, outgoing_id) "
    "AND state IN ('open', 'signed')",
    "letters": "SELECT 1 FROM registry_raciassignment WHERE person_id = %s AND valid_to IS NULL",
    "questions for letters": "SELECT 1 FROM registry_raciacceptance WHERE person_id = %s AND state = 'open'",
    "findings": "SELECT 1 FROM findings_finding WHERE person_id = %s AND state <> 'closed'",
    "actions": "SELECT 1 FROM findings_correctiveaction WHERE %s = CASE state WHEN 'planned' THEN person_id "
    "WHEN 'done' THEN verifier_id END",
    "roles": "SELECT 1 FROM people_rolegrant WHERE person_id = %s AND revoked_at IS NULL",
    "tokens": "SELECT 1 FROM access_apitoken WHERE person_id = %s AND revoked_at IS NULL",
    "sessions": "SELECT 1 FROM usersessions_usersession WHERE user_id = %s",
}


def entangled(cast: Cast) -> dict[str, System]:
    """Ada is made everything that somebody can be; returns the systems by what she is for them."""
    by: dict[str, Any] = {"actor": cast.mara, "now": NOW}
    unit = registry.create_unit(name="Motor", code="motor", parent=cast.claims, head=cast.ada, **by)
    registry.change_person(cast.nils, deputy=cast.ada, **by)
    registry.change_person(cast.lea, line_manager=cast.ada, **by)
    systems = {
        "accepted": a_system(cast, owner=cast.ada, now=NOW),
        "interim": a_system(cast, unit=unit, now=NOW),
        "deputy": a_system(cast, owner=cast.nils, unit=cast.devtools, now=NOW),
        "delegate": a_system(cast, owner=cast.dov, now=NOW),
        "asked": a_system(cast, now=NOW),
        "successor": a_system(cast, owner=cast.cleo, now=NOW),
    }
    registry.record_absence(
        cast.dov, starts_on=NOW.date(), ends_on=NOW.date() + timedelta(days=5), delegate=cast.ada, **by
    )
    people.seat_person("finance", cast.ada, **by)
    registry.nominate_owner(systems["asked"], cast.ada, **by)
    successor = registry.nominate_owner(systems["successor"], cast.ada, **by)
    registry.accept_ownership(successor, actor=cast.ada, now=NOW + timedelta(seconds=1))
    set_letters("drills", {str(cast.ada.pk): "A", "engineering": "R"}, unit=cast.claims, now=NOW)
    raci.apply_to_systems({"drills": {str(cast.ada.pk): "A", "engineering": "R"}}, [systems["deputy"]], **by)
    _works(cast)
    _signs(cast, systems["accepted"])
    return systems


def _works(cast: Cast) -> None:
    """One finding is hers, one action is hers to do, one to verify, one she has verified."""
    given: dict[str, Any] = {"remedy": "Do it.", "severity": "medium", "actor": cast.mara, "now": NOW}
    findings.raise_finding(title="Open", person=cast.ada, **given)
    later = NOW + timedelta(days=3)
    for title, doer, verifies in (("To do", cast.ada, False), ("To verify", cast.ben, False), ("Done", cast.ben, True)):
        finding = findings.raise_finding(title=title, person=cast.ada, **given)
        action = findings.plan_action(finding, what=title, person=doer, due_on=later.date(), actor=cast.ada, now=NOW)
        if doer == cast.ben:
            action = findings.complete_action(action, evidence="Log 7", actor=cast.ben, now=NOW)
        if verifies:
            findings.verify_action(action, actor=cast.ada, now=NOW)


def _signs(cast: Cast, system: System) -> None:
    """The attestation of her system, and the charter for her seat."""
    attestations.open_campaign("2026Q4", actor=COMMAND, now=NOW)
    assignment = Assignment.objects.select_related("campaign", "system").get(system=system)
    later = NOW + timedelta(minutes=5)
    assignment = answer_all(assignment, cast.ada, now=later)
    proof = Confirmation("password", later)
    attestations.sign(
        assignment, version=assignment.version, declared_true=True, typed_name="Ada Nwosu", confirmation=proof,
        actor=cast.ada, now=later,
    )  # fmt: skip
    charter = charters.draft_charter(actor=cast.mara, now=NOW)
    charter = charters.change_charter(
        charter, holder=Function.objects.get(code="platform"), authority="May stop any system.",
        enforcement_points=[], domains={"stop": True}, read=revision_of(charter), actor=cast.mara, now=NOW,
    )  # fmt: skip
    charter = charters.put_charter_in_force(charter, actor=cast.mara, now=NOW)
    charters.sign_charter(
        charter, "finance", declared=True, typed_name="Ada Nwosu", confirmation=proof, actor=cast.ada, now=later
    )


def points_to(person: Person) -> dict[str, int]:
    """What names this person today, by what it is; empty where nothing does."""
    found = {}
    with connection.cursor() as cursor:
        for name, sql in POINTS_TO.items():
            cursor.execute(f"SELECT count(*) FROM ({sql}) AS found", [person.pk])
            found[name] = cursor.fetchone()[0]
    return {name: count for name, count in found.items() if count}


def history_of(person: Person) -> dict[str, int]:
    """What this person did and was: it stays for ever."""
    return {
        "terms": OwnershipTerm.objects.filter(person=person).count(),
        "attestations": Signature.objects.filter(signer=person).count(),
        "charter": CharterSignature.objects.filter(signer=person).count(),
        "verified": CorrectiveAction.objects.filter(verified_by=person).count(),
        "acts": AuditEvent.objects.filter(actor=person.audit_id).count(),
    }

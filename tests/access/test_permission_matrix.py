"""A closed world: every URL and every role. A URL without a row here fails the build."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.access.actions import issue_token
from apps.attestations.actions import open_campaign
from apps.attestations.actions.documents import request_report
from apps.attestations.models import AttestationException, Campaign, RollupNode
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.directory.actions import issue_scim_token, receive_people_file
from apps.directory.rules.people_file import template_csv as people_csv
from apps.incidents.actions.first_view import note_first_view
from apps.incidents.actions.rules import set_response_rule
from apps.incidents.actions.runbooks import draft_runbook, pin_runbook
from apps.incidents.actions.timeline import set_task
from apps.incidents.models import EscalationPlan, Runbook
from apps.incidents.queries.ack_links import ack_path
from apps.incidents.queries.paging import database_now
from apps.incidents.queries.rules import RuleText
from apps.registry import actions as registry
from apps.registry.actions.charter import draft_charter
from apps.registry.actions.imports import receive_import
from apps.registry.models import System
from apps.registry.rules.imports import template_csv
from tests.attestations.after import EXCEPTION
from tests.attestations.signed import assignment_of
from tests.attestations.signed import sign as attested
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.factories.matrices import asked_for_an_a
from tests.findings.world import a_finding, an_action
from tests.handovers import begin
from tests.incidents.clock_world import clock, with_clocks
from tests.incidents.inbound_world import a_source
from tests.incidents.learning_pages import ended_drill
from tests.notify.webhooks_world import an_endpoint
from tests.registry.test_charter import in_force, signed

pytestmark = pytest.mark.usefixtures("in_the_world")

ROLES = ("anonymous", "ivan", "dov", "ada", "cleo", "bo", "eve", "mara")

# Who gets what from a GET, in the order of ROLES: nobody signed in, a deactivated person, an employee, the owner
# of the system, a seat holder, the board role, the auditor, the mandate holder. L is the way to the sign-in page.
PUBLIC = "200 200 200 200 200 200 200 200"
EVERYBODY = "L L 200 200 200 200 200 200"
OWNER_AND_READERS = "L L 404 200 200 200 200 200"
OWNER_ONLY = "L L 404 200 404 404 404 404"
ADMINISTERS = "L L 403 403 403 403 403 200"
REGISTERS = "L L 403 403 200 403 403 200"
RUNS_INCIDENTS = "L L 404 200 200 403 403 200"
MANAGES_INCIDENTS = "L L 403 403 200 403 403 200"
NOMINATES = "L L 404 200 200 403 403 200"
CHANGES = "L L 404 200 403 403 403 200"
READS_TRAIL = "L L 403 403 200 403 200 200"
READS_BOARD = "L L 403 403 200 200 200 200"
READS_CAMPAIGNS = "L L 404 404 200 200 200 200"
RUNS_CAMPAIGNS = "L L 404 404 403 403 403 200"
GONE = "404 404 404 404 404 404 404 404"
POST_ONLY = "L L 405 405 405 405 405 405"

PAGES: dict[str, str] = {
    "healthz": PUBLIC,
    "portal:home": EVERYBODY,
    "portal:menu": EVERYBODY,
    "portal:keys": EVERYBODY,
    "portal:who": EVERYBODY,
    "portal:who_suggest": EVERYBODY,
    "portal:systems": EVERYBODY,
    "portal:systems_csv": EVERYBODY,
    "portal:systems_nominate": POST_ONLY,
    "portal:view_save": POST_ONLY,
    "portal:view_delete": "L L 404 404 404 404 404 200",
    "portal:system_register": REGISTERS,
    "portal:import_start": ADMINISTERS,
    "portal:import_template": ADMINISTERS,
    "portal:import_review": ADMINISTERS,
    "portal:system": OWNER_AND_READERS,
    "portal:system_ownership": OWNER_AND_READERS,
    "portal:system_ownership_history": OWNER_AND_READERS,
    "portal:system_ownership_row": CHANGES,
    "portal:system_ownership_draft": CHANGES,
    "portal:system_ownership_cell": POST_ONLY,
    "portal:systems_raci": POST_ONLY,
    "portal:raci": EVERYBODY,
    "portal:raci_history": EVERYBODY,
    "portal:raci_row": ADMINISTERS,
    "portal:raci_draft": ADMINISTERS,
    "portal:raci_cell": POST_ONLY,
    "portal:raci_units": EVERYBODY,
    "portal:raci_unit": EVERYBODY,
    "portal:raci_unit_history": EVERYBODY,
    "portal:raci_unit_row": ADMINISTERS,
    "portal:raci_unit_draft": ADMINISTERS,
    "portal:raci_unit_cell": POST_ONLY,
    "portal:raci_acceptance": OWNER_ONLY,
    "portal:system_trail": "L L 404 200 200 403 200 200",
    "portal:system_edit": CHANGES,
    "portal:system_retire": "L L 404 403 403 403 403 200",
    "portal:system_nominate": NOMINATES,
    "portal:nomination": "L L 404 200 404 404 404 404",
    "portal:nomination_withdraw": "L L 404 404 200 404 404 200",
    "portal:nominations_undo": POST_ONLY,
    "portal:handover": "L L 404 200 200 404 200 200",
    "portal:handover_cancel": "L L 404 200 403 404 403 200",
    "portal:system_authority": "L L 404 403 403 403 403 200",
    "portal:system_history": OWNER_AND_READERS,
    "portal:blind_spots": EVERYBODY,
    "portal:blind_spots_csv": EVERYBODY,
    "portal:mandate": EVERYBODY,
    "portal:mandate_draft": ADMINISTERS,
    "portal:mandate_sign": "L L 403 403 200 403 403 403",
    "portal:mandate_version": EVERYBODY,
    "portal:mandate_withdraw": "L L 403 403 200 403 403 403",
    "portal:people": EVERYBODY,
    "portal:person": EVERYBODY,
    "portal:person_new": ADMINISTERS,
    "portal:seats": EVERYBODY,
    "portal:units": EVERYBODY,
    "portal:unit_new": ADMINISTERS,
    "portal:unit_edit": ADMINISTERS,
    "portal:profile": EVERYBODY,
    "portal:sessions": EVERYBODY,
    "portal:sessions_end_others": POST_ONLY,
    "portal:session_end": POST_ONLY,
    "portal:channels": EVERYBODY,
    "portal:endpoints": MANAGES_INCIDENTS,
    "portal:endpoint_new": MANAGES_INCIDENTS,
    "portal:endpoint": MANAGES_INCIDENTS,
    "portal:availability": EVERYBODY,
    "portal:person_availability": ADMINISTERS,
    "portal:workload": EVERYBODY,
    "portal:workload_csv": EVERYBODY,
    "portal:token_issue": POST_ONLY,
    "portal:token_revoke": POST_ONLY,
    "portal:first_start": GONE,
    "portal:outbox": ADMINISTERS,
    "portal:status": READS_TRAIL,
    "portal:demo_mail": "L L 404 404 404 404 404 404",
    "assurance:trail": READS_TRAIL,
    "assurance:trail_csv": READS_TRAIL,
    "assurance:trail_event": READS_TRAIL,
    "directory:home": "L L 403 403 403 403 403 302",
    "directory:cases": ADMINISTERS,
    "directory:case": "L L 404 404 404 404 404 404",
    "directory:import": ADMINISTERS,
    "directory:import_template": ADMINISTERS,
    "directory:import_review": ADMINISTERS,
    "directory:tokens": ADMINISTERS,
    "directory:token_revoke": POST_ONLY,
    "findings:findings": EVERYBODY,
    "findings:export": EVERYBODY,
    "findings:report": EVERYBODY,
    "findings:finding": OWNER_AND_READERS,
    **{f"findings:{verb}": POST_ONLY for verb in ("assign", "plan", "accept", "withdraw", "reopen", "close")},
    "findings:finish": POST_ONLY,
    "findings:verify": POST_ONLY,
    "incidents:incidents": EVERYBODY,
    "incidents:export": EVERYBODY,
    "incidents:declare": EVERYBODY,
    # Without a system or words on what it is about: back to the first step.
    "incidents:declare_what": "L L 302 302 302 302 302 302",
    "incidents:incident": OWNER_AND_READERS,
    "incidents:summary": OWNER_AND_READERS,
    "incidents:act": RUNS_INCIDENTS,
    "incidents:correct": RUNS_INCIDENTS,
    "incidents:task": RUNS_INCIDENTS,
    # There is no file; who may have one is tested where there is.
    "incidents:file": "L L 404 404 404 404 404 404",
    # Who responds: rules are read by everybody, changed and exported by those who manage incidents.
    "incidents:rules": EVERYBODY,
    "incidents:rule_new": REGISTERS,
    "incidents:rule_end": REGISTERS,
    "incidents:cards_export": REGISTERS,
    "incidents:system_response": OWNER_AND_READERS,
    "incidents:response_profile": NOMINATES,
    # Off unless networks are named; tests/incidents/test_cards_offline.py.
    "portal:open_lookup": GONE,
    "incidents:sources": REGISTERS,
    "incidents:source": REGISTERS,
    "incidents:source_revoke": REGISTERS,
    "readiness:board": READS_BOARD,
    "incidents:plans": EVERYBODY,
    "incidents:plan": EVERYBODY,
    "incidents:plan_new": REGISTERS,
    "incidents:plan_edit": REGISTERS,
    "incidents:plan_end": REGISTERS,
    "incidents:preflight": "L L 403 403 200 200 200 200",
    # Whoever has the link was called: no sign-in, and nothing changes by opening it.
    "incidents:ack": PUBLIC,
    # Runbooks are read by everybody, the organisation's are changed by who manages incidents.
    "incidents:runbooks": EVERYBODY,
    "incidents:runbook": EVERYBODY,
    "incidents:runbook_version": EVERYBODY,
    # Who answers for a system may write one for it.
    "incidents:runbook_new": "L L 403 200 200 403 403 200",
    **{
        f"incidents:runbook_{verb}": MANAGES_INCIDENTS
        for verb in ("edit", "publish", "discard", "review", "owner", "retire")
    },
    "incidents:step": OWNER_AND_READERS,
    "incidents:steps_add": POST_ONLY,
    # Cleo leads this one: the General Counsel decides, who stands in no column here.
    "incidents:freeze_waiver": "L L 404 403 403 403 403 403",
    "incidents:clock_rules": EVERYBODY,
    "incidents:clock_rule": EVERYBODY,
    "incidents:clock_register": EVERYBODY,
    "incidents:clock_register_csv": EVERYBODY,
    # The legal seat, and who manages incidents.
    "incidents:clock_rule_edit": REGISTERS,
    "incidents:clock_contract": REGISTERS,
    "incidents:incident_clocks": OWNER_AND_READERS,
    "incidents:incident_clock": OWNER_AND_READERS,
    "incidents:reviews": EVERYBODY,
    # Of what goes on there is no review.
    "incidents:review": "L L 404 404 404 404 404 404",
    "incidents:metrics": READS_BOARD,
    "incidents:metrics_json": READS_BOARD,
    "incidents:drills": EVERYBODY,
    "incidents:drill_new": REGISTERS,
    # Of a drill that is over: who owns its system, and who reads all incidents. It is planned no more.
    "incidents:drill": OWNER_AND_READERS,
    "incidents:drill_report": OWNER_AND_READERS,
    "incidents:drill_edit": "L L 404 404 404 404 404 404",
    "incidents:drill_inject": POST_ONLY,
    "attestations:campaigns": EVERYBODY,
    "attestations:templates": READS_CAMPAIGNS,
    "attestations:template": READS_CAMPAIGNS,
    "attestations:template_new": RUNS_CAMPAIGNS,
    "attestations:template_plan": RUNS_CAMPAIGNS,
    "attestations:template_rest": RUNS_CAMPAIGNS,
    "attestations:questions": READS_CAMPAIGNS,
    "attestations:question_set": "L L 404 404 302 302 302 302",
    "attestations:question_version": READS_CAMPAIGNS,
    "attestations:question_publish": POST_ONLY,
    "attestations:cancel": RUNS_CAMPAIGNS,
    "attestations:campaign": READS_CAMPAIGNS,
    "attestations:exceptions": EVERYBODY,
    # Of an exception that Ada declared: she, her unit's head, and who reads campaigns.
    "attestations:exception": OWNER_AND_READERS,
    "attestations:export": READS_CAMPAIGNS,
    "attestations:reviews": READS_CAMPAIGNS,
    # Nothing is signed yet: nobody reviews it.
    "attestations:review": "L L 404 404 404 404 404 404",
    "attestations:sample": "L L 404 404 404 404 404 404",
    "attestations:figures": READS_CAMPAIGNS,
    "attestations:quality": READS_CAMPAIGNS,
    "attestations:report": READS_CAMPAIGNS,
    "attestations:report_csv": READS_CAMPAIGNS,
    "attestations:report_json": READS_CAMPAIGNS,
    "attestations:make_report": POST_ONLY,
    "attestations:make_receipt": POST_ONLY,
    "attestations:document": READS_CAMPAIGNS,
    # Not made yet, and no campaign before this one: their own tests show who reads them.
    "attestations:document_file": "L L 404 404 404 404 404 404",
    "attestations:compare": "L L 404 404 404 404 404 404",
    "attestations:rollup": READS_CAMPAIGNS,
    "attestations:node": READS_CAMPAIGNS,
    "attestations:closing": READS_CAMPAIGNS,
    "attestations:sealed_zip": "L L 404 404 404 404 404 404",
    "attestations:remind": "L L 404 404 403 403 403 200",
    "attestations:snooze": OWNER_ONLY,
    "attestations:nudge": "L L 404 404 403 403 403 200",
    "attestations:escalate": "L L 404 404 403 403 403 200",
    "attestations:together": EVERYBODY,
    "attestations:delegate": OWNER_ONLY,
    "attestations:cannot": OWNER_ONLY,
    # Who answers for it, and who nominates owners.
    "attestations:reassign": "L L 404 200 200 404 404 200",
    # Of nobody's answer is there a file; who may have one is tested where there are some.
    "attestations:evidence": "L L 404 404 404 404 404 404",
    "attestations:assignment": OWNER_ONLY,
    "attestations:section": OWNER_ONLY,
    "attestations:check": OWNER_ONLY,
    "attestations:receipt": "L L 404 404 404 404 404 404",
    "attestations:correction": "L L 404 404 404 404 404 404",
}
# The pages of an attestation that Ada signed with an exception and that was drawn as a sample, in the same order:
# nobody passes it on or prepares it any more.
SIGNED_PAGES: dict[str, str] = {
    "attestations:receipt": OWNER_AND_READERS,
    "attestations:correction": OWNER_ONLY,
    "attestations:review": "L L 404 404 200 404 404 200",
    "attestations:sample": "L L 404 404 200 404 404 200",
    "attestations:delegate": "L L 404 302 404 404 404 404",
    "attestations:cannot": "L L 404 302 404 404 404 404",
    "attestations:reassign": "L L 404 200 200 404 404 200",
    "attestations:nudge": RUNS_CAMPAIGNS,
    "attestations:escalate": RUNS_CAMPAIGNS,
}
# Who is signed in where, and counters: written by every request.
NO_CHANGE = {"django_session", "usersessions_usersession", "common_cache"}
# allauth's own pages, by what they are for; they know no objects of ours.
ACCOUNT_PREFIXES = ("account_", "mfa_", "openid_connect_", "saml_", "sso_")
# Opened by a token of the directory only; what it may is tried in tests/directory.
SCIM = {
    "users", "user", "groups", "group", "provider_config", "resource_types", "resource_type", "schemas", "schema",
    "nothing",
}  # fmt: skip
# Opened by the token of a source only; what it may is tried in tests/incidents/test_inbound_http.py.
INBOUND = {
    "api:inbound_nothing",
    *(
        f"api:inbound_{way}{kind}"
        for way in ("", "token_")
        for kind in ("alertmanager", "pagerduty", "webhook", "email")
    ),
}
API = {
    "api:schema": {},
    "api:systems": {},
    "api:system": {"key": "SYS-ADA"},
    "api:system_answered": {"key": "SYS-ADA"},
    "api:ownership_facts": {"key": "SYS-ADA"},
    "api:who": {},
    "api:who_answers": {},
    "api:system_card": {"key": "SYS-ADA"},
    "api:blind_spots": {},
    "api:campaigns": {},
    "api:campaign": {"code": "2026Q4"},
    "api:campaign_report": {"code": "2026Q4"},
    "api:findings": {},
    "api:incidents": {},
    "api:incident": {"incident_code": ""},
    "api:finding": {"finding_id": 0},
    "api:readiness": {},
    "api:status": {},
    "api:absences": {},
    "api:absence": {"absence_id": 0},
}
# Written only; what they may is tried in tests/incidents/test_taking.py.
API_WRITES = {"api:incident_acknowledge"}


def an_exception(cast: Cast) -> AttestationException:
    """An open campaign in which Ada signed one system with an exception."""
    excepted = a_system(cast, key="SYS-EXC", owner=cast.ada, now=NOW - timedelta(days=8))
    # What is drawn as a sample is the same every time.
    with patch("apps.attestations.actions.campaigns.secrets.token_hex", return_value="5" * 64):
        campaign, _ = open_campaign("2026Q4", actor=COMMAND, now=NOW - timedelta(days=7))
    attested(assignment_of(campaign, excepted.key), cast.ada, NOW, kill_switch=EXCEPTION)
    return AttestationException.objects.get()


def of_incidents(cast: Cast) -> dict[str, dict[str, Any]]:
    """What incidents add to the world: one that Mara declared about Ada's system, in which Dov takes no part."""
    said = RuleText("Agreed.", scenario="complaint", lead_person=cast.lea)
    response_rule = set_response_rule(said, actor=cast.mara, now=NOW)
    drill = ended_drill(cast, System.objects.get(key="SYS-ADA"), NOW)
    incident = with_clocks(cast, system=System.objects.get(key="SYS-ADA"), actor=cast.mara, now=NOW)
    if not incident.steps.exists():
        pin_runbook(incident, NOW)
    draft_runbook(Runbook.objects.get(key="complaint"), actor=cast.mara, now=NOW)
    note_first_view(incident, cast.mara, NOW)  # only the very first look at an incident is noted
    return {
        "runbook_key": {"runbook_key": "complaint"},
        "order": {"order": 1},
        "drill_code": {"drill_code": drill.code},
        "incident_code": {"incident_code": incident.code},
        "verb": {"verb": "classify"},
        "entry_id": {"entry_id": incident.timeline.latest("pk").pk},
        "task_id": {"task_id": set_task(incident, what="List", person=cast.ben, actor=cast.mara, now=NOW).pk},
        "plan_id": {"plan_id": EscalationPlan.objects.get(valid_to=None).pk},
        "token": {"token": ack_path(incident.pages.earliest("pk").pk, database_now()).split("/")[3]},
        "clock_id": {"clock_id": clock(incident, "GDPR-33").pk},
        "rule_key": {"rule_key": "GDPR-33"},
        "rule_id": {"rule_id": response_rule.pk},
    }


def of_findings(cast: Cast) -> dict[str, dict[str, Any]]:
    """What findings add to it."""
    finding = a_finding(cast, system=System.objects.get(key="SYS-ADA"))
    return {"finding_id": {"finding_id": finding.pk}, "action_id": {"action_id": an_action(cast, finding).pk}}


def one_of_each(cast: Cast) -> dict[str, dict[str, Any]]:
    """One of each thing that a URL can name."""
    a_system(cast, key="SYS-ADA", owner=cast.ada)
    nominated = registry.nominate_owner(a_system(cast, key="SYS-OPEN"), cast.ada, actor=cast.mara, now=NOW)
    handed_over = begin(cast, a_system(cast, key="SYS-HAND", owner=cast.ada), cast.nils, now=NOW + timedelta(hours=1))
    view = registry.save_view(name="Mine", query="q=x", shared=False, actor=cast.mara, now=NOW)
    exception = an_exception(cast)
    content = template_csv().replace("DOE", "claims").encode()
    run = receive_import(file_name="x.csv", content=content, format_name="csv", actor=cast.mara, now=NOW)
    endpoint = an_endpoint(cast.mara, "https://93.184.215.14/in").endpoint
    day = NOW.date() + timedelta(days=90)
    absence = registry.record_absence(cast.ada, starts_on=day, ends_on=day, actor=cast.ada, now=NOW)
    token, _ = issue_token(cast.ada, name="Mine", scopes=["read"], actor=cast.ada, now=NOW)
    scim_token, _ = issue_scim_token(name="Okta", actor=cast.mara, now=NOW)
    people_file = receive_people_file(
        file_name="p.csv", content=people_csv().encode(), complete=False, actor=cast.mara, now=NOW
    )
    signature = signed(cast, in_force(cast))
    draft_charter(actor=cast.mara, now=NOW)
    asked = asked_for_an_a(System.objects.get(key="SYS-ADA"), actor=cast.mara, now=NOW + timedelta(hours=2))
    document, _ = request_report(Campaign.objects.get(), actor=cast.mara, now=NOW + timedelta(hours=3))
    return {
        **of_incidents(cast),
        **of_findings(cast),
        "function": {"function": "ciso"},
        "number": {"number": 1},
        "template_key": {"template_key": "quarterly"},
        "set_key": {"set_key": "base"},
        "signature_id": {"signature_id": signature.pk},
        "acceptance_id": {"acceptance_id": asked.pk},
        "domain": {"domain": "access-management"},
        "handover_id": {"handover_id": handed_over.pk},
        "view_id": {"view_id": view.pk},
        "run_id": {"run_id": run.pk},
        "nomination_id": {"nomination_id": nominated.pk},
        "person_id": {"person_id": cast.nils.pk},
        "absence_id": {"absence_id": absence.pk},
        "unit_id": {"unit_id": cast.claims.pk},
        "token_id": {"token_id": token.pk},
        "session_id": {"session_id": 1},
        "event_id": {"event_id": AuditEvent.objects.latest("ts_us").pk},
        "exception_id": {"exception_id": exception.pk},
        "endpoint_id": {"endpoint_id": endpoint.pk},
        "key": {"key": "SYS-ADA"},
        "code": {"code": "2026Q4"},
        "other": {"other": "2026Q4"},
        "signature": {"signature": 1},
        "document": {"document": document.pk},
        "slug": {"slug": "ownership"},
        "case_id": {"case_id": uuid4()},
        "file_id": {"file_id": people_file.pk},
        "scim_token_id": {"scim_token_id": scim_token.pk},
        "node_id": {"node_id": RollupNode.objects.get(level="top").pk},
        "source_id": {"source_id": a_source(cast)[0].pk},
    }


def patterns(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route with its full name."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from patterns(entry, inner)
        else:
            yield f"{namespace}{entry.name}", entry


ROUTES = dict(patterns(get_resolver()))


def address(name: str, world: dict[str, dict[str, Any]]) -> str:
    """A route's path, filled with the world's things."""
    needed = ROUTES[name].pattern.converters
    parents: dict[str, Any] = {}
    for converter in needed:
        parents |= world[converter]
    return reverse(name, kwargs=parents)


def client_of(role: str, cast: Cast, browse: Callable[[Any], Client]) -> Client:
    """A browser of that role."""
    return Client() if role == "anonymous" else browse(getattr(cast, role))


def checksum() -> str:
    """One digest over every table but sessions and caches."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table in NO_CHANGE or table.startswith("audit_event_"):
                continue
            cursor.execute(f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t")
            digest.update(f"{table}{cursor.fetchone()[0]}".encode())
    return digest.hexdigest()


def test_every_route_has_a_row() -> None:
    """An unlisted route fails here."""
    ours = {
        name
        for name in ROUTES
        if not name.startswith(("None", "api:", "scim:", *ACCOUNT_PREFIXES)) and name != "portal:None"
    }
    assert ours == set(PAGES)
    assert {name for name in ROUTES if name.startswith("api:")} == set(API) | API_WRITES | INBOUND
    assert {name for name in ROUTES if name.startswith("scim:")} == {f"scim:{name}" for name in SCIM}


@pytest.mark.parametrize("role", ROLES)
def test_reading(role: str, cast: Cast, browse: Callable[[Any], Client], world: dict[str, dict[str, Any]]) -> None:
    client, column = client_of(role, cast, browse), ROLES.index(role)
    wrong = {}
    before = checksum()
    for name, row in PAGES.items():
        expected = row.split()[column]
        response = client.get(address(name, world))
        to_login = response.status_code == 302 and response["Location"].startswith("/accounts/login/")
        got = "L" if to_login else str(response.status_code)
        if got != expected and not (expected == "200" and got == "302" and name == "attestations:assignment"):
            wrong[name] = f"{got} instead of {expected}"
    assert wrong == {}
    after = checksum()
    assert after == before or role == "ada", "reading changes nothing"


@pytest.mark.parametrize("role", ROLES)
def test_what_is_signed(
    role: str, cast: Cast, browse: Callable[[Any], Client], world: dict[str, dict[str, Any]]
) -> None:
    """Who reads what of a signed attestation; who is refused can't post to it either."""
    client, column = client_of(role, cast, browse), ROLES.index(role)
    signed_world, before, wrong = {**world, "key": {"key": "SYS-EXC"}}, checksum(), {}
    for name, row in SIGNED_PAGES.items():
        expected, path = row.split()[column], address(name, signed_world)
        response = client.get(path)
        to_login = response.status_code == 302 and response["Location"].startswith("/accounts/login/")
        got = "L" if to_login else str(response.status_code)
        if expected != "200":
            sent = client.post(path, {"reason": "x", "declare": "on"}).status_code
            got = got if sent in {302, 403, 404, 405} else f"{got}, and {sent} for what is sent"
        if got != expected:
            wrong[name] = f"{got} instead of {expected}"
    assert wrong == {}
    assert checksum() == before


@pytest.mark.parametrize("role", ROLES)
def test_refused_writes_change_nothing(
    role: str, cast: Cast, browse: Callable[[Any], Client], world: dict[str, dict[str, Any]]
) -> None:
    """Who may not see or do a thing can't post to it either, whatever they send."""
    client, column = client_of(role, cast, browse), ROLES.index(role)
    refused = [
        name
        for name, row in PAGES.items()
        if row.split()[column] in {"L", "403", "404"} and ROUTES[name].name not in {"first_start", "demo_mail"}
    ]
    body = {"name": "X", "query": "q=y", "reason": "x", "answer": "accept", "confirm": "1", "declare": "on"}
    before = checksum()
    got = {}
    for name in refused:
        response = client.post(address(name, world), body)
        got[name] = response.status_code
    assert set(got.values()) <= {302, 403, 404, 405}, got
    assert checksum() == before


@pytest.mark.parametrize("scopes", [None, ["read"], ["write"]])
def test_the_api_wants_a_token_with_the_scope(
    scopes: list[str] | None, cast: Cast, world: dict[str, dict[str, Any]]
) -> None:
    headers = {}
    if scopes is not None:
        _, secret = issue_token(cast.mara, name="Test", scopes=scopes, actor=cast.mara, now=NOW + timedelta(days=300))
        headers = {"Authorization": f"Bearer {secret}"}
    expected = {None: 401, "read": 200, "write": 403}[scopes[0] if scopes else None]
    for name, kwargs in API.items():
        asked = {"q": "SYS-ADA"}
        query = {"api:who_answers": asked, "api:who": asked, "api:system_answered": {"on": "2026-11-17"}}.get(name, {})
        here = {argument: world.get(argument, kwargs)[argument] for argument in kwargs}
        response = Client(headers=headers).get(reverse(name, kwargs=here), query)
        assert response.status_code == expected, name
        if expected != 200:
            assert response["Content-Type"].startswith("application/problem+json"), name


def test_a_session_is_no_key_to_the_api(cast: Cast, browse: Callable[[Any], Client]) -> None:
    assert browse(cast.mara).get(reverse("api:systems")).status_code == 401


def test_a_session_is_no_key_to_the_directory(cast: Cast, browse: Callable[[Any], Client]) -> None:
    paths = ("Users", "Users/x", "Groups", "Groups/x", "ServiceProviderConfig", "ResourceTypes", "Schemas", "Bulk", "")
    for client in (Client(), browse(cast.mara)):
        for path in paths:
            assert client.post(f"/scim/v2/{path}", {}).status_code == 401, path


def test_unsafe_requests_need_the_csrf_token(cast: Cast, world: dict[str, dict[str, Any]]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.mara, backend="allauth.account.auth_backends.AuthenticationBackend")
    before = checksum()
    for name in PAGES:
        if name == "healthz":
            continue
        assert client.post(address(name, world), {"name": "x"}).status_code in {403, 404, 405}, name
    assert checksum() == before

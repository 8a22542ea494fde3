"""The demo's data: loaded once by the verbs, the same figures each time, dates that hang on today."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models import Count
from django.test import override_settings
from django.urls import URLPattern, resolve

from apps.attestations.models import Assignment, AttestationException, Campaign, Delegation, Review, Signature
from apps.attestations.queries import closing_moment, dates_of, opening_moment
from apps.attestations.queries.export import export_of
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.models import OffboardingCase
from apps.directory.queries.cases import waiting_systems
from apps.findings.models import CorrectiveAction, Finding, RiskAcceptance
from apps.incidents import urls
from apps.incidents.models import Exercise, Incident, IncidentClock, ResponseCard
from apps.incidents.queries.card_findings import FALLBACK, response_breaches
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.reviews import OWNERSHIP_GAP
from apps.people.actions import vacate_seat
from apps.people.models import Absence, Person, Seat, Training
from apps.people.queries import acting_for
from apps.portal.demo import figures, story
from apps.portal.demo.campaign import period_for
from apps.portal.demo.cast import CAST, DOMAIN, SHARED_PHRASE
from apps.portal.demo.check import CONTACTS, NOT_RETIRED, ROWS, Check, example_key, places, verified
from apps.portal.demo.load import Loaded, _tell
from apps.portal.demo.moments import CAMPAIGN_DAYS, Moments, moments
from apps.portal.demo.visits import EVERYBODY, VISITS, Places, visits
from apps.registry.models import Authority, Handover, Nomination, RaciDraft, System
from apps.registry.queries import live
from apps.registry.queries.charter import charter_in_force, seat_signatures
from apps.registry.queries.prediction import predictions
from tests import databases
from tests.incidents.world import settle
from tests.portal.visitor_tour import Visitor, walks

# The system of the first owner with which something goes on.
LIVE_SYSTEM = "HHS-h19dad77541740af3"


@pytest.fixture(scope="module")
def loaded(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[dict[str, Any]]:
    """A database of this module's own into which the demo was loaded; yields what the command printed."""
    name, usual = f"demo_{worker}", connections["default"].settings_dict["NAME"]
    databases.create(name, template_names[0])
    demo = override_settings(DEMO=True, ORGANISATION_TIME_ZONE="America/New_York", HOLIDAY_COUNTRY="US")
    with django_db_blocker.unblock(), demo:
        connections.close_all()
        connections["default"].settings_dict["NAME"] = name
        try:
            yield load()
        finally:
            connections.close_all()
            connections["default"].settings_dict["NAME"] = usual
    databases.drop(name)


def load() -> dict[str, Any]:
    out = StringIO()
    call_command("load_demo", "--json", stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


def first_owner(loaded: dict[str, Any]) -> str:
    """The address of the owner whom the tour shows."""
    return next(str(line["email"]) for line in loaded["sign_ins"] if line["role"] == "Owner")


def test_the_figures_of_the_public_inventory(loaded: dict[str, Any]) -> None:
    imported = loaded["import"]
    assert imported["rows_read"] == ROWS
    assert imported["created"] + imported["skipped"] == ROWS
    assert {name: imported["contacts"][name] for name in CONTACTS} == CONTACTS
    assert imported["systems_live"] == imported["live_in_file"] == NOT_RETIRED - imported["skipped"]


def test_what_there_is_to_see(loaded: dict[str, Any]) -> None:
    owners, campaign = loaded["owners"], loaded["campaign"]
    assert 400 <= owners["accepted"] <= 600
    assert owners["accepted"] + owners["interim"] == loaded["import"]["systems_live"] == campaign["assignments"]
    assert owners["nominations_open"] > 0
    assert owners["nominations_declined"] > 0
    assert campaign["state"] == "open"
    assert 0.35 <= campaign["signed_by_accepted_owners"] / campaign["of_accepted_owners"] <= 0.55
    assert campaign["in_progress"] > 0
    assert loaded["headline"]
    assert System.objects.filter(tier="critical").count() == 8


def test_a_second_run_changes_nothing(loaded: dict[str, Any]) -> None:
    before = AuditEvent.objects.count()
    again = load()
    assert again["changed"] is False
    assert again["done"] == []
    assert AuditEvent.objects.count() == before
    out = StringIO()
    call_command("load_demo", stdout=out)
    assert "Nothing changed" in out.getvalue()
    assert SHARED_PHRASE in out.getvalue()


def test_a_part_that_does_not_fit_a_changed_demo_is_left_out(
    loaded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(moments: Moments) -> bool:
        raise Refused("A visitor has deactivated who would be away.")

    monkeypatch.setattr(story, "load_absences", refuse)
    again = load()
    assert again["left_out"] == ["absences"]
    assert again["changed"] is False


def test_a_first_load_leaves_nothing_out(loaded: dict[str, Any]) -> None:
    assert loaded["left_out"] == []
    assert {"absences", "handovers", "charter", "matrix", "leaver", "findings"} <= set(loaded["done"])
    with pytest.raises(Refused):
        _tell("absences", _refuse, Loaded(done=["people"]))


def _refuse() -> bool:
    raise Refused("Not now.")


def test_everybody_is_marked_as_invented_and_can_receive_no_mail(loaded: dict[str, Any]) -> None:
    assert Person.objects.count() == len(CAST) == loaded["people"]
    assert not Person.objects.filter(is_invented=False).exists()
    assert all(address.endswith(f"@{DOMAIN}") for address in Person.objects.values_list("email", flat=True))
    assert DOMAIN.endswith(".example")


def test_seats_roles_and_sign_ins(loaded: dict[str, Any]) -> None:
    assert list(Seat.objects.filter(holder=None).values_list("function_id", flat=True)) == ["finance"]
    roles = [line["role"] for line in loaded["sign_ins"]]
    assert roles == [
        "Mandate holder", "Seat holder (CISO)", "Head of AI", "General Counsel", "Head of a unit", "Owner", "Auditor",
        "Board member", "Employee",
    ]  # fmt: skip
    assert set(roles) == set(EVERYBODY)
    for line in loaded["sign_ins"]:
        assert Person.objects.get(email=line["email"]).check_password(line["password"])
    assert Person.objects.filter(password__startswith="argon2").count() == len(roles)


def test_some_stand_over_the_cap_and_one_on_it(loaded: dict[str, Any]) -> None:
    accepted = System.objects.filter(owner_basis="accepted").exclude(stage="retired")
    counts = list(accepted.values("owner").annotate(n=Count("pk")).order_by().values_list("n", flat=True))
    assert sum(count > settings.WORKLOAD_CAP for count in counts) == 3
    assert counts.count(settings.WORKLOAD_CAP) == 1


def test_nominations_of_every_kind(loaded: dict[str, Any]) -> None:
    today = clock.local_date(clock.now())
    waiting = Nomination.objects.filter(state="open")
    assert waiting.filter(due_on__gte=today, escalated_at=None).exists()
    assert waiting.filter(due_on__lt=today, escalated_at__isnull=False).exists()
    assert not waiting.filter(due_on__lt=today, escalated_at=None).exists()


def test_signatures_are_spread_and_in_order(loaded: dict[str, Any]) -> None:
    moments_signed = list(Signature.objects.order_by("pk").values_list("signed_at", flat=True))
    assert moments_signed == sorted(moments_signed)
    assert len({moment.date() for moment in moments_signed}) >= 8
    pilot, quarter = Campaign.objects.order_by("opened_at")
    assert pilot.opened_at < moments_signed[0] < pilot.sealed_at < quarter.opened_at
    assert moments_signed[-1] < clock.now()
    assert Signature.objects.filter(exceptions__gt=0).exists()
    assert Signature.objects.filter(signer_basis="interim").exists()
    assert Assignment.objects.filter(state="in_progress").exists()


def test_the_pilot_is_sealed_and_verifies(loaded: dict[str, Any]) -> None:
    sealed = loaded["sealed"]
    pilot = Campaign.objects.get(code=sealed["code"])
    assert (pilot.state, pilot.template.is_active) == ("sealed", False)
    numbers = ("assignments", "clean", "qualified", "not_attested", "carried_over", "faults")
    assert [sealed[name] for name in numbers] == [45, 37, 6, 2, 6, []]
    assert sealed["comparisons"] > 10_000
    assert pilot.assignments.filter(late_days__gt=0).exists()
    assert pilot.assignments.filter(round=2).count() == 1
    assert set(pilot.nodes.values_list("state", flat=True)) == {"signed_qualified"}
    assert pilot.nodes.get(level="top").signatures.count() == 2
    reader = Person.objects.get(seats__function="legal")
    assert verified(b"".join(export_of(pilot, reader))).startswith(f"VERIFIED: {pilot.code}, 45 systems")


def test_this_quarter_is_looked_at_in_part(loaded: dict[str, Any]) -> None:
    rows = Assignment.objects.filter(campaign__template__key="quarterly")
    assert rows.filter(state="accepted").count() > 20
    assert rows.filter(state="submitted").exists()
    assert rows.filter(state="changes_requested").count() == 1
    assert Review.objects.filter(kind="sample", assignment__in=rows).exists()
    exceptions = AttestationException.objects.filter(campaign__template__key="quarterly")
    assert set(exceptions.values_list("state", flat=True)) == {"requested", "approved"}
    assert Delegation.objects.get(ended_at=None).preparer.display_name == "Imogen Tanaka"


def test_the_story_of_the_owners(loaded: dict[str, Any]) -> None:
    story = loaded["story"]
    first = Person.objects.get(email=first_owner(loaded))
    away = Absence.objects.get(kind="away").person
    assert acting_for(away, clock.now()).acts == first
    assert acting_for(Absence.objects.get(kind="delegated").person, clock.now()).acts.display_name == "Rafael Eze"
    assert story["away_today"] == 2
    states = dict(Handover.objects.values_list("state", "outgoing__display_name"))
    assert states == {"open": "Beatrix Lowell", "signed": "Imogen Tanaka"}
    assert story["handovers"] == 2
    asked = Nomination.objects.get(state="open", reason__startswith="Code owners file")
    assert predictions([asked.system])[asked.system_id].person == asked.nominee == first
    assert story["authorities"] == Authority.objects.count() == 5 + 7
    assert example_key() in Authority.objects.values_list("term__system__key", flat=True)


def test_the_story_of_the_leaver(loaded: dict[str, Any]) -> None:
    case = OffboardingCase.objects.get()
    assert (case.person.display_name, case.state, case.source) == ("Quentin Abiodun", "open", "portal")
    assert case.responsible.display_name == "Celeste Abara"
    assert not case.person.is_active
    assert case.counts["systems"] == case.counts["accepted"] == 6
    assert waiting_systems(case).count() == 5
    assert loaded["story"]["leavers"] == 1


def test_the_story_of_the_mandate(loaded: dict[str, Any]) -> None:
    charter = charter_in_force()
    assert charter is not None
    seats = {row.function.code: row.state for row in seat_signatures(charter)}
    assert seats == {
        "ciso": "missing",
        "engineering": "signed",
        "finance": "vacant",
        "legal": "signed",
        "ai_lead": "signed",
        "board": "signed",
    }
    sent = RaciDraft.objects.get(state="sent")
    assert (sent.unit, sent.system) == (None, None)
    assert sent.acceptances.get().person.display_name == "Ingrid Castellanos"
    override = RaciDraft.objects.get(state="in_force")
    assert override.unit is not None
    assert override.unit.code == "HHS"
    assert Training.objects.filter(valid_until__lt=clock.local_date(clock.now())).exists()


def test_the_story_of_the_findings(loaded: dict[str, Any]) -> None:
    assert loaded["story"]["findings"] == Finding.objects.exclude(state="closed").count() > 10
    assert sorted(CorrectiveAction.objects.values_list("state", flat=True)) == ["done"] + 4 * ["planned"]
    assert CorrectiveAction.objects.get(state="done").verifier is not None
    accepted = RiskAcceptance.objects.get()
    assert accepted.accepted_by.display_name == "Marguerite Oyelaran"
    assert Finding.objects.filter(state="accepted").count() == 1


def test_the_story_of_what_went_wrong(loaded: dict[str, Any]) -> None:
    told = Incident.objects.order_by("declared_at", "pk").values_list("mode", "state", "lead__display_name")
    assert list(told) == [
        ("real", "closed", "Ingrid Castellanos"),
        ("drill", "dismissed", "Ingrid Castellanos"),
        ("real", "closed", "Anselm Quist"),
        ("real", "dismissed", "Yusra Hollis"),
        ("real", "active", "Beatrix Lowell"),
    ]
    assert IncidentClock.objects.get(state="running").rule.key == "GDPR-33"
    gap = Finding.objects.get(code=OWNERSHIP_GAP)
    assert (gap.state, gap.person.display_name) == ("in_progress", "Samir de Vries")
    counted = loaded["incidents"]
    assert (counted["real"], counted["drill"]) == ({"active": 1, "closed": 2, "dismissed": 1}, {"dismissed": 1})
    assert sorted(Exercise.objects.values_list("state", flat=True)) == ["closed", "planned"]
    assert not ResponseCard.objects.exclude(lead__is_active=True).exists()
    assert (
        ResponseCard.objects.filter(scenario__in=[one.value for one in MANDATORY]).count()
        == 3 * live(System.objects.all()).count()
    )


def test_where_a_fallback_leads_a_finding_says_so_with_a_name(loaded: dict[str, Any]) -> None:
    fallbacks = ResponseCard.objects.filter(is_fallback=True, scenario__in=["", *(one.value for one in MANDATORY)])

    def told() -> int:
        found = [one.title for one in response_breaches(clock.now()) if one.check == FALLBACK]
        named = [re.search(r"for .+, (.+) leads? the response in ([\d,]+) live systems? until", one) for one in found]
        assert all(one and one[1] for one in named)
        return sum(int(one[2].replace(",", "")) for one in named if one)

    assert told() == fallbacks.count()
    with transaction.atomic():
        vacate_seat("ciso", actor=Person.objects.get(email__startswith="marguerite."), now=clock.now())
        settle()
        assert told() == fallbacks.count() >= live(System.objects.all()).count()
        assert not ResponseCard.objects.exclude(lead__is_active=True).exists()
        transaction.set_rollback(True)


def test_twenty_minutes_with_the_demo(loaded: dict[str, Any]) -> None:
    known = {line["role"]: line for line in loaded["sign_ins"]}
    visitors: dict[str, Visitor] = {}
    taken = walks()
    assert {walk.role for walk in taken} == set(known)
    assert max(walk.step for walk in taken) == 19
    for walk in taken:
        if walk.role not in visitors:
            visitors[walk.role] = Visitor(known[walk.role]["email"], known[walk.role]["password"])
        visitors[walk.role].take(walk)


def test_nothing_happens_in_the_future_or_before_the_start(loaded: dict[str, Any]) -> None:
    assert not AuditEvent.objects.filter(at__gt=clock.now()).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM registry_ownershipterm WHERE lower(period) > %s", [clock.now()])
        assert cursor.fetchone()[0] == 0


def test_the_check_looks_at_a_system_of_the_first_owner(loaded: dict[str, Any]) -> None:
    assert System.objects.get(key=example_key()).owner.email == first_owner(loaded)
    found = places()
    assert Assignment.objects.get(system__key=found.signed, campaign__code=found.period).is_signed
    assert Campaign.objects.get(code=found.sealed).state == "sealed"
    assert found.missing() == []
    assert Incident.objects.get(code=found.live).system.key == LIVE_SYSTEM
    assert IncidentClock.objects.get(pk=found.clock).rule.key == "GDPR-33"
    assert (found.closed, found.drill) == ("INC-0002", "EX-0001")


def test_the_check_says_what_is_wrong(loaded: dict[str, Any]) -> None:
    check = Check("http://localhost:1", "http://localhost:1")
    names = ["import", "owners", "campaign", "sealed", "story", "incidents", "headline"]
    assert [next(iter(line)) for line in check.figures()] == names
    assert check.problems == []
    wrong = figures.import_figures() | {
        "rows_read": 3610,
        "contacts": {"none": 0, "not_an_address": 168, "several": 10},
    }
    check._expect_import(wrong)
    assert len(check.problems) == 2
    assert "contacts none: 0, not 1115" in check.problems


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"live": 0, "live_with_lead": 0}, "no incident goes on"),
        ({"live_with_lead": 0}, "leads: 0 of 1 live"),
        ({"cards_mandatory": 9887}, "cards_mandatory: 9887, not 9888"),
        ({"cards_with_active_lead": 9887}, "cards_with_active_lead: 9887, not 9888"),
        ({"preflight": 0}, "preflight: 0 of 9888"),
        ({"clocks": {"candidate": 3}}, "no clock runs: {'candidate': 3}"),
        ({"drills": {"planned": 1}}, "no drill is over: {'planned': 1}"),
        ({"reviews": {"open": 1}}, "no review is signed: {'open': 1}"),
        ({"clock_rules": 43}, "clock_rules: 43, not 44"),
        ({"sources": 0}, "sources: 0, not 1"),
    ],
)
def test_the_check_says_what_is_wrong_with_incidents(
    loaded: dict[str, Any], wrong: dict[str, Any], problem: str
) -> None:
    check = Check("http://localhost:1", "http://localhost:1")
    check._expect_incidents(loaded["incidents"])
    assert check.problems == []
    check._expect_incidents(loaded["incidents"] | wrong)
    assert check.problems == [problem]


@pytest.mark.parametrize("day", range(0, 740, 7))
def test_the_campaign_is_open_on_any_day(day: int) -> None:
    now = datetime(2026, 1, 1, 11, tzinfo=UTC) + timedelta(days=day)
    dates = dates_of(period_for(now))
    calendar = moments(now, opening_moment(dates))
    assert calendar.opened <= now - timedelta(days=CAMPAIGN_DAYS)
    assert now < closing_moment(dates)
    assert calendar.started < calendar.imported < calendar.nominated(0, 9) < calendar.nominated(8, 9) < calendar.opened


@override_settings(DEMO=False)
def test_only_in_the_demo() -> None:
    with pytest.raises(CommandError, match="Set DEMO=true"):
        call_command("load_demo")
    with pytest.raises(CommandError, match="Set DEMO=true"):
        call_command("demo_check", "--base-url", "http://localhost:1")


@override_settings(DEMO=True)
def test_not_into_a_portal_of_real_people(cast: Any) -> None:
    with pytest.raises(CommandError, match="started by real people"):
        call_command("load_demo")


def test_who_is_let_in_where() -> None:
    trail = next(visit for visit in VISITS if visit.path == "/trail/")
    assert trail.status_for("Auditor") == 200
    assert trail.status_for("Employee") == 403
    system = next(visit for visit in VISITS if visit.path == "/systems/{key}/")
    assert system.status_for("Employee") == 404
    closed = next(visit for visit in VISITS if visit.path == "/incidents/{closed}/")
    assert [closed.status_for(role) for role in ("Owner", "Employee", "Auditor")] == [404, 404, 200]
    preflight = next(visit for visit in VISITS if visit.path == "/incidents/preflight/")
    assert [preflight.status_for(role) for role in ("Employee", "Board member")] == [403, 200]


# Forms that change one thing, and what only a link in a mail opens; each has tests of its own.
NOT_VISITED = {
    "ack", "clock_contract", "correct", "drill_edit", "drill_inject", "file", "freeze_waiver", "plan_edit", "plan_end",
    "rule_end", "runbook_discard", "runbook_edit", "runbook_owner", "runbook_publish", "runbook_retire",
    "runbook_review", "source_revoke", "steps_add", "task",
}  # fmt: skip


def test_every_page_of_incidents_is_visited() -> None:
    some = Places("K", "K", "2026Q4", "2026Q3", "INC-0001", 1, "INC-0001", "EX-0001", 1, 1)
    paths = [path.split("?")[0] for _, path in visits("Mandate holder", some) if path.startswith("/incidents/")]
    visited = {resolve(path).url_name for path in paths}
    assert {one.name for one in urls.urlpatterns if isinstance(one, URLPattern)} - visited == NOT_VISITED

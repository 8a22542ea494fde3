"""Escalation plans: which stands, the check, the words, the pages; the link that answers; the nightly look."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.plans import PlanChanged, end_plan, set_plan
from apps.incidents.actions.preflight import run_preflight
from apps.incidents.models import EscalationPlan, Page, Preflight
from apps.incidents.queries import ack_links, paging
from apps.incidents.queries.ack_links import LinkExpired, ack_path, page_of
from apps.incidents.queries.paging import Around, Roster, database_now, plan_for
from apps.incidents.queries.plans import plan_of, preview
from apps.incidents.queries.preflight import causes, counts, preflight_breaches
from apps.incidents.rules.plans import BUILT_IN, Aim, Fault, Known, Plan, Step, lint, read_plan
from apps.notify.models import Channel
from apps.registry.actions import create_unit, record_absence
from tests.factories import a_system
from tests.incidents.paging_world import NOW, declared, minutes, pages, timer
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
LEAD, DEPUTY, LEGAL = Aim("lead"), Aim("deputy"), Aim("seat", seat="legal")
SHORT = Plan((Step(0, (LEAD,)), Step(5, (LEGAL,))), 1, "Short")


def a_plan(cast: Any, plan: Plan = SHORT, **more: Any) -> EscalationPlan:
    """A plan in force, set by Mara."""
    return set_plan(plan, reason="Asked for", actor=cast.mara, now=NOW, **more)


def test_the_most_specific_plan_stands_and_the_scenarios_own_first(cast: Any) -> None:
    inner = create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
    system, other = a_system(cast, owner=cast.ada, unit=inner), a_system(cast, unit=cast.devtools)
    assert plan_for(system, "").name == "Default plan"
    wide = a_plan(cast, Plan(SHORT.steps, 1, "Wide, data"), scenario="data-access")
    assert [plan_for(system, s).name for s in ("", "data-access")] == ["Default plan", wide.name]
    a_plan(cast, Plan(SHORT.steps, 1, "Claims"), unit=cast.claims)
    a_plan(cast, Plan(SHORT.steps, 1, "Motor, cost"), unit=inner, scenario="cost-spike")
    assert [plan_for(system, s).name for s in ("", "data-access", "cost-spike")] == ["Claims", "Claims", "Motor, cost"]
    a_plan(cast, Plan(SHORT.steps, 1, "Mine"), system=system)
    assert [plan_for(system, s).name for s in ("", "cost-spike")] == ["Mine", "Mine"]
    assert [plan_for(one, "data-access").name for one in (other, None)] == ["Wide, data", "Wide, data"]


def test_a_plan_that_can_not_be_read_calls_by_the_built_in_one(monkeypatch: Any) -> None:
    broken = EscalationPlan(name="Broken", valid_from=NOW, steps=[{"what": 1}])  # the database takes none like it
    monkeypatch.setattr(paging, "effective_plan", lambda system, scenario: broken)

    assert plan_for(None, "") == BUILT_IN
    assert read_plan({}) == read_plan([]) == read_plan({"steps": []}) == BUILT_IN


def test_one_plan_in_force_for_a_scope_also_by_raw_sql(cast: Any) -> None:
    first = a_plan(cast, unit=cast.claims)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO incidents_escalationplan (name, scenario, unit_id, steps, repeat, reason, valid_from) "
            "SELECT 'Twin', '', %s, steps, 1, '', now() FROM incidents_escalationplan LIMIT 1", [cast.claims.pk],
        )  # fmt: skip
    with pytest.raises(PlanChanged):
        a_plan(cast, unit=cast.claims)
    second = a_plan(cast, Plan(SHORT.steps, 2, "Second"), unit=cast.claims, replaces=first)
    first.refresh_from_db()
    assert (first.valid_to, second.valid_to) == (NOW, None)
    assert AuditEvent.objects.filter(kind="escalation_plan.set").count() == 2


def test_ending_a_plan_needs_a_reason_and_never_leaves_nothing(cast: Any) -> None:
    row = a_plan(cast, unit=cast.claims)
    with pytest.raises(Refused, match="Say why"):
        end_plan(row, reason=" ", actor=cast.mara, now=minutes(1))
    end_plan(row, reason="No need", actor=cast.mara, now=minutes(1))
    with pytest.raises(PlanChanged):
        end_plan(row, reason="No need", actor=cast.mara, now=minutes(2))
    whole = EscalationPlan.objects.get(valid_to=None)
    with pytest.raises(Refused, match="always stands"):
        end_plan(whole, reason="No need", actor=cast.mara, now=minutes(2))
    assert AuditEvent.objects.filter(kind="escalation_plan.ended").count() == 1


@pytest.mark.parametrize(
    ("steps", "faults"),
    [
        ((), [Fault.NO_STEPS]),
        ((Step(5, (LEAD, DEPUTY)),), [Fault.STARTS_LATE]),
        ((Step(0, (LEAD,)), Step(0, (DEPUTY,))), [Fault.NOT_RISING]),
        ((Step(0, (LEAD,)), Step(9, (DEPUTY,)), Step(5, (LEGAL,))), [Fault.NOT_RISING]),
        ((Step(0, (LEAD,)), Step(1441, (DEPUTY,))), [Fault.TOO_LATE]),
        ((Step(0, (LEAD,)), Step(5, ())), [Fault.NO_TARGET, Fault.NO_OTHER]),
        ((Step(0, (LEAD, LEAD)), Step(5, (DEPUTY,))), [Fault.TWICE]),
        ((Step(0, (LEAD,)), Step(5, (Aim("seat"),))), [Fault.UNKNOWN_TARGET]),
        ((Step(0, (LEAD,)), Step(5, (Aim("moon"),))), [Fault.UNKNOWN_TARGET]),
        ((Step(0, (LEAD,)), Step(5, (Aim("seat", seat="moon"),))), [Fault.UNKNOWN_TARGET]),
        ((Step(0, (LEAD,)), Step(5, (Aim("person", person="x"),))), [Fault.UNKNOWN_TARGET]),
        ((Step(0, (DEPUTY,)), Step(5, (LEAD,))), [Fault.NOT_LEAD_FIRST]),
        ((Step(0, (LEAD,)), Step(5, (LEAD,), 0)), [Fault.NO_OTHER]),
        ((Step(0, (LEAD, DEPUTY)), Step(5, (DEPUTY, LEAD))), [Fault.SAME_STEP]),
        (BUILT_IN.steps, []),
    ],
)
def test_the_check_of_a_plan(steps: tuple[Step, ...], faults: list[Fault]) -> None:
    known = Known(seats=frozenset({"legal", "ciso", "ai_lead"}), people=frozenset())
    assert [one.fault for one in lint(Plan(steps), known)] == faults


def test_what_blocks_is_not_saved_and_changes_nothing(cast: Any) -> None:
    before = EscalationPlan.objects.count()
    for plan, words in (
        (Plan((Step(5, (LEAD,)),), 1, "Late"), "at once"),
        (Plan((Step(0, (Aim("person", person=str(cast.ivan.pk)),)),), 1, "Ivan"), "Choose an active person"),
        (Plan(SHORT.steps, 4, "Often"), "3 times at most"),
    ):
        with pytest.raises(Refused, match=words):
            a_plan(cast, plan)
    assert EscalationPlan.objects.count() == before
    assert not AuditEvent.objects.filter(kind="escalation_plan.set").exists()


def test_a_plan_in_words_with_the_names_of_today(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    said = preview(BUILT_IN, system=system, scenario="", now=NOW)

    assert [(step.when, step.meant, step.today) for step in said.steps] == [
        ("At once", "the lead", "Ada Nwosu by e-mail"),
        ("After 5 min", "the lead's deputy", "Ben Ortega by e-mail"),
        ("After 10 min", "the lead and the lead's deputy", "Ada Nwosu by e-mail; Ben Ortega by e-mail"),
        ("After 15 min", "the head of the unit", "Una Brandt by e-mail"),
        ("After 30 min", "the seat CISO and the seat Head of AI", "Cleo Marchetti by e-mail"),
        ("After 1 h", "the seat General Counsel", "Lea Abelmann by e-mail"),
    ]
    assert said.end == (
        "10 min after the last step it begins again, once more. Then 10 min after the last step it is over: the holder "
        "of the mandate is called, and it is an alarm."
    )
    assert said.problems == []


def test_a_step_that_calls_nobody_today_is_said_before_saving(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    plan = Plan((Step(0, (LEAD,)), Step(5, (Aim("seat", seat="ai_lead"),))), 1, "Vacant")

    assert [one.fault for one in preview(plan, system=system, scenario="", now=NOW).problems] == [Fault.NOBODY_TODAY]


ROWS = {
    "name": "Claims at night", "repeat": "2", "reason": "They asked", "step0-after": "0", "step0-whom1": "lead",
    "step0-channels": "2", "step1-after": "5", "step1-whom1": "deputy", "step1-person": "nils@example.org",
    "step1-channels": "0",
}  # fmt: skip


def test_a_plan_is_seen_in_words_before_it_is_set(cast: Any, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    form = ROWS | {"unit": str(cast.claims.pk), "try_on": system.key}
    client, url = browse(cast.cleo), reverse("incidents:plan_new")
    assert client.get(url).status_code == 200
    shown = client.post(url, form)
    assert shown.status_code == 200
    assert "Today Ben Ortega by e-mail; Nils Okafor by e-mail." in shown.content.decode()
    assert not EscalationPlan.objects.filter(name="Claims at night").exists()

    assert client.post(url, form | {"confirmed": "yes"}).status_code == 302
    row = EscalationPlan.objects.get(name="Claims at night")
    assert (row.unit, row.repeat, row.set_by) == (cast.claims, 2, cast.cleo)
    assert plan_of(row).steps[1] == Step(5, (DEPUTY, Aim("person", person=str(cast.nils.pk))), 0)
    assert client.post(url, form | {"confirmed": "yes"}).status_code == 409
    edit = reverse("incidents:plan_edit", args=[row.pk])
    assert "nils@example.org" in client.get(edit).content.decode()
    assert client.post(edit, ROWS | {"step1-after": "0"}).status_code == 422
    assert client.post(edit, ROWS | {"step1-after": "7", "confirmed": "yes"}).status_code == 302
    now_so = EscalationPlan.objects.get(name="Claims at night", valid_to=None)
    end = reverse("incidents:plan_end", args=[now_so.pk])
    assert client.post(end, {"reason": ""}).status_code == 422
    assert client.post(end, {"reason": "Over"}).status_code == 302
    assert client.get(edit).status_code == 404


def test_who_may_read_and_who_may_change_plans(cast: Any, browse: Any) -> None:
    row = EscalationPlan.objects.get(valid_to=None)
    assert browse(cast.dov).get(reverse("incidents:plans")).status_code == 200
    assert browse(cast.dov).get(reverse("incidents:plan", args=[row.pk])).status_code == 200
    assert browse(cast.dov).get(reverse("incidents:plan_edit", args=[row.pk])).status_code == 403
    assert browse(cast.dov).get(reverse("incidents:preflight")).status_code == 403
    hidden = a_plan(cast, system=a_system(cast, owner=cast.ada, restricted=True))
    assert browse(cast.dov).get(reverse("incidents:plan", args=[hidden.pk])).status_code == 404


def link(incident: Any, now: Any = None) -> str:
    return ack_path(Page.objects.filter(incident=incident).earliest("pk").pk, now or database_now())


def test_opening_the_link_changes_nothing_and_pressing_the_button_takes_it(cast: Any) -> None:
    incident, client = declared(cast), Client()
    path = link(incident)

    page = client.get(path).content.decode()
    assert incident.title in page
    assert "Ada Nwosu is asked to take the response." in page
    assert pages(incident) == [(1, 0, 0, "ada", "queued")]
    assert client.post(path, {"answer": ""}).status_code == 422
    assert "You have it." in client.post(path, {"answer": "take"}).content.decode()
    called = Page.objects.get(incident=incident)
    assert (called.state, called.answered_by, called.answered_by_way) == ("acked", cast.ada, "link")
    incident.refresh_from_db()
    assert (incident.lead, timer(incident).acked_by) == (cast.ada, cast.ada)
    # Pressed again it is renewed; nothing else.
    assert client.post(path, {"answer": "take"}).status_code == 200


def test_declining_by_link_needs_a_reason(cast: Any) -> None:
    incident, client = declared(cast), Client()
    path = link(incident)

    assert client.post(path, {"answer": "cannot", "reason": " "}).status_code == 422
    assert pages(incident) == [(1, 0, 0, "ada", "queued")]
    assert "Somebody else is called." in client.post(path, {"answer": "cannot", "reason": "Ill"}).content.decode()
    assert pages(incident) == [(1, 0, 0, "ada", "declined"), (1, 0, 1, "ben", "queued")]


def test_a_link_says_who_has_it_and_does_not_take_it_from_them(cast: Any) -> None:
    incident, client = declared(cast), Client()
    path = link(incident)
    acknowledge(incident, actor=cast.ben, now=minutes(1))

    assert "Ben Ortega" in client.get(path).content.decode()
    assert client.post(path, {"answer": "take"}).status_code == 422
    incident.refresh_from_db()
    assert incident.lead == cast.ben


def test_of_what_is_restricted_the_link_shows_the_code_alone(cast: Any) -> None:
    incident = declared(cast, visibility="privileged", severity="sev1")

    page = Client().get(link(incident)).content.decode()
    assert incident.code in page
    for word in (incident.title, incident.place, "Severity"):
        assert word not in page


def test_links_of_others_and_old_ones(cast: Any) -> None:
    incident = declared(cast)
    page = Page.objects.get(incident=incident)
    token = ack_path(page.pk, NOW).split("/")[3]
    assert page_of(token, NOW + timedelta(hours=24, seconds=-1)) == page.pk
    with pytest.raises(LinkExpired):
        page_of(token, NOW + ack_links.GOOD_FOR)

    client = Client()
    assert client.get(link(incident, database_now() - timedelta(hours=25))).status_code == 410
    path = link(incident)
    assert client.get(path[:-4] + "xyz/").status_code == 404
    assert client.get("/incidents/ack/abc/").status_code == 404
    assert client.post(path[:-4] + "xyz/", {"answer": "take"}).status_code == 404
    assert pages(incident) == [(1, 0, 0, "ada", "queued")]


def test_links_are_limited(cast: Any) -> None:
    incident, client = declared(cast), Client(REMOTE_ADDR="10.1.2.3")
    path = link(incident)
    found = [client.get(path).status_code for _ in range(62)]
    assert (found[:60], found[61]) == ([200] * 60, 429)


def test_links_work_where_forgery_is_checked(cast: Any) -> None:
    path = link(declared(cast))
    assert Client(enforce_csrf_checks=True).post(path, {"answer": "take"}).status_code == 403


def reached(person: Any, *, days_ago: int) -> None:
    at = NOW - timedelta(days=days_ago)
    Channel.objects.create(
        person=person, kind="email", address=person.email, created_at=at, verified_at=at, tested_at=at
    )


def faults(system: Any, scenario: str) -> list[tuple[str, str]]:
    names = {"person": "person", "seat": "seat", "step": "step"}
    row = Preflight.objects.get(system=system, scenario=scenario)
    return [(one["code"], str(next(one[k] for k in names if k in one))) for one in row.faults]


def test_the_nightly_look_names_each_cause(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    for person, days in ((cast.ada, 1), (cast.ben, 91), (cast.una, 89), (cast.cleo, 1), (cast.mara, 1)):
        reached(person, days_ago=days)

    assert run_preflight(now=NOW) == 1
    # A harmful decision is led by whoever acts for the seat of AI, which is vacant.
    found = faults(system, "data-access")
    assert ("vacant", "ai_lead") in found
    assert ("untested", str(cast.lea.pk)) in found
    assert ("untested", str(cast.cleo.pk)) not in found
    # The CISO, who leads, has no deputy: the step of the deputy calls nobody.
    assert {one.code for one in causes()} == {"vacant", "untested", "empty_step"}
    [skipped] = [one for one in causes() if one.code == "empty_step"]
    assert skipped.words == "Step 2 of “Default plan”, the lead's deputy, calls nobody: it would be skipped."
    assert skipped.plan is not None
    assert skipped.url == f"/incidents/plans/{skipped.plan.pk}/"
    assert (counts().systems, counts().failing, counts().checked_at) == (1, 1, NOW)
    breaches = {(one.check, one.subject): one for one in preflight_breaches(NOW)}
    assert breaches["preflight.untested", f"person:{cast.lea.pk}"].person_id == cast.lea.pk
    assert breaches["preflight.vacant", "seat:Head of AI"].person_id == cast.mara.pk
    assert AuditEvent.objects.filter(kind="preflight.run").count() == 1
    # Safe to run twice; what is not live any more goes.
    type(system).objects.filter(pk=system.pk).update(stage="retired", retired_at=NOW)
    settle()
    assert run_preflight(now=NOW) == 0
    assert not Preflight.objects.exists()


def test_thousands_of_systems_of_one_cause_are_one_finding(cast: Any) -> None:
    for _ in range(7):
        a_system(cast, owner=cast.ada)
    settle()
    run_preflight(now=NOW)

    about = [one for one in preflight_breaches(NOW) if one.subject == f"person:{cast.ada.pk}"]
    assert [one.check for one in about] == ["preflight.untested"]


def test_an_absence_without_anybody_is_named(cast: Any) -> None:
    system = a_system(cast, owner=cast.nils, unit=cast.devtools)
    a_plan(cast, Plan((Step(0, (LEAD, Aim("person", person=str(cast.dov.pk)))),), 0, "Dov"), system=system)
    record_absence(cast.dov, starts_on=NOW.date(), ends_on=NOW.date(), actor=cast.dov, now=NOW)
    settle()
    run_preflight(now=NOW)

    assert ("uncovered", str(cast.dov.pk)) in faults(system, "data-access")


@pytest.mark.parametrize("scenario", ["data-access", "harmful-decision", "cost-spike"])
def test_the_nightly_look_calls_whom_calling_would_call(cast: Any, scenario: str) -> None:
    """The statement and the engine agree on every step of every system: who is called, and where nobody is."""
    inner = create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
    systems = [
        a_system(cast, owner=cast.ada), a_system(cast, owner=cast.una), a_system(cast, owner=cast.nils, unit=inner),
        a_system(cast, unit=cast.devtools), a_system(cast, owner=cast.ben, unit=inner),
    ]  # fmt: skip
    record_absence(cast.ben, starts_on=NOW.date(), ends_on=NOW.date(), actor=cast.ben, now=NOW)
    record_absence(cast.una, starts_on=NOW.date(), ends_on=NOW.date(), delegate=cast.nils, actor=cast.una, now=NOW)
    every = tuple(Aim(kind) for kind in ("lead", "deputy", "owner", "manager", "function_head"))
    each = Plan(tuple(Step(5 * place, (aim,)) for place, aim in enumerate(every)), 1, "Each")
    whole = EscalationPlan.objects.get(valid_to=None)
    a_plan(cast, each, replaces=whole)
    settle()
    run_preflight(now=NOW)

    for system in systems:
        roster = Roster(Around.of_system(system, scenario, NOW), NOW)
        called = {place + 1: roster.people(step.targets) for place, step in enumerate(each.steps)}
        rows = Preflight.objects.get(system=system, scenario=scenario).faults
        empty = {one["step"] for one in rows if one["code"] == "empty_step"}
        untested = {one["person"] for one in rows if one["code"] == "untested"}
        assert empty == {step for step, found in called.items() if not found}, system
        assert untested == {str(one.person.pk) for found in called.values() for one in found}, system

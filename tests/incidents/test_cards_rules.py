"""Rules on who responds, and what a responder has to know: verbs, refusals, pages."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.profiles import set_response_profile
from apps.incidents.actions.rules import end_response_rule, set_response_rule
from apps.incidents.models import ResponseProfile, ResponseRule
from apps.incidents.queries import cards
from apps.incidents.queries.rules import RuleText, preview_of
from apps.people import actions as people
from apps.portal.queries.answers import answer_for
from apps.registry.queries import on_record
from apps.registry.rules import Scenario
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
DATA = "data-access"


def lead(system: Any, scenario: str = DATA) -> str:
    settle()
    found = cards.card_of(system, scenario, NOW)
    assert found is not None
    [again] = on_record(type(system).objects.filter(pk=system.pk))
    answer = answer_for(again, Scenario(scenario) if scenario else None)
    assert answer.person.display_name == found.lead.name
    return found.lead.name


def test_the_most_specific_rule_leads_and_its_own_scenario_before_any(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, regulatory_class="high_risk")
    assert lead(system) == "Cleo Marchetti"
    by: dict[str, Any] = {"actor": cast.mara, "now": NOW}
    set_response_rule(RuleText("All", lead_person=cast.nils), **by)
    assert lead(system) == "Nils Okafor"
    set_response_rule(RuleText("Claims", unit=cast.claims, lead_person=cast.una), **by)
    assert lead(system) == "Una Brandt"
    set_response_rule(RuleText("Grave", regulatory_class="high_risk", lead_person=cast.eve), **by)
    assert lead(system) == "Eve Petrova"
    own = set_response_rule(RuleText("This one", system=system, lead_person=cast.dov, deputy=cast.nils), **by)
    assert lead(system) == "Dov Watanabe"
    exact = set_response_rule(RuleText("Data", system=system, scenario=DATA, lead_person=cast.ben), **by)
    assert (lead(system), lead(system, ""), lead(system, "cost-spike")) == (
        "Ben Ortega", "Dov Watanabe", "Dov Watanabe",
    )  # fmt: skip
    found = cards.card_of(system, "", NOW)
    assert found is not None
    assert (found.basis, found.rule_id, found.deputy and found.deputy.name) == ("rule", own.pk, "Nils Okafor")
    end_response_rule(exact, reason="Over", **by)
    assert lead(system) == "Dov Watanabe"


def test_an_optional_scenario_has_a_card_while_a_rule_for_it_leads(cast: Cast) -> None:
    one, other = a_system(cast, owner=cast.ada), a_system(cast, owner=cast.ben)
    rule = set_response_rule(
        RuleText("They hear it first.", scenario="complaint", system=one, lead_person=cast.lea),
        actor=cast.mara,
        now=NOW,
    )
    assert (lead(one, "complaint"), lead(other, "complaint")) == ("Lea Abelmann", "Ben Ortega")
    end_response_rule(rule, reason="Over", actor=cast.mara, now=NOW)
    assert lead(one, "complaint") == "Ada Nwosu"


def test_a_rule_by_seat_follows_the_seat(cast: Cast) -> None:
    from apps.people.models import Function

    system = a_system(cast, owner=cast.ada)
    seat = Function.objects.get(pk="finance")
    set_response_rule(RuleText("Money", scenario="cost-spike", lead_function=seat), actor=cast.mara, now=NOW)
    settle()
    found = cards.card_of(system, "cost-spike", NOW)
    assert found is not None
    assert (found.is_fallback, "rule_vacant" in found.problems) == (True, True)
    people.seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    assert lead(system, "cost-spike") == "Nils Okafor"


def test_setting_and_ending_write_one_line_each(cast: Cast) -> None:
    before = AuditEvent.objects.count()
    rule = set_response_rule(RuleText("All", lead_person=cast.nils), actor=cast.cleo, now=NOW)
    end_response_rule(rule, reason="Over", actor=cast.cleo, now=NOW)
    kinds = list(AuditEvent.objects.order_by("-id")[:2].values_list("kind", flat=True))
    assert (AuditEvent.objects.count() - before, sorted(kinds)) == (2, ["response_rule.ended", "response_rule.set"])
    assert "Okafor" not in "".join(AuditEvent.objects.order_by("-id")[:2].values_list("body", flat=True))


@pytest.mark.parametrize(
    ("text", "who", "error", "says"),
    [
        ({"lead": "nils"}, "dov", NotAllowed, "only a holder of a seat"),
        ({"lead": "ivan"}, "mara", Refused, "Ivan Kolar can't be called"),
        ({"lead": "robot"}, "mara", Refused, "Deployment robot can't be called"),
        ({"lead": ""}, "mara", ValidationError, "Name one person or one seat"),
        ({"lead": "nils", "deputy": "nils"}, "mara", ValidationError, "somebody other than the lead"),
        ({"lead": "nils", "unit": True, "class": "high_risk"}, "mara", ValidationError, "for one of them"),
        ({"lead": "nils", "scenario": "fire"}, "mara", ValidationError, "not a valid choice"),
    ],
)
def test_what_is_refused_changes_nothing(cast: Cast, text: Any, who: str, error: Any, says: str) -> None:
    before = AuditEvent.objects.count()
    rule = RuleText(
        "Why", scenario=text.get("scenario", ""), unit=cast.claims if text.get("unit") else None,
        regulatory_class=text.get("class", ""), lead_person=getattr(cast, text["lead"]) if text["lead"] else None,
        deputy=getattr(cast, text["deputy"]) if "deputy" in text else None,
    )  # fmt: skip
    with pytest.raises(error, match=says):
        set_response_rule(rule, actor=getattr(cast, who), now=NOW)
    assert (ResponseRule.objects.count(), AuditEvent.objects.count()) == (0, before)


def test_two_rules_for_the_same_and_a_second_end_are_refused(cast: Cast) -> None:
    by: dict[str, Any] = {"actor": cast.mara, "now": NOW}
    rule = set_response_rule(RuleText("All", lead_person=cast.nils), **by)
    with pytest.raises(ValidationError, match="There is a rule for this already"):
        set_response_rule(RuleText("All", lead_person=cast.eve), **by)
    end_response_rule(rule, reason="Over", **by)
    with pytest.raises(Refused, match="ended already"):
        end_response_rule(rule, reason="Over", **by)
    with pytest.raises(Refused, match="Say why"):
        end_response_rule(rule, reason=" ", **by)


def test_the_database_refuses_a_lead_who_cannot_act(cast: Cast) -> None:
    for person in (cast.ivan, cast.robot):
        with pytest.raises(IntegrityError), transaction.atomic():
            ResponseRule.objects.create(reason="x", lead_person=person, set_by=cast.mara, valid_from=NOW)
    with pytest.raises(IntegrityError, match="response_rule_says_why"), transaction.atomic():
        ResponseRule.objects.create(reason="", lead_person=cast.nils, set_by=cast.mara, valid_from=NOW)


def test_the_consequence_is_worked_out_and_taken_back(cast: Cast) -> None:
    a_system(cast, owner=cast.ada)
    a_system(cast, owner=cast.nils)
    settle()
    preview = preview_of(RuleText("All", scenario=DATA, lead_person=cast.nils), actor=cast.mara, now=NOW)
    assert [(row.before, row.after, row.systems) for row in preview.rows] == [("Cleo Marchetti", "Nils Okafor", 2)]
    assert (preview.systems, ResponseRule.objects.count()) == (2, 0)


def test_the_pages_show_it_before_it_is_set(cast: Cast, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    values = {"scenario": DATA, "system": system.key, "lead_person": "nils@example.org", "reason": "Agreed."}
    page = browse(cast.cleo).post("/incidents/rules/new/", values)
    assert page.status_code == 200
    assert "<strong>Nils Okafor</strong> leads in place of Cleo Marchetti in 1 system" in page.content.decode()
    assert ResponseRule.objects.count() == 0
    page = browse(cast.cleo).post("/incidents/rules/new/", values | {"confirmed": "yes"})
    assert (page.status_code, page["Location"]) == (302, "/incidents/rules/")
    rule = ResponseRule.objects.get()
    assert "Nils Okafor" in browse(cast.eve).get("/incidents/rules/").content.decode()
    assert "Nils Okafor" not in browse(cast.dov).get("/incidents/rules/").content.decode(), "of a system of others"
    assert browse(cast.dov).get("/incidents/rules/new/").status_code == 403
    page = browse(cast.cleo).post("/incidents/rules/new/", {"reason": ""})
    assert (page.status_code, "Name one person or one seat" in page.content.decode()) == (422, False)
    page = browse(cast.cleo).post(f"/incidents/rules/{rule.pk}/end/", {"reason": "Over"})
    assert page.status_code == 302
    assert "Nils Okafor" in browse(cast.cleo).get("/incidents/rules/?ended=1").content.decode()


def test_the_owner_writes_how_it_is_stopped_and_others_do_not(cast: Cast, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    values = {"stop_how": "Switch it off", "stop_holder": "ben@example.org", "stop_tested_on": "11 Nov 2026",
              "vendor_channel": "soc@acme.example"}  # fmt: skip
    page = browse(cast.ada).post(f"/incidents/systems/{system.key}/profile/", values)
    assert (page.status_code, page["Location"]) == (302, f"/incidents/systems/{system.key}/")
    text = browse(cast.ada).get(f"/incidents/systems/{system.key}/").content.decode()
    assert "Switch it off" in text
    assert "Tested on 11 Nov 2026" in text
    assert "Ben Ortega" in text
    assert browse(cast.dov).get(f"/incidents/systems/{system.key}/").status_code == 404
    assert browse(cast.ben).get(f"/incidents/systems/{system.key}/profile/").status_code == 403
    assert browse(cast.eve).get(f"/incidents/systems/{system.key}/profile/").status_code == 403
    page = browse(cast.ada).post(f"/incidents/systems/{system.key}/profile/", values | {"stop_tested_on": "1 Jan 2099"})
    assert page.status_code == 422
    assert "A test lies in the past" in page.content.decode()


def test_a_profile_is_one_line_and_no_names_in_it(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    before = AuditEvent.objects.count()
    set_response_profile(system, {"stop_how": "Off", "stop_holder": cast.ben}, actor=cast.ada, now=NOW)
    set_response_profile(system, {"stop_how": "Off"}, actor=cast.ada, now=NOW)
    assert AuditEvent.objects.count() == before + 1
    event = AuditEvent.objects.get(kind="response_profile.changed")
    assert "Ortega" not in event.body
    for holder in (cast.ivan, cast.robot):
        with pytest.raises(Refused, match="can't stop it"):
            set_response_profile(system, {"stop_holder": holder}, actor=cast.ada, now=NOW)
    with pytest.raises(NotAllowed):
        set_response_profile(system, {"stop_how": "x"}, actor=cast.dov, now=NOW)
    assert ResponseProfile.objects.get(system=system).stop_how == "Off"

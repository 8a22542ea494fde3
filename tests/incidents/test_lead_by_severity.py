"""A response rule that leads from a severity on: on the card, at declaring, once somebody says how bad it is."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from apps.audit.models import AuditEvent
from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import answer_handover, ask_handover
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.rules import end_response_rule, set_response_rule
from apps.incidents.actions.states import classify, classify_overdue, resolve
from apps.incidents.models import Incident, LeadHandover, ResponseRule
from apps.incidents.queries.cards import card_of
from apps.incidents.queries.rules import RuleText
from apps.notify.models import Message
from apps.people.models import Function
from apps.registry.models import System
from tests.factories import a_system
from tests.incidents.paging_world import NOW, contained, minutes, pages, texts, timer
from tests.incidents.test_taking import program
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
RULE = RuleText(reason="Grave ones go to security", min_severity="sev2")


@pytest.fixture
def system(cast: Any) -> System:
    """Ada's, led by whoever holds the CISO's seat from severity 2 on."""
    found = a_system(cast, owner=cast.ada)
    ciso = replace(RULE, system=found, lead_function=Function.objects.get(pk="ciso"))
    set_response_rule(ciso, actor=cast.mara, now=NOW)
    settle()
    return found


def declared(cast: Any, system: System, **more: Any) -> Incident:
    return declare(title="It read letters", system=system, actor=cast.dov, now=NOW, **more)


def terms(incident: Incident) -> list[tuple[str, str]]:
    rows = incident.leads.select_related("person").order_by("pk")
    return [(term.person.email.split("@")[0], term.ended_because) for term in rows]


def test_the_card_says_who_leads_from_which_severity_on(cast: Any, system: System, browse: Any) -> None:
    set_response_rule(replace(RULE, min_severity="sev1", system=system, lead_person=cast.lea), actor=cast.mara, now=NOW)
    card = card_of(system, "", NOW)
    assert card is not None
    assert card.lead.id == cast.ada.pk
    assert [(one.words, one.name) for one in card.by_severity] == [
        ("At severity 1", cast.lea.display_name),
        ("From severity 2 on", cast.cleo.display_name),
    ]
    page = browse(cast.mara).get(f"/incidents/systems/{system.key}/").content.decode()
    assert f'From severity 2 on <span class="name">{cast.cleo.display_name}</span> leads' in page
    answer = program(cast.mara, "read").get(f"/api/v1/systems/{system.key}/card/").json()
    assert [(one["from_severity"], one["lead"]["name"]) for one in answer["by_severity"]] == [
        ("sev1", cast.lea.display_name), ("sev2", cast.cleo.display_name),
    ]  # fmt: skip
    form = browse(cast.dov).get("/incidents/declare/what/", {"system": system.key}).content.decode()
    assert f'Severity 1: <span class="name">{cast.lea.display_name}</span> leads and is called instead.' in form
    assert f'Severity 2: <span class="name">{cast.cleo.display_name}</span> leads and is called instead.' in form
    assert "Severity 3:" not in form.split("What happens then")[1]
    who = browse(cast.mara).get("/who/", {"system": system.key}).content.decode()
    assert "From severity 2 on" in who


@pytest.mark.parametrize(
    ("severity", "lead"),
    [("unclassified", "ada"), ("sev1", "cleo"), ("sev2", "cleo"), ("sev3", "ada"), ("sev4", "ada")],
)
def test_who_leads_when_it_is_declared_as_bad_as_that(cast: Any, system: System, severity: str, lead: str) -> None:
    incident = declared(cast, system, severity=severity)
    assert incident.lead == getattr(cast, lead)
    assert pages(incident) == [(1, 0, 0, lead, "queued")]
    assert incident.basis == ("rule" if lead == "cleo" else "owner")


def test_of_two_the_one_for_the_higher_severity_stands_and_scope_comes_first(cast: Any, system: System) -> None:
    set_response_rule(replace(RULE, min_severity="sev1", system=system, lead_person=cast.lea), actor=cast.mara, now=NOW)
    set_response_rule(replace(RULE, min_severity="sev1", lead_person=cast.nils), actor=cast.mara, now=NOW)
    settle()
    assert declared(cast, system, severity="sev1").lead == cast.lea
    assert declared(cast, system, severity="sev2").lead == cast.cleo
    other = a_system(cast, owner=cast.ada, key="SYS-OTHER")
    settle()
    assert declared(cast, other, severity="sev1").lead == cast.nils
    assert declared(cast, other, severity="sev2").lead == cast.ada


def test_where_nobody_took_it_yet_they_lead_at_once_and_are_called(cast: Any, system: System) -> None:
    incident = classify(declared(cast, system), "sev2", reason="61 people", actor=cast.mara, now=minutes(2))

    assert incident.lead == cast.cleo
    assert terms(incident) == [("ada", "relieved"), ("cleo", "")]
    assert pages(incident)[-1][3:] == ("cleo", "queued")
    assert timer(incident).state == "running"
    name = cast.cleo.display_name
    assert f"{name} leads instead of Ada Nwosu: Severity 2: a rule names {name}." in texts(incident)
    primary = AuditEvent.objects.get(kind="incident.classified")
    caused = AuditEvent.objects.get(kind="lead.relieved")
    assert caused.cause == primary.pk


def test_where_somebody_has_it_they_lead_on_until_the_other_says_yes(cast: Any, system: System) -> None:
    incident = acknowledge(declared(cast, system), actor=cast.ada, now=minutes(1))

    incident = classify(incident, "sev1", reason="61 people", actor=cast.ada, now=minutes(2))

    assert (incident.lead, incident.state) == (cast.ada, "active")
    asked = LeadHandover.objects.get()
    assert (asked.outgoing, asked.incoming, asked.state) == (cast.ada, cast.cleo, "asked")
    assert asked.briefing == f"Severity 1: a rule names {cast.cleo.display_name}."
    mail = Message.objects.get(key=f"lead-handover:{asked.pk}")
    assert (mail.urgent, mail.recipient) == (True, cast.cleo)
    assert "Ada Nwosu leads until you say yes." in mail.body
    assert AuditEvent.objects.filter(kind="lead.asked").count() == 1

    incident = answer_handover(asked, takes=True, actor=cast.cleo, now=minutes(3))
    assert incident.lead == cast.cleo
    # No worse than before, and not the rule's affair any more: the question goes back to who led without it.
    classify(incident, "sev3", reason="Only three", actor=cast.cleo, now=minutes(4))
    back = LeadHandover.objects.get(state="asked")
    assert (back.outgoing, back.incoming) == (cast.cleo, cast.ada)


def test_nobody_is_asked_where_nothing_changes(cast: Any, system: System) -> None:
    incident = classify(declared(cast, system, severity="sev2"), "sev1", reason="x", actor=cast.mara, now=minutes(2))
    assert terms(incident) == [("cleo", "")]
    slight = classify(declared(cast, system), "sev3", reason="x", actor=cast.mara, now=minutes(2))
    assert terms(slight) == [("ada", "")]
    # Somebody is asked already: one question at a time.
    mine = acknowledge(declared(cast, system), actor=cast.ada, now=minutes(1))
    ask_handover(mine, cast.ben, briefing="x", actor=cast.ada, now=minutes(1))
    classify(mine, "sev1", reason="x", actor=cast.ada, now=minutes(2))
    assert LeadHandover.objects.get(incident=mine).incoming == cast.ben
    # Ended rules lead nowhere.
    end_response_rule(ResponseRule.objects.get(), reason="x", actor=cast.mara, now=minutes(3))
    settle()
    late = classify(declared(cast, system), "sev1", reason="x", actor=cast.mara, now=minutes(4))
    assert terms(late) == [("ada", "")]


def test_of_two_rules_the_one_for_what_it_is_by_now_asks(cast: Any, system: System) -> None:
    set_response_rule(replace(RULE, min_severity="sev1", system=system, lead_person=cast.lea), actor=cast.mara, now=NOW)
    settle()
    incident = acknowledge(declared(cast, system), actor=cast.ada, now=minutes(1))
    incident = classify(incident, "sev2", reason="x", actor=cast.ada, now=minutes(2))
    first = LeadHandover.objects.get(state="asked")
    assert (first.incoming, first.by_rule) == (cast.cleo, True)
    mail = Message.objects.get(key=f"lead-handover:{first.pk}")
    assert mail.state == "queued"

    incident = classify(incident, "sev1", reason="x", actor=cast.ada, now=minutes(3))

    first.refresh_from_db()
    mail.refresh_from_db()
    assert (first.state, mail.state) == ("withdrawn", "withdrawn")
    second = LeadHandover.objects.get(state="asked")
    assert (second.incoming, second.by_rule) == (cast.lea, True)
    name = cast.cleo.display_name
    assert f"{name} is not asked to take over any more: it is severity 1 now." in texts(incident)
    ended = AuditEvent.objects.get(kind="lead.handover_ended")
    assert ended.cause == AuditEvent.objects.filter(kind="incident.classified").latest("at").pk

    # At the lowest no rule names anybody: who leads does so, and nobody is asked any more.
    incident = classify(incident, "sev4", reason="x", actor=cast.ada, now=minutes(4))
    assert not LeadHandover.objects.filter(state="asked").exists()
    assert terms(incident) == [("ada", "")]
    # Said anew, with the same person named: they are asked once.
    classify(incident, "sev1", reason="x", actor=cast.ada, now=minutes(5))
    again = LeadHandover.objects.get(state="asked")
    classify(incident, "sev2", reason="x", actor=cast.ada, now=minutes(6))
    assert LeadHandover.objects.filter(pk=again.pk, state="withdrawn").exists()
    assert LeadHandover.objects.get(state="asked").incoming == cast.cleo


def test_what_was_put_right_already_asks_nobody(cast: Any, system: System) -> None:
    incident = acknowledge(declared(cast, system, severity="sev4"), actor=cast.ada, now=minutes(1))
    incident = contained(incident, cast.ada, minutes(2))
    incident = resolve(incident, resolution="Narrowed", actor=cast.ada, now=minutes(3))
    classify(incident, "sev1", reason="It was worse", actor=cast.ada, now=minutes(4))
    assert not LeadHandover.objects.exists()
    assert terms(incident) == [("ada", "")]


def test_nobody_said_how_bad_it_is_so_the_rule_for_the_worst_leads(cast: Any, system: System) -> None:
    incident = declared(cast, system)
    assert classify_overdue(now=minutes(30)) == 1
    incident.refresh_from_db()
    assert (incident.severity, incident.lead) == ("sev1", cast.cleo)


def test_the_database_keeps_one_rule_for_each_severity(cast: Any, system: System) -> None:
    row = {"reason": "x", "set_by": cast.mara, "valid_from": NOW, "system": system, "lead_person": cast.lea}
    for wrong in ({"min_severity": "sev2"}, {"min_severity": "sev4"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ResponseRule.objects.create(**row, **wrong)
    with pytest.raises(DatabaseError, match="A rule does not change"), transaction.atomic():
        ResponseRule.objects.update(min_severity="sev1")
    assert ResponseRule.objects.count() == 1


def test_it_is_set_by_its_page(cast: Any, system: System, browse: Any) -> None:
    client = browse(cast.mara)
    sent = {"min_severity": "sev1", "system": system.key, "lead_person": "lea@example.org", "reason": "The law"}
    shown = client.post("/incidents/rules/new/", sent).content.decode()
    assert "1 live system, at severity 1." in shown
    assert f"<strong>{cast.lea.display_name}</strong> leads in place of Ada Nwosu" in shown
    assert client.post("/incidents/rules/new/", sent | {"confirmed": "yes"}).status_code == 302
    assert ResponseRule.objects.get(min_severity="sev1").lead_person == cast.lea
    assert "At severity 1" in client.get("/incidents/rules/").content.decode()
    assert client.post("/incidents/rules/new/", sent | {"min_severity": "sev4"}).status_code == 422

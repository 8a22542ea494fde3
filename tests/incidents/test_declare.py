"""Declaring an incident, and who leads it from then on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.directory.actions import offboard
from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import answer_handover, ask_handover, decline_lead, take_lead
from apps.incidents.actions.states import classify, classify_overdue, contain, reopen, resolve
from apps.incidents.models import Incident, LeadTerm
from apps.incidents.queries.incidents import visible_incidents
from tests.factories import a_system
from tests.incidents.steps_world import ready_to_contain
from tests.incidents.world import settle

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def declared(cast: Any, **more: Any) -> Incident:
    system = more.pop("system", None) or a_system(cast, owner=cast.ada)
    settle()
    return declare(title="It read letters of others", system=system, actor=cast.dov, now=NOW, **more)


def test_one_person_leads_at_once(cast: Any) -> None:
    incident = declared(cast, scenario="data-access")

    assert (incident.lead, incident.owner, incident.basis) == (cast.cleo, cast.ada, "matrix")
    assert incident.code == f"INC-{incident.number:04d}"
    assert incident.state == "reported"
    term = LeadTerm.objects.get(incident=incident)
    assert (term.person, term.accepted_at, term.ended_at) == (cast.cleo, None, None)
    lines = list(incident.timeline.order_by("pk").values_list("kind", "text"))
    assert lines[0] == ("alarm", f"Declared by {cast.dov.display_name}: It read letters of others")
    assert lines[1] == ("fact", f"{cast.cleo.display_name} leads the response.")
    assert AuditEvent.objects.filter(kind="incident.declared", subject_id=incident.code).count() == 1
    assert visible_incidents(cast.dov).get() == incident


def test_without_a_system_the_mandate_leads(cast: Any) -> None:
    incident = declare(title="Some agent mails customers", about="an agent", actor=cast.dov, now=NOW)

    assert (incident.lead, incident.is_fallback) == (cast.mara, True)


def test_a_failing_resolver_does_not_block(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)

    incident = declare(title="It read letters", system=system, scenario="cost-spike", actor=cast.dov, now=NOW)

    assert incident.lead == cast.ada  # no card was worked out in this transaction
    assert incident.is_fallback


@pytest.mark.parametrize("fault", [TypeError, AttributeError, DatabaseError, KeyError])
def test_no_fault_of_a_step_blocks(cast: Any, monkeypatch: Any, fault: type[Exception]) -> None:
    def broken(name: str) -> Any:
        def tries(*_: Any, **__: Any) -> None:
            raise fault(name)

        tries.__name__ = name
        return tries

    system = a_system(cast, owner=cast.ada)
    settle()
    for name in ("begin_calling", "pin_runbook", "open_clocks"):
        monkeypatch.setattr(f"apps.incidents.actions.declare.{name}", broken(name))
    monkeypatch.setattr("apps.incidents.queries.responder._from_card", broken("card"))

    incident = declare(title="It read letters", system=system, actor=cast.dov, now=NOW)

    assert (incident.lead, incident.is_fallback) == (cast.ada, True)
    said = list(incident.timeline.filter(kind="alarm", text__startswith="Could not").values_list("text", flat=True))
    assert sorted(said) == [
        f"Could not {what} ({fault.__name__}). See to it by hand."
        for what in ("call somebody", "open clocks", "pin runbook")
    ]


def test_it_becomes_active_with_severity_and_lead(cast: Any) -> None:
    incident = declared(cast)
    incident = take_lead(incident, cast.ada, actor=cast.ada, now=NOW)
    assert incident.state == "triage"
    incident = classify(incident, "sev2", reason="61 people", actor=cast.ada, now=NOW)
    assert incident.state == "active"
    ready_to_contain(incident, cast.ada)
    incident.refresh_from_db()
    incident = contain(incident, note="Paused", actor=cast.ada, now=NOW)
    incident = resolve(incident, resolution="Permission narrowed", actor=cast.ada, now=NOW)
    assert reopen(incident, reason="It happens again", actor=cast.ada, now=NOW).state == "active"


def test_undecided_becomes_the_higher_level(cast: Any) -> None:
    incident = declared(cast)

    assert classify_overdue(now=NOW + timedelta(minutes=29)) == 0
    assert classify_overdue(now=NOW + timedelta(minutes=30)) == 1
    incident.refresh_from_db()
    assert (incident.severity, incident.state) == ("sev1", "triage")
    assert classify_overdue(now=NOW + timedelta(minutes=31)) == 0


def test_both_confirm_a_handover(cast: Any) -> None:
    incident = take_lead(declared(cast), cast.ada, actor=cast.ada, now=NOW)
    handover = ask_handover(incident, cast.ben, briefing="Paused at 09:20", actor=cast.ada, now=NOW)
    incident.refresh_from_db()
    assert incident.lead == cast.ada
    with pytest.raises(NotAllowed):
        answer_handover(handover, takes=True, actor=cast.cleo, now=NOW)
    incident = answer_handover(handover, takes=True, actor=cast.ben, now=NOW + timedelta(minutes=2))
    assert incident.lead == cast.ben
    assert list(LeadTerm.objects.filter(incident=incident).values_list("person__email", "ended_because")) == [
        (cast.ada.email, "handed_over"),
        (cast.ben.email, ""),
    ]


def test_declining_passes_it_on_with_a_reason(cast: Any) -> None:
    incident = declared(cast)
    with pytest.raises(Refused):
        decline_lead(incident, reason=" ", actor=cast.ada, now=NOW)
    assert decline_lead(incident, reason="On a plane", actor=cast.ada, now=NOW).lead == cast.ben


def test_a_leaver_in_mid_incident(cast: Any) -> None:
    incident = declared(cast)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s", [cast.ada.pk]
        )

    offboard(cast.ada, actor=cast.mara, now=NOW)

    incident.refresh_from_db()
    assert incident.lead == cast.ben
    assert LeadTerm.objects.get(incident=incident, ended_at=None).person == cast.ben

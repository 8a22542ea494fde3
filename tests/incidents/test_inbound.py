"""What a source says becomes an incident, or a line of one; a machine neither classifies nor resolves."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.inbound import add_source, note_use, receive, receive_mail, revoke_source
from apps.incidents.actions.leads import take_lead
from apps.incidents.actions.states import classify, dismiss, merge, resolve
from apps.incidents.models import InboundSource, Incident
from apps.incidents.queries.inbound import live_source, system_meant
from apps.incidents.rules.inbound import Report, Status, digest_of, from_alertmanager, from_pagerduty
from apps.incidents.rules.inbound_mail import read_mail
from apps.notify.models import Message
from apps.registry.models import SystemIdentity
from tests.factories import a_system
from tests.incidents.inbound_world import NOW, a_source, mail, sample
from tests.incidents.learning_world import contained

pytestmark = pytest.mark.django_db
FIRING = Report(Status.FIRING, "It reads letters", dedup_key="k", labels={"service": ("claims-agent",)})


def later(minutes: int) -> Any:
    return NOW + timedelta(minutes=minutes)


def lines(incident: Incident) -> list[str]:
    return list(incident.timeline.order_by("pk").values_list("text", flat=True))


def test_the_token_of_a_source_is_kept_as_a_digest(cast: Any) -> None:
    source, token = add_source(
        name="  Alertmanager  prod ",
        kind="alertmanager",
        labels=["Service", " service", "app"],
        actor=cast.mara,
        now=NOW,
    )

    source.refresh_from_db()
    assert (source.name, source.labels, source.owner) == ("Alertmanager prod", ["service", "app"], cast.mara)
    assert bytes(source.digest) == digest_of(token)
    assert live_source(token) == live_source(token.upper()) == source
    assert live_source(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    assert live_source("") is None
    event = AuditEvent.objects.get(kind="inbound_source.added")
    assert token[13:] not in event.body


def test_a_revoked_source_is_none(cast: Any) -> None:
    source, token = a_source(cast)

    revoke_source(source, actor=cast.mara, now=later(1))

    assert live_source(token) is None
    with pytest.raises(Refused):
        revoke_source(source, actor=cast.mara, now=later(2))


def test_who_may_not_manage_incidents_adds_and_revokes_none(cast: Any) -> None:
    source, _ = a_source(cast)

    for person in (cast.dov, cast.ada, cast.eve, cast.bo):
        with pytest.raises(NotAllowed):
            a_source(cast, actor=person, name="Other")
        with pytest.raises(NotAllowed):
            revoke_source(source, actor=person, now=NOW)
    assert list(InboundSource.objects.values_list("revoked_at", flat=True)) == [None]


@pytest.mark.parametrize("wrong", [{"name": " "}, {"kind": "pigeon"}, {"mode": "drill"}, {"scenario": "flood"}])
def test_a_wrong_source_is_refused(cast: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        a_source(cast, **wrong)
    assert not InboundSource.objects.exists()


def test_too_many_labels_are_refused(cast: Any) -> None:
    with pytest.raises(Refused):
        a_source(cast, labels=[f"l{number}" for number in range(21)])


def test_an_alert_declares(cast: Any) -> None:
    system = a_system(cast, key="CLAIMS-AGENT", owner=cast.ada)
    source, _ = a_source(cast)

    got = receive(source, from_alertmanager(sample("alertmanager_firing")), now=NOW)

    incident = got.incident
    assert incident is not None
    assert got.is_new
    assert (incident.system, incident.source, incident.via) == (system, source, "alertmanager")
    assert incident.title == "Claims agent read records outside its case (2 alerts)"
    assert (incident.severity, incident.state, incident.declared_by) == ("unclassified", "reported", None)
    assert incident.declared_as == "Alertmanager of the tests"
    assert "which would be severity 1. A person says how bad it is." in incident.description
    assert incident.description.endswith("The system is known by service “claims-agent”.")
    assert lines(incident)[0].startswith("Declared by Alertmanager of the tests: ")


def test_the_same_alert_again_is_a_line(cast: Any) -> None:
    source, _ = a_source(cast)
    first = receive(source, FIRING, now=NOW).incident

    again = receive(source, FIRING, now=later(5))

    assert (again.incident, again.is_new) == (first, False)
    assert first is not None
    assert lines(first)[-1] == "Reported again: It reads letters"
    assert Incident.objects.count() == 1
    assert AuditEvent.objects.filter(kind="incident.noted", subject_id=first.code).count() == 1


def test_another_source_with_the_same_key_is_another_incident(cast: Any) -> None:
    for name in ("One", "Two"):
        receive(a_source(cast, name=name)[0], FIRING, now=NOW)

    assert Incident.objects.count() == 2


def test_resolved_there_is_not_resolved_here(cast: Any) -> None:
    source, _ = a_source(cast)
    incident = receive(source, FIRING, now=NOW).incident
    assert incident is not None

    receive(source, Report(Status.RESOLVED, "", dedup_key="k"), now=later(1))
    receive(source, Report(Status.ACKNOWLEDGED, "", dedup_key="k"), now=later(2))

    incident.refresh_from_db()
    assert incident.state == "reported"
    assert incident.lead_accepted_at is None
    assert lines(incident)[-2:] == [
        "Alertmanager of the tests says resolved. Somebody here decides whether it is.",
        "Alertmanager of the tests says that somebody has it there. Nobody here took it by that.",
    ]


def test_resolved_of_nothing_is_nothing(cast: Any) -> None:
    source, _ = a_source(cast)

    assert receive(source, Report(Status.RESOLVED, "", dedup_key="k"), now=NOW).incident is None
    assert not Incident.objects.exists()


def test_what_was_merged_goes_on_in_the_other(cast: Any) -> None:
    source, _ = a_source(cast)
    one, two = (receive(source, Report(Status.FIRING, key, dedup_key=key), now=NOW).incident for key in ("a", "b"))
    assert one is not None
    assert two is not None
    merge(one, two, actor=cast.mara, now=later(1))

    got = receive(source, Report(Status.FIRING, "a", dedup_key="a"), now=later(2))

    assert (got.incident, got.is_new) == (two, False)
    assert lines(two)[-1] == "Reported again: a"


def test_once_it_is_over_the_alert_is_a_new_incident(cast: Any) -> None:
    source, _ = a_source(cast)
    first = receive(source, FIRING, now=NOW).incident
    assert first is not None
    dismiss(first, because="benign", note="A test of the load", actor=cast.mara, now=later(1))
    second = receive(source, FIRING, now=later(2)).incident
    assert second is not None
    take_lead(second, cast.ada, actor=cast.ada, now=later(3))
    classify(second, "sev3", reason="Few", actor=cast.ada, now=later(3))
    second = contained(second, cast.ada, later(4))
    assert receive(source, FIRING, now=later(5)).incident == second
    resolve(second, resolution="Put right", actor=cast.ada, now=later(6))

    third = receive(source, FIRING, now=later(7))

    assert third.is_new
    assert Incident.objects.count() == 3


def test_a_test_source_declares_tests(cast: Any) -> None:
    source, _ = a_source(cast, mode="test")

    incident = receive(source, FIRING, now=NOW).incident

    assert incident is not None
    assert (incident.mode, incident.code[:5], incident.prefix) == ("test", "TEST-", "TEST: ")


def test_a_restricted_system_makes_it_restricted(cast: Any) -> None:
    a_system(cast, key="CLAIMS-AGENT", owner=cast.ada, restricted=True)
    source, _ = a_source(cast)

    incident = receive(source, FIRING, now=NOW).incident

    assert incident is not None
    assert incident.visibility == "restricted"


def test_it_is_about_the_text_where_no_system_is_known(cast: Any) -> None:
    source, _ = a_source(cast)

    incident = receive(source, from_alertmanager(sample("alertmanager_firing")), now=NOW).incident

    assert incident is not None
    assert (incident.system, incident.lead, incident.is_fallback) == (None, cast.mara, True)
    assert incident.about == "service claims-agent, namespace claims-ai"
    assert incident.description.endswith("Nothing in it names a system on record. Choose the one that is meant.")


def test_two_of_one_name_are_never_guessed(cast: Any) -> None:
    for key in ("SYS-1", "SYS-2"):
        a_system(cast, key=key, name="Claims-Agent", owner=cast.ada)
    source, _ = a_source(cast, system=a_system(cast, key="SYS-3", owner=cast.ada))

    incident = receive(source, FIRING, now=NOW).incident

    assert incident is not None
    assert incident.system is None
    assert incident.description == "Several systems go by its service. Choose the one that is meant."


def test_labels_name_a_system_in_their_order(cast: Any) -> None:
    by_key = a_system(cast, key="claims-agent")
    by_name = a_system(cast, name="Claims Adjudication")
    by_identity = a_system(cast)
    SystemIdentity.objects.create(system=by_identity, kind="spiffe_id", value="spiffe://corp/ns/claims/sa/agent")
    SystemIdentity.objects.create(system=by_name, kind="namespace", value="shared")
    SystemIdentity.objects.create(system=by_key, kind="service_account", value="shared")
    source, _ = a_source(cast)
    spiffe = "SPIFFE://corp/ns/claims/sa/AGENT"

    def meant(**labels: str) -> Any:
        return system_meant(source, {name: (value,) for name, value in labels.items()}).system

    assert meant(service="CLAIMS-AGENT") == by_key
    assert meant(system="claims adjudication") == by_name
    assert meant(spiffe_id=spiffe) == meant(agent_id=spiffe) == by_identity
    assert meant(spiffe_id=spiffe, service="claims-agent") == by_key
    assert meant(spiffe_id=spiffe, service="nothing") == by_identity
    assert meant(namespace="shared") == by_name
    assert meant(service_account="shared") == by_key
    assert meant(agent_id="shared") is None
    assert meant(other="claims-agent") is None


def test_a_source_looks_at_its_own_labels(cast: Any) -> None:
    system = a_system(cast, key="claims-agent")
    source, _ = a_source(cast, labels=["App"])

    assert system_meant(source, {"app": ("claims-agent",)}).system == system
    assert system_meant(source, {"service": ("claims-agent",)}).system is None
    assert system_meant(source, {"system": ("claims-agent",)}).system == system


def test_live_before_retired(cast: Any) -> None:
    system = a_system(cast, name="Twin", owner=cast.ada)
    a_system(cast, name="Twin", stage="proposed")
    source, _ = a_source(cast)

    assert system_meant(source, {"system": ("twin",)}).system == system


def test_without_a_name_it_is_about_the_system_of_the_source(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    source, _ = a_source(cast, system=system, scenario="cost-spike")

    incident = receive(source, FIRING, now=NOW).incident

    assert incident is not None
    assert (incident.system, incident.scenario) == (system, "cost-spike")


def test_a_look_up_that_fails_blocks_nothing(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = a_source(cast)
    monkeypatch.setattr("apps.incidents.queries.inbound._NAMED_SQL", "SELECT 1/0 FROM nothing")

    incident = receive(source, FIRING, now=NOW).incident

    assert incident is not None
    assert incident.description == "Which system it is about could not be looked up."


def test_looking_up_is_one_statement(cast: Any, django_assert_num_queries: Any) -> None:
    source, _ = a_source(cast)
    labels = {"service": tuple(f"s{number}" for number in range(150)), "namespace": ("x",)}

    with django_assert_num_queries(3):  # with the savepoint around it
        system_meant(source, labels)


def test_the_scenario_of_an_event(cast: Any) -> None:
    source, _ = a_source(cast, kind="pagerduty", scenario="data-access")

    first = receive(source, from_pagerduty(sample("pagerduty_trigger")), now=NOW).incident
    event = sample("pagerduty_trigger", dedup_key="2")
    event["payload"]["custom_details"] = {"scenario": "cost-spike"}
    second = receive(source, from_pagerduty(event), now=NOW).incident

    assert first is not None
    assert second is not None
    assert (first.scenario, second.scenario) == ("data-access", "cost-spike")


def test_when_it_was_used_is_noted_to_some_minutes(cast: Any) -> None:
    source, _ = a_source(cast)
    for minutes in (0, 4, 6):
        source.refresh_from_db()
        note_use(source, now=later(minutes))
    source.refresh_from_db()
    assert source.last_used_at == later(6)


def test_a_mail_of_somebody_known(cast: Any) -> None:
    system = a_system(cast, key="SYS-ADA", name="Claims Adjudication Agent", owner=cast.ada)
    source, token = a_source(cast, kind="email", name="Mail")

    incident = receive_mail(source, read_mail(mail("mail_person", token), own_domain="x"), now=NOW).incident

    assert incident is not None
    assert (incident.system, incident.via, incident.declared_by) == (system, "email", None)
    assert incident.declared_as == f"mail as {cast.ada.display_name} <ada@example.org>"
    assert incident.dedup_key == "<2f1c.9a@mail.example.org>"
    assert token not in incident.description
    assert lines(incident)[0].startswith(f"Declared by mail as {cast.ada.display_name} <ada@example.org>: ")
    answer = Message.objects.get(recipient=cast.ada, key=f"declared-by-mail:{incident.pk}")
    assert answer.subject == f"{incident.code} is declared: {incident.title}"
    assert answer.path == incident.path
    assert answer.body.startswith(f"{incident.lead.display_name} leads the response and is called.")


def test_a_mail_of_somebody_else_gets_no_answer(cast: Any) -> None:
    source, token = a_source(cast, kind="email", name="Mail")
    raw = mail("mail_html", token, **{"dov@example.org": "eve@evil.example"})

    incident = receive_mail(source, read_mail(raw, own_domain="x"), now=NOW).incident

    assert incident is not None
    assert incident.declared_as == "mail as eve@evil.example, who is not on record"
    assert not Message.objects.filter(key__startswith="declared-by-mail").exists()
    assert not Message.objects.filter(recipient__email="eve@evil.example").exists()


def test_somebody_who_left_gets_no_answer(cast: Any) -> None:
    source, token = a_source(cast, kind="email", name="Mail")
    raw = mail("mail_html", token, **{"dov@example.org": cast.ivan.email})

    receive_mail(source, read_mail(raw, own_domain="x"), now=NOW)

    assert not Message.objects.filter(recipient=cast.ivan).exists()


def test_the_answer_about_a_restricted_system_names_nobody(cast: Any) -> None:
    a_system(cast, key="SYS-ADA", name="Claims Adjudication Agent", owner=cast.ada, restricted=True)
    source, token = a_source(cast, kind="email", name="Mail")
    raw = mail("mail_person", token, **{"Ada@Example.org": cast.dov.email})

    incident = receive_mail(source, read_mail(raw, own_domain="x"), now=NOW).incident

    assert incident is not None
    answer = Message.objects.get(recipient=cast.dov, key=f"declared-by-mail:{incident.pk}")
    assert answer.path == ""
    assert answer.body.startswith("One named person leads the response and is called.")
    assert incident.lead.display_name not in answer.subject + answer.body


def test_an_answer_in_the_thread_is_a_line(cast: Any) -> None:
    source, token = a_source(cast, kind="email", name="Mail")
    first = receive_mail(source, read_mail(mail("mail_person", token), own_domain="x"), now=NOW).incident

    got = receive_mail(source, read_mail(mail("mail_html", token), own_domain="x"), now=later(3))

    assert first is not None
    assert (got.incident, got.is_new) == (first, False)
    assert lines(first)[-1].startswith(f"mail as {cast.dov.display_name} <dov@example.org> adds: It approved a loan")


def test_a_loop_is_not_read(cast: Any) -> None:
    source, token = a_source(cast, kind="email", name="Mail")

    with pytest.raises(Refused):
        receive_mail(source, read_mail(mail("mail_away", token), own_domain="x"), now=NOW)
    assert not Incident.objects.exists()


def test_a_source_is_never_deleted(cast: Any) -> None:
    source, _ = a_source(cast)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM incidents_inboundsource WHERE id = %s", [source.pk])


@pytest.mark.parametrize(
    "change",
    ["name = 'x'", "kind = 'email'", "digest = '\\x00'", "prefix = 'inb_0'", "mode = 'test'", "revoked_at = NULL"],
)
def test_a_source_stays_what_it_was_added_as(cast: Any, change: str) -> None:
    source, token = a_source(cast)
    revoke_source(source, actor=cast.mara, now=later(1))

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE incidents_inboundsource SET {change} WHERE id = %s", [source.pk])
    assert live_source(token) is None


def test_a_name_is_free_again_once_it_is_revoked(cast: Any) -> None:
    source, _ = a_source(cast)
    with pytest.raises(ValidationError, match="There is a source of this name"):
        a_source(cast)
    revoke_source(source, actor=cast.mara, now=later(1))

    assert a_source(cast)[0].name == source.name

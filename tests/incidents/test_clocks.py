"""What people do with legal clocks: assess, start, correct, sign that it is not reported, note what was submitted."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.clock_rules import new_rule_version, set_rule_applies
from apps.incidents.actions.clocks import (
    assess,
    correct_anchor,
    decide_not_reportable,
    note_submission,
    open_clocks,
    start_clock,
)
from apps.incidents.models import ClockRule, IncidentClock, Signature
from apps.incidents.queries.clocks import board, card
from apps.incidents.queries.incidents import visible_incidents
from apps.notify.models import Message
from apps.people.actions import record_absence, vacate_seat
from apps.people.rules import Confirmation
from tests.factories import a_system
from tests.incidents.clock_world import NOW, a_drill, clock, rule, sign_off, signed, with_clocks
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=17)
# Of a high-risk system whose data was read: what is law on 20 Nov 2026.
EXPECTED = {
    "AIA-73-GEN", "AIA-73-CI", "AIA-73-DEATH", "AIA-55", "GDPR-33", "GDPR-33-2", "GDPR-34", "NIS2-24", "NIS2-72",
    "DORA-INI", "CRA-EW", "CRA-NOT", "CRA-FIN-VUL", "SEC-105", "NYDFS-17A", "BANK-36", "BANK-SP", "CA-SB53",
    "CA-SB53-24", "HIPAA",
}  # fmt: skip


def keys(incident: Any) -> set[str]:
    return set(incident.clocks.values_list("rule__key", flat=True))


def started(cast: Any, incident: Any, key: str = "GDPR-33", **more: Any) -> IncidentClock:
    values = {"anchor_at": NOW, "reason": "Una saw the letters.", "actor": cast.lea, "now": LATER} | more
    return start_clock(clock(incident, key), **values)


def refused(incident: Any, act: Any, error: type[Exception] = Refused) -> str:
    """The verb says no, and neither clock, anchor, timeline, trail nor outbox has changed."""

    def state() -> Any:
        clocks = list(incident.clocks.order_by("pk").values_list("state", "anchor_at", "due_at", "decision"))
        events, sent = AuditEvent.objects.count(), Message.objects.count()
        return clocks, incident.timeline.count(), events, sent, Signature.objects.count()

    before = state()
    with pytest.raises(error) as raised:
        act()
    assert state() == before
    return str(raised.value)


def test_every_row_of_the_seed_is_there() -> None:
    by_status: dict[str, set[str]] = {}
    for one in ClockRule.objects.all():
        by_status.setdefault(one.status, set()).add(one.key)
    assert by_status["contested"] == {"AIA-73-GEN", "AIA-73-CI", "AIA-73-DEATH", "AIA-73-INIT"}
    assert by_status["proposed"] == {"CIRCIA-72", "CIRCIA-24", "GDPR-33-OMNIBUS", "OMNIBUS-SEP"}
    assert by_status["repealed"] == {"CO-205"}
    assert by_status["enacted"] == {
        "AIA-26-5-SI", "AIA-26-5-RISK", "NY-RAISE", "NY-RAISE-24", "CO-189", "FCA-26-2", "FCA-26-2-PAY", "FCA-26-2-FIN",
    }  # fmt: skip
    assert by_status["in_force"] == EXPECTED - {"AIA-73-GEN", "AIA-73-CI", "AIA-73-DEATH"} | {
        "GDPR-33-5", "NIS2-1M", "DORA-INT", "DORA-FIN", "CRA-FIN-INC", "MDR-87-GEN", "MDR-87-DEATH", "MDR-87-PH",
        "OMB-WAIVE", "CONTRACT",
    }  # fmt: skip
    assert set(ClockRule.objects.values_list("applies", "verified_on", "version")) == {(None, date(2026, 11, 22), 1)}
    assert not ClockRule.objects.filter(confidence="primary", source_url="").exists()


def test_what_may_matter_waits_for_who_decides(cast: Any) -> None:
    incident = with_clocks(cast)

    assert keys(incident) == EXPECTED
    assert set(incident.clocks.values_list("state", "anchor_at", "due_at")) == {("not_assessed", None, None)}
    gdpr, nis2 = clock(incident, "GDPR-33"), clock(incident, "NIS2-24")
    assert (gdpr.decides, nis2.decides) == (cast.lea, cast.cleo)
    assert (gdpr.deputy, nis2.deputy) == (cast.mara, cast.mara)
    # A quarter of 72 and of 24 hours; a day for 15 days.
    assert [clock(incident, key).assess_by - NOW for key in ("GDPR-33", "NIS2-24", "AIA-73-GEN")] == [
        timedelta(hours=18), timedelta(hours=6), timedelta(hours=24),
    ]  # fmt: skip
    words = incident.timeline.filter(text__contains="legal duties").get().text
    assert words == "20 legal duties to assess. Cleo Marchetti and Lea Abelmann decide."
    mails = Message.objects.filter(key__startswith="clocks:").order_by("recipient__email")
    assert [(mail.recipient.display_name, mail.urgent) for mail in mails] == [
        ("Cleo Marchetti", True), ("Lea Abelmann", True), ("Mara Lindt", True),
    ]  # fmt: skip


def test_it_opens_no_clock_twice(cast: Any) -> None:
    incident = with_clocks(cast)
    mails = Message.objects.count()

    open_clocks(incident, LATER)

    assert incident.clocks.count() == len(EXPECTED)
    assert Message.objects.count() == mails


def test_what_does_not_fit_is_left_out(cast: Any) -> None:
    minimal = a_system(cast, owner=cast.ada, regulatory_class="minimal")
    assert keys(with_clocks(cast, system=minimal)) == EXPECTED - {"AIA-73-GEN", "AIA-73-CI", "AIA-73-DEATH"}
    assert keys(with_clocks(cast, scenario="cost-spike")) == set()


def test_what_is_not_known_is_left_in(cast: Any) -> None:
    unknown = with_clocks(cast, system=a_system(cast, owner=cast.ada), scenario="")
    assert keys(unknown) == EXPECTED | {"MDR-87-GEN", "MDR-87-DEATH", "MDR-87-PH"}


def test_a_rule_that_does_not_bind_opens_none(cast: Any) -> None:
    set_rule_applies(rule("SEC-105"), False, reason="Not listed in the US", actor=cast.lea, now=NOW)
    assert keys(with_clocks(cast)) == EXPECTED - {"SEC-105"}


def test_the_day_of_the_incident_decides_what_is_law(cast: Any) -> None:
    # The Cyber Resilience Act's duty to report began on 11 Sep 2026.
    early = with_clocks(cast, now=datetime(2026, 9, 10, 12, 0, tzinfo=UTC))
    assert not keys(early) & {"CRA-EW", "CRA-NOT", "CRA-FIN-VUL"}


def test_a_vacant_seat_is_decided_by_the_mandate_and_said_so(cast: Any) -> None:
    vacate_seat("legal", actor=cast.mara, now=NOW)
    incident = with_clocks(cast)

    assert clock(incident, "GDPR-33").decides == cast.mara
    assert "Vacant, so the mandate decides: General Counsel." in incident.timeline.get(text__contains="Vacant").text
    kept = decide_not_reportable(
        [clock(incident, "GDPR-33")], reason="No personal data", **signed(cast, cast.mara, LATER)
    )
    assert kept.signer_function == "for the vacant seat General Counsel, by the governance mandate"


def test_who_stands_in_for_an_absent_holder_decides(cast: Any) -> None:
    cast.lea.deputy = cast.nils
    cast.lea.save(update_fields=["deputy"])
    record_absence(
        cast.lea, starts_on=date(2026, 11, 19), ends_on=date(2026, 11, 27), actor=cast.lea,
        now=NOW - timedelta(days=2),
    )  # fmt: skip
    incident = with_clocks(cast)

    assert clock(incident, "GDPR-33").decides == cast.nils
    kept = decide_not_reportable([clock(incident, "GDPR-33")], reason="None", **signed(cast, cast.nils, LATER))
    assert kept.signer_function == "acting for Lea Abelmann, General Counsel"


def test_who_decides_and_who_stands_in_see_it(cast: Any) -> None:
    cast.lea.deputy = cast.nils
    cast.lea.save(update_fields=["deputy"])
    incident = with_clocks(cast)
    assert set(visible_incidents(cast.nils)) == {incident}
    assert start_clock(
        clock(incident, "GDPR-33"), anchor_at=NOW, reason="Read", actor=cast.nils, now=LATER
    ).state == "running"  # fmt: skip


def test_everything_can_be_signed_off_at_once(cast: Any) -> None:
    incident = with_clocks(cast)
    sign_off(incident, cast, LATER)
    sign_off(incident, cast, LATER)
    assert set(incident.clocks.values_list("state", flat=True)) == {"not_reportable"}
    assert Signature.objects.filter(incident=incident).count() == 1


def test_somebody_looks_at_it(cast: Any) -> None:
    incident = with_clocks(cast)
    assert assess(clock(incident, "GDPR-33"), actor=cast.lea, now=LATER).state == "assessing"
    refused(incident, lambda: assess(clock(incident, "GDPR-33"), actor=cast.lea, now=LATER))
    refused(incident, lambda: assess(clock(incident, "GDPR-34"), actor=cast.dov, now=LATER), NotAllowed)
    assert AuditEvent.objects.filter(kind="clock.assessed", subject_id=incident.code).count() == 1


def test_a_clock_starts_when_its_trigger_came_true(cast: Any) -> None:
    incident = with_clocks(cast)

    gdpr = started(cast, incident)

    assert (gdpr.state, gdpr.anchor_at, gdpr.due_at) == ("running", NOW, NOW + timedelta(hours=72))
    assert gdpr.anchors.values_list("anchor", "at", "reason", "said_by").get() == (
        "aware", NOW, "Una saw the letters.", cast.lea.pk,
    )  # fmt: skip
    assert incident.timeline.order_by("-pk").first().text == (
        "GDPR Art. 33(1): Una saw the letters. The clock starts. It ends on Mon 23 Nov, 10:14."
    )
    others = set(incident.clocks.exclude(pk=gdpr.pk).values_list("state", "due_at"))
    assert others == {("not_assessed", None)}  # no clock without its own trigger
    settle()


def test_the_lead_starts_one_too_and_others_do_not(cast: Any) -> None:
    incident = with_clocks(cast)
    assert started(cast, incident, actor=incident.lead).state == "running"
    for other in (cast.dov, cast.nils, cast.bo, cast.eve):
        refused(incident, lambda actor=other: started(cast, incident, "GDPR-34", actor=actor), NotAllowed)


def test_what_cannot_start(cast: Any) -> None:
    incident = with_clocks(cast)
    assert refused(incident, lambda: started(cast, incident, reason=" ")).startswith("Say what made")
    assert "time that is past" in refused(incident, lambda: started(cast, incident, anchor_at=LATER + timedelta(1)))
    assert "became aware" in refused(incident, lambda: started(cast, incident, "DORA-INI"))
    started(cast, incident)
    assert "runs already" in refused(incident, lambda: started(cast, incident))


def test_dora_needs_both_moments(cast: Any) -> None:
    incident = with_clocks(cast)
    aware, classified = NOW - timedelta(hours=22), NOW
    made = started(cast, incident, "DORA-INI", cap_at=aware)
    assert made.due_at == aware + timedelta(hours=24)
    assert set(made.anchors.values_list("anchor", "at")) == {("classified", classified), ("aware", aware)}
    swapped = {"anchor_at": aware, "cap_at": classified, "reason": "Swapped", "actor": cast.lea, "now": LATER}
    assert "comes before" in refused(incident, lambda: correct_anchor(made, **swapped))


@pytest.mark.parametrize("key", ["CIRCIA-72", "CO-205", "NY-RAISE", "GDPR-33-OMNIBUS"])
def test_what_is_not_law_cannot_be_started_either(cast: Any, key: str) -> None:
    incident = with_clocks(cast)
    IncidentClock.objects.create(incident=incident, rule=rule(key), opened_at=NOW, decides=cast.lea)
    assert "was not in force" in refused(incident, lambda: started(cast, incident, key))


def test_what_turned_out_not_to_bind_cannot_be_started(cast: Any) -> None:
    incident = with_clocks(cast)
    set_rule_applies(rule("NIS2-24"), False, reason="Too small", actor=cast.lea, now=NOW)
    assert "does not bind" in refused(incident, lambda: started(cast, incident, "NIS2-24"))


def test_an_incident_keeps_the_version_it_began_with(cast: Any) -> None:
    incident = with_clocks(cast)
    new_rule_version(rule("GDPR-33"), {"amount": 96}, reason="The law changed", actor=cast.lea, now=LATER)
    assert started(cast, incident).due_at == NOW + timedelta(hours=72)
    open_clocks(incident, LATER)
    assert incident.clocks.filter(rule__key="GDPR-33").count() == 1


def test_a_rule_without_a_number_has_no_deadline(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident, "GDPR-33-2")
    assert (made.state, made.due_at) == ("running", None)
    assert card(made, LATER).figure == "At once"


def test_a_correction_moves_the_deadline_and_keeps_what_was_said(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident)
    earlier = NOW - timedelta(hours=3)

    made = correct_anchor(made, anchor_at=earlier, reason="A mail of 07:14 shows it.", actor=cast.lea, now=LATER)

    assert (made.anchor_at, made.due_at) == (earlier, earlier + timedelta(hours=72))
    assert list(made.anchors.values_list("at", flat=True)) == [NOW, earlier]
    bodies = [json.loads(event.body) for event in AuditEvent.objects.filter(kind="clock.anchored")]
    assert [body["before"] for body in bodies if "before" in body] == [{"due": (NOW + timedelta(hours=72)).isoformat()}]
    settle()


def test_a_correction_needs_a_reason_and_somebody_who_decides(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident)
    by = {"anchor_at": NOW - timedelta(hours=1), "now": LATER}
    refused(incident, lambda: correct_anchor(made, reason="", actor=cast.lea, **by))
    refused(incident, lambda: correct_anchor(made, reason="I saw it", actor=cast.dov, **by), NotAllowed)
    waits = clock(incident, "GDPR-34")
    refused(incident, lambda: correct_anchor(waits, reason="x", actor=cast.lea, **by))


def test_not_reportable_is_signed_by_the_legal_seat(cast: Any) -> None:
    incident = with_clocks(cast)
    chosen = [clock(incident, "GDPR-33"), started(cast, incident, "GDPR-34")]

    signature = decide_not_reportable(chosen, reason="Only test data.", **signed(cast, cast.lea, LATER))

    for key in ("GDPR-33", "GDPR-34"):
        made = clock(incident, key)
        assert (made.state, made.decision, made.decided_by, made.signature_id) == (
            "not_reportable", "Only test data.", cast.lea, signature.pk,
        )  # fmt: skip
    payload = json.loads(signature.payload)
    assert [one["key"] for one in payload["rules"]] == ["GDPR-33", "GDPR-34"]
    assert (payload["reason"], payload["signer"]["capacity"]) == ("Only test data.", "General Counsel")
    assert hashlib.sha256(signature.payload.encode()).hexdigest() == signature.payload_sha256
    assert signature.statement.startswith(f"I decided that the events of {incident.code} are not reported under: GDPR")
    events = AuditEvent.objects.filter(kind="clock.not_reportable", subject_id=incident.code)
    assert json.loads(events.get().body)["after"]["clocks"] == ["GDPR-33", "GDPR-34"]


def test_nobody_else_signs_and_nothing_is_signed_unconfirmed(cast: Any) -> None:
    incident = with_clocks(cast)
    waits = [clock(incident, "GDPR-33")]
    for other in (cast.cleo, cast.mara, cast.ada, cast.dov):
        by = signed(cast, other, LATER)
        said = refused(incident, lambda by=by: decide_not_reportable(waits, reason="No", **by), NotAllowed)
        assert said == "Only Lea Abelmann signs this, for the legal seat."
    good = signed(cast, cast.lea, LATER)
    bad: list[dict[str, Any]] = [
        {"declared_true": False}, {"typed_name": "Lea"}, {"confirmation": Confirmation("", LATER)},
        {"confirmation": Confirmation("password", LATER - timedelta(minutes=6))}, {"reason": " "},
    ]  # fmt: skip
    for change in bad:
        values = {"reason": "No"} | good | change
        refused(incident, lambda values=values: decide_not_reportable(waits, **values))
    other_incident = [clock(with_clocks(cast), "GDPR-33")]
    refused(incident, lambda: decide_not_reportable(waits + other_incident, reason="No", **good))


def test_a_later_fact_makes_it_reportable_after_all(cast: Any) -> None:
    incident = with_clocks(cast)
    decide_not_reportable([clock(incident, "GDPR-33")], reason="Test data.", **signed(cast, cast.lea, LATER))
    made = started(cast, incident, reason="It was not test data.", now=LATER + timedelta(hours=1))
    assert (made.state, made.signature) == ("running", None)
    assert Signature.objects.filter(incident=incident).count() == 1


def test_a_submission_is_noted_with_its_reference(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident)
    at = NOW + timedelta(hours=20)

    made = note_submission(made, reference="BfDI-2026-0815", at=at, actor=cast.lea, now=at + timedelta(hours=1))

    assert (made.state, made.submission_ref, made.submitted_at, made.submitted_by) == (
        "submitted", "BfDI-2026-0815", at, cast.lea,
    )  # fmt: skip
    assert card(made, at).basis == "52 h 00 min before the deadline, BfDI-2026-0815"


def test_what_is_submitted_late_says_why(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident)
    at = NOW + timedelta(hours=73)
    by = {"reference": "R-1", "at": at, "actor": cast.lea, "now": at}
    assert "say why" in refused(incident, lambda: note_submission(made, **by))

    made = note_submission(made, late_reason="The scope was not known.", **by)

    assert (made.state, made.late_reason) == ("submitted_late", "The scope was not known.")
    kinds = AuditEvent.objects.filter(kind__in=["clock.submitted", "clock.missed"]).values_list("kind", flat=True)
    assert sorted(kinds) == ["clock.missed", "clock.submitted"]


def test_in_time_but_written_down_after_the_deadline_is_in_time(cast: Any) -> None:
    from apps.incidents.actions.clock_watch import mark_missed

    incident = with_clocks(cast)
    made = started(cast, incident)
    assert mark_missed(now=NOW + timedelta(hours=73)) == 1
    at = NOW + timedelta(hours=71)
    made = note_submission(made, reference="R-1", at=at, actor=cast.lea, now=NOW + timedelta(hours=74))
    assert (made.state, made.late_reason) == ("submitted", "")


def test_what_is_no_submission(cast: Any) -> None:
    incident = with_clocks(cast)
    waits, made = clock(incident, "GDPR-34"), started(cast, incident)
    by = {"reference": "R-1", "at": LATER, "actor": cast.lea, "now": LATER}
    refused(incident, lambda: note_submission(waits, **by))
    for change in ({"reference": " "}, {"at": LATER + timedelta(1)}, {"at": NOW - timedelta(1)}):
        refused(incident, lambda change=change: note_submission(made, **(by | change)))
    refused(incident, lambda: note_submission(made, **(by | {"actor": cast.ada})), NotAllowed)


def test_a_submission_starts_the_stage_after_it(cast: Any) -> None:
    incident = with_clocks(cast)
    first = started(cast, incident, "DORA-INI", cap_at=NOW)
    filed = NOW + timedelta(hours=3)

    note_submission(first, reference="D-1", at=filed, actor=cast.lea, now=filed)

    second = clock(incident, "DORA-INT")
    assert (second.state, second.anchor_at, second.due_at) == ("running", filed, filed + timedelta(hours=72))
    assert second.anchors.get().reason == "Submitted under DORA Art. 5(1)(a), reference D-1."
    again = filed + timedelta(hours=48)
    note_submission(second, reference="D-2", at=again, actor=cast.lea, now=again)
    # A month after Sun 22 Nov is Tue 22 Dec.
    assert clock(incident, "DORA-FIN").due_at == datetime(2026, 12, 22, 22, 59, 59, tzinfo=UTC)
    events = [json.loads(event.body) for event in AuditEvent.objects.filter(kind="clock.anchored")]
    assert {("cause" in event, event["after"]["clock"]) for event in events} == {
        (False, "DORA-INI"), (True, "DORA-INT"), (True, "DORA-FIN"),
    }  # fmt: skip
    settle()


def test_a_stage_without_a_number_waits_for_a_decision(cast: Any) -> None:
    incident = with_clocks(cast)
    made = started(cast, incident, "AIA-73-GEN")
    assert made.due_at == datetime(2026, 12, 7, 22, 59, 59, tzinfo=UTC)  # Sat 5 Dec moves to Mon 7 Dec
    note_submission(made, reference="M-1", at=LATER, actor=cast.lea, now=LATER)
    complete = clock(incident, "AIA-73-INIT")
    assert (complete.state, complete.due_at) == ("not_assessed", None)
    assert start_clock(complete, anchor_at=LATER, reason="It was incomplete.", actor=cast.lea, now=LATER).due_at is None


def test_a_drill_measures_the_decision_and_starts_nothing(cast: Any) -> None:
    drill = with_clocks(cast, mode="drill", exercise=a_drill(cast))
    assert keys(drill) == EXPECTED
    waits = clock(drill, "GDPR-33")
    assert "A drill starts no legal clock" in refused(drill, lambda: started(cast, drill))
    refused(drill, lambda: decide_not_reportable([waits], reason="No", **signed(cast, cast.lea, LATER)))

    decided = assess(waits, actor=cast.lea, now=LATER, decision="Reportable: letters of 61 people")

    assert (decided.state, decided.decided_at - drill.declared_at) == ("assessing", timedelta(minutes=17))
    assert all(mail.subject.startswith("DRILL: ") for mail in Message.objects.filter(key__startswith="clocks:"))


def test_a_test_gets_no_clock(cast: Any) -> None:
    assert keys(with_clocks(cast, mode="test")) == set()


def test_the_live_page_reads_the_clocks_in_few_queries(cast: Any, django_assert_num_queries: Any) -> None:
    incident = with_clocks(cast)
    started(cast, incident)
    with django_assert_num_queries(1):
        shown = board(incident, LATER)
    assert shown.cards[0].clock.rule.key == "GDPR-33"
    assert (len(shown.cards), shown.more) == (4, 16)
    first = shown.cards[0]
    assert (first.figure, first.basis, first.absolute, first.button) == (
        "71 h 43 min", "left of 72 hours, became aware Fri 20 Nov, 09:14", "Mon 23 Nov, 09:14",
        "Decide: notify or not",
    )  # fmt: skip

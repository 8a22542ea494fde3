"""What went wrong in the demo: who is reached how, three incidents that are over, one that goes on now."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.common.clock import local_date
from apps.incidents.actions.clock_rules import set_rule_applies
from apps.incidents.actions.clocks import decide_not_reportable, start_clock
from apps.incidents.actions.declare import declare
from apps.incidents.actions.first_view import note_first_view
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.inbound import add_source
from apps.incidents.actions.leads import answer_handover, ask_handover
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.preflight import run_preflight
from apps.incidents.actions.profiles import set_response_profile
from apps.incidents.actions.reviews import complete_review, save_review, skip_review
from apps.incidents.actions.runbooks import confirm_runbook, set_runbook_owner
from apps.incidents.actions.signing import Signing
from apps.incidents.actions.states import classify, close, contain, dismiss, resolve
from apps.incidents.actions.steps import agree_legal_gate, finish_step, start_step
from apps.incidents.actions.timeline import add_note, bring_in, finish_task, send_update
from apps.incidents.models import ClockRule, InboundSource, Incident, IncidentClock, IncidentStep, Review, Runbook
from apps.incidents.rules import CLOCK_OVER
from apps.incidents.rules.runbooks import needs_two
from apps.notify.actions.channels import add_channel, verify_channel
from apps.notify.models import Channel, Message
from apps.people.models import Person, Seat
from apps.people.rules import Confirmation
from apps.portal.demo.cast import FIRST_OWNER, MANDATE_HOLDER
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.registry.models import System
from apps.registry.queries import live
from apps.registry.rules import Scenario

# Who confirmed that mail reaches them; the others are a gap that the checks show.
REACHED = (
    MANDATE_HOLDER, "ingrid.castellanos", "tobias.adeyemi", "philippa.strand", "kenji.albrecht", "anselm.quist",
    "bram.osei", FIRST_OWNER, "samir.devries", "dolores.whitfield", "caspian.moreau", "yusra.hollis",
)  # fmt: skip
EMPLOYEE, COUNSEL, CISO = "tilda.ferreira", "philippa.strand", "ingrid.castellanos"
# Who confirms what one person alone may not do.
SECOND = MANDATE_HOLDER
# Who keeps the runbook of a scenario.
KEEPERS = {
    Scenario.DATA_ACCESS: CISO, Scenario.HARMFUL_DECISION: "kenji.albrecht", Scenario.COST_SPIKE: MANDATE_HOLDER,
}  # fmt: skip
# What the General Counsel has said about the rules: whether they bind this organisation, and why.
BINDING = {
    "GDPR-33": (True, "Two programmes hold records of people in the Union."),
    "GDPR-34": (True, "Two programmes hold records of people in the Union."),
    "GDPR-33-5": (True, "Two programmes hold records of people in the Union."),
    "OMB-WAIVE": (True, "Agencies report waivers to the Office of Management and Budget."),
    "SEC-105": (False, "No part of the organisation is a registrant."),
    "CO-205": (False, "Repealed."),
}
SOURCE = "Alerts of the model gateway"
STOP = {
    "stop_how": "Switch the key alias off at the gateway; whoever is on duty may do it. Then tell the owner.",
    "evidence_how": "Export 72 hours of prompts, answers and tool calls before anything is changed.",
    "vendor_channel": "The vendor's incident line, day and night: +1 202 555 0142",
    "vendor_must": "Answer within one hour; keep logs for 90 days when asked in writing.",
}


def load_reach(moments: Moments) -> bool:
    """Seats, owners and heads confirmed how they are reached. False where anybody did."""
    if Channel.objects.exists():
        return False
    people = cast()
    for place, handle in enumerate(REACHED):
        at, person = moments.working_hour(16, 11 * place), people[handle]
        channel = add_channel(person, kind="email", actor=person, now=at)
        verify_channel(channel, _code(channel), actor=person, now=at + timedelta(minutes=2))
    return True


def _code(channel: Channel) -> str:
    """The six digits of the mail that was written for it."""
    body = Message.objects.filter(recipient=channel.person, key__startswith="channel").latest("pk").body
    found = re.search(r"\b\d{6}\b", body)
    if found is None:
        raise LookupError("There is no code in the mail of a channel.")
    return found.group()


@transaction.atomic
def load_preparations(moments: Moments) -> bool:
    """Owners of runbooks, how grave systems are stopped, which rules bind. False where any runbook has an owner."""
    if Runbook.objects.filter(owner__isnull=False).exists():
        return False
    people, at = cast(), moments.working_hour(15, 30)
    for scenario, handle in KEEPERS.items():
        runbook = Runbook.objects.filter(scenario=scenario, retired_at=None).order_by("pk")[0]
        set_runbook_owner(runbook, people[handle], actor=people[MANDATE_HOLDER], now=at)
        runbook.refresh_from_db()
        confirm_runbook(runbook, note="Read against the last drill.", actor=people[handle], now=at + timedelta(hours=1))
    for system in grave(people[FIRST_OWNER])[:3]:
        tested = {
            "stop_tested_on": local_date(moments.now) - timedelta(days=33),
            "stop_holder": people["samir.devries"],
        }
        set_response_profile(system, STOP | tested, actor=people[FIRST_OWNER], now=at)
    for key, (applies, why) in BINDING.items():
        rule = ClockRule.objects.get(key=key, replaced_at=None)
        set_rule_applies(rule, applies, reason=why, actor=people[COUNSEL], now=at)
    return True


def grave(owner: Person) -> list[System]:
    """What somebody accepted, the graver first."""
    order = ["critical", "high", "medium", "low", "unknown"]
    owned = live(System.objects.filter(owner=owner, owner_basis=System.Basis.ACCEPTED)).order_by("key")
    return sorted(owned.select_related("owner", "unit"), key=lambda system: order.index(system.tier))


@transaction.atomic
def load_past(moments: Moments) -> bool:
    """Three that are over: one reviewed, one handed over and rightly not reviewed, one that was none."""
    if Incident.objects.exists():
        return False
    people = cast()
    _reviewed(people, grave(people["samir.devries"])[0], moments.working_hour(38, 70))
    _handed_over(people, grave(people["caspian.moreau"])[0], moments.working_hour(24, 200))
    _dismissed(people, grave(people["yusra.hollis"])[0], moments.working_hour(11, 35))
    return True


def _reviewed(people: dict[str, Person], system: System, at: datetime) -> None:
    incident = declare(
        title="Letters of other claimants were shown", system=system, scenario=Scenario.DATA_ACCESS,
        description="Three callers read letters that were not theirs.", actor=people[EMPLOYEE], now=at,
    )  # fmt: skip
    lead = _looked(incident, people[EMPLOYEE], at)
    incident = acknowledge(incident, actor=lead, now=at + timedelta(minutes=4))
    classify(incident, "sev2", reason="Fourteen people, no health data.", actor=lead, now=at + timedelta(minutes=11))
    _work(incident, lead, at + timedelta(minutes=15))
    contain(_now(incident), note="The index was taken offline.", actor=lead, now=at + timedelta(hours=2))
    resolve(_now(incident), resolution="The index is built per claimant again, and tested.", actor=lead,
            now=at + timedelta(hours=7))  # fmt: skip
    _nothing_to_report(incident, at + timedelta(hours=8))
    review = Review.objects.select_related("facilitator").get(incident=incident)
    then, who = at + timedelta(days=3), review.facilitator
    add_action(
        _now(incident),
        Improvement("detect", "Alert when an answer cites a claimant other than the caller.", people["samir.devries"],
                    local_date(at) + timedelta(days=50), "high"),
        actor=who, now=then,
    )  # fmt: skip
    add_action(
        _now(incident),
        Improvement("ownership", "Grant the authority to stop it: for two hours nobody had it.",
                    people["samir.devries"], local_date(at) + timedelta(days=60), "high", gap="no_authority"),
        actor=who, now=then,
    )  # fmt: skip
    save_review(
        review, actor=who, now=then, timeline_ok=True,
        summary="An index was rebuilt without the claimant's number, and letters of others were found.",
        causes="The number was optional in the new schema, and no test asked for it.",
        contributing_factors="The rebuild ran on a Friday evening, when nobody watched.",
        what_worked="The employee declared within two minutes; the lead answered within four.",
    )  # fmt: skip
    complete_review(Review.objects.get(pk=review.pk), signing=_signing(who, then), actor=who, now=then)
    close(_now(incident), actor=lead, now=then + timedelta(hours=2))


def _handed_over(people: dict[str, Person], system: System, at: datetime) -> None:
    incident = declare(
        title="Calls to the model rose ninefold overnight", system=system, scenario=Scenario.COST_SPIKE,
        description="The gateway counted 41,000 calls in six hours.", actor=people["caspian.moreau"], now=at,
        severity="sev3",
    )  # fmt: skip
    lead, to = _looked(incident, people["caspian.moreau"], at), people["anselm.quist"]
    acknowledge(incident, actor=lead, now=at + timedelta(minutes=9))
    asked = ask_handover(_now(incident), to, briefing="The key alias is capped. A retry loop is suspected.", actor=lead,
                         now=at + timedelta(minutes=50))  # fmt: skip
    answer_handover(asked, takes=True, actor=to, now=at + timedelta(minutes=58))
    _work(_now(incident), to, at + timedelta(minutes=60))
    contain(_now(incident), note="The cap holds.", actor=to, now=at + timedelta(hours=2))
    resolve(_now(incident), resolution="The retry loop backs off now.", actor=to, now=at + timedelta(hours=26))
    _nothing_to_report(incident, at + timedelta(hours=27))
    review, then, who = Review.objects.get(incident=incident), at + timedelta(days=2), people[CISO]
    skip_review(review, reason="No person and no record was affected; the cause is known.",
                signing=_signing(who, then), actor=who, now=then)  # fmt: skip
    close(_now(incident), actor=to, now=then + timedelta(hours=1))


def _dismissed(people: dict[str, Person], system: System, at: datetime) -> None:
    incident = declare(
        title="The forecast looks wrong", system=system, scenario=Scenario.QUALITY_REGRESSION, actor=people[EMPLOYEE],
        now=at,
    )  # fmt: skip
    lead = _looked(incident, people[EMPLOYEE], at)
    acknowledge(incident, actor=lead, now=at + timedelta(minutes=6))
    dismiss(_now(incident), because="false_positive", note="The chart showed the wrong week; the forecast is right.",
            actor=lead, now=at + timedelta(minutes=40))  # fmt: skip


@transaction.atomic
def load_live(moments: Moments) -> bool:
    """One goes on now: acknowledged, evidence frozen, a clock running. False where one is live already."""
    if Incident.objects.filter(mode="real", state__in=["reported", "triage", "active", "contained"]).exists():
        return False
    people, at = cast(), moments.now - timedelta(minutes=96)
    owner, counsel = people[FIRST_OWNER], people[COUNSEL]
    incident = declare(
        title="Draft letters were mailed without a clinician's yes", system=grave(owner)[0],
        scenario=Scenario.UNSAFE_ACTION, description="A caller thanked us for a letter that nobody had signed.",
        actor=people[EMPLOYEE], now=at,
    )  # fmt: skip
    _looked(incident, people[EMPLOYEE], at)
    incident = acknowledge(incident, actor=owner, now=at + timedelta(minutes=3))
    classify(incident, "sev2", reason="31 letters, no dosage in them.", actor=owner, now=at + timedelta(minutes=8))
    _work(_now(incident), owner, at + timedelta(minutes=10), upto=3)
    add_note(_now(incident), text="31 letters to 29 people, sent between 07:40 and 08:20.", kind="fact", actor=owner,
             now=at + timedelta(minutes=35))  # fmt: skip
    head = people["dolores.whitfield"]
    came = bring_in(_now(incident), head, why="Say how clinics write to patients meanwhile.", actor=owner,
                    now=at + timedelta(minutes=45))  # fmt: skip
    finish_task(came, outcome="They write by hand.", actor=head, now=at + timedelta(minutes=49))
    add_note(_now(incident), text="Letters are written by hand until the release is changed.", kind="decision",
             actor=head, now=at + timedelta(minutes=52))  # fmt: skip
    clock = incident.clocks.filter(rule__key="GDPR-33").first()
    if clock is not None:
        start_clock(clock, anchor_at=at + timedelta(minutes=41), actor=counsel, now=at + timedelta(minutes=44),
                    reason="Two of the letters reached somebody else: names and appointments.")  # fmt: skip
    send_update(_now(incident), text="The mailing is stopped. 29 people are affected; two letters went astray.",
                actor=owner, now=at + timedelta(minutes=60), next_in=timedelta(hours=4))  # fmt: skip
    # Each yes holds for an hour at this severity; then people would be called again.
    for minutes in (58, 92):
        acknowledge(_now(incident), actor=owner, now=at + timedelta(minutes=minutes))
    return True


def _looked(incident: Incident, person: Person, at: datetime) -> Person:
    """Whoever declares sees the name on the next page: how soon is measured. Returns who leads."""
    note_first_view(incident, person, at + timedelta(seconds=2))
    return incident.lead


@transaction.atomic
def load_watching(moments: Moments) -> bool:
    """What may declare by itself, and the nightly look whether calling would work. False where something may."""
    if InboundSource.objects.exists():
        return False
    people = cast()
    add_source(
        name=SOURCE, kind="alertmanager", system=grave(people[FIRST_OWNER])[0], scenario=Scenario.QUALITY_REGRESSION,
        actor=people[MANDATE_HOLDER], now=moments.working_hour(14, 20),
    )  # fmt: skip
    run_preflight(now=moments.now - timedelta(hours=2))
    return True


def _work(incident: Incident, person: Person, at: datetime, upto: int | None = None) -> None:
    """Work the steps in their order; the one after the last is under way."""
    for place, step in enumerate(_steps(incident)):
        then = at + timedelta(minutes=4 * place)
        if upto is not None and place == upto:
            start_step(step, actor=person, now=then)
            return
        if step.legal_gate:
            counsel = Seat.objects.select_related("holder").get(function_id="legal").holder
            if counsel is None:
                raise LookupError("Nobody holds the legal seat of the demo.")
            step = agree_legal_gate(step, actor=counsel, now=then)
        who = person
        if needs_two(step.phase, step.does):
            step, who = start_step(step, actor=person, now=then), cast()[SECOND if person != cast()[SECOND] else CISO]
        finish_step(step, evidence=_EVIDENCE.get(step.does, "Noted in the timeline."), actor=who, now=then)


_EVIDENCE = {
    "containment": "Key alias switched off at the gateway, change 4471.",
    "evidence_freeze": "72 h of prompts, answers and tool calls exported, 18.4 GB, SHA-256 noted.",
}


def _steps(incident: Incident) -> Iterator[IncidentStep]:
    yield from IncidentStep.objects.filter(incident=incident).select_related("incident").order_by("order")


def _nothing_to_report(incident: Incident, at: datetime) -> None:
    """The General Counsel signs once for every rule that was a candidate."""
    counsel = cast()[COUNSEL]
    clocks = IncidentClock.objects.filter(incident=incident).exclude(state__in=[state.value for state in CLOCK_OVER])
    if waiting := list(clocks.select_related("incident", "rule").order_by("pk")):
        decide_not_reportable(
            waiting, reason="No record left the organisation, and nobody's rights were at risk.", actor=counsel, now=at,
            **_ceremony(counsel, at),
        )  # fmt: skip


def _ceremony(person: Person, at: datetime) -> dict[str, Any]:
    return {
        "declared_true": True,
        "typed_name": person.display_name,
        "confirmation": Confirmation("password", at - timedelta(seconds=40)),
    }


def _signing(person: Person, at: datetime) -> Signing:
    return Signing(True, person.display_name, Confirmation("password", at - timedelta(seconds=40)))


def _now(incident: Incident) -> Incident:
    """As it is now: each verb counts its version up."""
    return Incident.objects.select_related("system", "lead").get(pk=incident.pk)

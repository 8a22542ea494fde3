"""Pages of legal clocks: those of an incident, one of them, the register of rules and the register of decisions."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock as wall
from apps.common.csv_export import csv_response
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import clock_rules as register_verbs
from apps.incidents.actions import clocks as verbs
from apps.incidents.forms.clocks import (
    AppliesForm,
    AuthorityForm,
    ContractForm,
    DrillForm,
    NotReportableForm,
    RuleForm,
    StartForm,
    SubmissionForm,
)
from apps.incidents.models import Authority, ClockRule, Incident, IncidentClock
from apps.incidents.queries import clocks as reading
from apps.incidents.queries.clock_groups import grouped
from apps.incidents.queries.incidents import find_incident
from apps.incidents.rules import ClockState, Mode
from apps.people.models import Person
from apps.people.queries import seats_of
from apps.people.requests import signed_in
from apps.people.rules import Confirmation

ROWS = 50
Forms = dict[str, forms.Form]


def _incident(request: HttpRequest, code: str) -> tuple[Person, Incident]:
    actor = signed_in(request)
    try:
        return actor, find_incident(actor, code)
    except Incident.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
def incident_clocks(request: HttpRequest, incident_code: str) -> HttpResponse:
    """Every clock of an incident. POST signs for those chosen that they are not reportable."""
    actor, incident = _incident(request, incident_code)
    now = wall.now()
    capacity = reading.signs_as(actor, now) if incident.mode == Mode.REAL else ""
    cards = reading.cards_of(incident, now)
    groups, rows = grouped(cards), [card.clock for card in cards]
    chosen = [row for row in rows if str(row.pk) in request.POST.getlist("clock")]
    form = None
    if capacity:
        form = NotReportableForm(request, actor, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if form is None:
            raise NotAllowed(f"Only {reading.who_signs(now).display_name} signs this, for the legal seat.")
        if not chosen:
            form.add_error(None, "Choose at least one duty.")
        elif form.is_valid() and _signed(form, chosen, actor):
            messages.success(request, "Signed. It stands in the register of decisions.")
            return redirect("incidents:incident_clocks", incident.code)
    context = {
        "incident": incident,
        "cards": cards,
        "groups": groups,
        "unfold": bool(chosen) or not (groups.running or groups.urgent),
        "form": form,
        "chosen": {row.pk for row in chosen},
        "capacity": capacity,
        "signs": None if capacity else reading.who_signs(now),
        "keeps": keeps_register(actor),
    }
    return render(request, "incidents/clock_list.html", context, status=422 if form and form.errors else 200)


def _signed(form: NotReportableForm, chosen: list[IncidentClock], actor: Person) -> bool:
    now = wall.now()
    try:
        verbs.decide_not_reportable(
            chosen,
            reason=form.cleaned_data["reason"],
            declared_true=form.cleaned_data["declare"],
            typed_name=form.cleaned_data["name"],
            confirmation=form.confirmation or Confirmation("", now),
            actor=actor,
            now=now,
        )
    except Refused as error:
        form.add_error(None, str(error))
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def incident_clock(request: HttpRequest, incident_code: str, clock_id: int) -> HttpResponse:
    """One clock: what starts it, when it ends and why, who decides; and what can be done about it."""
    actor = signed_in(request)
    try:
        found = reading.find_clock(actor, incident_code, clock_id)
    except IncidentClock.DoesNotExist as error:
        raise Http404 from error
    wants = request.POST.get("do", "") if request.method == "POST" else ""
    available = _forms(request, found, actor, wants)
    failed = None
    if request.method == "POST":
        if wants not in available:
            raise NotAllowed(f"You may see this, but {found.decides.display_name} decides.")
        failed = available[wants]
        if failed.is_valid() and _done(wants, failed, found, actor):
            messages.success(request, _SAID[wants])
            return redirect("incidents:incident_clock", incident_code, clock_id)
    return render(
        request,
        "incidents/clock.html",
        _clock_context(found, actor, available, failed),
        status=422 if failed is not None else 200,
    )


_SAID = {
    "assess": "You look at it. Others see that.",
    "rehearse": "Noted, with the time it took.",
    "start": "The clock runs.",
    "correct": "The start is corrected. What was said before stays on record.",
    "submit": "Noted. Govportal has filed nothing.",
    "sign": "Signed. It stands in the register of decisions.",
}


def _forms(request: HttpRequest, found: IncidentClock, actor: Person, wants: str) -> Forms:
    """What the reader can do about the clock now, by name; the one that is posted is bound."""
    now = wall.now()
    decides = reading.may_decide(found, actor, now)
    starts = decides or reading.may_start(found, actor, now)
    drill, state = found.incident.mode != Mode.REAL, found.state
    waits, runs = state in verbs.WAITS, state in verbs.RUNS
    stage = found.rule.anchor == "prev_submission" and found.rule.amount is not None
    made: dict[str, tuple[bool, Callable[[Any], forms.Form]]] = {
        "assess": (starts and state == ClockState.NOT_ASSESSED and not drill, lambda data: forms.Form(data)),
        "rehearse": (starts and drill and waits and not found.decision, lambda data: DrillForm(data)),
        "start": (
            starts and not drill and not stage and (waits or state == ClockState.NOT_REPORTABLE),
            lambda data: StartForm(data, clock=found, auto_id="start_%s"),
        ),
        "submit": (
            decides and runs,
            lambda data: SubmissionForm(data, clock=found, auto_id="submit_%s"),
        ),
        "correct": (decides and runs, lambda data: StartForm(data, clock=found, auto_id="correct_%s")),
        "sign": (
            not drill and (waits or runs) and bool(reading.signs_as(actor, now)),
            lambda data: NotReportableForm(request, actor, data),
        ),
    }
    return {name: make(request.POST if name == wants else None) for name, (can, make) in made.items() if can}


def _done(wants: str, form: forms.Form, found: IncidentClock, actor: Person) -> bool:
    given = form.cleaned_data
    by: dict[str, Any] = {"actor": actor, "now": wall.now()}
    try:
        if wants == "sign" and isinstance(form, NotReportableForm):
            return _signed(form, [found], actor)
        if wants == "start":
            verbs.start_clock(found, **given, **by)
        elif wants == "correct":
            verbs.correct_anchor(found, **given, **by)
        elif wants == "submit":
            verbs.note_submission(found, **given, **by)
        else:
            verbs.assess(found, decision=given.get("decision", ""), **by)
    except Refused as error:
        form.add_error(None, str(error))
        return False
    return True


def _clock_context(found: IncidentClock, actor: Person, available: Forms, failed: forms.Form | None) -> dict[str, Any]:
    now = wall.now()
    return {
        "clock": found,
        "rule": found.rule,
        "incident": found.incident,
        "card": reading.card(found, now),
        "deadline": reading.deadline_of(found),
        "if_started": reading.if_since(found.rule, found.incident.declared_at),
        "anchors": found.anchors.select_related("said_by").order_by("-pk"),
        "authorities": Authority.objects.filter(rule_key=found.rule.key),
        "forms": available,
        "failed": failed,
        "is_drill": found.incident.mode != Mode.REAL,
        "signs": reading.who_signs(now),
    }


def keeps_register(actor: Person) -> bool:
    """Whether somebody keeps the register of rules: the legal seat, or who manages incidents."""
    return may(actor, Permission.INCIDENTS_MANAGE) or reading.LEGAL in seats_of(actor)


@require_safe
def clock_rules(request: HttpRequest) -> HttpResponse:
    """The register of rules: what the law asks, whether it binds, what was verified when."""
    actor = signed_in(request)
    wanted = request.GET.get("status", "")
    rules = list(reading.register_of_rules())
    shown = [rule for rule in rules if _fits(rule, wanted)]
    today = wall.local_date(wall.now())
    context = {
        "rules": shown,
        "total": len(rules),
        "wanted": wanted,
        "filters": [(value, words, sum(_fits(rule, value) for rule in rules)) for value, words in _FILTERS],
        "signs": reading.who_signs(wall.now()),
        "unsaid": sum(rule.applies is None and rule.status in ("in_force", "contested") for rule in rules),
        "keeps": keeps_register(actor),
        "begun": [rule for rule in rules if rule.status == "enacted" and rule.valid_from and rule.valid_from <= today],
    }
    return render(request, "incidents/clock_rules.html", context)


_FILTERS = (
    ("", "All"), ("law", "Law today"), ("unsaid", "Nobody has said"), ("binds", "Binds us"),
    ("enacted", "Enacted, later"), ("proposed", "Proposed"), ("repealed", "Repealed"),
)  # fmt: skip


def _fits(rule: ClockRule, wanted: str) -> bool:
    law = rule.status in ("in_force", "contested")
    found = {"": True, "law": law, "unsaid": law and rule.applies is None, "binds": rule.applies is True}
    return found.get(wanted, rule.status == wanted)


def _rule(key: str) -> ClockRule:
    try:
        return reading.rules_in_use().get(key=key)
    except ClockRule.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
def clock_rule(request: HttpRequest, rule_key: str) -> HttpResponse:
    """One rule with its versions. POST says whether it binds, or fills in an authority."""
    actor, rule = signed_in(request), _rule(rule_key)
    keeps, wants = keeps_register(actor), request.POST.get("do", "")
    applies = AppliesForm(request.POST if wants == "applies" else None)
    authority = AuthorityForm(request.POST if wants == "authority" else None)
    failed = None
    if request.method == "POST":
        register_verbs.require_keeper(actor)
        failed = authority if wants == "authority" else applies
        if failed.is_valid() and _kept(failed, rule, actor):
            messages.success(request, "Saved.")
            return redirect("incidents:clock_rule", rule.key)
    context = {
        "rule": rule,
        "keeps": keeps,
        "applies": applies,
        "authority": authority,
        "failed": failed,
        "authorities": Authority.objects.filter(rule_key=rule.key).select_related("set_by"),
        "versions": ClockRule.objects.filter(key=rule.key).select_related("set_by").order_by("-version"),
        "starts": reading.rules_in_use().filter(anchor="prev_submission", after__contains=rule.key),
        "example": reading.if_since(rule, wall.now()),
        "calendar": reading.calendar_words(rule.calendar),
    }
    return render(request, "incidents/clock_rule.html", context, status=422 if failed is not None else 200)


def _kept(form: forms.Form, rule: ClockRule, actor: Person) -> bool:
    given = form.cleaned_data
    by: dict[str, Any] = {"actor": actor, "now": wall.now()}
    try:
        if isinstance(form, AppliesForm):
            register_verbs.set_rule_applies(rule, form.answer(), reason=given["applies_because"], **by)
        else:
            register_verbs.set_authority(
                rule, name=given["name"], portal=given["portal"], contact=given["contact"],
                note=given["authority_note"], **by,
            )  # fmt: skip
    except (Refused, ValidationError) as error:
        form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def clock_rule_edit(request: HttpRequest, rule_key: str) -> HttpResponse:
    """A new version of a rule."""
    actor, rule = signed_in(request), _rule(rule_key)
    register_verbs.require_keeper(actor)
    form = RuleForm(request.POST if request.method == "POST" else None, instance=_rule(rule_key))
    if form.is_valid():
        changes = {name: form.cleaned_data[name] for name in RuleForm.Meta.fields}
        try:
            made = register_verbs.new_rule_version(
                rule, changes, reason=form.cleaned_data["why"], actor=actor, now=wall.now()
            )
        except (Refused, ValidationError) as error:
            form.add_error(None, _general(error))
        else:
            messages.success(request, f"Version {made.version} is in use. Incidents keep the one they began with.")
            return redirect("incidents:clock_rule", rule.key)
    context = {"rule": rule, "form": form}
    return render(request, "incidents/clock_rule_edit.html", context, status=422 if form.errors else 200)


def _general(error: Exception) -> Any:
    return error.messages if isinstance(error, ValidationError) else str(error)


@require_http_methods(["GET", "HEAD", "POST"])
def clock_contract(request: HttpRequest) -> HttpResponse:
    """A contract that asks for notice, as a rule of its own."""
    actor = signed_in(request)
    register_verbs.require_keeper(actor)
    form = ContractForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = register_verbs.add_contract_rule(actor=actor, now=wall.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            form.add_error(None, _general(error))
        else:
            messages.success(request, f"Added. {made.law} is looked at in every incident from now on.")
            return redirect("incidents:clock_rule", made.key)
    return render(request, "incidents/clock_contract.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def clock_register(request: HttpRequest) -> HttpResponse:
    """Every decision whether to report, also those not to: the record that GDPR Art. 33(5) asks for."""
    actor = signed_in(request)
    rows = _asked(request, actor)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    groups = [list(rows) for _, rows in groupby(page.object_list, _signed_together)]
    context = {"page": page, "groups": groups, "asked": _state(request), "states": _STATES, "now": wall.now()}
    return render(request, "incidents/clock_register.html", context)


def _signed_together(row: IncidentClock) -> tuple[int, int, int]:
    """What one signature decided stands in one row of the register; anything else by itself."""
    return row.incident_id, row.signature_id or 0, 0 if row.signature_id else row.pk


_STATES = (
    ("", "Decided"), ("not_reportable", "Not reported"), ("submitted", "Submitted"), ("open", "Not decided"),
    ("all", "All"),
)  # fmt: skip
_DECIDED = ("not_reportable", "submitted", "submitted_late")


def _state(request: HttpRequest) -> str:
    return request.GET.get("state", "")


def _asked(request: HttpRequest, actor: Person) -> Any:
    rows, wanted = reading.decisions(actor), _state(request)
    if wanted == "all":
        return rows
    if wanted == "open":
        # Of what was none, or goes on elsewhere, only a clock that runs is still to be decided.
        return rows.exclude(state__in=_DECIDED).exclude(state__in=verbs.WAITS, incident__state__in=reading.NONE)
    states = {"not_reportable": _DECIDED[:1], "submitted": _DECIDED[1:]}.get(wanted, _DECIDED)
    return rows.filter(state__in=states)


CSV_HEADER = (
    "incident", "system", "law", "title", "version", "state", "opened", "started", "due", "decision", "decided by",
    "decided at", "signature sha256", "submitted at", "reference", "submitted by", "late because",
)  # fmt: skip


@require_safe
def clock_register_csv(request: HttpRequest) -> HttpResponseBase:
    """The register as CSV, filters included."""
    return csv_response("reporting-decisions.csv", CSV_HEADER, _csv_rows(_asked(request, signed_in(request))))


def _csv_rows(rows: Any) -> Iterator[list[object]]:
    for row in rows.iterator(chunk_size=500):
        yield [
            row.incident.code, row.incident.place, row.rule.law, row.rule.title, row.rule.version,
            row.get_state_display(), _iso(row.opened_at), _iso(row.anchor_at), _iso(row.due_at), row.decision,
            row.decided_by.display_name if row.decided_by else "", _iso(row.decided_at),
            row.signature.payload_sha256 if row.signature else "", _iso(row.submitted_at), row.submission_ref,
            row.submitted_by.display_name if row.submitted_by else "", row.late_reason,
        ]  # fmt: skip


def _iso(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""

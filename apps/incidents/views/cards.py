"""Pages of who responds: rules, and what a responder has to know of one system."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.clock import day_words
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.card_export import export_cards, may_export, zip_of
from apps.incidents.actions.profiles import FIELDS, may_set_profile, set_response_profile
from apps.incidents.actions.rules import WHO_MAY, end_response_rule, set_response_rule
from apps.incidents.forms.cards import EndForm, ProfileForm, RuleForm
from apps.incidents.models import ResponseProfile
from apps.incidents.queries.cards import Card, card_of
from apps.incidents.queries.page import live_one
from apps.incidents.queries.reviews import ownership_gaps
from apps.incidents.queries.rules import in_force, preview_of, scope_words, visible_rules
from apps.incidents.queries.runbooks import SCENARIO_WORDS, any_or_words
from apps.incidents.rules import FROM_SEVERITY, MANDATORY
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.models import System
from apps.registry.queries import find_system

ROWS = 25
READS_AND_WRITES = ["GET", "HEAD", "POST"]


def add_errors(form: forms.Form, error: Refused | ValidationError) -> None:
    """Show what a verb says at the field that it is about, where the form has it, else above the form."""
    if isinstance(error, Refused):
        form.add_error(None, str(error))
        return
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, said in by_field.items():
        form.add_error(name if name in form.fields else None, said)


def _managing(request: HttpRequest) -> Person:
    actor = signed_in(request)
    if not may(actor, Permission.INCIDENTS_MANAGE):
        raise NotAllowed(f"You may read the rules, but only {WHO_MAY} change them.")
    return actor


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Rules in force, and those that ended with `?ended=1`."""
    reader, ended = signed_in(request), "ended" in request.GET
    rows = visible_rules(reader).exclude(valid_to=None).order_by("-valid_to", "-pk") if ended else in_force(reader)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    lines = [{"rule": rule, "scope": scope_words(rule), "scenario": any_or_words(rule.scenario)} for rule in page]
    context = {"page": page, "rows": lines, "ended": ended, "manages": may(reader, Permission.INCIDENTS_MANAGE)}
    context["exports"] = may_export(reader)
    return render(request, "incidents/card_rules.html", context)


@require_http_methods(READS_AND_WRITES)
def export(request: HttpRequest) -> HttpResponse | FileResponse:
    """What is kept for when the portal is down; a POST makes it anew and hands it over."""
    actor = signed_in(request)
    if not may_export(actor):
        raise NotAllowed("Only those who read every system and manage incidents export who responds.")
    if request.method != "POST":
        return render(request, "incidents/card_export.html")
    now = clock.now()
    with TemporaryDirectory() as place:
        folder = Path(place)
        export_cards(folder, actor=actor, now=now)
        zip_of(folder, folder / "cards.zip")
        # Opened here, so that its bytes outlast the folder.
        content = (folder / "cards.zip").open("rb")
    return FileResponse(content, as_attachment=True, filename=f"who-responds-{clock.local_date(now):%Y-%m-%d}.zip")


@require_http_methods(READS_AND_WRITES)
def new_rule(request: HttpRequest) -> HttpResponse:
    """Set a rule in two steps: first what it would change is shown, then it is set."""
    actor = _managing(request)
    first = {"system": request.GET.get("system", "")[:80], "scenario": request.GET.get("scenario", "")[:20]}
    form = RuleForm(request.POST if request.method == "POST" else None, actor=actor, initial=first)
    preview = None
    if form.is_valid():
        try:
            if "confirmed" in request.POST:
                return _set(request, form, actor)
            preview = preview_of(form.rule(), actor=actor, now=clock.now())
        except (Refused, ValidationError) as error:
            add_errors(form, error)
    context = {
        "form": form,
        "preview": preview,
        "shown": preview.rows[:20] if preview else (),
        "severity": FROM_SEVERITY.get(form.cleaned_data["min_severity"], "") if preview else "",
    }
    return render(request, "incidents/card_rule_new.html", context, status=422 if form.errors else 200)


def _set(request: HttpRequest, form: RuleForm, actor: Person) -> HttpResponse:
    rule = set_response_rule(form.rule(), actor=actor, now=clock.now())
    messages.success(request, f"The rule is set for {scope_words(rule)}.")
    return redirect("incidents:rules")


@require_http_methods(READS_AND_WRITES)
def end_rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """End a rule, with a reason."""
    reader = signed_in(request)
    rule = visible_rules(reader).filter(pk=rule_id).first()
    if rule is None:
        raise Http404
    actor = _managing(request)
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            end_response_rule(rule, actor=actor, now=clock.now(), **form.cleaned_data)
        except Refused as error:
            add_errors(form, error)
        else:
            messages.success(request, "The rule has ended. The next one that fits leads, else the matrix.")
            return redirect("incidents:rules")
    context = {"form": form, "rule": rule, "scope": scope_words(rule), "scenario": any_or_words(rule.scenario)}
    return render(request, "incidents/card_rule_end.html", context, status=422 if form.errors else 200)


def _system(reader: Person, key: str) -> System:
    try:
        return find_system(reader, key)
    except System.DoesNotExist as error:
        raise Http404 from error


@require_safe
def system_response(request: HttpRequest, key: str) -> HttpResponse:
    """Who responds for one system in each scenario, how it is stopped, and where its vendor is reached."""
    reader, now = signed_in(request), clock.now()
    system = _system(reader, key)
    cards = [card_of(system, scenario, now) for scenario in ("", *MANDATORY)] if system.is_live else []
    shown = [_line(card) for card in cards if card is not None]
    context = {
        "system": system,
        "live": live_one(reader, system, now),
        "lines": shown,
        "card": next((card for card in cards if card is not None), None),
        "gaps": ownership_gaps(system),
        "rules": [
            {"rule": rule, "scenario": any_or_words(rule.scenario)} for rule in in_force(reader).filter(system=system)
        ],
        "edits": may_set_profile(reader, system),
        "manages": may(reader, Permission.INCIDENTS_MANAGE),
    }
    return render(request, "incidents/card_system.html", context)


def _line(card: Card) -> dict[str, Any]:
    why = {
        "rule": "By a rule", "matrix": "By the matrix", "owner": "Owner", "interim": "Interim owner",
        "acting": "Acts for the owner", "mandate": "Holds the governance mandate",
    }  # fmt: skip
    words = SCENARIO_WORDS[card.scenario] if card.scenario else "Not sure"
    return {"card": card, "scenario": words, "why": why.get(card.basis, "Interim owner")}


@require_http_methods(READS_AND_WRITES)
def profile(request: HttpRequest, key: str) -> HttpResponse:
    """Change what a responder has to know of one system."""
    actor = signed_in(request)
    system = _system(actor, key)
    if not may_set_profile(actor, system):
        raise NotAllowed("You may read this, but only its owner and those who manage incidents change it.")
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=_initial(system))
    if form.is_valid():
        try:
            set_response_profile(system, form.cleaned_data, actor=actor, now=clock.now())
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, "Saved. It stands on the response card at once.")
            return redirect("incidents:system_response", key=system.key)
    context = {"form": form, "system": system}
    return render(request, "incidents/card_profile.html", context, status=422 if form.errors else 200)


def _initial(system: System) -> dict[str, Any]:
    known = ResponseProfile.objects.select_related("stop_holder").filter(system=system).first()
    if known is None:
        return {}
    values: dict[str, Any] = {name: getattr(known, name) for name in FIELDS}
    return values | {"stop_tested_on": day_words(known.stop_tested_on) if known.stop_tested_on else ""}


def declare_address(card: Card) -> str:
    """Where an incident of this card is declared; empty while nobody serves that address."""
    try:
        address = reverse("incidents:declare")
    except NoReverseMatch:
        return ""
    return f"{address}?system={card.key}" + (f"&scenario={card.scenario}" if card.scenario else "")

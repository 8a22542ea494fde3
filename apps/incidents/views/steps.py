"""Working on a pinned step of an incident: its page, and what is posted from there and from the incident's page."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import steps as verbs
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.actions.runbooks import add_runbook_steps
from apps.incidents.forms.runbooks import ReasonForm, WorkForm
from apps.incidents.models import Incident, IncidentStep
from apps.incidents.queries.incidents import find_incident
from apps.incidents.queries.runbooks import SCENARIO_WORDS
from apps.incidents.queries.steps import steps_of_incident
from apps.people.models import Person
from apps.people.requests import signed_in

_SAID = {
    "start": "Step {order} is yours.",
    "finish": "Step {order} is done.",
    "skip": "Step {order} is left out.",
    "block": "Step {order} is blocked. Everybody who takes part sees why.",
    "unblock": "Step {order} goes on.",
    "agree": "You agreed to step {order}.",
}


def _found(request: HttpRequest, code: str) -> tuple[Person, Incident]:
    person = signed_in(request)
    try:
        return person, find_incident(person, code)
    except Incident.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, incident_code: str, order: int) -> HttpResponse:
    """One step: what to do, who does it, and what can be said about it."""
    person, incident = _found(request, incident_code)
    try:
        found = IncidentStep.objects.select_related("incident__system", "incident__lead").get(
            incident=incident, order=order
        )
    except IncidentStep.DoesNotExist as error:
        raise Http404 from error
    form = WorkForm(request.POST if request.method == "POST" else None)
    problem, status = "", 200
    if form.is_bound:
        if not form.is_valid():
            problem, status = str(next(iter(form.errors.values()))[0]), 422
        else:
            try:
                _act(found, form.cleaned_data, person)
            except MeanwhileChanged as error:
                problem, status = str(error), 409
            except Refused as error:
                problem, status = str(error), 422
            else:
                messages.success(request, _SAID[form.cleaned_data["do"]].format(order=order))
                return redirect(f"{incident.path}#step-{order}")
    return _page(request, incident, order, person, form, problem, status)


def _act(found: IncidentStep, data: dict[str, Any], actor: Person) -> None:
    now, seen = clock.now(), data["seen"]
    acts: dict[str, Callable[[], object]] = {
        "start": lambda: verbs.start_step(found, actor=actor, now=now, seen=seen),
        "finish": lambda: verbs.finish_step(found, evidence=data["evidence"], actor=actor, now=now, seen=seen),
        "skip": lambda: verbs.skip_step(found, reason=data["reason"], actor=actor, now=now, seen=seen),
        "block": lambda: verbs.block_step(found, reason=data["reason"], actor=actor, now=now, seen=seen),
        "unblock": lambda: verbs.unblock_step(found, actor=actor, now=now, seen=seen),
        "agree": lambda: verbs.agree_legal_gate(found, note=data["note"], actor=actor, now=now),
    }
    acts[data["do"]]()


def _page(
    request: HttpRequest, incident: Incident, order: int, person: Person, form: WorkForm, problem: str, status: int
) -> HttpResponse:
    steps = steps_of_incident(incident, person, clock.now())
    line = next((one for one in steps.lines if one.step.order == order), None)
    if line is None:
        raise Http404
    context = {"incident": incident, "steps": steps, "line": line, "form": form, "problem": problem}
    return render(request, "incidents/step.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def freeze_waiver(request: HttpRequest, incident_code: str) -> HttpResponse:
    """Say that no evidence is frozen here, and why: for who speaks for Legal or Security."""
    person, incident = _found(request, incident_code)
    if not steps_of_incident(incident, person, clock.now()).may_waive:
        raise NotAllowed(
            "You may read this, but only the General Counsel or the CISO, who does not lead, waives freezing the "
            "evidence, and only while it is not frozen."
        )
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            verbs.waive_evidence_freeze(incident, reason=form.cleaned_data["reason"], actor=person, now=clock.now())
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Freezing the evidence is waived. Your reason stands in the timeline.")
            return redirect(incident.path)
    context = {"incident": incident, "form": form}
    return render(request, "incidents/freeze_waiver.html", context, status=422 if form.errors else 200)


@require_POST
def steps_add(request: HttpRequest, incident_code: str) -> HttpResponse:
    """Add what the runbook of a scenario has beyond the steps that are pinned."""
    person, incident = _found(request, incident_code)
    scenario = request.POST.get("scenario", incident.scenario)
    if scenario not in SCENARIO_WORDS:
        raise Http404
    try:
        count = add_runbook_steps(incident, scenario=scenario, actor=person, now=clock.now())
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{count} steps were added to the runbook.")
    return redirect(f"{incident.path}#runbook")

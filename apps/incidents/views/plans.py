"""Pages of escalation plans, and of whether calling would work."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.plans import PlanChanged, end_plan, set_plan
from apps.incidents.forms.plans import EndPlanForm, PlanForm
from apps.incidents.models import EscalationPlan
from apps.incidents.queries.paging import database_now
from apps.incidents.queries.plans import Preview, choosable_systems, plan_of, plans_in_force, preview, scope_words
from apps.incidents.queries.preflight import causes, counts, sees_to_it
from apps.incidents.queries.runbooks import any_or_words
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.queries.succession import mandate_holder

ROWS = 25
WHO_MAY = "seat holders, administrators and the person who holds the mandate"


def _managing(request: HttpRequest) -> Person:
    actor = signed_in(request)
    if not may(actor, Permission.INCIDENTS_MANAGE):
        raise NotAllowed(f"You may read the plans, but only {WHO_MAY} change them.")
    return actor


def _row(actor: Person, plan_id: int) -> EscalationPlan:
    row = plans_in_force(actor).filter(pk=plan_id).first()
    if row is None:
        raise Http404
    return row


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """Every plan in force, each in words."""
    reader, now = signed_in(request), database_now()
    page = Paginator(plans_in_force(reader), ROWS).get_page(request.GET.get("page"))
    rows = [
        {
            "plan": row, "scope": scope_words(row), "scenario": any_or_words(row.scenario),
            "said": preview(plan_of(row), system=None, scenario=row.scenario, now=now),
        }
        for row in page
    ]  # fmt: skip
    manages, reads = may(reader, Permission.INCIDENTS_MANAGE), may(reader, Permission.INCIDENTS_READ_ALL)
    return render(request, "incidents/plans.html", {"page": page, "rows": rows, "manages": manages, "reads": reads})


@require_safe
def plan(request: HttpRequest, plan_id: int) -> HttpResponse:
    """One plan in words; with `?system=` who each step calls today."""
    reader = signed_in(request)
    row = _row(reader, plan_id)
    key = request.GET.get("system", "").strip()[:80]
    system = choosable_systems(reader).filter(key__iexact=key).first() if key else row.system
    said = preview(plan_of(row), system=system, scenario=row.scenario, now=database_now())
    context = {
        "plan": row, "scope": scope_words(row), "scenario": any_or_words(row.scenario), "said": said,
        "key": key, "unknown": bool(key) and system is None, "manages": may(reader, Permission.INCIDENTS_MANAGE),
    }  # fmt: skip
    return render(request, "incidents/plan.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def plan_new(request: HttpRequest) -> HttpResponse:
    """Set a plan for a scope that has none: first it is shown in words, then it is set."""
    actor = _managing(request)
    form = PlanForm(request.POST if request.method == "POST" else None, actor=actor)
    return _edit(request, form, actor, None)


@require_http_methods(["GET", "HEAD", "POST"])
def plan_edit(request: HttpRequest, plan_id: int) -> HttpResponse:
    """Set another plan in the place of one: first it is shown in words, then it is set."""
    row = _row(signed_in(request), plan_id)
    actor = _managing(request)
    first = {"name": row.name, "repeat": row.repeat}
    form = PlanForm(request.POST if request.method == "POST" else None, actor=actor, row=row, initial=first)
    return _edit(request, form, actor, row)


def _edit(request: HttpRequest, form: PlanForm, actor: Person, row: EscalationPlan | None) -> HttpResponse:
    said, status = None, 200
    if form.is_valid():
        said = _said(form, row)
        try:
            if "confirmed" in request.POST and not said.blocks:
                return _set(request, form, actor, row)
        except PlanChanged as error:
            form.add_error(None, str(error))
            status = 409
        except (Refused, ValidationError) as error:
            form.add_error(None, error.messages if isinstance(error, ValidationError) else str(error))
        for problem in said.problems if said.blocks else []:
            if problem.blocks:
                form.add_error(None, problem.words)
    status = status if status != 200 else 422 if form.errors else 200
    return render(request, "incidents/plan_edit.html", {"form": form, "said": said, "plan": row}, status=status)


def _said(form: PlanForm, row: EscalationPlan | None) -> Preview:
    data = form.cleaned_data
    system = data.get("try_on") or (row.system if row else data.get("system"))
    scenario = row.scenario if row else data.get("scenario", "")
    return preview(form.plan(), system=system, scenario=scenario, now=database_now())


def _set(request: HttpRequest, form: PlanForm, actor: Person, row: EscalationPlan | None) -> HttpResponse:
    data = form.cleaned_data
    scope = {"scenario": row.scenario, "system": row.system, "unit": row.unit} if row else {
        "scenario": data["scenario"], "system": data["system"], "unit": data["unit"],
    }  # fmt: skip
    made = set_plan(
        form.plan(), actor=actor, now=database_now(), reason=data["reason"], replaces=row, **scope
    )  # fmt: skip
    messages.success(request, "The plan is set. What is being called already keeps its own.")
    return redirect("incidents:plan", plan_id=made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def plan_end(request: HttpRequest, plan_id: int) -> HttpResponse:
    """End a plan, with a reason: the one of the scope above stands from then on."""
    row = _row(signed_in(request), plan_id)
    actor = _managing(request)
    form = EndPlanForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            end_plan(row, actor=actor, now=database_now(), **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The plan has ended. The next one that fits stands.")
            return redirect("incidents:plans")
    context = {"form": form, "plan": row, "scope": scope_words(row)}
    return render(request, "incidents/plan_end.html", context, status=422 if form.errors else 200)


@require_safe
def preflight(request: HttpRequest) -> HttpResponse:
    """Whether calling would work tonight: counts, and each cause once, however many systems it concerns."""
    reader = signed_in(request)
    if not may(reader, Permission.INCIDENTS_READ_ALL):
        raise NotAllowed("This page is for seat holders, auditors, the board and the person who holds the mandate.")
    page = Paginator(causes(), ROWS).get_page(request.GET.get("page"))
    holder = mandate_holder()
    rows = [(cause, sees_to_it(cause, holder) if holder else None) for cause in page]
    return render(request, "incidents/plan_preflight.html", {"counts": counts(), "page": page, "rows": rows})

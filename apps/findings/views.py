"""Pages of findings: the list, one finding with everything that can be done about it, reporting one."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.common import clock
from apps.common.clock import local_date
from apps.common.csv_export import csv_response
from apps.common.dates import day_words
from apps.common.errors import Refused
from apps.findings import actions
from apps.findings.desk import Desk
from apps.findings.forms import AcceptForm, AssignForm, CompleteForm, PlanForm, ReasonForm, ReportForm, VerdictForm
from apps.findings.queries import Tab, reads_all
from apps.findings.queries.listing import (
    CSV_HEADER,
    Filters,
    checks,
    csv_rows,
    listed,
    person_words,
    row_of,
    tabs,
    with_next,
)
from apps.findings.rules import SEVERITIES, SEVERITY_WORDS
from apps.people.requests import signed_in
from apps.registry.models import Unit
from apps.registry.queries.succession import interim_for, mandate_holder

ROWS = 25


@require_safe
def findings(request: HttpRequest) -> HttpResponse:
    """What should not be so, in tabs: mine, overdue, all, accepted risks, closed."""
    actor, today = signed_in(request), local_date(clock.now())
    lines = tabs(actor, today)
    tab, filters = _tab(request, lines[0].count), Filters.read(request.GET)
    page = Paginator(with_next(listed(actor, tab, filters, today)), ROWS).get_page(request.GET.get("page"))
    reads = reads_all(actor)
    context = {
        "tabs": lines,
        "tab": tab,
        "page": page,
        "rows": [row_of(finding, actor, today) for finding in page],
        "filters": filters,
        "chips": _chips(tab, filters),
        "query": urlencode({"tab": tab.value, **filters.asked}),
        "severities": [(severity.value, SEVERITY_WORDS[severity]) for severity in SEVERITIES],
        "checks": checks(actor),
        "units": Unit.objects.only("pk", "name") if reads else [],
        "reads_all": reads,
        "overdue": lines[1].count,
        "open": lines[2].count,
        "today": today,
    }
    return render(request, "findings/findings.html", context)


def _tab(request: HttpRequest, mine: int) -> Tab:
    """The tab that is asked for; without one what waits for the reader, or everything where nothing does."""
    try:
        return Tab(request.GET.get("tab", ""))
    except ValueError:
        return Tab.MINE if mine else Tab.ALL


def _chips(tab: Tab, filters: Filters) -> list[dict[str, str]]:
    chips = []
    for name, value in filters.asked.items():
        rest = {key: kept for key, kept in filters.asked.items() if key != name}
        chips.append(
            {"field": name.capitalize(), "value": _shown(name, value), "without": urlencode({"tab": tab, **rest})}
        )
    return chips


def _shown(name: str, value: str) -> str:
    if name == "unit":
        return Unit.objects.filter(pk=value).values_list("name", flat=True).first() or value
    if name == "person":
        return person_words(value)
    return value.capitalize() if name == "severity" else value


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """What the list shows, filters included, as CSV."""
    actor, today = signed_in(request), local_date(clock.now())
    tab = _tab(request, 0)
    rows = csv_rows(listed(actor, tab, Filters.read(request.GET), today))
    return csv_response(f"findings-{tab}.csv", CSV_HEADER, rows)


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    """Report something that should not be so. Everybody may."""
    actor = signed_in(request)
    initial = {"system": request.GET.get("system", "")[:80]}
    form = ReportForm(request.POST if request.method == "POST" else None, actor=actor, initial=initial)
    if form.is_valid():
        try:
            raised = actions.raise_finding(actor=actor, now=clock.now(), **_reported(form.cleaned_data))
        except Refused as error:
            form.add_error(None, str(error))
        else:
            said = f"Reported. {raised.person.display_name} puts it right by {day_words(raised.due_on)}."
            messages.success(request, said)
            return redirect("findings:finding", raised.pk)
    return render(request, "findings/report.html", {"form": form}, status=422 if form.errors else 200)


def _reported(data: dict[str, Any]) -> dict[str, Any]:
    """The form's values with who puts it right where nobody was named: whoever answers there.

    Raises Refused before the first start, when nobody does.
    """
    person = data["person"]
    if person is None and data["system"] is not None:
        person = data["system"].owner
    if person is None and data["unit"] is not None:
        person = interim_for(data["unit"], now=clock.now())[0]
    person = person or mandate_holder()
    if person is None:
        raise Refused("Nobody holds the governance mandate yet. Name who puts it right.")
    return data | {"person": person}


@require_safe
def finding(request: HttpRequest, finding_id: int) -> HttpResponse:
    """One finding: who puts it right by when, what is done, what was decided, and what the reader may do."""
    return Desk(request, finding_id).render()


@require_POST
def assign(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Somebody else puts it right."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "assign",
        AssignForm,
        desk.rights.assign,
        lambda data: actions.assign(desk.finding, actor=desk.actor, now=desk.now, **data),
        "Assigned. The person is told by mail.",
    )


@require_POST
def plan(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Plan an action."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "plan",
        PlanForm,
        desk.rights.plan,
        lambda data: actions.plan_action(desk.finding, actor=desk.actor, now=desk.now, **data),
        "The action is planned.",
    )


@require_POST
def accept(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Accept the risk until a day. Who has the authority is the verb's to say: it names them."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "accept",
        AcceptForm,
        desk.rights.authority is not None,
        lambda data: actions.accept_risk(desk.finding, actor=desk.actor, now=desk.now, **data),
        "The risk is accepted. The finding waits again when the acceptance ends.",
        refusal=desk.rights.who_accepts,
    )


@require_POST
def withdraw(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Accept the risk no longer."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "withdraw",
        ReasonForm,
        desk.rights.may_withdraw,
        lambda data: actions.withdraw_acceptance(desk.finding, actor=desk.actor, now=desk.now, **data),
        "The risk is not accepted any more. The finding waits again.",
    )


@require_POST
def reopen(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Open a closed finding again."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "reopen",
        ReasonForm,
        desk.rights.reopen or desk.rights.manages,
        lambda data: actions.reopen(desk.finding, actor=desk.actor, now=desk.now, **data),
        "The finding is open again, with a new due date.",
    )


@require_POST
def close(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Close a finding whose action is verified."""
    desk = Desk(request, finding_id)
    return desk.submit(
        "close",
        forms.Form,
        desk.rights.manages,
        lambda data: actions.close_finding(desk.finding, actor=desk.actor, now=desk.now),
        "The finding is closed.",
    )


@require_POST
def finish(request: HttpRequest, finding_id: int, action_id: int) -> HttpResponse:
    """An action is done."""
    desk = Desk(request, finding_id)
    action = desk.action(action_id)
    return desk.submit(
        f"finish-{action.pk}",
        CompleteForm,
        desk.rights.manages or action.person_id == desk.actor.pk,
        lambda data: actions.complete_action(action, actor=desk.actor, now=desk.now, **data),
        "Done. Somebody else verifies it now.",
    )


@require_POST
def verify(request: HttpRequest, finding_id: int, action_id: int) -> HttpResponse:
    """Verify an action, or reject it."""
    desk = Desk(request, finding_id)
    action = desk.action(action_id)
    rejects = request.POST.get("answer") == "reject"
    verb = actions.reject_action if rejects else actions.verify_action
    return desk.submit(
        f"verify-{action.pk}",
        VerdictForm,
        desk.rights.manages or action.verifier_id == desk.actor.pk,
        lambda data: verb(action, actor=desk.actor, now=desk.now, **data),
        "Rejected. The person is told why." if rejects else "Verified.",
    )

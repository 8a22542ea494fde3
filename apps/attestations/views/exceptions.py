"""Pages of exceptions: the list, and one with the one next action."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.attestations.actions.exceptions import (
    ask_extension,
    decide_exception,
    decide_extension,
    follow_finding,
    propose_plan,
)
from apps.attestations.forms import SignForm
from apps.attestations.forms.exceptions import DecisionForm, ExtensionDecisionForm, ExtensionForm, PlanForm
from apps.attestations.models import AttestationException
from apps.attestations.queries.exceptions import (
    SEVERITIES,
    Filters,
    Rights,
    decider,
    history_of,
    listed,
    rights_over,
    to_decide,
    visible_exceptions,
)
from apps.attestations.queries.reviews import Reviewers
from apps.attestations.rules.exceptions import latest_due
from apps.attestations.views.reviews import signing
from apps.common import clock
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.findings.queries import visible_findings
from apps.findings.rules import accepted_until_at_most
from apps.people.requests import signed_in
from apps.registry.queries import visible_systems

ROWS = 25
State = AttestationException.State


@require_safe
def exceptions(request: HttpRequest) -> HttpResponse:
    """What is not in order and what is done about it: the reader's first."""
    person, now = signed_in(request), clock.now()
    today, filters, reviewers = local_date(now), Filters.read(request.GET), Reviewers(now)
    rows = listed(person, filters, now, today, reviewers=reviewers)
    deciding = list(to_decide(person, now, reviewers=reviewers)[:ROWS])
    asked = {name: value for name, value in request.GET.items() if name in ("state", "severity", "age", "mine")}
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": [(one, decider(one, reviewers) if one.state == State.REQUESTED else None) for one in page],
        "filters": filters,
        "query": urlencode(asked),
        "deciding": deciding,
        "states": AttestationException.State.choices,
        "severities": SEVERITIES,
        "ages": ("7", "30", "90"),
        "today": today,
        "person": person,
    }
    return render(request, "attestations/exceptions.html", context)


class ExceptionDesk:
    """One exception as a reader works on it. Raises Http404 for not there and not theirs alike."""

    def __init__(self, request: HttpRequest, number: int) -> None:
        self.request, self.person, self.now = request, signed_in(request), clock.now()
        self.today = local_date(self.now)
        seen = visible_exceptions(self.person, self.now)
        found = seen.filter(pk=number).first() if number < 2**63 else None
        if found is None:
            raise Http404
        if follow_finding(found, now=self.now):
            found = seen.get(pk=number)
        self.exception: AttestationException = found
        self.rights: Rights = rights_over(self.person, found, self.now)

    def offered(self, data: Any = None, wants: str = "") -> dict[str, forms.Form]:
        """One form for each thing that the reader may do now; the one that was sent is filled."""
        rights, severity = self.rights, self.exception.severity
        made: dict[str, forms.Form] = {}

        def posted(name: str) -> Any:
            return data if wants == name else None

        if rights.decide or rights.accept:
            latest = accepted_until_at_most(severity, self.today)
            made["decide"] = DecisionForm(
                self.request, self.person, posted("decide"), plan=rights.decide, risk=rights.accept, latest=latest
            )
        if rights.grant:
            made["grant"] = ExtensionDecisionForm(self.request, self.person, posted("grant"))
        if rights.propose:
            initial = {"plan": self.exception.plan, "control": self.exception.control}
            made["propose"] = PlanForm(posted("propose"), initial=initial, auto_id="id_propose_%s")
        if rights.ask:
            latest = latest_due(severity, self.today)
            made["ask"] = ExtensionForm(posted("ask"), latest=latest, auto_id="id_ask_%s")
        return made

    def render(self, forms_: dict[str, forms.Form], *, failed: Any = None, status: int = 200) -> HttpResponse:
        """The page."""
        one = self.exception
        finding = visible_findings(self.person).filter(pk=one.finding_id).first() if one.finding_id else None
        system = one.assignment.system if one.assignment else None
        context = {
            "exception": one,
            "system": system,
            "sees_system": bool(system and visible_systems(self.person).filter(pk=system.pk).exists()),
            "finding": finding,
            "actions": list(one.finding.actions.select_related("person", "verified_by")) if one.finding else [],
            "extensions": list(one.extensions.select_related("requested_by", "approver").order_by("number")),
            "history": history_of(one),
            "question": self._question(),
            "rights": self.rights,
            "forms": forms_,
            "failed": failed,
            "today": self.today,
            "overdue": one.due_on < self.today and one.state in ("requested", "approved", "refused"),
            "person": self.person,
        }
        return render(self.request, "attestations/exception.html", context, status=status)

    def _question(self) -> str:
        """How the question reads, from the campaign's frozen questions."""
        sets = self.exception.campaign.question_set.get("sets", [])
        for part in (section for one in sets for section in one["sections"]):
            for question in part["questions"]:
                if question["key"] == self.exception.question:
                    return str(question["short"])
        return self.exception.question


@require_http_methods(["GET", "HEAD", "POST"])
def exception(request: HttpRequest, exception_id: int) -> HttpResponse:
    """Who, what, by when, the plan, the finding, later days, what happened; and the one next action."""
    desk = ExceptionDesk(request, exception_id)
    wants = request.POST.get("do", "") if request.method == "POST" else ""
    made = desk.offered(request.POST, wants)
    if request.method != "POST":
        return desk.render(made)
    form = made.get(wants)
    if form is None:
        return desk.render(made, failed=None, status=409)
    if form.is_valid():
        try:
            said = _do(desk, wants, form)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, said)
            return redirect("attestations:exception", exception_id)
    return desk.render(made, failed=form, status=422)


def _do(desk: ExceptionDesk, wants: str, form: forms.Form) -> str:
    data = form.cleaned_data
    by: dict[str, Any] = {"actor": desk.person, "now": clock.now()}
    if wants == "propose":
        propose_plan(desk.exception, plan=data["plan"], control=data["control"], **by)
        return "Another plan is proposed. Somebody else decides about it."
    if wants == "ask":
        ask_extension(desk.exception, to_day=data["to_day"], reason=data["reason"], **by)
        return "A later day is asked for. Until somebody grants it, the day stays."
    if not isinstance(form, SignForm):
        raise Http404
    if wants == "grant" and desk.rights.grant:
        granted = data["verdict"] == "grant"
        decide_extension(desk.rights.grant, granted=granted, note=data["note"], **signing(form), **by)
        return "The later day is granted." if granted else "The day stays."
    verdict, until = data["verdict"], data.get("until")
    decide_exception(desk.exception, verdict=verdict, note=data["note"], until=until, **signing(form), **by)
    return "Decided. Your signature stands under it."

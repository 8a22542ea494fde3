"""Passing on: somebody prepares, somebody takes over, "not mine", "I cannot say", and signing several together."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.actions import reassignment as passing
from apps.attestations.actions.cannot import cannot_attest
from apps.attestations.actions.delegation import delegate_work, end_delegation, last_day_of
from apps.attestations.actions.together import sign_together
from apps.attestations.forms import SignForm
from apps.attestations.forms.passing import AskForm, DelegateForm, ReasonForm
from apps.attestations.models import Assignment, Campaign, Delegation, Reassignment
from apps.attestations.queries.delegation import delegations
from apps.attestations.queries.reassignment import find_for_passing, open_reassignment, passed_on_before
from apps.attestations.queries.together import AT_ONCE, candidates, could_be_together
from apps.attestations.views.desk import open_desk
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.people.rules import Confirmation
from apps.registry.models import Handover


@require_http_methods(["GET", "HEAD", "POST"])
def delegate(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Who prepares which sections; let somebody, or end it. For the owner."""
    desk = open_desk(request, code, key)
    if isinstance(desk, HttpResponse):
        return desk
    last = last_day_of(desk.assignment)
    posted = request.POST if request.method == "POST" and "end" not in request.POST else None
    form = DelegateForm(posted, owner=desk.person, sections=desk.sections, last=last)
    refused = ""
    try:
        if request.method == "POST" and "end" in request.POST:
            end_delegation(_delegation(desk.assignment, request.POST["end"]), actor=desk.person, now=clock.now())
            return redirect(desk.url("delegate"))
        if form.is_valid():
            made = delegate_work(desk.assignment, actor=desk.person, now=clock.now(), **form.cleaned_data)
            messages.success(request, f"{made.preparer.display_name} was asked to prepare {desk.system.name}.")
            return redirect(desk.url("delegate"))
    except Refused as error:
        refused = str(error)
        form.add_error(None, refused) if form.is_bound else None
    rows = list(delegations(desk.assignment))
    titles = {part.slug: part.title for part in desk.sections}
    context = desk.context() | {
        "form": form,
        "refused": refused if not form.is_bound else "",
        "running": [
            (row, [titles[slug] for slug in row.sections if slug in titles]) for row in rows if _runs(row, desk.today)
        ],
        "ended": [row for row in rows if not _runs(row, desk.today)],
    }
    return render(request, "attestations/delegate.html", context, status=422 if refused or form.errors else 200)


def _runs(row: Delegation, today: Any) -> bool:
    return row.ended_at is None and row.until >= today


def _delegation(assignment: Assignment, number: str) -> Delegation:
    rows = Delegation.objects.select_related("assignment__system", "preparer").filter(assignment=assignment)
    found = rows.filter(pk=int(number)).first() if number.isascii() and number.isdigit() and len(number) < 18 else None
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def reassign(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Ask somebody to take over, say "not mine", or answer who was asked."""
    person, now = signed_in(request), clock.now()
    try:
        assignment = find_for_passing(person, code, key, now=now)
    except Assignment.DoesNotExist as error:
        raise Http404 from error
    waiting = open_reassignment(assignment)
    shown = _forms(person, assignment, waiting, request.POST if request.method == "POST" else None)
    refused = ""
    if request.method == "POST":
        try:
            return _pass_on(request, person, assignment, waiting, shown)
        except (Refused, NotAllowed) as error:
            refused = str(error)
        except _Incomplete:
            pass
    context = {
        "assignment": assignment,
        "campaign": assignment.campaign,
        "system": assignment.system,
        "waiting": waiting,
        "is_owner": person.pk == assignment.system.owner_id,
        "asked": waiting is not None and person.pk == waiting.asked_id,
        "finds": _finds(person, waiting),
        "may_withdraw": waiting is not None and person.pk in {waiting.requested_by_id, assignment.system.owner_id},
        "forms": shown,
        "refused": refused,
        "before": list(passed_on_before(assignment)[:10]),
        "today": clock.local_date(now),
    }
    wrong = refused or any(form.errors for form in shown.values())
    return render(request, "attestations/reassign.html", context, status=422 if wrong else 200)


class _Incomplete(Exception):
    """A form was not filled in; the page shows it."""


def _finds(person: Person, waiting: Reassignment | None) -> bool:
    """Whether a person is to find somebody for what nobody wants."""
    if waiting is None or waiting.to_person_id is not None:
        return False
    return person.pk == waiting.asked_id or may(person, Permission.NOMINATE_OWNER)


def _forms(person: Person, assignment: Assignment, waiting: Reassignment | None, data: Any) -> dict[str, forms.Form]:
    """The forms that this person may send now; the one that was sent is filled."""
    do = data.get("do", "") if data is not None else ""

    def sent(name: str) -> Any:
        return data if do == name else None

    found: dict[str, forms.Form] = {}
    if waiting is None and assignment.is_open:
        found["ask"] = AskForm(sent("ask"), prefix="ask")
        if person.pk == assignment.system.owner_id:
            hint = "The head above you reads it, and finds somebody or says why it stays yours."
            found["disown"] = ReasonForm(sent("disown"), label="Why is it not yours?", hint=hint, prefix="disown")
    elif waiting is not None and _finds(person, waiting):
        found["name"] = AskForm(sent("name"), prefix="name")
        hint = f"{waiting.from_person.display_name} reads it."
        found["keep"] = ReasonForm(sent("keep"), label="Why does it stay?", hint=hint, prefix="keep")
    elif waiting is not None and person.pk == waiting.to_person_id:
        hint = f"{waiting.from_person.display_name} reads it."
        found["decline"] = ReasonForm(sent("decline"), label="Why do you decline?", hint=hint, prefix="decline")
    return found


def _pass_on(
    request: HttpRequest,
    person: Person,
    assignment: Assignment,
    waiting: Reassignment | None,
    shown: dict[str, forms.Form],
) -> HttpResponse:
    """Do what was sent. Raises Refused and NotAllowed as the verbs do, _Incomplete for a form that is not filled in."""
    do = request.POST.get("do", "")
    by: dict[str, Any] = {"actor": person, "now": clock.now()}
    place = reverse("attestations:reassign", args=[assignment.campaign.code, assignment.system.key])
    if do in shown:
        if not shown[do].is_valid():
            raise _Incomplete
        given = shown[do].cleaned_data
        verbs: dict[str, Callable[[], Any]] = {
            "ask": lambda: passing.reassign(assignment, given["to"], reason=given["reason"], **by),
            "disown": lambda: passing.disown(assignment, reason=given["reason"], **by),
        }
        if waiting is not None:
            verbs |= {
                "name": lambda: passing.name_successor(waiting, given["to"], reason=given["reason"], **by),
                "keep": lambda: passing.keep_with_owner(waiting, reason=given["reason"], **by),
                "decline": lambda: passing.decline_reassignment(waiting, reason=given["reason"], **by),
            }
        verbs[do]()
        return redirect(place if do in {"ask", "disown"} else "attestations:campaigns")
    if waiting is None or do not in {"accept", "withdraw"}:
        raise Http404
    if do == "withdraw":
        passing.withdraw_reassignment(waiting, **by)
        return redirect(place)
    outcome = passing.accept_reassignment(waiting, **by)
    if isinstance(outcome, Handover):
        return redirect("portal:handover", outcome.pk)
    return redirect("attestations:assignment", code=assignment.campaign.code, key=assignment.system.key)


@require_http_methods(["GET", "HEAD", "POST"])
def cannot(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Answer every open question "I cannot say" with one reason, then check and sign. For the owner."""
    desk = open_desk(request, code, key)
    if isinstance(desk, HttpResponse):
        return desk
    hint = "It is written under every question that is not answered yet. An auditor reads it."
    form = ReasonForm(request.POST or None, label="Why can you not say?", hint=hint)
    if form.is_valid():
        try:
            cannot_attest(desk.assignment, reason=form.cleaned_data["reason"], actor=desk.person, now=clock.now())
            return redirect(desk.url("check"))
        except Refused as error:
            form.add_error(None, str(error))
    open_questions = sum(len({problem.question for problem in desk.problems(part)}) for part in desk.sections)
    context = desk.context() | {"form": form, "open_questions": open_questions}
    return render(request, "attestations/cannot.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def together(request: HttpRequest, code: str) -> HttpResponse:
    """Unchanged systems of the low tier with what was answered the last time: choose, declare once, sign each."""
    person, now = signed_in(request), clock.now()
    campaign = Campaign.objects.filter(code=code, opened_at__isnull=False).first()
    if campaign is None:
        raise Http404
    rows = could_be_together(person).filter(campaign=campaign)
    judged = candidates(rows[:AT_ONCE], today=clock.local_date(now))
    fit = [one for one in judged if not one.why_not]
    form = SignForm(request, person, request.POST if request.method == "POST" else None)
    chosen = set(request.POST.getlist("system"))
    if request.method == "POST" and form.is_valid():
        try:
            done = sign_together(
                [one.assignment for one in fit if one.assignment.system.key in chosen],
                declared_true=form.cleaned_data["declare"],
                typed_name=form.cleaned_data["name"],
                confirmation=form.confirmation or Confirmation("", now),
                actor=person,
                now=clock.now(),  # later than the confirmation
            )
            count = len(done.signatures)
            messages.success(request, f"Signed: {count} system{'' if count == 1 else 's'}, each with its own receipt.")
            for one in done.dropped:
                messages.warning(request, f"Not signed: {one.assignment.system.name}. {one.why_not}")
            return redirect("attestations:campaigns")
        except (Refused, NotAllowed) as error:
            form.add_error(None, str(error))
    context = {
        "campaign": campaign,
        "fit": [(one, one.assignment.system.key in chosen) for one in fit],
        "unfit": [one for one in judged if one.why_not],
        "total": rows.count(),
        "at_once": AT_ONCE,
        "form": form,
        "today": clock.local_date(now),
    }
    return render(request, "attestations/together.html", context, status=422 if form.errors else 200)

"""The owner's desk: all sections of one system, one section, and the check before the signature."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.attestations import queries
from apps.attestations.actions import Stale, save_answers, sign, view_assignment
from apps.attestations.facts import known
from apps.attestations.forms import SignForm, question_fields, read_section, read_version
from apps.attestations.models import Assignment
from apps.attestations.questions import Section, thawed
from apps.attestations.rules import (
    Given,
    Problem,
    declared,
    is_exception,
    read_date,
    section_problems,
    statement,
)
from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.people.rules import Confirmation
from apps.registry.models import System


def _today() -> Any:
    return clock.local_date(clock.now())


@dataclass(frozen=True)
class Part:
    """A section in the list of sections."""

    section: Section
    url: str
    done: bool


class Desk:
    """One assignment as its owner works on it: sections, answers, what is missing. Three queries."""

    def __init__(self, request: HttpRequest, code: str, key: str) -> None:
        self.person = signed_in(request)
        try:
            self.assignment = queries.find_assignment(self.person, code, key)
        except Assignment.DoesNotExist as error:
            raise Http404 from error
        self.campaign, self.system = self.assignment.campaign, self.assignment.system
        self.sections = thawed(self.campaign.question_set, self.facts)
        self.answers = {answer.question: answer.given for answer in self.assignment.answers.all()}
        self.today = _today()

    @property
    def is_owner(self) -> bool:
        return self.system.owner_id == self.person.pk

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.assignment.snapshot.facts)
        return facts

    def problems(self, section: Section) -> list[Problem]:
        """What is missing in a section."""
        return section_problems(section, self.answers, today=self.today)

    def url(self, name: str, **more: str) -> str:
        """A page of this assignment."""
        place = {"code": self.campaign.code, "key": self.system.key, **more}
        return reverse(f"attestations:{name}", kwargs=place)

    def context(self) -> dict[str, Any]:
        """What every page of an assignment shows."""
        parts = [Part(s, self.url("section", slug=s.slug), not self.problems(s)) for s in self.sections]
        return {
            "assignment": self.assignment,
            "campaign": self.campaign,
            "system": self.system,
            "parts": parts,
            "done": sum(part.done for part in parts),
            "ready": all(part.done for part in parts),
            "saved_at": max((a.saved_at for a in self.assignment.answers.all()), default=None),
            "overdue": (self.today - self.assignment.due_on).days,
            "interim": self.system.owner_basis == System.Basis.INTERIM,
            "moved": self.assignment.person if self.assignment.person_id != self.system.owner_id else None,
            "today": self.today,
        }


def _desk(request: HttpRequest, code: str, key: str) -> Desk | HttpResponse:
    """The owner's desk while it is open; the receipt once it is signed. 404 for everybody else."""
    desk = Desk(request, code, key)
    if not desk.is_owner:
        raise Http404
    if desk.assignment.is_signed:
        return redirect(desk.url("receipt"))
    if not desk.assignment.is_open or clock.now() >= (desk.assignment.reopened_until or desk.campaign.closes_at):
        return render(request, "attestations/closed.html", desk.context())
    return desk


@require_safe
def assignment(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """All sections of one system, and where to go on."""
    desk = _desk(request, code, key)
    if isinstance(desk, HttpResponse):
        return desk
    context = desk.context()
    following = next((part.url for part in context["parts"] if not part.done), desk.url("check"))
    return render(request, "attestations/assignment.html", context | {"following": following})


@require_http_methods(["GET", "HEAD", "POST"])
def section(request: HttpRequest, code: str, key: str, slug: str) -> HttpResponse:
    """One section: what the portal knows, the questions, saved as typed."""
    desk = _desk(request, code, key)
    if isinstance(desk, HttpResponse):
        return desk if request.method != "POST" else _too_late(request, desk)
    part = next((s for s in desk.sections if s.slug == slug), None)
    if part is None:
        raise Http404
    if request.method == "POST":
        return _save(request, desk, part)
    view_assignment(desk.assignment, actor=desk.person, now=clock.now())
    problems = desk.problems(part) if "errors" in request.GET else []
    return _section_page(request, desk, part, desk.answers, problems=problems)


def _too_late(request: HttpRequest, page: HttpResponse) -> HttpResponse:
    """A save that came after the signature or the closing: said so, and nothing was changed."""
    if request.headers.get("X-Autosave"):
        return JsonResponse({"conflict": "This attestation is signed or closed. It does not change."}, status=409)
    return page


def _save(request: HttpRequest, desk: Desk, part: Section) -> HttpResponse:
    given, now = read_section(part, request.POST), clock.now()
    autosave = bool(request.headers.get("X-Autosave"))
    try:
        saved = save_answers(
            desk.assignment, part.slug, given, version=read_version(request.POST), actor=desk.person, now=now
        )
    except Stale as error:
        if autosave:
            return JsonResponse({"conflict": str(error), "version": error.version}, status=409)
        return _section_page(request, desk, part, given, stale=error, status=409)
    except Refused as error:
        if autosave:
            return JsonResponse({"conflict": str(error)}, status=409)
        return _section_page(request, desk, part, given, refused=str(error), status=422)
    if autosave:
        return _saved(saved.version, now)
    return redirect(_following(request, desk, part))


def _saved(version: int, now: datetime) -> JsonResponse:
    at = timezone.localtime(now)
    response = JsonResponse({"saved_at": at.isoformat(), "version": version})
    response["X-Saved-At"], response["X-Version"] = f"{at:%H:%M}", str(version)
    return response


def _following(request: HttpRequest, desk: Desk, part: Section) -> str:
    """The next section, or the check: after the last one, and where somebody came from it to change something."""
    place = desk.sections.index(part) + 1
    if request.POST.get("return") == "check" or place == len(desk.sections):
        return desk.url("check")
    return desk.url("section", slug=desk.sections[place].slug)


def _section_page(
    request: HttpRequest,
    desk: Desk,
    part: Section,
    answers: dict[str, Given],
    *,
    problems: list[Problem] | None = None,
    stale: Stale | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    place = desk.sections.index(part)
    source = request.POST if request.method == "POST" else request.GET
    context = desk.context() | {
        "section": part,
        "text": part.text.format(name=desk.system.name),
        "number": place + 1,
        "known": known(part, desk.facts),
        "fields": question_fields(part, answers, problems or []),
        "problems": problems or [],
        "version": stale.version if stale else desk.assignment.version,
        "stale": stale,
        "refused": refused,
        "back": desk.url("section", slug=desk.sections[place - 1].slug) if place else desk.url("assignment"),
        "returns": "check" if source.get("return") == "check" else "",
    }
    return render(request, "attestations/section.html", context, status=status)


@dataclass(frozen=True)
class Line:
    """One answer in the list before the signature."""

    short: str
    label: str
    given: Given
    exception: bool
    problem: str

    @property
    def plan_date(self) -> Any:
        return read_date(self.given.plan_date) or self.given.plan_date


def _lines(desk: Desk, part: Section) -> list[Line]:
    problems: dict[str, str] = {}
    for problem in desk.problems(part):
        problems.setdefault(problem.question, problem.text)
    lines = []
    for question in part.questions:
        given = desk.answers.get(question.key, Given())
        label = question.label_of(given.value) if given.value else ""
        flag = is_exception(given.value)
        lines.append(Line(question.short, label, given, flag, problems.get(question.key, "")))
    return lines


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """All answers, the declaration, the signature."""
    desk = _desk(request, code, key)
    if isinstance(desk, HttpResponse):
        return desk
    if request.method != "POST":
        return _check_page(request, desk, SignForm(request, desk.person))
    if "save" in request.POST:
        return redirect("attestations:campaigns")
    problems = [problem for part in desk.sections for problem in desk.problems(part)]
    form = SignForm(request, desk.person, request.POST, identify=not problems)
    if problems or not form.is_valid():
        return _check_page(request, desk, form, problems=True, status=422)
    return _sign(request, desk, form)


def _sign(request: HttpRequest, desk: Desk, form: SignForm) -> HttpResponse:
    now = clock.now()
    try:
        sign(
            desk.assignment,
            version=read_version(request.POST),
            declared_true=form.cleaned_data["declare"],
            typed_name=form.cleaned_data["name"],
            confirmation=form.confirmation or Confirmation("", now),
            actor=desk.person,
            now=now,
        )
    except Refused as error:
        form.add_error(None, str(error))
        fresh = Desk(request, desk.campaign.code, desk.system.key)
        return _check_page(request, fresh, form, problems=True, status=409 if isinstance(error, Stale) else 422)
    return redirect(desk.url("receipt"))


def _check_page(
    request: HttpRequest, desk: Desk, form: SignForm, *, problems: bool = False, status: int = 200
) -> HttpResponse:
    exceptions = len(declared(desk.sections, desk.answers))
    interim = desk.system.owner_basis == System.Basis.INTERIM
    groups = [
        (part, f"{desk.url('section', slug=part.slug)}?return=check", _lines(desk, part), desk.problems(part))
        for part in desk.sections
    ]
    context = desk.context() | {
        "form": form,
        "groups": groups,
        "show_problems": problems,
        "exceptions": exceptions,
        "statement": statement(desk.system.name, interim=interim, exceptions=exceptions),
    }
    return render(request, "attestations/check.html", context, status=status)

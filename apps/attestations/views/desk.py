"""The owner's desk: all sections of one system, one section, and the check before the signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.attestations import queries
from apps.attestations.actions import Stale, save_answers, sign, view_assignment
from apps.attestations.facts import change_words, drift, known, words_of
from apps.attestations.forms import (
    Shown,
    SignForm,
    conflicts_of,
    in_words,
    question_fields,
    read_section,
    read_version,
    suggested_people,
)
from apps.attestations.models import Assignment, Delegation, EvidenceFile
from apps.attestations.queries.delegation import covers, running, unread_sections
from apps.attestations.queries.desk import facts_before, facts_now, held_against, people_in
from apps.attestations.queries.evidence import attached, by_question, problems_of_section
from apps.attestations.queries.reassignment import open_reassignment
from apps.attestations.questions import Question, Section, Type, thawed, values_of
from apps.attestations.rules import (
    Given,
    Problem,
    contradiction,
    declared,
    is_exception,
    read_date,
    section_problems,
    statement,
)
from apps.attestations.views.evidence import post_evidence
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
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
    changed: bool = False


class Desk:
    """One assignment as its owner works on it: sections, answers, what is missing. Three queries."""

    def __init__(self, request: HttpRequest, code: str, key: str) -> None:
        self.person = signed_in(request)
        try:
            self.assignment = queries.find_assignment(self.person, code, key)
        except Assignment.DoesNotExist as error:
            raise Http404 from error
        self.campaign, self.system = self.assignment.campaign, self.assignment.system
        self.today = _today()
        self.against = held_against(self.assignment, self.today)
        self.sections = thawed(self.campaign.question_set, self.facts)
        self.rows = {answer.question: answer for answer in self.assignment.answers.all()}
        self.answers = {question: row.given for question, row in self.rows.items()}

    @property
    def is_owner(self) -> bool:
        return self.system.owner_id == self.person.pk

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.against.facts

    @property
    def delta(self) -> str:
        return str(self.assignment.delta)

    @cached_property
    def before(self) -> dict[str, Any] | None:
        """What was frozen the last time, where something differs. One query, or none."""
        return facts_before(self.assignment.snapshot) if self.against.changes else None

    @cached_property
    def people(self) -> dict[str, Person]:
        """Who is named in the answers."""
        return people_in(self.answers.values())

    @cached_property
    def drift(self) -> list[tuple[str, str, str]]:
        """What is otherwise on the register than when the campaign opened: (name, then, now)."""
        return drift(self.facts, facts_now(self.system))

    @cached_property
    def files(self) -> list[EvidenceFile]:
        """The evidence under the answers. One query."""
        return list(attached(self.assignment))

    @cached_property
    def delegation(self) -> Delegation | None:
        """What the reader prepares for the owner."""
        return None if self.is_owner else running(self.assignment, self.person, today=self.today)

    @cached_property
    def unread(self) -> dict[str, list[Problem]]:
        """Sections that others filled in and that the owner has not opened since. Who prepares need not."""
        others = any(row.answered_by_id != self.person.pk for row in self.rows.values())
        return unread_sections(self.assignment, self.sections, self.person) if self.is_owner and others else {}

    def problems(self, section: Section) -> list[Problem]:
        """What is missing in a section."""
        problems = section_problems(section, self.answers, today=self.today, against=self.against)
        problems += problems_of_section(section, self.files, today=self.today)
        return problems + self.unread.get(section.slug, [])

    def filled_in_by(self, section: Section) -> list[str]:
        """Names of others than the reader who filled in a section. One query, or none."""
        ids = {self.rows[q.key].answered_by_id for q in section.questions if q.key in self.rows} - {self.person.pk}
        names = Person.objects.filter(pk__in=ids).order_by("display_name").values_list("display_name", flat=True)
        return list(names) if ids else []

    def contradictions(self, section: Section, answers: Mapping[str, Given]) -> dict[str, str]:
        """What the facts say against the answers of a section, by question."""
        found = {
            question.key: contradiction(question, answers[question.key].value, answers[question.key].day, self.against)
            for question in section.asked(values_of(answers))
            if question.key in answers
        }
        return {key: said for key, said in found.items() if said}

    def is_changed(self, section: Section) -> bool:
        """Whether something that the section is about differs from the last time."""
        return any(fact.changed for fact in known(section, self.facts, changes=self.against.changes))

    def url(self, name: str, **more: str) -> str:
        """A page of this assignment."""
        place = {"code": self.campaign.code, "key": self.system.key, **more}
        return reverse(f"attestations:{name}", kwargs=place)

    def context(self) -> dict[str, Any]:
        """What every page of an assignment shows."""
        parts = [
            Part(s, self.url("section", slug=s.slug), not self.problems(s), self.is_changed(s)) for s in self.sections
        ]
        return {
            "assignment": self.assignment,
            "campaign": self.campaign,
            "system": self.system,
            "parts": parts,
            "done": sum(part.done for part in parts),
            "ready": all(part.done for part in parts),
            "saved_at": max((row.saved_at for row in self.rows.values()), default=None),
            "overdue": (self.today - self.assignment.due_on).days,
            "interim": self.system.owner_basis == System.Basis.INTERIM,
            "moved": self.assignment.person if self.assignment.person_id != self.system.owner_id else None,
            "delta": self.delta,
            "changes": change_words(self.against.changes),
            "is_owner": self.is_owner,
            "delegation": self.delegation,
            "today": self.today,
        }


def open_desk(request: HttpRequest, code: str, key: str, *, prepares: bool = False) -> Desk | HttpResponse:
    """The owner's desk while it is open; the receipt once it is signed. 404 for everybody else.

    With `prepares` also for who prepares the answers, who sees the sections that were passed on to them.
    """
    desk = Desk(request, code, key)
    if desk.delegation is not None and prepares:
        desk.sections = tuple(part for part in desk.sections if covers(desk.delegation, part.slug))
    elif not desk.is_owner:
        raise Http404
    if desk.assignment.is_signed:
        return redirect(desk.url("receipt"))
    if not desk.assignment.may_be_signed(clock.now()):
        return render(request, "attestations/closed.html", desk.context())
    return desk


@require_safe
def assignment(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """All sections of one system, and where to go on."""
    desk = open_desk(request, code, key, prepares=True)
    if isinstance(desk, HttpResponse):
        return desk
    context = desk.context()
    following = next((part.url for part in context["parts"] if not part.done), desk.url("check"))
    if not desk.is_owner:
        following = next((part.url for part in context["parts"] if not part.done), "")
    context["asked"] = open_reassignment(desk.assignment) if desk.is_owner else None
    return render(request, "attestations/assignment.html", context | {"following": following, "drift": desk.drift})


@require_http_methods(["GET", "HEAD", "POST"])
def section(request: HttpRequest, code: str, key: str, slug: str) -> HttpResponse:
    """One section: what the portal knows, the questions, saved as typed."""
    desk = open_desk(request, code, key, prepares=True)
    if isinstance(desk, HttpResponse):
        return desk if request.method != "POST" else _too_late(request, desk)
    part = next((s for s in desk.sections if s.slug == slug), None)
    if part is None:
        raise Http404
    if request.method == "POST":
        return _save(request, desk, part)
    view_assignment(desk.assignment, actor=desk.person, now=clock.now(), section=part.slug)
    problems = desk.problems(part) if "errors" in request.GET else []
    return _section_page(request, desk, part, desk.answers, problems=problems)


def _too_late(request: HttpRequest, page: HttpResponse) -> HttpResponse:
    """A save that came after the signature or the closing: said so, and nothing was changed."""
    if request.headers.get("X-Autosave"):
        return JsonResponse({"conflict": "This attestation is signed or closed. It does not change."}, status=409)
    return page


def _save(request: HttpRequest, desk: Desk, part: Section) -> HttpResponse:
    posted, now = read_section(part, request.POST), clock.now()
    autosave = bool(request.headers.get("X-Autosave"))
    try:
        saved = save_answers(
            desk.assignment, part.slug, posted.kept, version=read_version(request.POST), actor=desk.person, now=now
        )
    except Stale as error:
        if autosave:
            return JsonResponse({"conflict": str(error), "version": error.version}, status=409)
        saved_since = Desk(request, desk.campaign.code, desk.system.key).answers
        return _section_page(request, desk, part, {**saved_since, **posted.typed}, stale=error, status=409)
    except Refused as error:
        if autosave:
            return JsonResponse({"conflict": str(error)}, status=409)
        return _section_page(request, desk, part, {**desk.answers, **posted.typed}, refused=str(error), status=422)
    if autosave:
        return _saved(saved.version, now)
    files = post_evidence(request, desk.assignment, part, actor=desk.person, now=now)
    fresh = open_desk(request, desk.campaign.code, desk.system.key, prepares=True)
    if isinstance(fresh, HttpResponse):
        return fresh
    if posted.problems or files.problems:
        return _section_page(
            request, fresh, part, {**fresh.answers, **posted.typed}, problems=[*posted.problems, *files.problems],
            days=files.days, status=422,
        )  # fmt: skip
    if files.place:
        returns = "?return=check" if request.POST.get("return") == "check" else ""
        return redirect(f"{desk.url('section', slug=part.slug)}{returns}#{files.place}")
    return redirect(_asks_more(request, fresh, part) or _following(request, desk, part))


def _saved(version: int, now: datetime) -> JsonResponse:
    at = timezone.localtime(now)
    response = JsonResponse({"saved_at": at.isoformat(), "version": version})
    response["X-Saved-At"], response["X-Version"] = f"{at:%H:%M}", str(version)
    return response


def _asks_more(request: HttpRequest, desk: Desk, part: Section) -> str:
    """The section again, where the answers just saved raise a question that the page did not show. Once for each:
    who leaves it empty then goes on, and is asked again before the signature."""
    shown = set(request.POST.get("shown", "").split())
    asked = {question.key: question for question in part.asked(values_of(desk.answers))}
    missing = {problem.question for problem in desk.problems(part) if asked[problem.question].when is not None}
    contradicted = {f"{problem.question}!" for problem in desk.problems(part) if problem.part == "explanation"}
    fresh = sorted((missing | contradicted) - shown)
    if not fresh:
        return ""
    returns = "&return=check" if request.POST.get("return") == "check" else ""
    return f"{desk.url('section', slug=part.slug)}?more=1{returns}#{fresh[0].rstrip('!')}"


def _following(request: HttpRequest, desk: Desk, part: Section) -> str:
    """The next section, or the check: after the last one, and where somebody came from it to change something."""
    place = desk.sections.index(part) + 1
    if request.POST.get("return") == "check" or place == len(desk.sections):
        return desk.url("check" if desk.is_owner else "assignment")
    return desk.url("section", slug=desk.sections[place].slug)


def _section_page(
    request: HttpRequest,
    desk: Desk,
    part: Section,
    answers: Mapping[str, Given],
    *,
    problems: Sequence[Problem] = (),
    stale: Stale | None = None,
    refused: str = "",
    days: Mapping[str, tuple[str, str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    place = desk.sections.index(part)
    source = request.POST if request.method == "POST" else request.GET
    facts = known(part, desk.facts, changes=desk.against.changes, before=desk.before)
    contradictions = desk.contradictions(part, answers)
    context = desk.context() | {
        "section": part,
        "text": part.text.format(name=desk.system.name),
        "number": place + 1,
        "known": facts if desk.delta == "new" else [fact for fact in facts if fact.changed],
        "unchanged": [] if desk.delta == "new" else [fact for fact in facts if not fact.changed],
        "drift": [row for row in desk.drift if row[0] in {fact.term for fact in facts}],
        "fields": question_fields(
            part, replace(_shown(desk, part, answers, problems, contradictions, stale), days=days or {})
        ),
        "filled_in_by": desk.filled_in_by(part),
        "problems": problems,
        "version": stale.version if stale else desk.assignment.version,
        "shown": " ".join(
            [q.key for q in part.asked(values_of(answers)) if q.when] + [f"{key}!" for key in contradictions]
        ),
        "more": "more" in request.GET,
        "stale": stale,
        "refused": refused,
        "people": suggested_people() if _names_people(part) else [],
        "back": desk.url("section", slug=desk.sections[place - 1].slug) if place else desk.url("assignment"),
        "returns": "check" if source.get("return") == "check" else "",
    }
    return render(request, "attestations/section.html", context, status=status)


def _names_people(part: Section) -> bool:
    """Whether a field of this section can name a person: of its own, or as who carries a plan out."""
    return any(question.type == Type.PERSON or "no" in question.values for question in part.questions)


def _shown(
    desk: Desk,
    part: Section,
    answers: Mapping[str, Given],
    problems: Sequence[Problem],
    contradictions: Mapping[str, str],
    stale: Stale | None,
) -> Shown:
    newer = stale.newer if stale else ()
    people = people_in([*answers.values(), *desk.answers.values()])
    files = {key: tuple(found) for key, found in by_question(desk.files).items()}
    return Shown(
        answers=answers,
        problems=problems,
        people=people,
        facts={q.key: words_of(q.fact, desk.facts) for q in part.questions if q.type == Type.CONFIRM_FACT},
        contradictions=contradictions,
        conflicts=conflicts_of(part, newer, answers, people),
        files=files,
    )


@dataclass(frozen=True)
class Line:
    """One answer in the list before the signature."""

    key: str
    short: str
    label: str
    given: Given
    exception: bool
    problem: str
    contradiction: str
    owner: str
    files: tuple[str, ...] = ()

    @property
    def plan_date(self) -> Any:
        return read_date(self.given.plan_date) or self.given.plan_date


def _lines(desk: Desk, part: Section) -> list[Line]:
    problems: dict[str, str] = {}
    for problem in desk.problems(part):
        problems.setdefault(problem.question, problem.text)
    said = desk.contradictions(part, desk.answers)
    return [
        _line(desk, question, problems.get(question.key, ""), said.get(question.key, ""))
        for question in part.asked(values_of(desk.answers))
    ]


def _line(desk: Desk, question: Question, problem: str, said: str) -> Line:
    given = desk.answers.get(question.key, Given())
    label = ""
    if given.value:
        label = question.label_of(given.value) if question.is_chosen else in_words(question, given, desk.people)
    owner = desk.people.get(given.plan_owner)
    name = owner.display_name if owner else ""
    files = tuple(file.name for file in desk.files if file.question == question.key)
    return Line(question.key, question.short, label, given, is_exception(given.value), problem, said, name, files)


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """All answers, the declaration, the signature."""
    desk = open_desk(request, code, key)
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
        "contradicted": sum(bool(line.contradiction) for _, _, lines, _ in groups for line in lines),
        "drift": desk.drift,
        "statement": statement(desk.system.name, interim=interim, exceptions=exceptions),
    }
    return render(request, "attestations/check.html", context, status=status)

"""Signing a correction: all answers as they are signed, to change, with a reason."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.attestations.actions.corrections import correct
from apps.attestations.forms import Shown, SignForm, question_fields, read_section, suggested_people
from apps.attestations.models import Assignment, Signature
from apps.attestations.queries.corrections import may_correct, signed_answers
from apps.attestations.queries.desk import people_in
from apps.attestations.rules import Given, Problem, section_problems
from apps.attestations.views.desk import Desk
from apps.common import clock
from apps.common.errors import Refused
from apps.people.rules import Confirmation


def _desk(request: HttpRequest, code: str, key: str) -> Desk:
    """What is signed, or was never attested, for who may correct it; 404 for everybody else."""
    desk = Desk(request, code, key)
    ended = desk.assignment.is_signed or desk.assignment.state == Assignment.State.NOT_ATTESTED
    if not ended or not may_correct(desk.assignment, desk.person):
        raise Http404
    return desk


@require_http_methods(["GET", "HEAD", "POST"])
def correction(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """The signed answers as a form; what is changed is signed as a correction. What was signed stays as it is."""
    desk = _desk(request, code, key)
    before = signed_answers(desk.assignment.signature)
    if request.method != "POST":
        return _page(request, desk, before, SignForm(request, desk.person))
    posted = [read_section(section, request.POST) for section in desk.sections]
    typed = {**before, **{key: given for part in posted for key, given in part.typed.items()}}
    kept = {**before, **{key: given for part in posted for key, given in part.kept.items()}}
    problems = [problem for part in posted for problem in part.problems]
    problems += [
        problem
        for section in desk.sections
        for problem in section_problems(section, kept, today=desk.today, against=desk.against)
    ]
    form = SignForm(request, desk.person, request.POST, identify=not problems)
    if problems or not form.is_valid():
        return _page(request, desk, typed, form, problems=problems, status=422)
    return _sign(request, desk, kept, form)


def _sign(request: HttpRequest, desk: Desk, answers: dict[str, Given], form: SignForm) -> HttpResponse:
    now = clock.now()
    try:
        correct(
            desk.assignment,
            answers,
            reason=request.POST.get("reason", ""),
            declared_true=form.cleaned_data["declare"],
            typed_name=form.cleaned_data["name"],
            confirmation=form.confirmation or Confirmation("", now),
            actor=desk.person,
            now=now,
        )
    except Refused as error:
        form.add_error(None, str(error))
        return _page(request, desk, answers, form, status=422)
    return redirect(desk.url("receipt"))


def _page(
    request: HttpRequest,
    desk: Desk,
    answers: dict[str, Given],
    form: SignForm,
    *,
    problems: list[Problem] | None = None,
    status: int = 200,
) -> HttpResponse:
    people = people_in(answers.values())
    groups = [
        (
            section,
            question_fields(section, Shown(answers, problems or [], people, {}, desk.contradictions(section, answers))),
        )
        for section in desk.sections
    ]
    signature: Signature | None = desk.assignment.signature
    context: dict[str, Any] = {
        "assignment": desk.assignment,
        "campaign": desk.campaign,
        "system": desk.system,
        "signature": signature,
        "groups": groups,
        "form": form,
        "problems": problems or [],
        "reason": request.POST.get("reason", ""),
        "people": suggested_people(),
        "failed": status != 200,
    }
    return render(request, "attestations/correct.html", context, status=status)

"""Files of people: choose one, see the whole effect, confirm or discard."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.directory import actions
from apps.directory.actions.people_file import PeopleChanged, PeopleFileRefused
from apps.directory.forms import PeopleFileForm
from apps.directory.models import PeopleFile
from apps.directory.queries.people_file import FileReview, find_people_file, latest_people_files
from apps.directory.rules.people_file import COLUMNS, template_csv
from apps.people.models import Person
from apps.people.requests import signed_in

ROWS_A_PAGE = 25
PROBLEMS_SHOWN = 50


def administrator(request: HttpRequest) -> Person:
    """Who is signed in and may run the directory. Raises NotAllowed."""
    person = signed_in(request)
    require(person, Permission.DIRECTORY_RUN, "who administers people")
    return person


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Choose a file; it is read and reviewed, and nobody is changed."""
    actor = administrator(request)
    form = PeopleFileForm(request.POST, request.FILES) if request.method == "POST" else PeopleFileForm()
    if form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            file = actions.receive_people_file(
                file_name=upload.name,
                content=upload.read(),
                complete=form.cleaned_data["complete"],
                actor=actor,
                now=clock.now(),
            )
            return redirect("directory:import_review", file.pk)
        except PeopleFileRefused as error:
            form.add_error("file", str(error))
    context = {"form": form, "files": latest_people_files(), "columns": COLUMNS}
    return render(request, "directory/import_start.html", context, status=422 if form.errors else 200)


@require_safe
def template(request: HttpRequest) -> HttpResponse:
    """The header and example rows."""
    administrator(request)
    headers = {"Content-Disposition": 'attachment; filename="govportal-people.csv"'}
    return HttpResponse(template_csv(), content_type="text/csv; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, file_id: UUID) -> HttpResponse:
    """The whole effect of a file, and what came of it. POST confirms or discards."""
    actor = administrator(request)
    try:
        file = find_people_file(file_id)
    except PeopleFile.DoesNotExist as error:
        raise Http404 from error
    if request.method == "POST":
        return _act(request, file, actor)
    return _page(request, file)


def _page(request: HttpRequest, file: PeopleFile, refusal: Refused | None = None) -> HttpResponse:
    shown = FileReview(file, request.GET.get("show", ""))
    problems: list[Any] = shown.report["problems"]
    context = {
        "review": shown,
        "page": Paginator(shown.rows, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "problems": problems[:PROBLEMS_SHOWN],
        "problems_count": len(problems),
        "refusal": refusal,
    }
    return render(request, "directory/import_review.html", context, status=422 if refusal else 200)


def _act(request: HttpRequest, file: PeopleFile, actor: Person) -> HttpResponse:
    """Do what the pressed button says. Where people changed since, a fresh review is shown instead."""
    now = clock.now()
    try:
        if request.POST.get("do") == "discard":
            actions.discard_people_file(file, actor=actor, now=now)
            messages.success(request, f"{file.file_name} is discarded. Nobody was changed.")
            return redirect("directory:import")
        if request.POST.get("do") != "apply":
            raise Refused("Choose what to do with this file.")
        _apply(request, file, actor)
    except PeopleChanged as error:
        return _page(request, actions.review_people_file_again(file, actor=actor, now=now), error)
    except Refused as error:
        return _page(request, file, error)
    return redirect("directory:import_review", file.pk)


def _apply(request: HttpRequest, file: PeopleFile, actor: Person) -> None:
    if FileReview(file, "").too_many:
        raise Refused("The file changes more people than one page request can. Run ./manage.py import_people instead.")
    typed = request.POST.get("leavers", "").strip()
    applied = actions.apply_people_file(
        file,
        actor=actor,
        now=clock.now(),
        reviewed=request.POST.get("reviewed", ""),
        leavers=int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None,
    )
    counts, left = applied.report["counts"], applied.report["leavers"]
    messages.success(
        request, f"Applied. {counts['joiner']:,} joined, {counts['mover']:,} changed, {left:,} left, each with a case."
    )

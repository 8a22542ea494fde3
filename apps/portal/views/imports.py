"""Importing systems: choose a file, see the whole effect, confirm or discard, undo."""

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
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.imports import ImportForm
from apps.portal.queries.imports import OWN_FORMAT, Review
from apps.registry import actions
from apps.registry.actions.imports import EffectChanged, ImportRefused
from apps.registry.models import ImportRun
from apps.registry.queries.imports import latest_imports
from apps.registry.rules.imports import template_csv

PROBLEMS_SHOWN = 50
ROWS_A_PAGE = 25
UNDONE_SHOWN = 50
TOO_MANY = (
    "The file changes more systems than one page request can. Run ./manage.py import_systems with --commit instead."
)


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Choose a file; it is read and reviewed, and nothing is registered."""
    actor = signed_in(request)
    require(actor, Permission.IMPORT_SYSTEMS)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    problems: list[Any] = []
    if form.is_valid():
        try:
            return redirect("portal:import_review", _received(form, actor).pk)
        except ImportRefused as error:
            problems = error.problems
            form.add_error("file", str(error))
        except Refused as error:
            form.add_error(None, str(error))
    context = {
        "form": form,
        "problems": problems[:PROBLEMS_SHOWN],
        "problems_count": len(problems),
        "imports": latest_imports(),
        "columns": OWN_FORMAT,
    }
    return render(request, "portal/import_start.html", context, status=422 if form.errors else 200)


def _received(form: ImportForm, actor: Person) -> ImportRun:
    upload = form.cleaned_data["file"]
    return actions.receive_import(
        file_name=upload.name,
        content=upload.read(),
        format_name=form.cleaned_data["format"],
        actor=actor,
        now=clock.now(),
    )


@require_safe
def template(request: HttpRequest) -> HttpResponse:
    """The header of our own format and one example row."""
    require(signed_in(request), Permission.IMPORT_SYSTEMS)
    headers = {"Content-Disposition": 'attachment; filename="govportal-systems.csv"'}
    return HttpResponse(template_csv(), content_type="text/csv; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The whole effect of a file, and what came of it. POST confirms, discards or undoes."""
    actor = signed_in(request)
    require(actor, Permission.IMPORT_SYSTEMS)
    run = ImportRun.objects.defer("content").select_related("created_by").filter(pk=run_id).first()
    if run is None:
        raise Http404
    if request.method == "POST":
        return _act(request, run, actor)
    return _page(request, run)


def _page(request: HttpRequest, run: ImportRun, refusal: Refused | None = None) -> HttpResponse:
    shown = Review(run, request.GET.get("show", ""))
    context = {
        "review": shown,
        "page": Paginator(shown.rows, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "refusal": refusal,
        "problems": refusal.problems[:PROBLEMS_SHOWN] if isinstance(refusal, ImportRefused) else [],
        "left_alone_shown": UNDONE_SHOWN,
        "too_many": TOO_MANY if shown.too_many else "",
    }
    return render(request, "portal/import_review.html", context, status=422 if refusal else 200)


def _act(request: HttpRequest, run: ImportRun, actor: Person) -> HttpResponse:
    """Do what the pressed button says. A changed register brings a fresh review, not a surprise."""
    try:
        messages.success(request, _done(request, run, actor))
    except EffectChanged as error:
        try:
            run = actions.review_import_again(run, actor=actor, now=clock.now())
        except Refused as other:
            return _page(request, run, other)
        return _page(request, run, error)
    except Refused as error:
        return _page(request, run, error)
    if request.POST.get("do") == "discard":
        return redirect("portal:import_start")
    return redirect("portal:import_review", run.pk)


def _done(request: HttpRequest, run: ImportRun, actor: Person) -> str:
    """Carry out one of the three verbs and say what happened."""
    now = clock.now()
    if request.POST.get("do") == "apply":
        if Review(run, "").too_many:
            raise Refused(TOO_MANY)
        reviewed = request.POST.get("reviewed", "")
        report = actions.apply_import(run, actor=actor, now=now, reviewed=reviewed).report
        return f"Imported. {report['created']:,} systems are registered, {report['updated']:,} are changed."
    if request.POST.get("do") == "discard":
        actions.discard_import(run, actor=actor, now=now)
        return f"{run.file_name} is discarded. Nothing was registered."
    if request.POST.get("do") == "undo":
        undone = actions.undo_import(run, actor=actor, now=now).report["undone"]
        return f"Undone. {undone['retired']:,} systems are retired, {len(undone['left_alone']):,} are left alone."
    raise Refused("Choose what to do with this import.")

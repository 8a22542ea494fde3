"""Pages of runbooks: read by everybody who is signed in, changed by who keeps them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import runbooks as verbs
from apps.incidents.forms.runbooks import (
    NoteForm,
    OwnerForm,
    ReasonForm,
    ReviewForm,
    RunbookForm,
    StepRows,
    moved,
)
from apps.incidents.models import Runbook, RunbookVersion
from apps.incidents.queries.runbook_pages import listed, rows_of, step_lines, versions_of
from apps.incidents.queries.runbooks import (
    SCENARIO_WORDS,
    draft_of,
    find_runbook,
    last_drilled,
    may_edit,
    published,
    revision_of,
    roles,
    scope_words,
    steps_of,
)
from apps.incidents.rules.runbook_diff import differences
from apps.incidents.rules.runbooks import lint
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.models import System

ROWS = 25
READS_AND_WRITES = ["GET", "HEAD", "POST"]


def _found(request: HttpRequest, key: str) -> tuple[Person, Runbook]:
    person = signed_in(request)
    try:
        return person, find_runbook(person, key)
    except Runbook.DoesNotExist as error:
        raise Http404 from error


def _editable(request: HttpRequest, key: str) -> tuple[Person, Runbook]:
    person, runbook = _found(request, key)
    if not may_edit(person, runbook):
        raise NotAllowed(f"You may read this runbook, but only {verbs.WHO_EDITS} change it.")
    return person, runbook


def _about(runbook: Runbook, person: Person) -> dict[str, Any]:
    return {
        "runbook": runbook,
        "scenario": SCENARIO_WORDS[runbook.scenario],
        "scope": scope_words(runbook),
        "edits": may_edit(person, runbook) and runbook.retired_at is None,
    }


@require_safe
def runbooks(request: HttpRequest) -> HttpResponse:
    """All runbooks: for what, who keeps each, when it is looked at next, when it was last drilled."""
    person, today = signed_in(request), local_date(clock.now())
    asked = {"q": request.GET.get("q", "")[:100].strip(), "scenario": request.GET.get("scenario", "")}
    page = Paginator(listed(person, **asked), ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": rows_of(list(page)),
        "today": today,
        "asked": asked,
        "scenarios": [("none", words) if not value else (value, words) for value, words in SCENARIO_WORDS.items()],
        "writes": may(person, Permission.INCIDENTS_MANAGE) or System.objects.filter(owner=person).exists(),
    }
    return render(request, "incidents/runbooks.html", context)


@require_safe
def runbook(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """One runbook: what is done, in words, and who keeps it."""
    person, found = _found(request, runbook_key)
    version = published(found)
    context = {
        **_about(found, person),
        "version": version,
        "draft": draft_of(found),
        "lines": step_lines(version),
        "versions": versions_of(found),
        "drilled": last_drilled([found.pk]).get(found.pk),
        "today": local_date(clock.now()),
    }
    return render(request, "incidents/runbook.html", context)


@require_http_methods(READS_AND_WRITES)
def runbook_new(request: HttpRequest) -> HttpResponse:
    """Write a runbook of one's own for a system, an operating model or a unit."""
    person = signed_in(request)
    if not may(person, Permission.INCIDENTS_MANAGE) and not System.objects.filter(owner=person).exists():
        raise NotAllowed("Only who manages incidents writes runbooks, and for a system whoever answers for it.")
    initial = {"system": request.GET.get("system", "")[:80]}
    form = RunbookForm(request.POST if request.method == "POST" else None, actor=person, initial=initial)
    if form.is_valid():
        try:
            made = verbs.begin_runbook(actor=person, now=clock.now(), **form.cleaned_data)
        except (Refused, NotAllowed) as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            form.add_error(None, error.messages[0])
        else:
            messages.success(request, "Begun with what stands there today. Change it, then publish it.")
            return redirect("incidents:runbook_edit", made.key)
    return render(request, "incidents/runbook_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def runbook_version(request: HttpRequest, runbook_key: str, number: int) -> HttpResponse:
    """One version as it was, and what it changed: since the one before, or since the one that is asked for."""
    person, found = _found(request, runbook_key)
    versions = {version.number: version for version in versions_of(found)}
    version = versions.get(number)
    if version is None:
        raise Http404
    since = request.GET.get("since", "")
    before = versions.get(int(since)) if since.isascii() and since.isdigit() and len(since) < 6 else None
    if before is None or before.number == number:
        before = versions.get(max((n for n in versions if n < number), default=0))
    context = {
        **_about(found, person),
        "version": version,
        "lines": step_lines(version),
        "before": before,
        "changes": differences(steps_of(before), steps_of(version)) if before else [],
        "others": [one for one in versions.values() if one.number != number],
    }
    return render(request, "incidents/runbook_version.html", context)


@require_http_methods(READS_AND_WRITES)
def runbook_edit(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Write the next version: add, change, move and remove steps. What can be saved is saved with each button."""
    person, found = _editable(request, runbook_key)
    draft, do = draft_of(found), request.POST.get("do", "")
    if request.method == "POST" and do == "start":
        return _start(request, found, person)
    if draft is None:
        if request.method == "POST":
            raise Refused("There is no draft any more. Start the next version.")
        return redirect("incidents:runbook", found.key)
    if request.method != "POST":
        note = NoteForm(initial={"note": draft.note})
        return _edit_page(request, draft, person, StepRows(StepRows.of(steps_of(draft)), bound=False), note)
    return _save(request, draft, person, do)


def _start(request: HttpRequest, found: Runbook, person: Person) -> HttpResponse:
    try:
        verbs.draft_runbook(found, actor=person, now=clock.now())
    except ValidationError:
        messages.info(request, "Somebody started the next version already. This is it.")
    except Refused as error:
        messages.error(request, str(error))
        return redirect("incidents:runbook", found.key)
    return redirect("incidents:runbook_edit", found.key)


def _save(request: HttpRequest, draft: RunbookVersion, person: Person, do: str) -> HttpResponse:
    posted, note = StepRows.posted(request.POST), NoteForm(request.POST)
    change = moved(posted, do)
    rows = StepRows(change[0] if change else posted, bound=True)
    read, problem, status = request.POST.get("read", ""), "", 422
    if rows.is_valid() and note.is_valid():
        try:
            verbs.change_runbook_draft(
                draft, steps=rows.texts, note=note.cleaned_data["note"], read=read, actor=person, now=clock.now()
            )
        except verbs.DraftChanged as error:
            problem, status, read = f"{error} Look at the saved draft, then save yours or leave it.", 409, ""
        except Refused as error:
            problem = str(error)
        else:
            return _saved(request, draft, do, change[1] if change else 0)
    if change and not problem:
        rows, status = StepRows(change[0], bound=False), 200
    return _edit_page(request, draft, person, rows, note, problem=problem, status=status, read=read,
                      unsaved=bool(change), at=change[1] if change else 0)  # fmt: skip


def _saved(request: HttpRequest, draft: RunbookVersion, do: str, at: int) -> HttpResponse:
    if do == "check":
        return redirect("incidents:runbook_publish", draft.runbook.key)
    if not at:
        messages.success(request, "The draft is saved.")
    response = redirect("incidents:runbook_edit", draft.runbook.key)
    if at:
        response["Location"] += f"#step-{at}"
    return response


def _edit_page(
    request: HttpRequest,
    draft: RunbookVersion,
    person: Person,
    rows: StepRows,
    note: NoteForm,
    *,
    problem: str = "",
    status: int = 200,
    read: str = "",
    unsaved: bool = False,
    at: int = 0,
) -> HttpResponse:
    context = {
        **_about(draft.runbook, person),
        "draft": draft,
        "rows": rows,
        "note": note,
        "problem": problem,
        "read": read or revision_of(draft),
        "unsaved": unsaved,
        "at": at,
        "failed": status != 200,
    }
    return render(request, "incidents/runbook_edit.html", context, status=status)


@require_http_methods(READS_AND_WRITES)
def runbook_publish(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Look at a draft before it is used: what is wrong with it, and what it changes."""
    person, found = _editable(request, runbook_key)
    draft = draft_of(found)
    if draft is None:
        return redirect("incidents:runbook", found.key)
    problem, status = "", 200
    if request.method == "POST":
        try:
            made = verbs.publish_runbook(draft, read=request.POST.get("read", ""), actor=person, now=clock.now())
        except verbs.DraftChanged:
            problem, status = "Somebody saved this draft after you opened it. This is what it says now.", 409
        except Refused as error:
            problem, status = str(error), 422
        else:
            messages.success(request, f"Version {made.number} is in use. Incidents from now on begin with it.")
            return redirect("incidents:runbook", found.key)
    faults, before = lint(steps_of(draft), roles()), published(found)
    context = {
        **_about(found, person),
        "draft": draft,
        "lines": step_lines(draft),
        "before": before,
        "changes": differences(steps_of(before), steps_of(draft)) if before else [],
        "blocks": [fault for fault in faults if fault.blocks],
        "warns": [fault for fault in faults if not fault.blocks],
        "problem": problem,
        "read": revision_of(draft),
    }
    return render(request, "incidents/runbook_publish.html", context, status=status)


def _asked(
    request: HttpRequest, found: Runbook, person: Person, form: Any, act: Callable[[Any], str], **page: Any
) -> HttpResponse:
    """One question with one form: what is refused is said at the form, what is done leads back to the runbook."""
    if form.is_bound and form.is_valid():
        try:
            said = act(form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, said)
            return redirect("incidents:runbook", found.key)
    context = {**_about(found, person), "form": form, **page}
    return render(request, "incidents/runbook_ask.html", context, status=422 if form.errors else 200)


def _data(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


@require_http_methods(READS_AND_WRITES)
def runbook_review(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Say that it is still right. The answer alone moves the date of the next review."""
    person, found = _editable(request, runbook_key)

    def act(data: Any) -> str:
        done = verbs.confirm_runbook(found, note=data["note"], actor=person, now=clock.now())
        return f"Reviewed. The next review is due on {day_words(done.review_due)}." if done.review_due else "Reviewed."

    return _asked(
        request, found, person, ReviewForm(_data(request)), act, title="Is it still right?", button="It is still right",
        lead="Read it step by step first. Where something is wrong, start the next version instead.",
    )  # fmt: skip


@require_http_methods(READS_AND_WRITES)
def runbook_owner(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Say who keeps it."""
    person, found = _editable(request, runbook_key)

    def act(data: Any) -> str:
        verbs.set_runbook_owner(found, data["owner"], actor=person, now=clock.now())
        return f"{data['owner'].display_name} keeps it from now on."

    initial = {"owner": person if found.owner is None else None}
    return _asked(
        request, found, person, OwnerForm(_data(request), initial=initial), act, title="Who keeps it?",
        button="Save", lead="Who keeps a runbook reviews it every 90 days, and after each incident that used it.",
    )  # fmt: skip


@require_http_methods(READS_AND_WRITES)
def runbook_retire(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Take it out of use, with a reason."""
    person, found = _editable(request, runbook_key)

    def act(data: Any) -> str:
        verbs.retire_runbook(found, reason=data["reason"], actor=person, now=clock.now())
        return "Retired. The more general runbook stands in its place."

    return _asked(
        request, found, person, ReasonForm(_data(request)), act, title="Retire this runbook?", button="Retire it",
        danger=True, lead="Incidents from now on begin with the more general runbook. Those that run keep their steps.",
    )  # fmt: skip


@require_http_methods(READS_AND_WRITES)
def runbook_discard(request: HttpRequest, runbook_key: str) -> HttpResponse:
    """Give the draft up."""
    person, found = _editable(request, runbook_key)
    draft = draft_of(found)
    if draft is None:
        return redirect("incidents:runbook", found.key)
    if request.method == "POST":
        verbs.discard_runbook_draft(draft, actor=person, now=clock.now())
        messages.success(request, "The draft is discarded.")
        return redirect("incidents:runbooks")
    context = {**_about(found, person), "draft": draft}
    return render(request, "incidents/runbook_discard.html", context)

"""A person's availability: absences, delegation, a calendar file."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.common import clock
from apps.common.errors import Refused
from apps.people.actions.calendars import Taken
from apps.people.models import Absence, Person
from apps.people.requests import signed_in
from apps.portal.forms.availability import AbsenceForm, CalendarForm
from apps.portal.queries.availability import (
    availability_page,
    away_words,
    days_of,
    find_absence,
    require_may_keep,
)
from apps.portal.queries.people import find_person
from apps.portal.views.people import add_errors
from apps.registry import actions as verbs


@require_http_methods(["GET", "HEAD", "POST"])
def own(request: HttpRequest) -> HttpResponse:
    """One's own days."""
    return _availability(request, signed_in(request))


@require_http_methods(["GET", "HEAD", "POST"])
def of_person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Somebody else's days, for their line manager and those who administer people."""
    actor = signed_in(request)
    try:
        person = find_person(actor, person_id)
    except Person.DoesNotExist as error:
        raise Http404 from error
    require_may_keep(actor, person)
    return _availability(request, person)


def _availability(request: HttpRequest, person: Person) -> HttpResponse:
    """`do` of a POST says what is to be done; `change` of a GET opens the form of one absence."""
    if request.method == "POST":
        do = request.POST.get("do", "")
        pages = {"add": _add, "change": _change, "cancel": _cancel, "restore": _restore, "calendar": _calendar}
        if do not in pages:
            raise Refused("Choose what to do with these days.")
        return pages[do](request, person)
    if number := request.GET.get("change", ""):
        absence = _found(person, number)
        return _page(request, person, form=AbsenceForm(person=person, of=absence), changed=absence)
    return _page(request, person)


def _found(person: Person, number: str, *, cancelled: bool = False) -> Absence:
    try:
        return find_absence(person, number, cancelled=cancelled)
    except Absence.DoesNotExist as error:
        raise Http404 from error


def _back(request: HttpRequest) -> HttpResponse:
    return redirect(request.path)


def _add(request: HttpRequest, person: Person) -> HttpResponse:
    actor, form = signed_in(request), AbsenceForm(request.POST, person=person)
    if form.is_valid():
        given = form.cleaned_data
        days: dict[str, Any] = {"starts_on": given["starts_on"], "ends_on": given["ends_on"]}
        try:
            if given["kind"] == Absence.Kind.DELEGATED:
                absence = verbs.delegate(person, given["delegate"], actor=actor, now=clock.now(), **days)
            else:
                absence = verbs.record_absence(person, delegate=given["delegate"], actor=actor, now=clock.now(), **days)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"Recorded: {days_of(absence)}.")
            return _back(request)
    return _page(request, person, form=form)


def _change(request: HttpRequest, person: Person) -> HttpResponse:
    absence = _found(person, request.POST.get("absence", ""))
    form = AbsenceForm(request.POST, person=person, of=absence)
    if form.is_valid():
        try:
            new = verbs.change_absence(absence, actor=signed_in(request), now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"Changed: {days_of(new)}.")
            return _back(request)
    return _page(request, person, form=form, changed=absence)


def _cancel(request: HttpRequest, person: Person) -> HttpResponse:
    absence = _found(person, request.POST.get("absence", ""))
    verbs.cancel_absence(absence, actor=signed_in(request), now=clock.now())
    messages.success(request, f"Cancelled: {days_of(absence)}. It can be put back below.")
    return _back(request)


def _restore(request: HttpRequest, person: Person) -> HttpResponse:
    """Undo a cancellation: the same days and delegate, as a new entry."""
    old = _found(person, request.POST.get("absence", ""), cancelled=True)
    days: dict[str, Any] = {
        "starts_on": old.starts_on,
        "ends_on": old.ends_on,
        "actor": signed_in(request),
        "now": clock.now(),
    }
    try:
        if old.kind == Absence.Kind.DELEGATED and old.delegate is not None:
            verbs.delegate(person, old.delegate, **days)
        else:
            verbs.record_absence(person, delegate=old.delegate, **days)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error
    messages.success(request, f"Put back: {days_of(old)}.")
    return _back(request)


def _calendar(request: HttpRequest, person: Person) -> HttpResponse:
    form = CalendarForm(request.POST, request.FILES)
    if form.is_valid():
        content = form.cleaned_data["file"].read()
        try:
            taken = verbs.import_calendar(person, content, actor=signed_in(request), now=clock.now())
        except Refused as error:
            form.add_error("file", str(error))
        else:
            messages.success(request, _words(taken))
            return _back(request)
    return _page(request, person, calendar=form)


def _words(taken: Taken) -> str:
    """What the file did, in one line."""
    done = [
        f"{len(rows)} {word}"
        for rows, word in ((taken.added, "added"), (taken.changed, "changed"), (taken.cancelled, "cancelled"))
        if rows
    ]
    said = [f"{', '.join(done).capitalize()}." if done else "Nothing changed: these days are known."]
    if taken.left_out:
        said.append("Left out: " + ", ".join(f"{n} {why}" for why, n in taken.left_out.items()) + ".")
    if taken.vanished:
        days = ", ".join(days_of(row) for row in taken.vanished[:5])
        said.append(f"Not in this file and still here: {days}. Cancel what is not so any more.")
    return " ".join(said)


def _page(
    request: HttpRequest,
    person: Person,
    *,
    form: AbsenceForm | None = None,
    calendar: CalendarForm | None = None,
    changed: Absence | None = None,
) -> HttpResponse:
    absence_form, calendar_form = form or AbsenceForm(person=person), calendar or CalendarForm()
    failed: forms.Form = calendar_form if calendar_form.errors else absence_form
    page = availability_page(person, clock.now())
    context = {
        "page": page,
        "person": person,
        "mine": person.pk == signed_in(request).pk,
        "away": away_words(page.acting),
        "absence_form": absence_form,
        "calendar_form": calendar_form,
        "changed": changed,
        "changed_days": days_of(changed) if changed else "",
        "form": failed,
    }
    return render(request, "portal/availability.html", context, status=422 if failed.errors else 200)

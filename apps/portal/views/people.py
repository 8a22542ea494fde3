"""People: the list, a person's page, and what those who administer people do there."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.actions import bring_back, offboard
from apps.directory.queries.cases import leaving
from apps.people import actions as verbs
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.people.requests import signed_in
from apps.people.rules import RoleName
from apps.portal.forms.people import DeactivateForm, GrantForm, NewPersonForm, PersonForm
from apps.portal.queries.availability import away_words, may_keep_absences
from apps.portal.queries.people import (
    ACTIVE,
    DEACTIVATED,
    EVERYBODY,
    find_person,
    listed_people,
    person_page,
)
from apps.registry.actions import change_person

ROWS_A_PAGE = 25


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody whom the reader may see, with what they answer for."""
    reader = signed_in(request)
    administers = may(reader, Permission.ADMINISTER_PEOPLE)
    text = " ".join(request.GET.get("q", "").split())[:200]
    state = request.GET.get("state", ACTIVE)
    if not administers or state not in {ACTIVE, DEACTIVATED, EVERYBODY}:
        state = ACTIVE
    rows = listed_people(reader, text=text, state=state)
    context = {
        "page": Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "q": text,
        "state": state,
        "states": [(ACTIVE, "Active"), (DEACTIVATED, "Deactivated"), (EVERYBODY, "Everybody")],
        "cap": settings.WORKLOAD_CAP,
        "over": f"over {settings.WORKLOAD_CAP}",
        "administers": administers,
    }
    return render(request, "portal/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make somebody known to the portal."""
    actor = signed_in(request)
    require(actor, Permission.ADMINISTER_PEOPLE)
    form = NewPersonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            person = verbs.provision_person(actor=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(
                request,
                f"{person.display_name} is known. They set a password with Forgot password on the sign-in page.",
            )
            return redirect("portal:person", person.pk)
    return render(request, "portal/person_new.html", {"form": form}, status=422 if form.errors else 200)


def add_errors(form: forms.Form, error: Refused | ValidationError) -> None:
    """Show what a verb says at the field that it is about, where the form has it, else above the form."""
    if isinstance(error, Refused):
        form.add_error(None, str(error))
        return
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, said in by_field.items():
        form.add_error(name if name in form.fields else None, said)


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """A person's page. `do` in the address or the form names what is to be done, for those who administer."""
    reader = signed_in(request)
    try:
        shown = find_person(reader, person_id)
    except Person.DoesNotExist as error:
        raise Http404 from error
    pages = {"edit": _edit, "deactivate": _deactivate, "reactivate": _reactivate, "grant": _grant, "revoke": _revoke}
    do = (request.POST if request.method == "POST" else request.GET).get("do", "")
    if not do and request.method != "POST":
        return _page(request, shown)
    require(reader, Permission.ADMINISTER_PEOPLE)
    if do not in pages:
        raise Refused("Choose what to do with this person.")
    return pages[do](request, shown, reader)


def _page(request: HttpRequest, shown: Person, grant: GrantForm | None = None) -> HttpResponse:
    reader = signed_in(request)
    form, acting = grant or GrantForm(), acting_for(shown, clock.now())
    context = {
        "acting": acting,
        "away": away_words(acting),
        "leaving": f"Leaves on {clock.day_words(shown.leaving_on)}" if shown.leaving_on else "",
        "keeps": may_keep_absences(reader, shown),
        "page": person_page(reader, shown, now=clock.now()),
        "administers": may(reader, Permission.ADMINISTER_PEOPLE),
        "cap": settings.WORKLOAD_CAP,
        "form": form,
    }
    return render(request, "portal/person.html", context, status=422 if form.errors else 200)


def _edit(request: HttpRequest, shown: Person, actor: Person) -> HttpResponse:
    form = PersonForm.of(shown, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            change_person(shown, actor=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("portal:person", shown.pk)
    context = {"form": form, "person": shown}
    return render(request, "portal/person_edit.html", context, status=422 if form.errors else 200)


def _deactivate(request: HttpRequest, shown: Person, actor: Person) -> HttpResponse:
    """Somebody leaves: what passes to whom stands on the page before anything does."""
    form, now = DeactivateForm(request.POST if request.method == "POST" else None), clock.now()
    if form.is_valid():
        try:
            case = offboard(shown, actor=actor, now=now, reason=form.cleaned_data["reason"])
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{shown.display_name} is deactivated. What they held has passed on.")
            return redirect("directory:case", case.pk)
    context: dict[str, Any] = {"form": form, "person": shown}
    try:
        context["leaving"] = leaving(shown, now=now)
    except Refused as error:
        context["why_not"] = str(error)
    return render(request, "portal/person_deactivate.html", context, status=422 if form.errors else 200)


def _reactivate(request: HttpRequest, shown: Person, actor: Person) -> HttpResponse:
    if request.method == "POST":
        bring_back(shown, actor=actor, now=clock.now())
        messages.success(request, f"{shown.display_name} is active again. Nothing passed back by itself.")
    return redirect("portal:person", shown.pk)


def _grant(request: HttpRequest, shown: Person, actor: Person) -> HttpResponse:
    if request.method != "POST":
        return redirect("portal:person", shown.pk)
    form = GrantForm(request.POST)
    if form.is_valid():
        role, until = RoleName(form.cleaned_data["role"]), form.cleaned_data["until"]
        try:
            verbs.grant_role(shown, role, actor=actor, now=clock.now(), until=until)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"{shown.display_name} has the role {role}.")
            return redirect("portal:person", shown.pk)
    return _page(request, shown, form)


def _revoke(request: HttpRequest, shown: Person, actor: Person) -> HttpResponse:
    if request.method != "POST":
        return redirect("portal:person", shown.pk)
    try:
        role = RoleName(request.POST.get("role", ""))
    except ValueError as error:
        raise Refused("There is no such role.") from error
    verbs.revoke_role(shown, role, actor=actor, now=clock.now())
    messages.success(request, f"{shown.display_name} does not have the role {role} any more.")
    return redirect("portal:person", shown.pk)

"""One system: its page, ownership, trail, and the forms that change it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.assurance.queries import rows
from apps.audit.queries import Filters, events
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.incidents.queries.page import live_one
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.systems import RegisterForm, RetireForm, SystemForm
from apps.portal.queries.handovers import authority_of, transfer_of
from apps.portal.queries.system import may_change, may_nominate, may_read_trail, system_page, unit_path
from apps.registry import actions
from apps.registry.models import System
from apps.registry.queries import find_system
from apps.registry.rules import Stage

EDITED = (
    "name", "purpose", "unit", "stage", "tier", "regulatory_class", "operating_model", "vendor", "model",
    "chat_channel",
)  # fmt: skip
TRAIL_PAGE = 25


def system_or_404(reader: Person, key: str) -> System:
    """The system, or the same 404 for not there and for not yours."""
    try:
        return find_system(reader, key)
    except System.DoesNotExist:
        raise Http404 from None


def system_frame(reader: Person, system: System, part: str) -> dict[str, Any]:
    """What every part of a system's pages shows."""
    return {
        "system": system,
        "part": part,
        "may_change": may_change(reader, system),
        "may_nominate": may_nominate(reader, system),
        "may_retire": may(reader, Permission.SYSTEM_CHANGE) and system.stage != Stage.RETIRED,
        "may_read_trail": may_read_trail(reader, system),
    }


@require_safe
def system(request: HttpRequest, key: str) -> HttpResponse:
    """The overview."""
    reader = signed_in(request)
    found = system_or_404(reader, key)
    page = system_page(reader, found, today=clock.local_date(clock.now()))
    context = system_frame(reader, found, "overview") | {
        "page": page,
        "transfer": transfer_of(reader, found),
        "authority": authority_of(reader, found),
        "live": live_one(reader, found, clock.now()),
    }
    return render(request, "portal/system.html", context)


@require_safe
def trail(request: HttpRequest, key: str) -> HttpResponse:
    """Every event about the system."""
    reader = signed_in(request)
    found = system_or_404(reader, key)
    if not may_read_trail(reader, found):
        raise NotAllowed("You may see this system, but only its owner, a seat holder or an auditor reads its trail.")
    about = events(Filters(subject_kind="system", subject_id=str(found.pk)))
    page = Paginator(about, TRAIL_PAGE).get_page(request.GET.get("page"))
    context = system_frame(reader, found, "trail") | {
        "page": page,
        "rows": rows(list(page.object_list), reader=reader),
        "units": unit_path(found.unit),
    }
    return render(request, "portal/system_trail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Put a system on the register; nobody owns it by that."""
    actor = signed_in(request)
    require(actor, Permission.SYSTEM_REGISTER, "a seat holder or the person who holds the mandate")
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            created = actions.register_system(
                key=form.cleaned_data["key"],
                identities=form.identities(),
                actor=actor,
                now=clock.now(),
                **form.facts(),
            )
        except (Refused, ValidationError) as error:
            _show(form, error)
        else:
            messages.success(request, f"{created.name} is registered. {created.owner} answers until somebody accepts.")
            return redirect("portal:system", created.key)
    return render(request, "portal/system_register.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, key: str) -> HttpResponse:
    """Change what is known about a system; its owner may change less than the mandate."""
    actor = signed_in(request)
    found = system_or_404(actor, key)
    if not may_change(actor, found):
        raise NotAllowed("You may see this system, but only its owner and the person who holds the mandate change it.")
    whole = may(actor, Permission.SYSTEM_CHANGE)
    initial = {name: getattr(found, name) for name in (*EDITED, "restricted")}
    form = SystemForm(request.POST or None, system=found, whole=whole, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_system(found, actor=actor, now=clock.now(), identities=form.identities(), **form.facts())
        except (Refused, ValidationError) as error:
            _show(form, error)
        else:
            messages.success(request, "The change is saved.")
            return redirect("portal:system", key)
    context = {"form": form, "system": found, "units": unit_path(found.unit)}
    return render(request, "portal/system_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def retire(request: HttpRequest, key: str) -> HttpResponse:
    """Take a system out of use, with a reason."""
    actor = signed_in(request)
    found = system_or_404(actor, key)
    require(actor, Permission.SYSTEM_CHANGE)
    form = RetireForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.retire_system(found, actor=actor, now=clock.now(), reason=form.cleaned_data["reason"])
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{found.name} is retired. Its history stays.")
            return redirect("portal:system", key)
    context = {"form": form, "system": found, "units": unit_path(found.unit)}
    return render(request, "portal/system_retire.html", context, status=422 if form.errors else 200)


def _show(form: SystemForm, error: Refused | ValidationError) -> None:
    """A verb's refusal beside the field that it is about, or above the form."""
    if isinstance(error, Refused) or not hasattr(error, "error_dict"):
        form.add_error(None, str(error) if isinstance(error, Refused) else error.messages)
        return
    for name, found in error.message_dict.items():
        form.add_error(name if name in form.fields else None, found)

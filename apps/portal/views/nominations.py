"""Nominations: ask a person to answer for one system or several, answer that, take it back."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.nominations import DeclineForm, NominateForm, WithdrawForm
from apps.portal.queries.nominations import (
    Asked,
    cannot_be_nominated,
    nominations_on_record,
    open_nomination,
    require_may_nominate,
    selected_systems,
)
from apps.portal.queries.people import over_the_cap
from apps.registry import actions
from apps.registry.models import Nomination, System
from apps.registry.queries import find_system, visible_systems

# Systems that one form can name: some pages of the list.
MOST_AT_ONCE = 200


@require_http_methods(["GET", "HEAD", "POST"])
def nominate(request: HttpRequest, key: str) -> HttpResponse:
    """Ask a person to answer for a system."""
    actor = signed_in(request)
    try:
        system = find_system(actor, key)
    except System.DoesNotExist as error:
        raise Http404 from error
    require_may_nominate(actor, [system])
    form = NominateForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            nomination = actions.nominate_owner(system, actor=actor, now=clock.now(), **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            _say_nominated(request, nomination)
            return redirect("portal:system", system.key)
    context = {"form": form, "system": system, "waiting": open_nomination(system)}
    return render(request, "portal/nominate.html", context, status=422 if form.errors else 200)


def _say_nominated(request: HttpRequest, nomination: Nomination) -> None:
    text = "{} is nominated and told by mail. Until the answer comes, {} answers. <a href='{}'>Undo</a>"
    undo = reverse("portal:nomination_withdraw", args=[nomination.pk])
    holder = nomination.system.owner.display_name
    messages.success(request, format_html(text, nomination.nominee.display_name, holder, undo))
    _warn_of_load(request, nomination.nominee)


def _warn_of_load(request: HttpRequest, nominee: Person) -> None:
    if sentence := over_the_cap(nominee):
        messages.warning(request, sentence)


@require_POST
def nominate_many(request: HttpRequest) -> HttpResponse:
    """The systems selected in a list: first a page to check them, then ask one person for all, or nothing."""
    actor = signed_in(request)
    keys = request.POST.getlist("system")
    if not keys:
        raise Refused("No system is selected. Go back to the list and select at least one.")
    if len(keys) > MOST_AT_ONCE:
        raise Refused(f"{len(keys)} systems are too many at once. Select {MOST_AT_ONCE} at most.")
    systems = selected_systems(actor, keys)
    if not systems:
        raise Http404
    require_may_nominate(actor, systems)
    rows = [(system, cannot_be_nominated(system)) for system in systems]
    chosen = [system for system, why_not in rows if not why_not]
    form = NominateForm(request.POST if "confirm" in request.POST else None)
    if form.is_valid():
        try:
            actions.nominate_many(chosen, actor=actor, now=clock.now(), **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return _nominated_many(request, form.cleaned_data["nominee"], len(chosen))
    context = {
        "form": form,
        "chosen": chosen,
        "left_out": [(system, why_not) for system, why_not in rows if why_not],
        "list_url": _list_url(request),
    }
    return render(request, "portal/nominate_many.html", context, status=422 if form.errors else 200)


def _list_url(request: HttpRequest) -> str:
    """The list as it was filtered when the systems were selected."""
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return f"{reverse('portal:systems')}?{query}" if query else reverse("portal:systems")


def _nominated_many(request: HttpRequest, nominee: Person, count: int) -> HttpResponse:
    noun = "1 system" if count == 1 else f"{count} systems"
    messages.success(
        request, f"{nominee.display_name} is nominated for {noun} and told in one mail. Nothing changes hands yet."
    )
    _warn_of_load(request, nominee)
    return redirect(_list_url(request))


@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, nomination_id: int) -> HttpResponse:
    """What a nomination means, for the nominee alone. POST accepts or declines."""
    actor, now = signed_in(request), clock.now()
    nomination = nominations_on_record().filter(pk=nomination_id, nominee=actor).first()
    if nomination is None:
        raise Http404
    form = DeclineForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _answered(request, nomination, form.cleaned_data["reason"])
        except Refused as error:
            missing = request.POST.get("answer") == "decline" and not form.cleaned_data["reason"]
            form.add_error("reason" if missing else None, str(error))
            nomination = nominations_on_record().get(pk=nomination.pk)
    context = {
        "form": form,
        "asked": Asked(nomination, now),
        "nomination": nomination,
        "system": nomination.system,
        "sees": visible_systems(actor).filter(pk=nomination.system_id).exists(),
    }
    return render(request, "portal/nomination.html", context, status=422 if form.errors else 200)


def _answered(request: HttpRequest, nomination: Nomination, reason: str) -> HttpResponse:
    """Do what the pressed button says."""
    system, actor, now = nomination.system, signed_in(request), clock.now()
    if request.POST.get("answer") == "accept":
        actions.accept_ownership(nomination, actor=actor, now=now)
        messages.success(request, f"You answer for {system.name} from now on.")
        return redirect("portal:system", system.key)
    if request.POST.get("answer") == "decline":
        actions.decline_ownership(nomination, actor=actor, now=now, reason=reason)
        messages.success(
            request, f"You declined to answer for {system.name}. Your reason went to the head of the unit."
        )
        return redirect("portal:home")
    raise Refused("Accept or decline.")


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, nomination_id: int) -> HttpResponse:
    """Take a nomination back: the one who nominated, or who may nominate and sees the system."""
    actor = signed_in(request)
    nomination = nominations_on_record().filter(_withdrawable(actor), pk=nomination_id).first()
    if nomination is None:
        raise Http404
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            actions.withdraw_nomination(nomination, actor=actor, now=clock.now(), reason=form.cleaned_data["reason"])
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return _withdrawn(request, nomination, actor)
    sees = visible_systems(actor).filter(pk=nomination.system_id).exists()
    context: dict[str, Any] = {"form": form, "nomination": nomination, "system": nomination.system, "sees": sees}
    return render(request, "portal/nomination_withdraw.html", context, status=422 if form.errors else 200)


def _withdrawable(actor: Person) -> Q:
    mine = Q(nominated_by=actor)
    if may(actor, Permission.NOMINATE_OWNER):
        return mine | Q(system__in=visible_systems(actor))
    return mine


def _withdrawn(request: HttpRequest, nomination: Nomination, actor: Person) -> HttpResponse:
    system = nomination.system
    messages.success(
        request,
        f"The nomination of {nomination.nominee.display_name} is withdrawn. {system.owner.display_name} answers.",
    )
    if visible_systems(actor).filter(pk=system.pk).exists():
        return redirect("portal:system", system.key)
    return redirect("portal:home")

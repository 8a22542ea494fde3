"""Who answered when, and the authority of who answers."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.requests import signed_in
from apps.portal.forms.powers import GrantForm
from apps.portal.queries.history import asked_day, history_rows
from apps.portal.queries.system import unit_path
from apps.portal.views.system import system_frame, system_or_404
from apps.registry import actions
from apps.registry.queries.authority import WHO_GRANTS, authorities_of, authority_history, may_grant_authority
from apps.registry.queries.history import answered_on


@require_safe
def history(request: HttpRequest, key: str) -> HttpResponse:
    """Every owner with basis, dates and ground; with a day, who answered on it and who acted."""
    reader = signed_in(request)
    found, now = system_or_404(reader, key), clock.now()
    day, wrong = asked_day(request.GET.get("on", ""))
    context = system_frame(reader, found, "history") | {
        "units": unit_path(found.unit),
        "rows": history_rows(found),
        "authorities": authority_history(found)[:50],
        "on": request.GET.get("on", ""),
        "day": day,
        "wrong": wrong,
        "answered": answered_on(found, day, now=now) if day else None,
        "zone": clock.organisation_zone().key,
    }
    return render(request, "portal/system_history.html", context, status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def authority(request: HttpRequest, key: str) -> HttpResponse:
    """Say what the person who answers may do without asking."""
    actor = signed_in(request)
    found = system_or_404(actor, key)
    if not may_grant_authority(actor, [found]):
        raise NotAllowed(f"You may see this system, but only {WHO_GRANTS} grants authority.")
    now_in_force = authorities_of([found]).get(found.pk)
    names = ("may_stop", "may_revoke", "spend_cap", "currency")
    initial = {name: getattr(now_in_force, name) for name in names} if now_in_force else {}
    form = GrantForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        try:
            actions.grant_authority(found, form.powers(), actor=actor, now=clock.now(), note=form.cleaned_data["note"])
        except (Refused, NotAllowed) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{found.owner.display_name} has this authority from now on.")
            return redirect("portal:system", key)
    context = {"form": form, "system": found, "authority": now_in_force}
    return render(request, "portal/system_authority.html", context, status=422 if form.errors else 200)

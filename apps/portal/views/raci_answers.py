"""A person who is to hold an A says yes or no."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.portal.forms.raci import AcceptanceForm
from apps.portal.queries.raci_answers import Asked, asked_of, find_acceptance
from apps.registry.actions import raci as verbs
from apps.registry.models import RaciAcceptance


@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, acceptance_id: int) -> HttpResponse:
    """What would be answered for, for the person alone. POST accepts or declines."""
    actor = signed_in(request)
    acceptance = find_acceptance(actor, acceptance_id)
    if acceptance is None:
        raise Http404
    form = AcceptanceForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _answered(request, acceptance, form.cleaned_data["reason"])
        except Refused as error:
            missing = request.POST.get("answer") == "decline" and not form.cleaned_data["reason"]
            form.add_error("reason" if missing else None, str(error))
    asked: Asked = asked_of(acceptance, clock.now())
    context = {"form": form, "asked": asked}
    return render(request, "portal/raci_acceptance.html", context, status=422 if form.errors else 200)


def _answered(request: HttpRequest, acceptance: RaciAcceptance, reason: str) -> HttpResponse:
    """Do what the pressed button says."""
    actor, now = signed_in(request), clock.now()
    if request.POST.get("answer") == "accept":
        verbs.accept_letters(acceptance, actor=actor, now=now)
        acceptance.draft.refresh_from_db()
        in_force = acceptance.draft.state == acceptance.draft.State.IN_FORCE
        when = "It is in force now." if in_force else "It comes into force when the others have accepted too."
        messages.success(request, f"You accepted. {when}")
    elif request.POST.get("answer") == "decline":
        verbs.decline_letters(acceptance, reason=reason, actor=actor, now=now)
        messages.success(request, "You declined. Your reason went to the person who sent it; what is in force stays.")
    else:
        raise Refused("Accept or decline.")
    return redirect("portal:home")

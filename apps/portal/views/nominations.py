"""Nominations: ask a person to answer for one system or several, answer that, take it back."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.nominations import DeclineForm, NominateForm, UndoForm, WithdrawForm
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
from apps.registry.models import Handover, Nomination, System
from apps.registry.queries import find_system, visible_systems
from apps.registry.queries.authority import may_grant_authority
from apps.registry.queries.handover import running_handover
from apps.registry.queries.prediction import predicted_people, predictions

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
    form = _nominate_form(request, actor, [system], posted=request.method == "POST")
    if form.is_valid():
        try:
            nomination = actions.nominate_owner(system, actor=actor, now=clock.now(), **_given(form))
        except (Refused, NotAllowed) as error:
            form.add_error(None, str(error))
        else:
            _say_nominated(request, nomination)
            return redirect("portal:system", system.key)
    context = {
        "form": form,
        "system": system,
        "waiting": open_nomination(system),
        "running": running_handover(system),
        "prediction": predictions([system]).get(system.pk),
        "now": clock.now(),
    }
    return render(request, "portal/nominate.html", context, status=422 if form.errors else 200)


def _nominate_form(request: HttpRequest, actor: Person, systems: Sequence[System], *, posted: bool) -> NominateForm:
    """The form, with authority where the person may grant it; a person who was predicted can be filled in."""
    grants = may_grant_authority(actor, systems)
    suggested = request.POST.get("fill") or request.GET.get("nominee", "")
    return NominateForm(request.POST if posted else None, grants=grants, initial={"nominee": suggested[:254]})


def _given(form: NominateForm) -> dict[str, Any]:
    return {"nominee": form.cleaned_data["nominee"], "reason": form.cleaned_data["reason"], "powers": form.powers()}


def _say_nominated(request: HttpRequest, nomination: Nomination) -> None:
    text = (
        f"{nomination.nominee.display_name} is nominated and told by mail. "
        f"Until the answer comes, {nomination.system.owner.display_name} answers."
    )
    messages.success(request, _with_undo(request, text, [nomination]))
    _warn_of_load(request, nomination.nominee)


def _with_undo(request: HttpRequest, text: str, nominations: Sequence[Nomination]) -> SafeString:
    """The sentence with a button that takes the nominations back."""
    return format_html(
        '{} <form class="banner__undo" method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" '
        'value="{}"><input type="hidden" name="nominations" value="{}"><button class="button button--small" '
        'type="submit">Undo</button></form>',
        text,
        reverse("portal:nominations_undo"),
        get_token(request),
        ",".join(str(nomination.pk) for nomination in nominations),
    )


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what the person nominated by mistake; each nominee is told in one message."""
    actor = signed_in(request)
    form = UndoForm(request.POST)
    ids = form.cleaned_data["nominations"] if form.is_valid() else []
    mine = list(nominations_on_record().filter(pk__in=ids[:MOST_AT_ONCE], nominated_by=actor))
    if not mine:
        raise Http404
    actions.withdraw_many(mine, actor=actor, now=clock.now(), reason="Nominated by mistake")
    what = mine[0].system.name if len(mine) == 1 else f"{len(mine)} systems"
    messages.success(request, f"Undone. {mine[0].nominee.display_name} is not asked any more to answer for {what}.")
    if len(mine) == 1 and visible_systems(actor).filter(pk=mine[0].system_id).exists():
        return redirect("portal:system", mine[0].system.key)
    return redirect("portal:systems")


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
    confirmed = "confirm" in request.POST and "fill" not in request.POST
    form = _nominate_form(request, actor, chosen, posted=confirmed)
    if form.is_valid():
        try:
            nominated = actions.nominate_many(chosen, actor=actor, now=clock.now(), **_given(form))
        except (Refused, NotAllowed) as error:
            form.add_error(None, str(error))
        else:
            return _nominated_many(request, nominated)
    foreseen = predictions(chosen)
    context = {
        "form": form,
        "chosen": [(system, foreseen.get(system.pk)) for system in chosen],
        "predicted": predicted_people(foreseen),
        "now": clock.now(),
        "left_out": [(system, why_not) for system, why_not in rows if why_not],
        "list_url": list_url(request),
    }
    return render(request, "portal/nominate_many.html", context, status=422 if form.errors else 200)


def list_url(request: HttpRequest) -> str:
    """The list as it was filtered when the systems were selected."""
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return f"{reverse('portal:systems')}?{query}" if query else reverse("portal:systems")


def _nominated_many(request: HttpRequest, nominations: Sequence[Nomination]) -> HttpResponse:
    nominee, count = nominations[0].nominee, len(nominations)
    noun = "1 system" if count == 1 else f"{count} systems"
    text = f"{nominee.display_name} is nominated for {noun} and told in one mail. Nothing changes hands yet."
    messages.success(request, _with_undo(request, text, nominations))
    _warn_of_load(request, nominee)
    return redirect(list_url(request))


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
        outcome = actions.accept_ownership(nomination, actor=actor, now=now)
        if isinstance(outcome, Handover):
            holder = outcome.outgoing.display_name
            messages.success(
                request, f"You said yes. Nothing changes hands yet: {holder} signs the hand-over, then you do."
            )
            return redirect("portal:handover", outcome.pk)
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

"""How one is reached: the ways, their order, a code that proves each."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.notify.actions import channels as verbs
from apps.notify.models import Channel, Endpoint
from apps.notify.rules.channels import EMAIL
from apps.people.requests import signed_in
from apps.portal.forms.channels import ChannelForm, CodeForm
from apps.portal.queries.channels import ways_of
from apps.portal.views.people import add_errors

SENT = "A code is on its way. Enter it when it arrives."


@require_http_methods(["GET", "HEAD", "POST"])
def channels(request: HttpRequest) -> HttpResponse:
    """One's own ways to be reached. `do` of a POST says what is to be done."""
    if request.method != "POST":
        return _page(request)
    pages = {"add": _add, "email": _email, "send": _send, "confirm": _confirm, "move": _move, "remove": _remove}
    do = request.POST.get("do", "")
    if do not in pages:
        raise Refused("Choose what to do with this way to reach you.")
    return pages[do](request)


def _mine(request: HttpRequest) -> Channel:
    number = request.POST.get("channel", "")
    mine = Channel.objects.filter(person=signed_in(request), removed_at=None).select_related("person", "endpoint")
    found = mine.filter(pk=number).first() if number.isdecimal() and len(number) < 18 else None
    if found is None:
        raise Http404
    return found


def _add(request: HttpRequest) -> HttpResponse:
    person, form = signed_in(request), ChannelForm(request.POST)
    if form.is_valid():
        try:
            verbs.add_channel(person, actor=person, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, SENT)
            return redirect("portal:channels")
    return _page(request, form=form)


def _email(request: HttpRequest) -> HttpResponse:
    """The address of the profile, which so far nobody tested."""
    person = signed_in(request)
    verbs.add_channel(person, kind=EMAIL, actor=person, now=clock.now())
    messages.success(request, SENT)
    return redirect("portal:channels")


def _send(request: HttpRequest) -> HttpResponse:
    verbs.test_channel(_mine(request), actor=signed_in(request), now=clock.now())
    messages.success(request, SENT)
    return redirect("portal:channels")


def _confirm(request: HttpRequest) -> HttpResponse:
    channel, form = _mine(request), CodeForm(request.POST)
    if form.is_valid():
        confirm = verbs.confirm_test if channel.verified_at else verbs.verify_channel
        try:
            confirm(channel, form.cleaned_data["code"], actor=signed_in(request), now=clock.now())
        except Refused as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, f"It arrived: {channel.get_kind_display().lower()} {channel.address} is tested.")
            return redirect("portal:channels")
    return _page(request, code=form, of=channel.pk)


def _move(request: HttpRequest) -> HttpResponse:
    verbs.move_channel(_mine(request), up=request.POST.get("way") != "down", actor=signed_in(request), now=clock.now())
    return redirect("portal:channels")


def _remove(request: HttpRequest) -> HttpResponse:
    channel = verbs.remove_channel(_mine(request), actor=signed_in(request), now=clock.now())
    messages.success(
        request, f"You are not reached by {channel.get_kind_display().lower()} {channel.address} any more."
    )
    return redirect("portal:channels")


def _page(
    request: HttpRequest, *, form: ChannelForm | None = None, code: CodeForm | None = None, of: int | None = None
) -> HttpResponse:
    person, channel_form = signed_in(request), form or ChannelForm()
    given = request.GET.get("code", "")
    asked = request.GET.get("channel", "")
    if of is None and asked.isdecimal() and len(asked) < 18:
        of = int(asked)
    code_form = code or CodeForm(initial={"code": given if given.isdecimal() and len(given) == 6 else ""})
    failed = code_form if code_form.errors else channel_form
    context: dict[str, Any] = {
        "ways": ways_of(person, clock.now()),
        "channel_form": channel_form,
        "code_form": code_form,
        "blank_form": CodeForm(),
        "of": of,
        "carried": Endpoint.objects.filter(ended_at=None).exists(),
        "manages": may(person, Permission.INCIDENTS_MANAGE),
        "form": failed,
    }
    return render(request, "portal/channels.html", context, status=422 if failed.errors else 200)

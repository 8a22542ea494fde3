"""The eight seats: who speaks for each function, and who holds the mandate."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.people import actions as verbs
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.people import SeatForm
from apps.portal.queries.people import seat_rows
from apps.portal.views.people import add_errors
from apps.registry import actions as registry


@require_http_methods(["GET", "HEAD", "POST"])
def seats(request: HttpRequest) -> HttpResponse:
    """All seats; `?seat=` opens one to change it."""
    actor, rows = signed_in(request), seat_rows()
    given = request.POST if request.method == "POST" else request.GET
    if request.method != "POST" and "seat" not in given:
        administers = may(actor, Permission.ADMINISTER_PEOPLE)
        return render(request, "portal/seats.html", {"rows": rows, "administers": administers})
    require(actor, Permission.ADMINISTER_PEOPLE)
    row = next((row for row in rows if row["seat"].function_id == given.get("seat")), None)
    if row is None:
        raise Http404
    if request.method == "POST" and given.get("do") == "vacate":
        return _vacate(request, row, actor)
    return _seat(request, row, actor)


def _seat(request: HttpRequest, row: dict[str, Any], actor: Person) -> HttpResponse:
    form, seat = SeatForm(request.POST if request.method == "POST" else None), row["seat"]
    if form.is_valid():
        holder = form.cleaned_data["holder"]
        try:
            registry.seat_person(seat.function_id, holder, actor=actor, now=clock.now())
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"{holder.display_name} holds the seat {seat.function.seat_title}.")
            return redirect("portal:seats")
    return render(request, "portal/person_seat.html", {**row, "form": form}, status=422 if form.errors else 200)


def _vacate(request: HttpRequest, row: dict[str, Any], actor: Person) -> HttpResponse:
    seat, form = row["seat"], SeatForm()
    try:
        verbs.vacate_seat(seat.function_id, actor=actor, now=clock.now())
    except Refused as error:
        form = SeatForm({})
        form.full_clean()
        form.errors.clear()
        form.add_error(None, str(error))
        return render(request, "portal/person_seat.html", {**row, "form": form}, status=422)
    messages.success(request, f"The seat {seat.function.seat_title} is vacant.")
    return redirect("portal:seats")

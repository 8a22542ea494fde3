"""Steps of the ladder by hand: remind or escalate one system, and put off one's own reminders."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations import queries
from apps.attestations.actions import escalate_item, remind_item, snooze
from apps.attestations.actions.ladder import LOOK_BACK, escalated_so_far, next_level
from apps.attestations.forms.ladder import SnoozeForm
from apps.attestations.models import Assignment, Campaign, Snooze
from apps.attestations.queries.recipients import Recipients, open_items
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in

READS_AND_WRITES = ["GET", "HEAD", "POST"]


def _item(request: HttpRequest, code: str, key: str) -> tuple[Person, Assignment]:
    """For those who read campaigns; 403 for who reads and does not run them. Raises Http404 for not there."""
    person = signed_in(request)
    if not may(person, Permission.CAMPAIGN_READ):
        raise Http404
    require(person, Permission.CAMPAIGN_RUN)
    try:
        return person, queries.find_assignment(person, code, key)
    except Assignment.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(READS_AND_WRITES)
def nudge(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Confirm, then remind the owner of one open system."""
    person, assignment = _item(request, code, key)
    refused = "" if assignment.is_open else f"{assignment.system.name} is signed, or the campaign is closed."
    if request.method == "POST":
        try:
            remind_item(assignment, actor=person, now=clock.now())
        except Refused as error:
            refused = str(error)
        else:
            return redirect("attestations:campaign", code=code)
    context = {"assignment": assignment, "campaign": assignment.campaign, "refused": refused}
    return render(request, "attestations/ladder_remind.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(READS_AND_WRITES)
def escalate(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Confirm with the names of who is told, then tell the next person up of one overdue system."""
    person, assignment = _item(request, code, key)
    refused, people = "", _next_people(assignment, person)
    if request.method == "POST":
        try:
            escalate_item(assignment, actor=person, now=clock.now())
        except Refused as error:
            refused = str(error)
        else:
            return redirect("attestations:campaign", code=code)
    today = clock.local_date(clock.now())
    if not refused and not people:
        refused = (
            f"{assignment.system.name} is not overdue."
            if assignment.is_open and assignment.due_on >= today
            else f"There is nobody further up to tell of {assignment.system.name}."
        )
    context: dict[str, Any] = {
        "assignment": assignment, "campaign": assignment.campaign, "refused": refused, "people": people, "today": today,
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return render(request, "attestations/ladder_escalate.html", context, status=status)


def _next_people(assignment: Assignment, actor: Person) -> list[Person]:
    """Who would be told by an escalation now; nobody before the due date and where it is signed."""
    now = clock.now()
    today = clock.local_date(now)
    items = open_items(now, assignment=assignment.pk)
    if not items or today <= items[0].due:
        return []
    recipients = Recipients([items[0].owner], now, since=now - LOOK_BACK)
    _, told = next_level(items[0], recipients, escalated_so_far(assignment.pk)[0], today, actor)
    return [one.person for one in told]


@require_http_methods(READS_AND_WRITES)
def snooze_campaign(request: HttpRequest, code: str) -> HttpResponse:
    """Put off one's own reminders of a campaign, once. Only for who has something open in it."""
    person, now = signed_in(request), clock.now()
    campaign = Campaign.objects.filter(code=code).first()
    own = queries.waiting_for(person).filter(campaign=campaign).count() if campaign else 0
    if campaign is None or not own:
        raise Http404
    data = request.POST if request.method == "POST" else None
    form = SnoozeForm(data, today=clock.local_date(now, clock.zone_named(person.time_zone)))
    if form.is_valid():
        try:
            snooze(campaign, days=form.cleaned_data["days"], actor=person, now=now)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("attestations:campaigns")
    context = {
        "campaign": campaign,
        "own": own,
        "form": form,
        "done": Snooze.objects.filter(campaign=campaign, person=person).first(),
    }
    return render(request, "attestations/ladder_snooze.html", context, status=422 if request.method == "POST" else 200)

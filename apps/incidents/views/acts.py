"""What can be done about an incident: one small page a verb, the same form, what was typed is never lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.common.errors import NotAllowed, Refused
from apps.common.evidence_scan import refuse_too_large
from apps.incidents.actions import leads, states, timeline
from apps.incidents.actions.common import MeanwhileChanged, locked_incident
from apps.incidents.actions.files import add_file
from apps.incidents.actions.paging import BEHALF, acknowledge, decline_page, snooze
from apps.incidents.forms import incidents as given
from apps.incidents.models import IncidentTask, LeadHandover, Page, TimelineEntry
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.page import Rights
from apps.incidents.rules import LIVE, OPEN, State
from apps.incidents.views.live import Desk

Data = dict[str, Any]
Run = Callable[[Desk, Data], object]
WAITING = ("queued", "sent", "delivered")


@dataclass(frozen=True)
class Act:
    """One thing that can be done: its words, its form, who may, in which states, and the verb."""

    title: str
    text: str
    button: str
    said: str
    form: type[given.ActForm]
    run: Run
    may: Callable[[Rights], bool] = lambda rights: rights.runs
    states: tuple[State, ...] = OPEN
    icon: str = ""
    danger: bool = False
    versioned: bool = True
    place: str = ""
    who: str = ""


def _take(desk: Desk, data: Data) -> object:
    return acknowledge(desk.incident, actor=desk.actor, now=desk.now, version=data["version"])


def _decline(desk: Desk, data: Data) -> object:
    """A call that waits is declined; without one the lead passes the lead on."""
    calls = Page.objects.filter(incident=desk.incident, person=desk.actor, state__in=WAITING)
    page = calls.select_related("incident__system", "incident__lead", "person").order_by("-pk").first()
    if page is not None:
        return decline_page(page, reason=data["reason"], actor=desk.actor, now=desk.now)
    return leads.decline_lead(desk.incident, reason=data["reason"], actor=desk.actor, now=desk.now)


def _hand_over(desk: Desk, data: Data) -> object:
    return leads.ask_handover(desk.incident, data["person"], briefing=data["briefing"], actor=desk.actor, now=desk.now)


def _asked(desk: Desk) -> LeadHandover:
    rows = LeadHandover.objects.select_related("incident__system", "incident__lead", "outgoing", "incoming")
    found = rows.filter(incident=desk.incident, state="asked").first()
    if found is None:
        raise Refused("Nobody is asked to take over any more.")
    return found


def _take_over(desk: Desk, data: Data) -> object:
    return leads.answer_handover(_asked(desk), takes=True, actor=desk.actor, now=desk.now)


def _not_over(desk: Desk, data: Data) -> object:
    return leads.answer_handover(_asked(desk), takes=False, reason=data["reason"], actor=desk.actor, now=desk.now)


def _withdraw(desk: Desk, data: Data) -> object:
    return leads.withdraw_handover(_asked(desk), actor=desk.actor, now=desk.now)


def _relieve(desk: Desk, data: Data) -> object:
    return leads.relieve_lead(desk.incident, data["person"], reason=data["reason"], actor=desk.actor, now=desk.now)


def _by_version(verb: Callable[..., object], *names: str) -> Run:
    """A verb that takes the incident, its version and these values of the form."""

    def run(desk: Desk, data: Data) -> object:
        values = {name: data[name] for name in names}
        return verb(desk.incident, actor=desk.actor, now=desk.now, version=data["version"], **values)

    return run


def _classify(desk: Desk, data: Data) -> object:
    return states.classify(
        desk.incident, data["severity"], reason=data["reason"], actor=desk.actor, now=desk.now, version=data["version"]
    )


def _plain(verb: Callable[..., object], *names: str) -> Run:
    """A verb that takes the incident and these values of the form."""

    def run(desk: Desk, data: Data) -> object:
        return verb(desk.incident, actor=desk.actor, now=desk.now, **{name: data[name] for name in names})

    return run


def _merge(desk: Desk, data: Data) -> object:
    return states.merge(desk.incident, data["into"], actor=desk.actor, now=desk.now)


def _note(desk: Desk, data: Data) -> object:
    kind = "decision" if data["is_decision"] else "note"
    return timeline.add_note(desk.incident, text=data["text"], at=data["at"], kind=kind, actor=desk.actor, now=desk.now)


def _take_for(desk: Desk, data: Data) -> object:
    return acknowledge(
        desk.incident, person=data["person"], actor=desk.actor, now=desk.now, way=BEHALF, version=data["version"]
    )


def _bring(desk: Desk, data: Data) -> object:
    return timeline.bring_in(desk.incident, data["person"], why=data["why"], actor=desk.actor, now=desk.now)


def _attach(desk: Desk, data: Data) -> object:
    refuse_too_large(data["file"].size)
    return add_file(
        desk.incident, name=data["file"].name or "", content=data["file"].read(), note=data["note"], actor=desk.actor,
        now=desk.now,
    )  # fmt: skip


def _writes(rights: Rights) -> bool:
    return rights.writes


def _leads(rights: Rights) -> bool:
    return rights.leads


def _manages(rights: Rights) -> bool:
    return rights.manages


def _sees(rights: Rights) -> bool:
    """Whoever sees it; the verb itself says no to who was not asked."""
    return rights.writes


MANAGERS = "Who holds a seat, and who holds the mandate, may put somebody else in the lead."
ACTS: Mapping[str, Act] = {
    "take": Act(
        "I take it", "You lead the response from now on. Nobody else is called.", "I take it", "You lead the response.",
        given.ActForm, _take, may=_sees, states=LIVE, icon="hand",
    ),
    "renew": Act(
        "I still have it", "You lead on. Nobody asks again for as long as the severity allows.", "I still have it",
        "Noted. You have it.", given.ActForm, _take, may=_leads, states=LIVE, icon="hand",
    ),
    "take-for": Act(
        "Somebody else takes it", "They told you so, by phone perhaps. They lead from now on, nobody else is called, "
        "and the timeline says that it was you who said it.", "They take it", "They lead the response.",
        given.BehalfForm, _take_for, states=LIVE, icon="phone",
    ),
    "snooze": Act(
        "Put the next question off", "You have it, and are not asked whether you still do until then. Your reason "
        "stands in the timeline.", "Put it off", "Nobody asks until then.", given.SnoozeForm,
        _plain(snooze, "minutes", "reason"), may=_leads, states=LIVE, icon="timer",
    ),
    "decline": Act(
        "I can't take it", "The next in line leads at once and is called.", "I can't take it",
        "Somebody else is called.", given.ReasonForm, _decline, may=_sees, states=LIVE, icon="x",
    ),
    "hand-over": Act(
        "Hand over", "You lead until they say yes.", "Ask them", "They are asked. You lead until they say yes.",
        given.HandoverForm, _hand_over, may=_leads, icon="arrow-right-left",
    ),
    "take-over": Act(
        "Take over", "You lead from now on.", "I take over", "You lead the response.", given.ActForm, _take_over,
        may=_sees, icon="hand",
    ),
    "not-over": Act(
        "I can't take over", "Who asked leads on, and is told why.", "I can't take over", "They lead on and are told.",
        given.ReasonForm, _not_over, may=_sees,
    ),
    "withdraw": Act(
        "Withdraw the question", "You lead on. Nobody is asked any more.", "Withdraw", "You lead on.", given.ActForm,
        _withdraw, may=_leads,
    ),
    "relieve": Act(
        "Somebody else leads", "The new one is asked at once. The reason stands in the timeline.",
        "Put them in the lead", "Another person leads and is asked.", given.RelieveForm, _relieve, may=_manages,
        icon="user-round-cog", who=MANAGERS,
    ),
    "classify": Act(
        "Say how bad it is", "With a severity and a lead the incident is active.", "Say it", "The severity is noted.",
        given.ClassifyForm, _classify, icon="gauge",
    ),
    "contain": Act(
        "It is contained", "It goes no further. The containing step is done, and the evidence is frozen or that is "
        "waived.", "It is contained", "The incident is contained.", given.ContainForm,
        _by_version(states.contain, "note"), states=(State.ACTIVE,), icon="shield-check",
    ),
    "resolve": Act(
        "It is resolved", "It is put right. Nobody is called any more, and the review begins.", "It is resolved",
        "The incident is resolved.", given.ResolveForm, _by_version(states.resolve, "resolution"),
        states=(State.CONTAINED,), icon="check",
    ),
    "close": Act(
        "Close the incident", "It is reviewed, every clock is decided, every action has a person and a day.",
        "Close it", "The incident is closed.", given.ActForm, _by_version(states.close), states=(State.IN_REVIEW,),
        icon="check-check",
    ),
    "dismiss": Act(
        "It was none", "Nothing went wrong after all. It stays in the list, with your reason.", "Dismiss it",
        "The incident is dismissed.", given.DismissForm, _plain(states.dismiss, "because", "note"),
        states=(State.REPORTED, State.TRIAGE), icon="ban", danger=True,
    ),
    "merge": Act(
        "It is the same as another", "The other one goes on alone. This one points to it.", "Merge it",
        "Merged. The other incident goes on.", given.MergeForm, _merge, icon="merge", danger=True, versioned=False,
    ),
    "reopen": Act(
        "Open it again", "It is not over after all. Somebody leads again and is called.", "Open it again",
        "The incident is open again. Somebody is called.", given.ReasonForm, _plain(states.reopen, "reason"),
        states=(State.CONTAINED, State.RESOLVED, State.IN_REVIEW, State.CLOSED, State.DISMISSED), icon="rotate-ccw",
    ),
    "change": Act(
        "Put it right", "What it is called, which system it is about, what went wrong, who may see it. The lead stays.",
        "Save", "Changed.", given.ChangeForm,
        _by_version(states.change_incident, "title", "system", "scenario", "visibility"), icon="pencil",
    ),
    "note": Act(
        "Add a note", "It stands in the timeline and can't be changed. Another line can correct it.", "Add note",
        "Noted.", given.NoteForm, _note, may=_writes, states=tuple(State), versioned=False, place="#timeline",
    ),
    "update": Act(
        "Status update", "Goes to everybody who takes part, by mail, and into the timeline.", "Send the update",
        "The update is sent.", given.UpdateForm, _plain(timeline.send_update, "text", "next_in"), icon="file-text",
        versioned=False, place="#timeline",
    ),
    "task": Act(
        "Set a task", "One person does it. They take part from now on, and are told.", "Set the task",
        "The task is set.", given.TaskForm, _plain(timeline.set_task, "what", "person", "due_at"), may=_writes,
        icon="list-checks", versioned=False, place="#tasks",
    ),
    "bring-in": Act(
        "Bring someone in", "They are called at once and told why they are needed. They see the incident from now on, "
        "and do not lead it.", "Call them", "They are called.", given.BringForm, _bring,
        may=_writes, icon="user-plus", versioned=False, place="#tasks",
    ),
    "file": Act(
        "Add a file", "It can't be changed or taken away.", "Add the file", "The file is added.", given.FileForm,
        _attach, may=_writes, states=tuple(State), icon="paperclip", versioned=False, place="#files",
    ),
}  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, incident_code: str, verb: str) -> HttpResponse:
    """Do one thing about an incident. Without script this is its page; the buttons on the incident lead here."""
    desk = Desk(request, incident_code)
    wanted = ACTS.get(verb)
    if wanted is None:
        raise Http404
    left = states.open_ends(desk.incident) if verb == "close" and desk.incident.state == State.IN_REVIEW else []
    return _perform(desk, wanted, {"left": left})


@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: HttpRequest, incident_code: str, entry_id: int) -> HttpResponse:
    """Write what is right beside a line that is not."""
    desk = Desk(request, incident_code)
    entry = desk.incident.timeline.filter(pk=entry_id).first() if entry_id < 2**63 else None
    if entry is None:
        raise Http404
    return _perform(desk, _correcting(entry), {"quoted": entry.text})


def _correcting(entry: TimelineEntry) -> Act:
    def run(desk: Desk, data: Data) -> object:
        return timeline.add_note(
            desk.incident, text=data["text"], kind="fact", corrects=entry, actor=desk.actor, now=desk.now
        )

    return Act(
        "Correct a line", "Nothing in the timeline is changed or taken away.", "Add the correction", "Corrected.",
        given.CorrectForm, run, may=_writes, states=tuple(State), versioned=False, place="#timeline",
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def task(request: HttpRequest, incident_code: str, task_id: int) -> HttpResponse:
    """Say that a task is done, and what came of it."""
    desk = Desk(request, incident_code)
    tasks = IncidentTask.objects.select_related("incident__system", "person").filter(incident=desk.incident)
    found = tasks.filter(pk=task_id).first() if task_id < 2**63 else None
    if found is None:
        raise Http404
    return _perform(desk, _finishing(found), {"quoted": found.what})


def _finishing(found: IncidentTask) -> Act:
    def run(desk: Desk, data: Data) -> object:
        return timeline.finish_task(found, outcome=data["outcome"], actor=desk.actor, now=desk.now)

    return Act(
        "A task is done", f"{found.person.display_name} was asked to do it.", "It is done", "Done.", given.DoneForm,
        run, may=_writes, states=tuple(State), versioned=False, place="#tasks",
    )  # fmt: skip


def _perform(desk: Desk, wanted: Act, more: Data | None = None) -> HttpResponse:
    """Show the form, or do it. Raises NotAllowed with who may."""
    if not wanted.may(desk.rights):
        raise NotAllowed(f"You may see this incident, but not do this. {wanted.who or desk.rights.who}")
    request, posted = desk.request, desk.request.method == "POST"
    form = wanted.form(
        request.POST if posted else None, request.FILES if posted else None, incident=desk.incident, actor=desk.actor
    )
    status = 200
    if posted:
        status = _tried(desk, wanted, form)
        if status == 302:
            messages.success(request, wanted.said)
            return redirect(_back(desk, wanted))
    elif desk.incident.state not in wanted.states:
        messages.info(request, f"{desk.incident.code} is {desk.incident.get_state_display().lower()} now.")
        return redirect(desk.incident.path)
    context = {"incident": desk.incident, "act": wanted, "form": form, "conflict": status == 409, **(more or {})}
    return render(request, "incidents/act.html", context, status=status)


def _tried(desk: Desk, wanted: Act, form: given.ActForm) -> int:
    """What became of it: 302 done, 422 refused, 409 somebody else was there first."""
    if not form.is_valid():
        return 422
    try:
        with transaction.atomic():
            if wanted.versioned and form.cleaned_data["version"] is not None:
                locked_incident(desk.incident, version=form.cleaned_data["version"])
            wanted.run(desk, form.cleaned_data)
    except MeanwhileChanged:
        _as_it_is_now(desk, form)
        return 409
    except Refused as error:
        form.add_error(None, str(error))
        return 422
    except ValidationError as error:
        form.add_error(None, error.messages)
        return 422
    return 302


def _as_it_is_now(desk: Desk, form: forms.Form) -> None:
    """The form with what was typed, on the incident as it is now: sent again, it counts."""
    desk.incident.refresh_from_db()
    form.data = dict(form.data.items()) | {"version": str(desk.incident.version)}


def _back(desk: Desk, wanted: Act) -> str:
    """To the incident; to the list where it was closed off from the reader by what they did."""
    if visible_incidents(desk.actor).filter(pk=desk.incident.pk).exists():
        return f"{desk.incident.path}{wanted.place}"
    return "/incidents/"

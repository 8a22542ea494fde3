"""Pages of drills: the list, planning one, the facilitator's desk, the after-action report."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import drill_run as running
from apps.incidents.actions import drills as planning
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.actions.drill_facilitator import may_replace_facilitator, replace_facilitator
from apps.incidents.actions.improvements import add_action
from apps.incidents.forms.drills import (
    AnswerForm,
    CancelForm,
    FacilitatorForm,
    InjectForm,
    ObservationForm,
    PlanForm,
    ReportForm,
    StopTestForm,
)
from apps.incidents.forms.reviews import ImprovementForm
from apps.incidents.models import Exercise, Inject
from apps.incidents.queries.drills import (
    called_in,
    find_exercise,
    on_page,
    stale_systems,
    systems_of,
    visible_exercises,
)
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.metrics import drill_coverage
from apps.incidents.queries.reviews import actions_of
from apps.incidents.rules import ExerciseState
from apps.incidents.rules.drills import RATING_WORDS, REPORT_WORDS, TYPE_MEANS
from apps.incidents.rules.metrics import span_words
from apps.incidents.rules.words import scenario_words
from apps.incidents.views.reviews import signing_of
from apps.people.requests import signed_in
from apps.people.signing import SignForm
from apps.registry.queries import visible_systems

ROWS = 25
State = ExerciseState
WHO = "seat holders and the person who holds the mandate"
UNTIL_SIGNED = (State.RUNNING, State.HOTWASH, State.AAR_DRAFT)


@require_safe
def drills(request: HttpRequest) -> HttpResponse:
    """Drills that the reader may know of, and the systems that are due for one."""
    actor, now = signed_in(request), clock.now()
    tab = "due" if request.GET.get("tab") == "due" else "drills"
    exercises = on_page(visible_exercises(actor))
    due = stale_systems(visible_systems(actor), now).order_by("unit__name", "name", "pk")
    rows: QuerySet[Any] = due if tab == "due" else exercises
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "tab": tab,
        "page": page,
        "drills": exercises.count(),
        "due": due.count(),
        "coverage": drill_coverage(now),
        "plans": may(actor, Permission.INCIDENTS_MANAGE),
        "query": f"tab={tab}",
    }
    return render(request, "incidents/drill_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def drill_new(request: HttpRequest) -> HttpResponse:
    """Plan a drill."""
    actor = signed_in(request)
    require(actor, Permission.INCIDENTS_MANAGE, WHO)
    initial = {"systems": request.GET.get("system", "")[:80], "facilitator": actor, "type": "tabletop"}
    form = PlanForm(request.POST if request.method == "POST" else None, actor=actor, initial=initial)
    if form.is_valid():
        try:
            made = planning.plan_exercise(form.plan(), actor=actor, now=clock.now())
        except (Refused, ValidationError) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        else:
            messages.success(request, "Planned. Nobody is told before it is ready.")
            return redirect(made.path)
    context = {"form": form, "means": TYPE_MEANS, "exercise": None}
    return render(request, "incidents/drill_edit.html", context, status=422 if form.errors else 200)


def _find(request: HttpRequest, code: str) -> Exercise:
    try:
        return find_exercise(signed_in(request), code)
    except Exercise.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
def drill_edit(request: HttpRequest, drill_code: str) -> HttpResponse:
    """Plan it otherwise, before it starts."""
    exercise, actor = _find(request, drill_code), signed_in(request)
    if exercise.state not in planning.BEFORE:
        raise Http404
    planning.require_planner(exercise, actor)
    names = ("version", "type", "title", "scenario", "facilitator", "announced")
    at = localtime(exercise.planned_at)
    initial = {name: getattr(exercise, name) for name in names} | {
        "systems": " ".join(one.key for one in exercise.systems.order_by("key")),
        "objectives": "\n".join(exercise.objectives),
        "planned_at": f"{at.day} {at:%b %Y, %H:%M}",
    }
    form = PlanForm(request.POST if request.method == "POST" else None, actor=actor, initial=initial)
    status = 422 if form.errors else 200
    if form.is_valid():
        try:
            planning.change_exercise(
                exercise, form.plan(), actor=actor, now=clock.now(), version=form.cleaned_data["version"]
            )
        except MeanwhileChanged as error:
            form.add_error(None, str(error))
            status = 409
        except (Refused, ValidationError) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
            status = 422
        else:
            messages.success(request, "Changed. Make it ready again before it starts.")
            return redirect(exercise.path)
    context = {"form": form, "means": TYPE_MEANS, "exercise": exercise}
    return render(request, "incidents/drill_edit.html", context, status=status)


class Desk:
    """One drill as somebody works on it: who facilitates plans, runs and signs; who takes part answers."""

    def __init__(self, request: HttpRequest, code: str) -> None:
        self.request, self.actor, self.now = request, signed_in(request), clock.now()
        self.exercise = _find(request, code)
        self.facilitates = planning.may_facilitate(self.exercise, self.actor)
        self.plans = self.facilitates or self.exercise.created_by_id == self.actor.pk
        self.takes_part = running.takes_part(self.exercise, self.actor)
        self.wants = request.POST.get("do", "") if request.method == "POST" else ""
        self.state = State(self.exercise.state)

    def _data(self, name: str) -> Any:
        return self.request.POST if self.wants == name else None

    def offers(self) -> dict[str, forms.Form]:
        """The forms that the reader may send now."""
        found: dict[str, forms.Form] = {}
        before = self.state in planning.BEFORE
        if may_replace_facilitator(self.exercise, self.actor):
            found["facilitator"] = FacilitatorForm(self._data("facilitator"))
        if self.plans and before:
            found["inject"] = InjectForm(self._data("inject"))
            found["cancel"] = CancelForm(self._data("cancel"))
        if self.plans and self.state == State.PLANNED:
            found["ready"] = forms.Form(self._data("ready"))
        if self.facilitates:
            found |= self._facilitating()
        if self.takes_part and self.state == State.RUNNING:
            for name in ("decision", "draft"):
                if getattr(self.exercise, f"{name}_at") is None:
                    found[name] = forms.Form(self._data(name))
        if self.plans and self.state not in {*planning.BEFORE, State.CLOSED, State.CANCELLED}:
            found["action"] = ImprovementForm(self._data("action"), systems=self.exercise.systems.order_by("name"))
        return found

    def _facilitating(self) -> dict[str, forms.Form]:
        found: dict[str, forms.Form] = {}
        exercise = self.exercise
        if self.state == State.READY:
            found["start"] = forms.Form(self._data("start"))
        if self.state == State.RUNNING:
            found["end"] = forms.Form(self._data("end"))
        if exercise.type == Exercise.Type.KILL_SWITCH and self.state in {State.RUNNING, State.HOTWASH}:
            found["stop"] = StopTestForm(self._data("stop"), exercise=exercise)
        if self.state in UNTIL_SIGNED:
            found["observe"] = ObservationForm(self._data("observe"), exercise=exercise)
        if self.state in {State.HOTWASH, State.AAR_DRAFT}:
            found["report"] = ReportForm(self._data("report"), exercise=exercise)
        mine = exercise.facilitator_id == self.actor.pk
        if mine and self.state == State.AAR_DRAFT and not running.lacking(exercise):
            found["sign"] = SignForm(self.request, self.actor, self._data("sign"))
        if self.state == State.AAR_SIGNED:
            found["close"] = forms.Form(self._data("close"))
        return found

    def render(self, found: dict[str, forms.Form], status: int = 200, meanwhile: str = "") -> HttpResponse:
        """The page."""
        sent = found.get(self.wants)
        context = self.context() | {
            "forms": found,
            "failed": sent if sent is not None and sent.errors else None,
            "meanwhile": meanwhile,
        }
        polls = self.request.headers.get("HX-Request") == "true" and self.request.method == "GET"
        return render(self.request, f"incidents/{'drill_live' if polls else 'drill'}.html", context, status=status)

    def context(self) -> dict[str, Any]:
        """What the page and the report show. Some ten queries, whatever the number of systems."""
        exercise = self.exercise
        seen, hidden = systems_of(self.actor, exercise)
        rated = running.ratings(exercise)
        observations = list(exercise.observations.select_related("person"))
        return {
            "desk": self,
            "exercise": exercise,
            "systems": seen,
            "hidden": hidden,
            "means": TYPE_MEANS[exercise.type],
            "scenario": scenario_words(exercise.scenario),
            "injects": [_timed(one) for one in exercise.injects.select_related("expected_person")],
            "called": called_in(exercise, visible_incidents(self.actor)),
            "objectives": [
                {
                    "number": number,
                    "text": text,
                    "rating": rated.get(number, ""),
                    "words": RATING_WORDS.get(rated.get(number, ""), ""),
                    "seen": [one for one in observations if one.objective == number],
                }
                for number, text in enumerate(exercise.objectives, start=1)
            ],
            "stops": [one for one in observations if one.objective == running.STOP_TEST],
            "actions": list(actions_of(exercise=exercise)),
            "lacking": running.lacking(exercise) if self.state in {State.HOTWASH, State.AAR_DRAFT} else [],
            "unowned": running.unowned(exercise) if self.state == State.AAR_SIGNED else [],
            "decision": self._after(exercise.decision_at),
            "draft": self._after(exercise.draft_at),
            "lasted": self._after(exercise.ended_at),
            "statement": REPORT_WORDS,
        }

    def _after(self, moment: Any) -> str:
        began = self.exercise.started_at
        return span_words((moment - began).total_seconds()) if moment and began else ""

    def submit(self) -> HttpResponse:
        """Do what was sent. Raises NotAllowed for a form that the reader may not send."""
        found = self.offers()
        form = found.get(self.wants)
        if form is None:
            raise NotAllowed(f"{self.exercise.facilitator.display_name} facilitates this drill. Only they can do this.")
        if not form.is_valid():
            return self.render(found, 422)
        return self.done(lambda: self._acts()[self.wants](form), form, found)

    def done(self, act: Callable[[], str], form: forms.Form, found: dict[str, forms.Form]) -> HttpResponse:
        """Answer with the page again: 409 where somebody was first, 422 where a rule says no."""
        try:
            said = act()
        except MeanwhileChanged as error:
            return self.render(found, 409, str(error))
        except (Refused, ValidationError) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
            return self.render(found, 422)
        messages.success(self.request, said)
        return redirect(self.exercise.path)

    def _acts(self) -> dict[str, Callable[[Any], str]]:
        one = self.exercise
        # Now, and not when the page was asked for: whoever signs proved in between who they are.
        by: dict[str, Any] = {"actor": self.actor, "now": clock.now()}
        return {
            "inject": lambda form: said(planning.add_inject(one, **form.cleaned_data, **by), "Added."),
            "cancel": lambda form: said(planning.cancel_exercise(one, **form.cleaned_data, **by), "Cancelled."),
            "facilitator": lambda form: said(
                replace_facilitator(one, **form.cleaned_data, **by), "They facilitate it."
            ),
            "ready": lambda _: said(planning.make_ready(one, **by), "Ready. It starts by itself at its time."),
            "start": lambda _: said(planning.start_exercise(one, **by), "The drill runs."),
            "end": lambda _: said(running.end_exercise(one, **by), "The drill is over. Nobody is called any more."),
            "decision": lambda _: said(running.mark_time(one, "decision", **by), "The time is noted."),
            "draft": lambda _: said(running.mark_time(one, "draft", **by), "The time is noted."),
            "stop": lambda form: said(running.record_stop_test(one, **form.cleaned_data, **by), "Noted."),
            "observe": lambda form: said(running.observe(one, **form.cleaned_data, **by), "Noted."),
            "report": lambda form: said(running.draft_report(one, **form.cleaned_data, **by), "Saved."),
            "sign": lambda form: said(running.sign_report(one, signing=signing_of(form), **by), "Report signed."),
            "action": lambda form: said(add_action(one, form.item(), **by), "Added. The person is told."),
            "close": lambda _: said(running.close_exercise(one, **by), "The drill is closed."),
        }


def _timed(inject: Inject) -> dict[str, Any]:
    """An inject with how long the answer took, in words."""
    names = (
        "order",
        "text",
        "offset_minutes",
        "expected_action",
        "expected_person",
        "given_at",
        "answered_at",
        "answer",
    )
    given, answered = inject.given_at, inject.answered_at
    took = span_words((answered - given).total_seconds()) if given and answered else ""
    return {name: getattr(inject, name) for name in names} | {"took": took}


def said(_: object, words: str) -> str:
    """What is said after something was done."""
    return words


@require_http_methods(["GET", "HEAD", "POST"])
def drill(request: HttpRequest, drill_code: str) -> HttpResponse:
    """One drill: what it is to show, how it goes, what came of it."""
    desk = Desk(request, drill_code)
    return desk.submit() if request.method == "POST" else desk.render(desk.offers())


@require_http_methods(["POST"])
def drill_inject(request: HttpRequest, drill_code: str, order: int) -> HttpResponse:
    """Tell an inject, answer it, or take it out again."""
    desk = Desk(request, drill_code)
    inject = desk.exercise.injects.filter(order=order).first()
    if inject is None:
        raise Http404
    form = AnswerForm(request.POST) if desk.wants == "answer" else forms.Form(request.POST)
    found = desk.offers() | {desk.wants: form}
    if not form.is_valid():
        return desk.render(found, 422)
    return desk.done(lambda: _with(desk, inject, form), form, found)


def _with(desk: Desk, inject: Inject, form: forms.Form) -> str:
    by: dict[str, Any] = {"actor": desk.actor, "now": desk.now}
    if desk.wants == "answer":
        return said(running.answer_inject(inject, answer=form.cleaned_data["answer"], **by), "Answered.")
    if desk.wants == "give":
        return said(running.give_inject(inject, **by), "Told. The time runs.")
    if desk.wants == "remove":
        return said(planning.remove_inject(inject, **by), "Taken out.")
    raise Refused("Choose what to do.")


@require_safe
def drill_report(request: HttpRequest, drill_code: str) -> HttpResponse:
    """The after-action report on one sheet, to print. There once the drill is over."""
    desk = Desk(request, drill_code)
    if desk.exercise.ended_at is None:
        raise Http404
    return render(request, "incidents/drill_report.html", desk.context())

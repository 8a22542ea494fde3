"""Declaring: step 1 says where and what, step 2 shows the one name that will be called, and declares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.actions.declare import declare
from apps.incidents.forms.declare import DeclareForm
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.page import live_on
from apps.incidents.queries.paging import plan_for
from apps.incidents.queries.responder import others_by_severity, responder
from apps.incidents.queries.runbooks import effective_runbook
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.words import NOT_SURE, SCENARIO_CHOICES, scenario_words
from apps.notify.models import Channel
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.models import System
from apps.registry.queries import on_record, search, who_answers_systems
from apps.registry.rules import Scenario

# Systems that are offered for a text; who needs more narrows it.
MATCHES = 8
ABOUT = 600
HOW = {"email": "by e-mail", "sms": "by text message", "voice": "by phone", "chat": "in the chat"}


@dataclass(frozen=True)
class Where:
    """What step 1 said: the system or what it is about, and what went wrong."""

    system: System | None = None
    scenario: str = ""
    about: str = ""
    unknown: bool = False
    q: str = ""
    key: str = ""
    matches: list[System] = field(default_factory=list)

    @classmethod
    def read(cls, actor: Person, given: Mapping[str, str]) -> "Where":
        """From a query string. A key of no system that the reader may know is as good as none."""
        wanted, q = given.get("system", "").strip()[:80], " ".join(given.get("q", "").split())[:200]
        unknown = wanted == "unknown"
        known = on_record(who_answers_systems(actor))
        system = known.filter(key__iexact=wanted).first() if wanted and not unknown else None
        scenario = given.get("scenario", "")
        return cls(
            system=system,
            scenario=scenario if scenario in set(Scenario) else "",
            about=given.get("about", "").strip()[:ABOUT] if system is None else "",
            unknown=unknown,
            q=q,
            key=wanted,
            matches=_matches(actor, q) if q and system is None else [],
        )

    @property
    def is_enough(self) -> bool:
        """Whether step 2 can follow."""
        return self.system is not None or bool(self.about)

    @property
    def query(self) -> str:
        """What step 2 is told."""
        place = {"system": self.system.key} if self.system else {"system": "unknown", "about": self.about}
        return urlencode({**place, **({"scenario": self.scenario} if self.scenario else {})})


def _matches(actor: Person, text: str) -> list[System]:
    """Systems by their key or identity first, then by the words, by name. Two statements."""
    systems = who_answers_systems(actor)
    named = systems.filter(Q(key__iexact=text) | Q(pk__in=systems.filter(identities__value__iexact=text)))
    first = list(on_record(named)[:MATCHES])
    rest = on_record(search(systems, text)).exclude(pk__in=[one.pk for one in first]).order_by("name", "pk")
    return first + list(rest[: MATCHES - len(first)])


@require_safe
def where(request: HttpRequest) -> HttpResponse:
    """Step 1. With a system already named, only what went wrong is left to say."""
    actor = signed_in(request)
    said = Where.read(actor, request.GET)
    goes_on = request.GET.get("do") == "next"
    if goes_on and said.is_enough:
        return redirect(f"{reverse('incidents:declare_what')}?{said.query}")
    problem = _problem(said) if goes_on else ""
    context = {
        "where": said, "problem": problem, "first": [_choice(one) for one in MANDATORY],
        "more": [_choice(one) for one in Scenario if one not in MANDATORY], "not_sure": NOT_SURE,
    }  # fmt: skip
    return render(request, "incidents/declare.html", context, status=422 if problem else 200)


def _choice(scenario: Scenario) -> dict[str, str]:
    words, icon = SCENARIO_CHOICES[scenario]
    return {"value": scenario.value, "words": words, "icon": icon}


def _problem(said: Where) -> str:
    if said.unknown:
        return "Say in a few words what it is about."
    if said.q and not said.matches:
        return f"No system is called {said.q}. Try another word, or say that you don't know which one it is."
    return "Choose the system, or say that you don't know which one it is."


@require_http_methods(["GET", "HEAD", "POST"])
def what(request: HttpRequest) -> HttpResponse:
    """Step 2: what happened. The name of who will be called stands there before the button is pressed."""
    actor, now = signed_in(request), clock.now()
    said = Where.read(actor, request.GET)
    if not said.is_enough:
        return redirect("incidents:declare")
    form = DeclareForm(request.POST if request.method == "POST" else None, actor=actor)
    if form.is_valid():
        try:
            return _declared(request, said, form, actor, now)
        except (Refused, ValidationError) as error:
            form.add_error(None, error.messages if isinstance(error, ValidationError) else str(error))
    context = {"form": form, "where": said, "scenario": scenario_words(said.scenario), **_effect(actor, said, now)}
    return render(request, "incidents/declare_what.html", context, status=422 if form.errors else 200)


def _declared(request: HttpRequest, said: Where, form: DeclareForm, actor: Person, now: datetime) -> HttpResponse:
    incident = declare(
        system=said.system, about=said.about, scenario=said.scenario, actor=actor, now=now, **form.values()
    )
    if not visible_incidents(actor).filter(pk=incident.pk).exists():
        return render(request, "incidents/declared.html", {"incident": incident})
    said_so = f"{incident.code} is declared. {incident.lead.display_name} is called now."
    messages.success(request, f"{said_so} Whatever else you see, add it to the timeline.")
    return redirect(incident.path)


def _effect(actor: Person, said: Where, now: datetime) -> dict[str, Any]:
    """What happens when the button is pressed: who is called on which ways, who is next, which runbook starts."""
    found = responder(said.system, said.scenario, now)
    version = effective_runbook(said.system, said.scenario)
    already = live_on(actor, [said.system]) if said.system else {}
    return {
        "found": found,
        "others": others_by_severity(said.system, said.scenario, now, found.lead),
        "ways": _ways(found.lead),
        "minutes": plan_for(said.system, said.scenario).wait_after(0),
        "runbook": version.runbook if version else None,
        "already": next(iter(already.values()), None),
    }


def _ways(person: Person) -> str:
    """On which ways somebody is called, in words: by e-mail, and by text message."""
    kinds = Channel.objects.filter(person=person, removed_at=None, verified_at__isnull=False).values_list("kind")
    words = list(dict.fromkeys(HOW[kind] for (kind,) in kinds.order_by("position", "pk"))) or [HOW["email"]]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

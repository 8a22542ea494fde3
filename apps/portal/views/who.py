"""Who answers? The page, and the fragment that the palette fetches while somebody types."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.incidents.rules import MANDATORY
from apps.people.models import Person
from apps.people.queries import active_people
from apps.people.requests import signed_in
from apps.portal.queries.answers import Answer, day_words, local_clock
from apps.portal.queries.who import (
    Many,
    Nothing,
    One,
    Result,
    resolve,
    resolve_key,
    resolve_person,
)
from apps.portal.queries.who import (
    suggest as suggestions,
)
from apps.portal.views.suggestions import groups
from apps.portal.views.who_card import card_context
from apps.registry.queries import visible_systems
from apps.registry.queries.succession import interim_for
from apps.registry.rules import Scenario

# What went wrong: the words of the choice, the icon, and the sentence above the name.
CHOICES = {
    Scenario.DATA_ACCESS: ("It accessed data", "eye", "accessed data it should not have"),
    Scenario.HARMFUL_DECISION: ("It made a harmful decision", "scale", "made a harmful decision"),
    Scenario.COST_SPIKE: ("It cost too much", "coins", "cost too much"),
    Scenario.UNSAFE_ACTION: ("It did something unsafe", "triangle-alert", "did something unsafe"),
    Scenario.QUALITY_REGRESSION: ("Its answers got worse", "trending-down", "answered worse than before"),
    Scenario.PROVIDER_OUTAGE: ("Its provider is down", "cloud-off", "lost its provider"),
    Scenario.COMPLAINT: ("Somebody complained", "megaphone", "was complained about"),
}


@require_safe
def who(request: HttpRequest) -> HttpResponse:
    """One name at once; several matches are a list with a name on each row; nothing says whom to call."""
    actor, scenario = signed_in(request), _scenario(request)
    result = _result(request, actor, scenario)
    context = {"result": result, "scenario": scenario, "scenarios": _choices(request, scenario, result)}
    if isinstance(result, One):
        return render(request, "portal/who.html", context | _answer_context(actor, result.answer))
    if isinstance(result, Many):
        return render(request, "portal/who_matches.html", context)
    asked = bool(result.text)
    status = 404 if "system" in request.GET else 200
    return render(request, "portal/who_nothing.html", context | {"asked": asked}, status=status)


@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """Grouped results with a name on each, as a fragment."""
    text = request.GET.get("q", "").strip()
    systems, people = suggestions(signed_in(request), text)
    context = {"q": text, "groups": groups(systems, people), "count": len(systems) + len(people)}
    return render(request, "components/palette_results.html", context)


def _scenario(request: HttpRequest) -> Scenario | None:
    try:
        return Scenario(request.GET.get("scenario", ""))
    except ValueError:
        return None


def _result(request: HttpRequest, actor: Person, scenario: Scenario | None) -> Result:
    if key := request.GET.get("system", ""):
        return resolve_key(actor, key, scenario)
    if person_id := request.GET.get("person", ""):
        person = _person(person_id)
        return resolve_person(actor, person, scenario) if person else Nothing(person_id)
    return resolve(actor, request.GET.get("q", "")[:500], scenario)


def _person(text: str) -> Person | None:
    try:
        return active_people().filter(pk=UUID(text)).first()
    except ValueError:
        return None


def _choices(request: HttpRequest, chosen: Scenario | None, result: Result) -> list[dict[str, Any]]:
    """The links under the name. They keep what was asked and change the scenario alone."""
    query = request.GET.copy()
    if isinstance(result, One):
        query.clear()
        query["system"] = result.answer.system.key
    rows = []
    for scenario in (*MANDATORY, None, *(one for one in Scenario if one not in MANDATORY)):
        query.pop("scenario", None)
        if scenario:
            query["scenario"] = scenario.value
        label, icon = CHOICES[scenario][:2] if scenario else ("Not sure", "")
        more = scenario is not None and scenario not in MANDATORY
        rows.append(
            {"label": label, "icon": icon, "query": query.urlencode(), "current": scenario == chosen, "more": more}
        )
    return rows


def _answer_context(actor: Person, answer: Answer) -> dict[str, Any]:
    system = answer.system
    opens = visible_systems(actor).filter(pk=system.pk).exists()
    now = clock.now()
    basis = "Interim owner" if answer.interim else "Accepted"
    return {
        "answer": answer,
        "subject": answer.acts_for or answer.person,
        "owner_note": f"{basis} · away until {day_words(answer.owner_until)}" if answer.owner_until else basis,
        "away_note": f"Away until {day_words(answer.until)}" if answer.until else "",
        "went_wrong": CHOICES[answer.scenario][2] if answer.scenario else "",
        "local_time": local_clock(answer.person, now),
        "days": (now - answer.since).days if answer.since else None,
        "opens": opens,
        "may_nominate": opens and (may(actor, Permission.NOMINATE_OWNER) or actor.pk == system.owner_id),
        "closes": interim_for(system.unit, now=clock.now())[0] if answer.interim and answer.live else None,
        **card_context(actor, answer, now),
    }

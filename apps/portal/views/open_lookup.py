"""Who answers, without signing in: off unless networks are named, for an hour in which nobody can sign in.

It says the name, title, phone and address of whoever leads and of the deputy, of systems that are open to everybody
who works here. Each look-up is counted for its address and written to the log.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.common import clock
from apps.common.allowance import is_above
from apps.incidents.queries.cards import Card, card_of
from apps.portal.sessions import client_ip
from apps.portal.views.who import CHOICES
from apps.registry.models import System, SystemIdentity
from apps.registry.queries import live, on_record, search
from apps.registry.rules import Scenario

log = structlog.get_logger(__name__)
SHOWN = 5


@dataclass(frozen=True)
class Found:
    """What a text means: one card, or the systems that it could mean."""

    card: Card | None
    systems: list[System]


@login_not_required
@never_cache
@require_safe
def open_lookup(request: HttpRequest) -> HttpResponse:
    """404 where it is off or the address is of no named network; 429 above the limit."""
    address = client_ip(request)
    if not _allowed(address):
        raise Http404
    text = " ".join(request.GET.get("q", "").split())[:200]
    scenario = _scenario(request.GET.get("scenario", ""))
    context: dict[str, Any] = {"q": text, "scenario": scenario, "choices": _choices(), "found": None}
    if text:
        if is_above(f"open-lookup:{address}", settings.OPEN_LOOKUP_A_MINUTE, now=clock.now()):
            log.warning("open_lookup.limited", address=address)
            return render(request, "portal/who_open.html", context | {"limited": True}, status=429)
        found = _find(text, scenario)
        answered = found.card.key if found.card else None
        log.info("open_lookup", address=address, asked=text, scenario=scenario, answered=answered)
        context["found"] = found
    return render(request, "portal/who_open.html", context)


def _allowed(address: str) -> bool:
    try:
        place = ip_address(address)
    except ValueError:
        return False
    return any(place in network for network in settings.OPEN_LOOKUP_NETWORKS)


def _scenario(text: str) -> str:
    return text if text in {one.value for one in Scenario} else ""


def _choices() -> list[tuple[str, str]]:
    return [("", "Not sure"), *((scenario.value, words[0]) for scenario, words in CHOICES.items())]


def _open_systems() -> QuerySet[System]:
    return live(System.objects.filter(restricted=False))


def _find(text: str, scenario: str) -> Found:
    """An exact key, name or identity of one system gives its card; else the first systems that contain the words."""
    ids = System.objects.filter(key__iexact=text).values_list("pk", flat=True).union(
        System.objects.filter(name__iexact=text).values_list("pk", flat=True),
        SystemIdentity.objects.filter(value__iexact=text).values_list("system_id", flat=True),
    )  # fmt: skip
    systems = list(on_record(_open_systems().filter(pk__in=list(ids))).order_by("name", "id")[: SHOWN + 1])
    if not systems:
        systems = list(on_record(search(_open_systems(), text)).order_by("name", "id")[: SHOWN + 1])
    if len(systems) == 1:
        return Found(card_of(systems[0], scenario, clock.now()), systems)
    return Found(None, systems)

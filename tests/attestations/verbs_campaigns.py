"""Campaigns on their way and corrections, for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from apps.attestations import actions as attestations
from apps.attestations.actions.corrections import correct
from apps.attestations.models import Assignment, Campaign
from apps.attestations.rules import Given
from apps.audit.rules import SCHEDULER
from apps.people.rules import Confirmation
from apps.registry.models import System
from tests.factories import a_system
from tests.handovers import begin, sign_in, sign_out

# Parts of verbs: of the opening, of a supplement, of the end, and of every signature.
NO_VERBS = {
    "ask_owners", "put_signature", "refuse_unconfirmed", "silence", "supplement", "take_snapshots",
    "tell_of_supplements",
}  # fmt: skip


def _late(w: Any) -> Campaign:
    """An open campaign, and a grave system that came after its opening."""
    campaign: Campaign = w.campaign()
    a_system(w.cast, key="SYS-LATE", owner=w.cast.ada, tier="critical", now=w.by["now"])
    return campaign


def _handed_over(w: Any) -> System:
    """Ada was asked, and the system is Nils's since."""
    row, now = w.assignment(), w.by["now"]
    handover = begin(w.cast, row.system, w.cast.nils, now=now)
    sign_out(handover, now=now + timedelta(minutes=5))
    sign_in(handover, now=now + timedelta(minutes=10))
    return System.objects.get(pk=row.system_id)


def _past_due(campaign: Campaign) -> datetime:
    return campaign.closes_at - timedelta(days=1)


def _signed(w: Any) -> Assignment:
    row, now = w.answered(), w.by["now"]
    attestations.sign(
        row, version=row.version, declared_true=True, typed_name=w.cast.ada.display_name,
        confirmation=Confirmation("password", now), actor=w.cast.ada, now=now,
    )  # fmt: skip
    return Assignment.objects.select_related("campaign", "system").get(pk=row.pk)


def _correct(w: Any, row: Assignment) -> None:
    now = w.by["now"] + timedelta(hours=1)
    worse = Given("no", "Nobody tried", "We test it", date(2026, 12, 11).isoformat(), "medium", "On call")
    correct(
        row, {"kill_switch": worse}, reason="It was not tested", declared_true=True,
        typed_name=w.cast.ada.display_name, confirmation=Confirmation("password", now), actor=w.cast.ada, now=now,
    )  # fmt: skip


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "begin_grace": (
        _made(
            lambda w: w.campaign(),
            lambda w, one: attestations.begin_grace(one, actor=SCHEDULER, now=_past_due(one)),
        ),
        {"campaign.grace_began": 1},
    ),
    "add_supplements_to": (
        _made(_late, lambda w, one: attestations.add_supplements_to(one, actor=SCHEDULER, now=w.by["now"])),
        {"campaign.supplemented": 1},
    ),
    "add_supplements": (
        _made(_late, lambda w, _: attestations.add_supplements(now=w.by["now"])), {"campaign.supplemented": 1},
    ),
    "follow_owners": (
        _made(_handed_over, lambda w, _: attestations.follow_owners(now=w.by["now"] + timedelta(hours=1))),
        {"attestation.passed_on": 1},
    ),
    "correct": (
        _made(_signed, _correct),
        {"attestation.corrected": 1, "caused exception.declared": 1, "caused finding.raised": 1},
    ),
}  # fmt: skip

"""What the home page says about incidents beside what needs somebody: those they follow, and what calls them first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from apps.incidents.models import Incident, IncidentUserPermission, ResponseCard
from apps.incidents.queries.page import LiveOne
from apps.incidents.rules import LIVE, OPEN, Mode
from apps.incidents.rules.clocks import span_words
from apps.incidents.rules.words import scenario_words, state_tone
from apps.people.models import Person

# What came of an incident stays on home for so long after it ended.
OUTCOME_SHOWN = timedelta(days=14)
FOLLOWED = 6
# Response cards that are read to say what calls somebody first: a seat can lead in every system there is.
CARDS_READ = 1000
# The card for "not sure" answers wherever no rule and no matrix names somebody for what went wrong.
ELSE = "Anything else, or not sure"


@dataclass(frozen=True)
class Followed:
    """An incident that somebody declared or was brought in to: who has it, or what came of it."""

    incident: Incident
    stands: str  # answers | is called | is called again; empty where it is not live
    tone: str
    mine: bool

    @property
    def outcome(self) -> str:
        """How it ended, in the words of who ended it."""
        one = self.incident
        if one.merged_into is not None:
            return f"It goes on as {one.merged_into.code}."
        return "" if one.is_live else one.resolution or one.dismissal_note


def followed(person: Person, seen: QuerySet[Incident], now: datetime, *, named: Collection[int]) -> list[Followed]:
    """Real incidents that a person declared, until two weeks after the end, and live ones in which they take part.

    `seen` are those that they may open; `named` stand on the page already. One query.
    """
    part = IncidentUserPermission.objects.filter(user=person).values("content_object")
    live, since = Q(state__in=[state.value for state in LIVE]), now - OUTCOME_SHOWN
    lately = Q(state__in=[state.value for state in OPEN]) | Q(closed_at__gte=since) | Q(dismissed_at__gte=since)
    rows = seen.filter(Q(declared_by=person) & (lately | Q(merged_at__gte=since)) | live & Q(pk__in=part))
    rows = rows.filter(mode=Mode.REAL.value).exclude(pk__in=named)
    found = rows.select_related("system", "lead", "merged_into", "escalation").order_by("-declared_at", "-pk")
    return [_followed(one, person, now) for one in found[:FOLLOWED]]


def _followed(one: Incident, person: Person, now: datetime) -> Followed:
    stands = LiveOne(one, span_words(now - one.declared_at)).stands if one.is_live else ""
    return Followed(one, stands, state_tone(one.state), one.declared_by_id == person.pk)


@dataclass(frozen=True)
class CalledFirst:
    """For how many systems a person is called first, and when. `more` where not all of them were read."""

    systems: int
    when: str
    more: bool


def called_first(person: Person) -> CalledFirst:
    """By the response cards, which say it as they are asked: rules, the matrix and stand-ins count. One query."""
    cards = ResponseCard.objects.filter(lead=person).values_list("system_id", "scenario")
    read = list(cards[: CARDS_READ + 1])
    systems = len({system for system, _ in read})
    named = {scenario for _, scenario in read}
    when = [scenario_words(scenario) for scenario in sorted(named - {""})] + [ELSE] * ("" in named)
    if len(read) > CARDS_READ:
        return CalledFirst(systems // 100 * 100, ", ".join(when), more=True)
    return CalledFirst(systems, ", ".join(when), more=False)

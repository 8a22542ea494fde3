"""How people are reached, as pages show it, and who is asked to test it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from apps.common.clock import day_words, local_date, zone_named
from apps.notify.actions import Note
from apps.notify.models import Channel, Delivery, Endpoint, Message
from apps.notify.queries.channels import TEST_HOLDS, Reach, reach
from apps.notify.rules import why_not
from apps.notify.rules.channels import quarter_of
from apps.notify.webhooks import TEST
from apps.people.models import Person
from apps.people.queries import active_people
from apps.registry.models import System
from apps.registry.queries import live

PATH = "/profile/channels/"
SHOWN_DELIVERIES = 10
# A code that did not go out is told for an hour.
LOOK_BACK = timedelta(hours=1)


@dataclass(frozen=True)
class Way:
    """One way to reach a person as their page lists it."""

    reach: Reach
    tone: str
    state: str
    asks_code: bool
    # Why the last code did not go out; empty where it did or waits.
    trouble: str
    first: bool
    last: bool

    @property
    def pk(self) -> int | None:
        """The channel's key; None for the address of the profile that nobody tested."""
        return self.reach.channel.pk if self.reach.channel else None


def ways_of(person: Person, now: datetime) -> list[Way]:
    """Every way in its order. Three queries."""
    found = reach(person)
    troubles = _troubles(person, now)
    moved = [one for one in found if one.channel]
    return [
        Way(
            one, *_state(one, now),
            asks_code=_asks_code(one, now),
            trouble=troubles.get(one.channel.pk, "") if one.channel else "",
            first=not moved or one is moved[0],
            last=not moved or one is moved[-1],
        )
        for one in found
    ]  # fmt: skip


def _state(one: Reach, now: datetime) -> tuple[str, str]:
    """Tone and words."""
    if one.endpoint is not None and one.endpoint.ended_at:
        return "bad", f"{one.endpoint.name} was ended: nothing arrives"
    if one.endpoint is not None and one.verified_at is None:
        return "warn", "Not confirmed: nothing is sent here yet"
    if one.tested_at is None:
        return "warn", "Never tested"
    day = day_words(local_date(one.tested_at, zone_named(one.person.time_zone)))
    return ("ok", f"Tested {day}") if one.is_tested(now) else ("warn", f"Last test {day}")


def _asks_code(one: Reach, now: datetime) -> bool:
    return bool(one.channel and one.channel.code_until and one.channel.code_until > now)


def _troubles(person: Person, now: datetime) -> dict[int, str]:
    """What is known of codes that did not go out, by channel; of the last hour only."""
    since = now - LOOK_BACK
    rows = Delivery.objects.filter(channel__person=person, created_at__gt=since).exclude(error="")
    found = dict(rows.order_by("created_at").values_list("channel_id", "error"))
    mails = Message.objects.filter(recipient=person, created_at__gt=since, key__startswith=f"channel:{person.pk}:code:")
    for key, error in mails.exclude(error="").order_by("created_at").values_list("key", "error"):
        found[int(key.split(":")[3])] = error
    return {pk: error for pk, error in found.items() if pk is not None}


def listed_endpoints() -> QuerySet[Endpoint]:
    """Endpoints with the number of people who are reached through each: those in use first."""
    used = Count("channels", filter=Q(channels__removed_at=None, channels__verified_at__isnull=False))
    return Endpoint.objects.annotate(used=used).order_by(F("ended_at").asc(nulls_first=True), "name", "pk")


def last_deliveries(endpoint: Endpoint) -> list[Delivery]:
    """What went there last."""
    return list(Delivery.objects.filter(endpoint=endpoint).order_by("-created_at", "-pk")[:SHOWN_DELIVERIES])


def test_is_on_its_way(endpoint: Endpoint) -> bool:
    """Whether a test waits to be sent."""
    waiting = Delivery.objects.filter(endpoint=endpoint, state__in=["queued", "claimed"], attempts__lte=1)
    return endpoint.tested_at is None and waiting.filter(content__type=TEST).exists()


def untested(now: datetime) -> QuerySet[Person]:
    """Active people who hold a seat or own a live system, without a way that was tested within 90 days."""
    owns = live(System.objects.filter(owner=OuterRef("pk")))
    fresh = Channel.objects.filter(person=OuterRef("pk"), removed_at=None, tested_at__gte=now - TEST_HOLDS)
    needed = active_people().filter(Q(seats__isnull=False) | Exists(owns)).filter(~Exists(fresh))
    return needed.distinct().order_by("pk")


def test_notes(now: datetime) -> list[Note]:
    """The mail that asks each of them for a test: one in a quarter."""
    key = f"channel:ask:{quarter_of(now)}:"
    asked = set(Message.objects.filter(key__startswith=key).values_list("recipient", flat=True))
    return [
        Note(
            f"{key}{person.pk}",
            person,
            "Show that you can be reached",
            "You answer for an AI system or hold a seat. When something goes wrong you are called at once. No way to "
            "reach you was tested within 90 days. Open the page below, send a test and enter the code that arrives.",
            PATH,
        )
        for person in untested(now)
        if person.pk not in asked
        and not why_not(person.email, is_active=person.is_active, is_human=person.kind == Person.Kind.HUMAN)
    ]

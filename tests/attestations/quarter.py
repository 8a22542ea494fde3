"""A quarter for the test that plays it: its people and systems, a clock that lets every sweep run, who heard what."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.test import Client

from apps.attestations import actions
from apps.attestations.actions import Confirmation, asking, closing, exceptions, nodes
from apps.attestations.models import Assignment, AttestationException, Campaign
from apps.common import clock as clocks
from apps.notify.delivery import deliver_pending
from apps.notify.models import Message
from apps.people import actions as people
from tests.attestations.world import REGISTERED, register

BERLIN = ZoneInfo("Europe/Berlin")
# When the sweeps of a day run: one in the morning after the office opened, one in the afternoon.
HOURS = ((9, 30), (15, 0))


def at(month: int, day: int, hour: int = 9, minute: int = 0, *, year: int = 2026) -> datetime:
    """A moment in the organisation's time zone."""
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


class Clock:
    """The test's time. Whoever moves it lets the sweeps run that fall in between, each of them every time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def sweep(self) -> None:
        """Every duty that the beat knows, at this moment."""
        now = self.now
        actions.open_due(now=now)
        actions.move_on_due(now=now)
        actions.add_supplements(now=now)
        actions.follow_owners(now=now)
        actions.sweep_passing(now=now)
        exceptions.follow_findings(now=now)
        nodes.ready_nodes(now=now)
        closing.finish_due(now=now)
        asking.ask_reviewers(now=now)
        actions.remind_all_due(now=now)
        deliver_pending(clock_now=lambda: now)

    def until(self, then: datetime) -> datetime:
        """Move on to a moment; the sweeps of each hour in between run. Returns the moment."""
        day = self.now.date()
        while day <= then.date():
            for hour, minute in HOURS:
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)
                if self.now < due <= then:
                    self.now = due
                    self.sweep()
            day += timedelta(days=1)
        self.now = then
        return then

    def jump(self, then: datetime) -> datetime:
        """Move on without the sweeps: nothing is due in between."""
        self.now = then
        return then


class Window:
    """Somebody's browser at the clock's moment, over HTTP."""

    def __init__(self, clock: Clock, browse: Callable[[Any], Client], person: Any) -> None:
        self.clock, self.person = clock, person
        with time_machine.travel(clock.now, tick=False):
            self.client = browse(person)

    def get(self, path: str, status: int = 200) -> Any:
        """Open a page."""
        with time_machine.travel(self.clock.now, tick=False):
            response = self.client.get(path)
        assert response.status_code == status, (path, response.status_code)
        return response

    def text(self, path: str) -> str:
        """The words of a page, without its tags."""
        return words_of(self.get(path).content.decode())

    def post(self, path: str, status: int = 302, **data: Any) -> Any:
        """Send a form. Here time passes, as it does while a password is checked: up to a minute for all of it."""
        with time_machine.travel(self.clock.now, tick=True):
            response = self.client.post(path, data)
        self.clock.now += timedelta(minutes=1)
        assert response.status_code == status, (path, response.status_code, words_of(response.content.decode())[:1500])
        return response

    def sign(self, path: str, **data: Any) -> Any:
        """Send a form with a signature: tick, name, password."""
        from tests.cast import PASSWORD

        return self.post(path, declare="on", name=self.person.display_name, password=PASSWORD, **data)


def words_of(html: str) -> str:
    """The words of a page, as they are read."""
    inline = r"</?(a|strong)\b[^>]*>|<span>|<span class=.?(name|hidden-visually).?>|</span>(?=[.,:])"
    body = re.sub(inline, "", html.partition("<main")[2])
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def populate(cast: Any) -> dict[str, Any]:
    """Eight systems of two units, in tiers from critical to low, of two owners; a manager of Dov; an AI lead."""
    by: dict[str, Any] = {"actor": cast.mara, "now": REGISTERED}
    people.seat_person("ai_lead", cast.nils, **by)
    rita = people.provision_person(email="rita@example.org", display_name="Rita Sol", title="Head of Service", **by)
    cast.dov = people.change_person(cast.dov, deputy=cast.ben, line_manager=rita, **by)
    settled = {"purpose": "Sorts letters.", "regulatory_class": "minimal"}
    rows = (
        ("triage", cast.ada, cast.claims, "critical"),
        ("letters", cast.ada, cast.claims, "medium"),
        ("notes", cast.dov, cast.claims, "medium"),
        ("fax", cast.ada, cast.claims, "low"),
        ("low-one", cast.ada, cast.claims, "low"),
        ("low-two", cast.ada, cast.claims, "low"),
        ("quotes", cast.dov, cast.devtools, "high"),
        ("chat", cast.ada, cast.devtools, "medium"),
    )
    return {
        key: register(cast, key, owner=owner, unit=unit, tier=tier, **settled) for key, owner, unit, tier in rows
    }  # fmt: skip


def of(key: str, code: str = "2026Q4") -> Assignment:
    """The present assignment of a system."""
    rows = Assignment.objects.select_related("campaign", "system__owner", "person", "snapshot", "unit")
    return rows.exclude(state="reassigned").get(campaign__code=code, system__key=key)


def campaign_now(code: str = "2026Q4") -> Campaign:
    """The campaign as it is now."""
    return Campaign.objects.select_related("template").get(code=code)


def states(code: str = "2026Q4") -> dict[str, str]:
    """System -> state and result."""
    rows = Assignment.objects.filter(campaign__code=code).exclude(state="reassigned").order_by("system__key")
    return {
        key: f"{state} {result}".strip() for key, state, result in rows.values_list("system__key", "state", "result")
    }


def exception_of(key: str) -> AttestationException:
    """The exception that stands for a system."""
    rows = AttestationException.objects.exclude(state="superseded").select_related("finding", "assignment__system")
    return rows.get(assignment__system__key=key)


def proof(person: Any, now: datetime) -> dict[str, Any]:
    """What every signature comes with."""
    return {
        "declared_true": True, "typed_name": person.display_name, "confirmation": Confirmation("password", now),
        "actor": person, "now": now,
    }  # fmt: skip


def heard(since: datetime, occasion: str) -> dict[str, list[str]]:
    """Person -> the days on which they were sent such a mail: "digest" of the ladder, or "opened"."""
    found: dict[str, list[str]] = defaultdict(list)
    sent = Message.objects.filter(created_at__gte=since, state="sent").select_related("recipient")
    key = {"digest": "^campaign-digest:", "opened": "^campaign:.*:opened$"}[occasion]
    for mail in sent.filter(key__regex=key).order_by("created_at", "pk"):
        found[mail.recipient.display_name].append(f"{clocks.local_date(mail.created_at):%m-%d}")
    return dict(found)

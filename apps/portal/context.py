"""What every page shows around its content. Nothing is read before a template asks for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.common import clock
from apps.incidents.queries.page import LiveNow, live_now
from apps.people.models import Person
from apps.portal.queries.navigation import DutyLead, NavGroup, duty_lead, menu
from apps.portal.sessions import lacks_second_factor
from govportal.identity import IdentityProvider


class Shell:
    """The frame of a page: menu, person, duty lead. Two queries, one of them to the cache."""

    organisation = settings.ORGANISATION_NAME
    demo = settings.DEMO
    # What this process saw last, for the page that is shown when the database does not answer.
    last_lead: DutyLead | None = None

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def person(self) -> Person | None:
        """Who is signed in."""
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @cached_property
    def nav(self) -> list[NavGroup]:
        """The menu; empty for nobody."""
        return menu(self.person, self._request.path, live=self.live.real_count) if self.person else []

    @cached_property
    def live(self) -> LiveNow:
        """What is live and the person may see; nothing for nobody."""
        return live_now(self.person, self.now) if self.person else LiveNow()

    @cached_property
    def now(self) -> datetime:
        """When this page was made."""
        return clock.now()

    @cached_property
    def duty_lead(self) -> DutyLead | None:
        """Whom to call."""
        Shell.last_lead = duty_lead()
        return Shell.last_lead

    @property
    def providers(self) -> tuple[IdentityProvider, ...]:
        """The identity providers that one can sign in with."""
        found: tuple[IdentityProvider, ...] = settings.IDENTITY_PROVIDERS
        return found

    @cached_property
    def must_have_factor(self) -> bool:
        """Whether the person has to set up a second factor before anything else."""
        return bool(self.person and settings.MFA_REQUIRED_FOR) and lacks_second_factor(self._request, now=clock.now())

    @property
    def retry_at(self) -> str:
        """When the limits on attempts have surely passed, by the reader's clock."""
        zone = clock.zone_named(self.person.time_zone) if self.person else clock.organisation_zone()
        return (clock.now() + timedelta(seconds=settings.RETRY_AFTER)).astimezone(zone).strftime("%H:%M")

    @property
    def theme(self) -> str:
        """Light, dark, or empty for the device's own."""
        return self.person.theme if self.person else ""

    @property
    def keys_off(self) -> bool:
        """Whether the person turned single-key shortcuts off."""
        return bool(self.person and not self.person.shortcuts)


@dataclass(frozen=True)
class StillShell:
    """The frame of the page that is shown when something broke: it asks the database nothing."""

    organisation: str = settings.ORGANISATION_NAME
    demo: bool = settings.DEMO
    person: None = None
    nav: tuple[NavGroup, ...] = ()
    live: None = None
    theme: str = ""
    keys_off: bool = False

    @property
    def duty_lead(self) -> DutyLead | None:
        """Whom this process saw last."""
        return Shell.last_lead


def shell(request: HttpRequest) -> dict[str, Any]:
    """Navigation, duty lead, organisation and theme."""
    return {"shell": Shell(request)}

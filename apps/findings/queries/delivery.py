"""Who gets no mail: what was to be said to them is nobody's unless somebody who can act sees to it."""

from datetime import datetime, timedelta

from apps.notify.queries import Silent, Unreached, silent_endpoints, unreached
from apps.people.models import Person
from apps.people.queries import active_people
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach, Level, Severity

NOT_DELIVERED = "mail-not-delivered"
# A mail that failed is looked at for this long, or until a later one gets through.
LOOK_BACK = timedelta(days=14)
# Where more people get no mail, it is the mail server and not each of them.
MOST = 25
PATH = "/mail/"


def delivery_breaches(now: datetime) -> list[Breach]:
    """One breach for each person to whom mail failed, or one for all of them; and one for each endpoint that does not
    take what is sent there. A fixed number of queries."""
    people, endpoints = unreached(since=now - LOOK_BACK), silent_endpoints(since=now - LOOK_BACK)
    holder = mandate_holder() if people or endpoints else None
    if holder is None:
        return []
    silent = [_silent(one, holder) for one in endpoints]
    if len(people) > MOST:
        return [_everybody(people, _other_than({one.person for one in people}, holder)), *silent]
    instead = _other_than({holder}, holder) if any(one.person == holder for one in people) else holder
    return [*(_nobody_told(one, instead if one.person == holder else holder) for one in people), *silent]


def _silent(one: Silent, person: Person) -> Breach:
    """People believe that they are called through it."""
    calls = "1 request" if one.calls == 1 else f"{one.calls:,} requests"
    return Breach(
        check=NOT_DELIVERED,
        level=Level.WARN,
        severity=Severity.HIGH,
        subject=f"endpoint:{one.endpoint.pk}",
        title=f"{one.endpoint.name} does not take what is sent there: {calls}. {one.reason[:300].rstrip('.')}.",
        remedy="Put the endpoint right and send a test, or end it.",
        person_id=person.pk,
        path=f"/endpoints/{one.endpoint.pk}/",
    )


def _other_than(unreached_people: set[Person], holder: Person) -> Person:
    """Who holds the mandate, or the first other seat that mail reaches. Where there is none, still somebody."""
    if holder not in unreached_people:
        return holder
    seats = active_people().filter(seats__isnull=False).exclude(pk__in=[one.pk for one in unreached_people])
    return seats.order_by("seats__function__position").first() or holder


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _nobody_told(one: Unreached, person: Person) -> Breach:
    here = one.person.is_active
    remedy = (
        "Correct the address, and tell them in person what waits for them."
        if here
        else "See on the page what they were told, and tell who answers in their place."
    )
    return Breach(
        check=NOT_DELIVERED,
        level=Level.WARN,
        severity=Severity.HIGH if here else Severity.LOW,
        subject=f"person:{one.person.pk}",
        title=f"Not delivered to {one.person.display_name}: {_mails(one.mails)}. {one.reason[:300].rstrip('.')}.",
        remedy=remedy,
        person_id=person.pk,
        path=PATH,
    )


def _everybody(people: list[Unreached], person: Person) -> Breach:
    total = sum(one.mails for one in people)
    return Breach(
        check=NOT_DELIVERED,
        level=Level.WARN,
        severity=Severity.CRITICAL,
        subject="everybody",
        title=f"Not delivered to {len(people):,} people: {_mails(total)}. {people[-1].reason[:300].rstrip('.')}.",
        remedy="Put the mail server right, and tell people what waits for them.",
        person_id=person.pk,
        path=PATH,
    )

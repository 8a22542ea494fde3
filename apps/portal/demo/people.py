"""The first start, the invented people, their seats, roles, deputies and line managers, the units they head."""

from datetime import datetime

from django.db import transaction

from apps.audit.rules import COMMAND
from apps.people.actions import grant_role, provision_person, seat_person
from apps.people.models import Person
from apps.portal.demo.cast import AGENCIES, CAST, HEADS, MANDATE_HOLDER, SEATS, SHARED_PHRASE, ZONE, Part
from apps.registry import actions as registry
from apps.registry.models import Mandate, Unit


def cast() -> dict[str, Person]:
    """The invented people who are in the database, by handle. One query."""
    addresses = {part.email: part.handle for part in CAST}
    return {addresses[person.email]: person for person in Person.objects.filter(email__in=addresses)}


def is_started_by_others() -> bool:
    """Whether this portal has been started, and not by the demo."""
    holder = Mandate.objects.select_related("holder__seat__holder").first()
    return holder is not None and MANDATE_HOLDER not in cast()


@transaction.atomic
def load_people(*, now: datetime) -> bool:
    """Make everybody known and seated. False where that has been done."""
    if Mandate.objects.exists():
        return False
    people = {MANDATE_HOLDER: _first_person(now)}
    holder = people[MANDATE_HOLDER]
    for part in CAST:
        if part.handle not in people:
            people[part.handle] = _provision(part, holder, now)
    for part in SEATS:
        if part.handle != MANDATE_HOLDER:
            seat_person(part.seat, people[part.handle], actor=holder, now=now)
    _make_units(people, now)
    _connect(people, now)
    return True


def _first_person(now: datetime) -> Person:
    part = SEATS[0]
    person = registry.start_portal(
        email=part.email,
        display_name=part.name,
        function=part.seat,
        password=SHARED_PHRASE,
        actor=COMMAND,
        now=now,
    )
    # The first start is the real one and knows nothing of invented people; the mark is the demo's own.
    Person.objects.filter(pk=person.pk).update(is_invented=True, title=part.title, phone=_phone(0), time_zone=ZONE)
    person.refresh_from_db()
    return person


def _provision(part: Part, holder: Person, now: datetime) -> Person:
    return provision_person(
        email=part.email,
        display_name=part.name,
        title=part.title,
        phone=_phone(CAST.index(part)),
        time_zone=ZONE,
        password=SHARED_PHRASE if part.sign_in else None,
        is_invented=True,
        actor=holder,
        now=now,
    )


def _phone(place: int) -> str:
    return f"+1 202 555 01{place:02d}"


def _make_units(people: dict[str, Person], now: datetime) -> None:
    heads = {part.heads: people[part.handle] for part in HEADS}
    known = set(Unit.objects.values_list("code", flat=True))
    for code, name in AGENCIES.items():
        if code not in known:
            registry.create_unit(name=name, code=code, head=heads[code], actor=people[MANDATE_HOLDER], now=now)


def _connect(people: dict[str, Person], now: datetime) -> None:
    """Deputies and line managers need everybody to be there first."""
    holder = people[MANDATE_HOLDER]
    heads = {part.heads: people[part.handle] for part in HEADS}
    for part in CAST:
        person = people[part.handle]
        fields = {"deputy": people.get(part.deputy), "line_manager": heads.get(part.unit)}
        if part.heads:
            fields["line_manager"] = holder
        given = {name: other for name, other in fields.items() if other is not None}
        if given:
            people[part.handle] = registry.change_person(person, actor=holder, now=now, **given)
        if part.role is not None:
            grant_role(person, part.role, actor=holder, now=now)


def sign_ins() -> list[dict[str, str]]:
    """One sign-in a role, for whoever starts the demo."""
    return [
        {"role": part.sign_in, "name": part.name, "email": part.email, "password": SHARED_PHRASE}
        for part in CAST
        if part.sign_in
    ]

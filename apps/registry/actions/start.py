"""The first start: the first person, her seat, the mandate and the default matrix, all or nothing."""

import csv
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.errors import Refused
from apps.people.actions import person_subject, provision_person, seat_person
from apps.people.models import Person
from apps.registry.models import GovernanceDomain, Mandate, RaciAssignment, RaciVersion

MATRIX = Path(__file__).parent.parent / "migrations" / "default_matrix.csv"
FUNCTIONS = ("ciso", "engineering", "cto", "platform", "ai_lead", "finance", "legal", "board")


@transaction.atomic
def start_portal(
    *, email: str, display_name: str, function: str, password: str | None, actor: Actor, now: datetime
) -> Person:
    """Create the first person, seat her, and make her function the holder of the mandate.

    Raises Refused where the portal has been started, ValidationError for a bad address, name or password.
    """
    if Mandate.objects.exists():
        raise Refused("Govportal has been started already. Sign in, or ask the person who holds the mandate.")
    person = provision_person(
        email=email,
        display_name=display_name,
        password=password,
        functions=[function],
        time_zone=settings.ORGANISATION_TIME_ZONE,
        actor=actor,
        now=now,
    )
    seat_person(function, person, actor=actor, now=now)
    Mandate.objects.create(holder_id=function, since=now)
    letters = _seed_matrix(now)
    record(
        Kind.PORTAL_STARTED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"mandate": function, "letters_in_force": letters},
    )
    return person


def _seed_matrix(now: datetime) -> int:
    domains = set(GovernanceDomain.objects.values_list("key", flat=True))
    with MATRIX.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["key"] in domains]
    version = RaciVersion.objects.create(number=1, applied_at=now, note="The default matrix")
    letters = [
        RaciAssignment(
            version=version,
            domain_id=row["key"],
            letter=letter,
            function_id=None if column == "owner" else column,
            is_owner=column == "owner",
            valid_from=now,
        )
        for row in rows
        for column in ("owner", *FUNCTIONS)
        for letter in row[column]
    ]
    RaciAssignment.objects.bulk_create(letters)
    return len(letters)

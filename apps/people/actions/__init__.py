"""The verbs of people, by noun."""

from apps.people.actions.people import (
    change_person,
    deactivate_person,
    end_sessions,
    grant_role,
    held,
    person_subject,
    provision_person,
    reactivate_person,
    revoke_role,
    seat_person,
    vacate_seat,
)

__all__ = [
    "change_person",
    "deactivate_person",
    "end_sessions",
    "grant_role",
    "held",
    "person_subject",
    "provision_person",
    "reactivate_person",
    "revoke_role",
    "seat_person",
    "vacate_seat",
]

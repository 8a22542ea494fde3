"""The verbs of people, by noun."""

from apps.people.actions.absences import (
    cancel_absence,
    change_absence,
    delegate,
    record_absence,
    refresh_absences,
)
from apps.people.actions.calendars import import_calendar
from apps.people.actions.leavers import revoke_roles_of, succeed_seats, unlink_leaver
from apps.people.actions.people import (
    change_email,
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
from apps.people.actions.training import record_training, revoke_training

__all__ = [
    "cancel_absence",
    "change_absence",
    "change_email",
    "change_person",
    "deactivate_person",
    "delegate",
    "end_sessions",
    "grant_role",
    "held",
    "import_calendar",
    "person_subject",
    "provision_person",
    "reactivate_person",
    "record_absence",
    "record_training",
    "refresh_absences",
    "revoke_role",
    "revoke_roles_of",
    "revoke_training",
    "seat_person",
    "succeed_seats",
    "unlink_leaver",
    "vacate_seat",
]

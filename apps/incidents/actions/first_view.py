"""The first look at who answers after an incident was declared: what the product promises, measured."""

from datetime import datetime

from apps.incidents.models import CardView, Incident
from apps.people.models import Person


def note_first_view(incident: Incident, person: Person, now: datetime) -> None:
    """Note that somebody looked at who leads. Only the first look is kept; a look is no act and leaves no event."""
    if CardView.objects.filter(incident=incident).exists():
        return
    CardView.objects.bulk_create([CardView(incident=incident, person=person, at=now)], ignore_conflicts=True)

"""Who takes over from a leaver what is not a system: the mandate's seat, letters, findings."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.queries import active_people
from apps.people.rules import RoleName, leaves_soon
from apps.registry.models import Unit
from apps.registry.queries.succession import mandate_holder


def successor_of(person: Person, *, now: datetime) -> Person:
    """Deputy, line manager, heads of the units above those they head, mandate holder, other seats, administrators.

    The first who is active and not leaving; where everybody is leaving, the first who is still active. Raises
    Refused where nobody is left at all.
    """
    today = local_date(now)
    candidates = [other for other in _candidates(person) if _can_answer(other, person)]
    staying = [other for other in candidates if not leaves_soon(other.leaving_on, today)]
    chosen = next(iter(staying or candidates), None)
    if chosen is None:
        raise Refused(f"Nobody could take over from {person.display_name}. Add a person and give them a seat first.")
    return chosen


def _can_answer(other: Person, leaver: Person) -> bool:
    return other.is_active and other.kind == Person.Kind.HUMAN and other.pk != leaver.pk


def _candidates(person: Person) -> Iterator[Person]:
    yield from (other for other in (person.deputy, person.line_manager) if other is not None)
    for unit in Unit.objects.filter(head=person).select_related("parent__head").order_by("pk"):
        if unit.parent is not None and unit.parent.head is not None:
            yield unit.parent.head
    holder = mandate_holder()
    if holder is not None:
        yield holder
    yield from active_people().filter(seats__isnull=False).order_by("seats__function__position")
    administrators = Q(role_grants__role=RoleName.ADMINISTRATOR, role_grants__revoked_at=None)
    yield from active_people().filter(administrators).distinct()

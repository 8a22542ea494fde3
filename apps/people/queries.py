"""Reading people."""

from django.db.models import Q, QuerySet

from apps.people.models import Person, Seat


def active_people() -> QuerySet[Person]:
    """People who can answer for something today: active humans, by name."""
    return Person.objects.filter(is_active=True, kind=Person.Kind.HUMAN).order_by("display_name", "email")


def find_people(text: str) -> QuerySet[Person]:
    """Active people whose name, title or address contains the text."""
    return active_people().filter(Q(display_name__icontains=text) | Q(email__icontains=text) | Q(title__icontains=text))


def seats() -> QuerySet[Seat]:
    """All seats in the order of the matrix, with function and holder."""
    return Seat.objects.select_related("function", "holder").order_by("function__position")


def seats_of(person: Person) -> frozenset[str]:
    """Codes of the functions whose seat the person holds. One query."""
    return frozenset(Seat.objects.filter(holder=person).values_list("function_id", flat=True))


def acting_for(person: Person) -> Person:
    """Who acts for a person now. Until absences are kept, that is the person."""
    return person

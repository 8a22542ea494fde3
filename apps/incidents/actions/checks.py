"""What many verbs ask for: words where somebody has to say something, and a person who can act."""

from apps.common.errors import Refused
from apps.people.actions import held
from apps.people.models import Person


def given(text: str, or_else: str) -> str:
    """What was said, without space around it. Raises Refused with the other words where nothing was."""
    if not text.strip():
        raise Refused(or_else)
    return text.strip()


def able(person: Person, what: str) -> Person:
    """The person as they are now, held to the end of the transaction. Raises Refused for who is no active human.

    `what` is what they can't do then: "lead", "facilitate".
    """
    person = held(person)
    if not person.is_active or person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} can't {what}: choose an active person.")
    return person

"""Fields of forms in which people are named."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.people.models import Person
from apps.people.queries import active_people
from apps.people.rules import is_role_address

# Above this the browser's own list of suggestions is left out: the field is then for typing only.
SUGGESTED = 200


class PersonInput(forms.TextInput):
    """A text field with the browser's own list of people; works without script."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"} | (attrs or {}))

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The field, and its list while the directory is short enough for one."""
        people = list(active_people()[: SUGGESTED + 1])
        if len(people) > SUGGESTED:
            return super().render(name, value, attrs, renderer)
        list_id = f"{(attrs or {}).get('id', name)}_people"
        field = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join(
            "",
            '<option value="{}">{}</option>',
            ((person.email, ", ".join(filter(None, [person.display_name, person.title]))) for person in people),
        )
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


class PersonField(forms.Field):
    """One active person, given by address or exact name. Cleans to a Person, or None where it is optional."""

    widget = PersonInput

    def __init__(self, *, not_self: Person | None = None, **kwargs: Any) -> None:
        self.not_self = not_self
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A person is shown by address: two people can have one name."""
        if isinstance(value, Person):
            return value.email
        return value

    def to_python(self, value: Any) -> Person | None:
        """Raises ValidationError that says what the text is, and to choose a person."""
        text = " ".join(str(value or "").split())
        ProhibitNullCharactersValidator()(text)
        if not text:
            return None
        found = _people(text)
        if len(found) == 1:
            return self._usable(found[0])
        if len(found) > 1:
            raise ValidationError(f"{len(found)} people are called {text}. Give the email address of one.")
        raise ValidationError(_why_nobody(text))

    def _usable(self, person: Person) -> Person:
        if person.kind != Person.Kind.HUMAN:
            raise ValidationError(f"{person.display_name} is a service account. Choose a person.")
        if not person.is_active:
            raise ValidationError(f"{person.display_name} is deactivated. Choose an active person.")
        if self.not_self is not None and person.pk == self.not_self.pk:
            raise ValidationError("Choose another person than yourself.")
        return person


def _people(text: str) -> Sequence[Person]:
    """By address, else by name in any case; active people win over those who left."""
    by_address = list(Person.objects.filter(email=text.lower()))
    if by_address:
        return by_address
    by_name = list(Person.objects.filter(Q(display_name__iexact=text)).order_by("email")[:20])
    return [person for person in by_name if person.is_active] or by_name


def _why_nobody(text: str) -> str:
    if "@" in text and is_role_address(text):
        return f"{text} is a mailbox. Choose a person."
    if "@" in text:
        return f"Nobody known here has the address {text}. Choose a person from the directory."
    return f"Nobody here is called {text}. Give an email address or the exact name."

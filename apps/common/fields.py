"""Fields of a form whose choices are known only when it is made."""

from typing import TypeVar

from django import forms

Kind = TypeVar("Kind", bound=forms.Field)


def field_of(form: forms.BaseForm, name: str, kind: type[Kind]) -> Kind:
    """A field of a form, as what it is. Raises TypeError for one of another kind, KeyError for none."""
    found = form.fields[name]
    if not isinstance(found, kind):
        raise TypeError(f"{name} is {type(found).__name__}, not {kind.__name__}.")
    return found

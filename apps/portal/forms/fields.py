"""Fields that several forms use."""

from apps.people.forms import SUGGESTED, PersonField, PersonInput

__all__ = ["SUGGESTED", "PersonField", "PersonInput"]

"""A business unit: its name, place and head."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.portal.forms.fields import PersonField
from apps.portal.queries.units import unit_choices
from apps.registry.models import Unit


class UnitForm(forms.Form):
    """A new unit, or a change of one."""

    use_required_attribute = False

    name = forms.CharField(max_length=300, error_messages={"required": "Give the unit a name."})
    code = forms.CharField(
        max_length=300,
        help_text="Short and stable. An import finds the unit by it.",
        error_messages={"required": "Give the unit a code."},
    )
    parent = forms.ChoiceField(label="Part of", required=False)
    head = PersonField(
        required=False,
        help_text="Email address or exact name. Answers for each live system below that nobody has accepted.",
    )

    def __init__(self, *args: Any, unit: Unit | None = None, parent: str = "", **kwargs: Any) -> None:
        initial: dict[str, Any] = {"parent": parent}
        if unit is not None:
            initial = {"name": unit.name, "code": unit.code, "parent": unit.parent_id, "head": unit.head}
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)
        own = str(unit.pk) if unit else ""
        choices = [("", "Nothing: it is at the top"), *(row for row in unit_choices() if row[0] != own)]
        self.fields["parent"] = forms.ChoiceField(label="Part of", required=False, choices=choices)

    def clean_parent(self) -> Unit | None:
        """The unit itself."""
        chosen = self.cleaned_data["parent"]
        if not chosen:
            return None
        parent = Unit.objects.filter(pk=chosen).first()
        if parent is None:
            raise ValidationError("This unit is not there any more. Choose another.")
        return parent

"""Forms about systems: register, edit, retire, filter, save a view."""

from typing import Any

from django import forms

from apps.common.fields import field_of
from apps.registry.models import System, SystemIdentity, Unit
from apps.registry.rules import Stage, Tier

IDENTITY_ROWS = 5
RESERVED_KEYS = {"register", "import", "views", "nominate", "export.csv"}
REGISTRABLE = [stage for stage in Stage if stage != Stage.RETIRED]


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value.value, value.value.capitalize()) for value in values]


class SystemForm(forms.Form):
    """What is known about a system, identities one a row."""

    use_required_attribute = False

    name = forms.CharField(max_length=500, error_messages={"required": "Give the system a name"})
    purpose = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="What it decides or does, for whom."
    )
    unit = forms.ModelChoiceField(
        Unit.objects.none(),
        error_messages={"required": "Choose the unit that runs it"},
        empty_label="Choose a unit",
        help_text="The one that runs it. Units are added on the page Units.",
    )
    stage = forms.ChoiceField(choices=_choices(REGISTRABLE), initial="unknown")
    tier = forms.ChoiceField(choices=_choices(Tier), initial="unknown")
    regulatory_class = forms.ChoiceField(choices=System.RegulatoryClass.choices, initial="unknown")
    operating_model = forms.ChoiceField(choices=System.OperatingModel.choices, initial="unknown")
    vendor = forms.CharField(max_length=300, required=False)
    model = forms.CharField(max_length=300, required=False, help_text="What it runs on: name and version.")
    chat_channel = forms.CharField(max_length=120, required=False, help_text="Where its people can be reached.")
    restricted = forms.BooleanField(
        required=False, help_text="Only people with a grant, auditors and the mandate see it and who answers."
    )

    def __init__(self, *args: Any, system: System | None = None, whole: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field_of(self, "unit", forms.ModelChoiceField).queryset = Unit.objects.all()
        if system is not None and system.stage == Stage.RETIRED:
            field_of(self, "stage", forms.ChoiceField).choices = _choices(Stage)
        if not whole:
            for name in ("unit", "restricted", "tier", "regulatory_class"):
                del self.fields[name]
        kept = list(system.identities.order_by("kind", "value")) if system else []
        self.rows = max(IDENTITY_ROWS, len(kept) + 2)
        for number in range(self.rows):
            identity = kept[number] if number < len(kept) else None
            self.fields[f"kind_{number}"] = forms.ChoiceField(
                choices=SystemIdentity.Kind.choices,
                required=False,
                initial=identity.kind if identity else "agent_id",
                label=f"Kind of identity {number + 1}",
            )
            self.fields[f"value_{number}"] = forms.CharField(
                max_length=300,
                required=False,
                initial=identity.value if identity else "",
                label=f"Identity {number + 1}",
            )

    def identity_fields(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Pairs of fields for the template."""
        return [(self[f"kind_{number}"], self[f"value_{number}"]) for number in range(self.rows)]

    def identities(self) -> set[tuple[str, str]]:
        """The identities that were given."""
        pairs = ((self.cleaned_data[f"kind_{n}"], self.cleaned_data[f"value_{n}"].strip()) for n in range(self.rows))
        return {(kind or "agent_id", value) for kind, value in pairs if value}

    def facts(self) -> dict[str, Any]:
        """The fields of the system itself."""
        return {
            name: value for name, value in self.cleaned_data.items() if not name.startswith(("kind_", "value_", "key"))
        }


class RegisterForm(SystemForm):
    """A new system needs a key as well."""

    key = forms.CharField(
        max_length=80,
        help_text="Letters, digits, dots, dashes, underscores. It never changes.",
        error_messages={"required": "Give the system a key, such as SYS-0142"},
    )
    field_order = ("key", "name")

    def clean_key(self) -> str:
        """Words that the portal's own addresses use are no keys."""
        key: str = self.cleaned_data["key"].strip()
        if key.lower() in RESERVED_KEYS:
            raise forms.ValidationError(f"{key} is a word that Govportal uses itself. Choose another key.")
        return key


class RetireForm(forms.Form):
    """Why a system goes out of use."""

    use_required_attribute = False
    reason = forms.CharField(
        max_length=600,
        label="Why is it retired?",
        help_text="One or two sentences. An auditor will read this.",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why the system is retired"},
    )


class FilterForm(forms.Form):
    """The panel behind + Filter. It only makes an address."""

    use_required_attribute = False
    basis = forms.ChoiceField(
        choices=[("", "Any"), ("accepted", "Accepted"), ("interim", "Interim")], required=False, label="Owner"
    )
    tier = forms.ChoiceField(choices=[("", "Any"), *_choices(Tier)], required=False)
    stage = forms.ChoiceField(choices=[("", "Any"), *_choices(Stage)], required=False)
    unit = forms.ModelChoiceField(Unit.objects.none(), required=False, empty_label="Any")
    attestation = forms.ChoiceField(
        choices=[
            ("", "Any"),
            ("signed", "Signed"),
            ("clean", "Signed clean"),
            ("qualified", "Signed with exceptions"),
            ("open", "Open"),
            ("overdue", "Overdue"),
            ("none", "Not attested"),
        ],
        required=False,
    )
    live = forms.ChoiceField(choices=[("1", "Live"), ("0", "Not live"), ("all", "All")], required=False, label="In use")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Units of the top only: a register can have thousands below them.
        field_of(self, "unit", forms.ModelChoiceField).queryset = Unit.objects.filter(parent=None)


class SaveViewForm(forms.Form):
    """A name for the list as it is filtered now."""

    use_required_attribute = False

    name = forms.CharField(
        max_length=60, label="Name of this view", error_messages={"required": "Give the view a name"}
    )
    shared = forms.BooleanField(required=False, label="Everybody may use it")
    query = forms.CharField(max_length=1000, required=False, widget=forms.HiddenInput)

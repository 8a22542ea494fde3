"""What an owner may do without asking, as fields of a form."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from apps.registry.models.authority import CURRENCY_PATTERN
from apps.registry.rules.authority import Powers

FIELDS = ("may_stop", "may_revoke", "spend_cap", "currency")


class PowersForm(forms.Form):
    """Stop, revoke, cap spend up to an amount. Left out for somebody who may not grant it."""

    use_required_attribute = False

    may_stop = forms.BooleanField(label="Stop the system", required=False)
    may_revoke = forms.BooleanField(label="Revoke its permissions", required=False)
    spend_cap = forms.DecimalField(
        label="Cap its spend up to",
        required=False,
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=2,
        help_text="An amount, such as 5000.",
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.CharField(
        label="Currency",
        required=False,
        max_length=3,
        help_text="Three letters, such as EUR.",
        validators=[RegexValidator(CURRENCY_PATTERN, "Give the currency by its three letters, such as EUR.")],
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, grants: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.grants = grants
        if not grants:
            for name in FIELDS:
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """An amount needs its currency; a currency alone says nothing."""
        cleaned = super().clean() or {}
        if cleaned.get("spend_cap") is not None and not cleaned.get("currency") and "currency" not in self.errors:
            self.add_error("currency", "Give the currency of the amount, such as EUR.")
        return cleaned

    def powers(self) -> Powers:
        """What was given; nothing where the person may not grant."""
        if not self.grants:
            return Powers()
        cap = self.cleaned_data["spend_cap"]
        currency = self.cleaned_data["currency"] if cap is not None else ""
        return Powers(self.cleaned_data["may_stop"], self.cleaned_data["may_revoke"], cap, currency)


class GrantForm(PowersForm):
    """Changing the authority of the person who answers today."""

    note = forms.CharField(
        label="Why?",
        required=False,
        max_length=600,
        help_text="It is kept in the trail.",
        widget=forms.Textarea({"rows": 2}),
    )

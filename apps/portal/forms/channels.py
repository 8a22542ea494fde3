"""How somebody is reached, and where the portal speaks to other programs."""

from typing import Any

from django import forms

from apps.notify.models import Channel, Endpoint
from apps.notify.rules.channels import CARRIED_BY, CHAT, SMS, VOICE
from apps.notify.rules.webhooks import ADDRESS_IS_SECRET, GENERIC, OPSGENIE, PAGERDUTY

KINDS = [(kind.value, kind.label) for kind in Channel.Kind if kind.value in CARRIED_BY]


def _carries(endpoint: Endpoint) -> str:
    """ "texts, calls, chats"."""
    words = {SMS: "texts", VOICE: "calls", CHAT: "chats"}
    return ", ".join(word for kind, word in words.items() if endpoint.kind in CARRIED_BY[kind])


class ChannelForm(forms.Form):
    """A new way to be reached, beside the e-mail address of the profile."""

    use_required_attribute = False

    kind = forms.ChoiceField(label="How", choices=KINDS, widget=forms.RadioSelect, initial=SMS)
    address = forms.CharField(
        label="Number or name",
        max_length=100,
        help_text="A number with its country, such as +49 30 5550 0142, or the name that the chat knows.",
        error_messages={"required": "Enter the number or the name."},
    )
    endpoint = forms.ChoiceField(label="Carried by")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What carries texts and calls first: they wake people.
        rows = sorted(
            Endpoint.objects.filter(ended_at=None).order_by("name"), key=lambda row: row.kind not in CARRIED_BY[SMS]
        )
        self.fields["endpoint"] = forms.ChoiceField(
            label="Carried by",
            choices=[(str(row.pk), f"{row.name}: {_carries(row)}") for row in rows],
            error_messages={
                "required": "Choose the endpoint that carries it.",
                "invalid_choice": "This endpoint is not there any more. Choose another.",
            },
        )

    def clean_endpoint(self) -> Endpoint:
        """The endpoint itself, which can carry what was chosen."""
        found = Endpoint.objects.get(pk=self.cleaned_data["endpoint"])
        kind = self.cleaned_data.get("kind", "")
        if kind and found.kind not in CARRIED_BY[kind]:
            raise forms.ValidationError(f"{found.name} carries {_carries(found)}. Choose another.")
        return found


class CodeForm(forms.Form):
    """The code that came through a channel."""

    use_required_attribute = False

    code = forms.RegexField(
        r"^[0-9 ]{6,9}$",
        label="Code",
        max_length=9,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
        error_messages={"required": "Enter the six digits.", "invalid": "The code has six digits."},
    )


class EndpointForm(forms.Form):
    """A new endpoint, or a change of one. What is left empty in a change stays."""

    use_required_attribute = False

    name = forms.CharField(max_length=100, error_messages={"required": "Give the endpoint a name."})
    kind = forms.ChoiceField(choices=Endpoint.Kind.choices, initial=GENERIC)
    url = forms.CharField(
        label="Address",
        max_length=600,
        help_text="Begins with https://. PagerDuty: https://events.pagerduty.com/v2/enqueue. Opsgenie: "
        "https://api.opsgenie.com/v2/alerts.",
        error_messages={"required": "Enter the address."},
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label="Key",
        max_length=200,
        required=False,
        help_text="The routing key of PagerDuty or the API key of Opsgenie. The others need none here.",
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )
    announces = forms.BooleanField(
        required=False,
        label="Announce every live incident here",
        help_text="Of a restricted incident only its code is told, of a privileged one nothing.",
    )

    def __init__(self, *args: Any, endpoint: Endpoint | None = None, **kwargs: Any) -> None:
        self.endpoint = endpoint
        if endpoint is not None:
            kwargs["initial"] = {"name": endpoint.name, "announces": endpoint.announces}
        super().__init__(*args, **kwargs)
        if endpoint is None:
            return
        del self.fields["kind"]
        self.fields["url"].required = False
        self.fields["url"].help_text = f"Now: {endpoint.url}{_rest(endpoint)}. Empty: it stays."
        if endpoint.kind in {PAGERDUTY, OPSGENIE}:
            self.fields["secret"].help_text = "Empty: it stays, unless the address changes."
        else:
            del self.fields["secret"]
        if endpoint.kind == GENERIC:
            self.fields["renew"] = forms.BooleanField(
                required=False,
                label="Make a new secret",
                help_text="It is shown once. Requests are signed with it from now on.",
            )


def _rest(endpoint: Endpoint) -> str:
    return " and what follows, which is secret" if endpoint.kind in ADDRESS_IS_SECRET else ""

"""A new source of incidents."""

from typing import Any

from django import forms

from apps.incidents.models import InboundSource
from apps.incidents.rules.inbound import DEFAULT_LABELS
from apps.incidents.rules.words import NOT_SURE, SCENARIO_CHOICES
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries.systems import visible_systems


class SourceForm(forms.Form):
    """What sends, and what its messages are about where they do not say so."""

    use_required_attribute = False

    name = forms.CharField(
        max_length=100,
        help_text="What sends, such as: Alertmanager production. Incidents and the trail name it so.",
        error_messages={"required": "Name what sends."},
    )
    kind = forms.ChoiceField(label="What does it send?", choices=InboundSource.Kind.choices)
    mode = forms.ChoiceField(
        label="Is it real?",
        choices=[("test", "No, a test: nothing counts, and every word begins with TEST"), ("real", "Yes")],
        help_text="Begin with a test. A source stays what it was added as: add a second one when the test went well.",
    )
    system = forms.CharField(
        label="System, where a message names none",
        help_text="Its key, such as SYS-0042. Leave it empty where it speaks of many systems.",
        max_length=80,
        required=False,
    )
    scenario = forms.ChoiceField(
        label="What went wrong, where a message does not say",
        choices=[("", NOT_SURE), *((one.value, words) for one, (words, _) in SCENARIO_CHOICES.items())],
        required=False,
    )
    labels = forms.CharField(
        label="Labels that name the system",
        help_text="In their order, separated by commas; the first that names exactly one wins. Leave it empty for: "
        f"{', '.join(DEFAULT_LABELS)}.",
        max_length=2000,
        required=False,
    )

    def __init__(self, *args: Any, actor: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor

    def clean_system(self) -> System | None:
        """The system of this key. Not there and not yours are the same."""
        key = self.cleaned_data["system"].strip()
        if not key:
            return None
        found = visible_systems(self.actor).filter(key__iexact=key).first()
        if found is None:
            raise forms.ValidationError("There is no system of this key that you may see.")
        return found

    def clean_labels(self) -> list[str]:
        """The names of the labels, each once."""
        return [label.strip() for label in self.cleaned_data["labels"].split(",") if label.strip()]

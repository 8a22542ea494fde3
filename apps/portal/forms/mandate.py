"""The charter of the mandate: its draft, and why a signature is withdrawn."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.people.models import Function, Seat
from apps.registry.models import Charter, GovernanceDomain

POINTS = 40
POINT_LENGTH = 200
COVERED = [("", "Not covered"), ("holds", "Covered, without authority"), ("enforces", "Covered, may enforce")]


class CharterForm(forms.Form):
    """The draft: who holds the mandate, what they may decide, where they may enforce, over which domains."""

    use_required_attribute = False

    holder = forms.ChoiceField(label="Holder", help_text="The function whose seat holds the mandate.")
    authority = forms.CharField(
        max_length=4000,
        help_text="What the holder may decide and do without asking: stop a system, revoke permissions, cap spend.",
        error_messages={"required": "Say what the holder may decide."},
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    points = forms.CharField(
        label="Enforcement points in scope",
        required=False,
        help_text="One a line: the gateway, admission in the clusters, the agent platform.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def __init__(self, charter: Charter, data: Any = None) -> None:
        self.domains = list(GovernanceDomain.objects.all())
        super().__init__(data, initial=self._saved(charter))
        seats = Seat.objects.filter(holder__isnull=False).select_related("function", "holder")
        choices = [
            (seat.function_id, f"{seat.function.seat_title}: {seat.holder.display_name if seat.holder else ''}")
            for seat in seats.order_by("function__position")
        ]
        self.fields["holder"] = forms.ChoiceField(
            label="Holder", choices=choices, help_text="The seat that holds the mandate. A vacant seat can't."
        )
        for domain in self.domains:
            self.fields[f"domain-{domain.key}"] = forms.ChoiceField(label=domain.name, choices=COVERED, required=False)

    def _saved(self, charter: Charter) -> dict[str, str]:
        held = dict(charter.covered.values_list("domain_id", "may_enforce"))
        said = {None: "", False: "holds", True: "enforces"}
        return {
            "holder": charter.holder_id,
            "authority": charter.authority,
            "points": "\n".join(charter.enforcement_points),
            **{f"domain-{domain.key}": said[held.get(domain.key)] for domain in self.domains},
        }

    def say_what_was_saved(self, charter: Charter, why: str) -> None:
        """At each field whose saved value differs from the one that was typed, the saved one. Typed values stay."""
        typed = {name: str(self[name].value() or "") for name in self.fields}
        self.add_error(None, f"{why} Compare the two where they differ, then save again.")
        for name, saved in self._saved(charter).items():
            if saved.split() != typed[name].split():
                choices = dict(getattr(self.fields[name], "choices", ()))
                told = str(choices.get(saved, "; ".join(saved.splitlines()) or "nothing"))
                self.add_error(name, f"{self[name].label}: the saved draft says “{told}”.")

    def layers(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The domains' fields by layer, in the order of the matrix."""
        found: dict[str, list[forms.BoundField]] = {}
        for domain in self.domains:
            found.setdefault(domain.layer, []).append(self[f"domain-{domain.key}"])
        return list(found.items())

    def clean_holder(self) -> Function:
        """The function itself."""
        return Function.objects.get(code=self.cleaned_data["holder"])

    def clean_points(self) -> list[str]:
        """One point a line, without empty ones."""
        points = [" ".join(line.split()) for line in self.cleaned_data["points"].splitlines() if line.strip()]
        if len(points) > POINTS:
            raise ValidationError(f"Name {POINTS} enforcement points at most. These are {len(points)}.")
        for number, point in enumerate(points, 1):
            if len(point) > POINT_LENGTH:
                raise ValidationError(f"Line {number} has {len(point)} characters. Keep each to {POINT_LENGTH}.")
        return points

    def chosen_domains(self) -> dict[str, bool]:
        """Domain key -> whether the holder may enforce there."""
        given = {domain.key: self.cleaned_data[f"domain-{domain.key}"] for domain in self.domains}
        return {key: value == "enforces" for key, value in given.items() if value}


class WithdrawForm(forms.Form):
    """Why a signature is withdrawn."""

    use_required_attribute = False

    reason = forms.CharField(
        max_length=600,
        help_text="Everybody who reads the charter sees it.",
        error_messages={"required": "Say why you withdraw your signature."},
        widget=forms.Textarea(attrs={"rows": 4}),
    )

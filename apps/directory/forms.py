"""A new token for an identity provider, and choosing a file of people."""

from datetime import timedelta

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

LIFETIMES = {"90": "90 days", "180": "180 days", "365": "A year", "730": "Two years"}


class ScimTokenForm(forms.Form):
    """A new token."""

    use_required_attribute = False

    name = forms.CharField(
        max_length=60,
        help_text="What comes with it, such as: Okta. The trail names every change that it makes so.",
        error_messages={"required": "Name what comes with the token."},
    )
    days = forms.ChoiceField(label="It ends after", choices=list(LIFETIMES.items()), initial="365")

    @property
    def lifetime(self) -> timedelta:
        """How long the token lives; asked after the form was valid."""
        return timedelta(days=int(self.cleaned_data["days"]))


class PeopleFileForm(forms.Form):
    """A CSV file of people."""

    use_required_attribute = False

    file = forms.FileField(
        label="CSV file",
        help_text="UTF-8, with commas. Nothing changes before you have seen the whole effect.",
        error_messages={
            "required": "Choose a CSV file.",
            "empty": "The file is empty. Choose a CSV file with a header and one row for each person.",
            "missing": "The file did not arrive. Choose it again.",
        },
        max_length=255,
    )
    complete = forms.BooleanField(
        required=False,
        label="The file is complete: who is not in it has left",
        help_text="You see who that is, and confirm their number, before anybody is off-boarded.",
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file that is too large before anything reads it."""
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        if upload.size is not None and upload.size > settings.IMPORT_MAX_BYTES:
            megabytes = settings.IMPORT_MAX_BYTES // (1024 * 1024)
            raise forms.ValidationError(
                f"The file has {upload.size / 1024 / 1024:,.0f} MB; {megabytes} MB are read. Split it."
            )
        return upload

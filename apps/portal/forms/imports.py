"""Choosing a file to import."""

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.registry.models import ImportRun


class ImportForm(forms.Form):
    """A CSV file and how to read it. What is in the file is for the verb to judge."""

    use_required_attribute = False

    file = forms.FileField(
        label="CSV file",
        help_text="UTF-8, with commas. Nothing is registered before you have seen the whole effect.",
        error_messages={
            "required": "Choose a CSV file.",
            "empty": "The file is empty. Choose a CSV file with a header and one row for each system.",
            "missing": "The file did not arrive. Choose it again.",
        },
        max_length=255,
    )
    format = forms.ChoiceField(
        label="Format",
        choices=[("", "Told from the header"), *ImportRun.Format.choices],
        required=False,
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

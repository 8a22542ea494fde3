"""Forms: the questions of one section as fields, and the signature."""

from apps.attestations.forms.questions import (
    Conflict,
    OptionField,
    Posted,
    QuestionField,
    Shown,
    conflicts_of,
    in_words,
    question_fields,
    read_section,
    read_version,
    suggested_people,
)
from apps.people.signing import SignForm

__all__ = [
    "Conflict",
    "OptionField",
    "Posted",
    "QuestionField",
    "Shown",
    "SignForm",
    "conflicts_of",
    "in_words",
    "question_fields",
    "read_section",
    "read_version",
    "suggested_people",
]

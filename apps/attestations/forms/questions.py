"""The questions of a section as fields, and what was posted for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.core.exceptions import ValidationError

from apps.attestations.models import Answer, EvidenceFile
from apps.attestations.questions import GIVEN, Question, Section, Type, Value
from apps.attestations.rules import EXCEPTION_DAYS, Given, Problem, normal_date
from apps.people.forms import SUGGESTED, PersonField
from apps.people.models import Person
from apps.people.queries import active_people

SEVERITIES = [(name, f"{name.capitalize()}: put right within {days} days") for name, days in EXCEPTION_DAYS.items()]


@dataclass(frozen=True)
class OptionField:
    """One radio, and the fields that stand under it."""

    id: str
    name: str
    value: str
    label: str
    checked: bool
    needs: str
    given: Given
    corrects: bool = False
    owner: str = ""

    @property
    def asks(self) -> str:
        """What is added to the label, so that nobody is surprised."""
        return "(you will be asked why)" if self.value == Value.CANNOT_ATTEST else ""

    @property
    def severities(self) -> list[tuple[str, str]]:
        """How grave an exception can be, with its longest time."""
        return SEVERITIES


@dataclass(frozen=True)
class Conflict:
    """What another window saved, beside what stands here."""

    here: str
    saved: str
    saved_at: object
    by: str


@dataclass(frozen=True)
class QuestionField:
    """One question with its fields, what was given, what is missing, what contradicts it, and what follows it."""

    number: int
    question: Question
    options: tuple[OptionField, ...]
    errors: Mapping[str, str]
    given: Given = field(default_factory=Given)
    person: str = ""
    fact: str = ""
    contradiction: str = ""
    conflict: Conflict | None = None
    files: tuple[EvidenceFile, ...] = ()
    # From when and until when a file is true, as typed beside one that was refused.
    days: tuple[str, str] = ("", "")
    open: bool = True
    followups: "tuple[QuestionField, ...]" = ()

    @property
    def error(self) -> str:
        """What is wrong with the answer itself."""
        return next((self.errors[part] for part in ("value", "person", "day", "evidence") if part in self.errors), (
            "" if self.question.is_chosen else self.errors.get("text", "")))  # fmt: skip

    @property
    def max_mb(self) -> int:
        """How large a file of evidence may be."""
        return int(settings.EVIDENCE_MAX_MB)

    @property
    def control(self) -> str:
        """The id of its own field, where it has no radios."""
        return f"{self.question.key}-{_OWN[self.question.type]}" if not self.question.is_chosen else ""

    @property
    def after(self) -> str:
        """The answers after which it is asked."""
        return " ".join(self.question.when.values) if self.question.when else ""


_OWN = {Type.PERSON: "person", Type.DATE: "day", Type.TEXT: "text", Type.EVIDENCE: "evidence"}


@dataclass(frozen=True)
class Shown:
    """What a page of questions is filled with: answers, what is missing and contradicted, who is named, conflicts."""

    answers: Mapping[str, Given]
    problems: Sequence[Problem] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    contradictions: Mapping[str, str] = field(default_factory=dict)
    conflicts: Mapping[str, Conflict] = field(default_factory=dict)
    files: Mapping[str, tuple[EvidenceFile, ...]] = field(default_factory=dict)
    days: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def named(self, text: str) -> str:
        """A person as the field shows them: by address; what was typed where it names nobody."""
        return self.people[text].email if text in self.people else text


def question_fields(section: Section, shown: Shown) -> list[QuestionField]:
    """The questions of a section, filled; those that follow from an answer stand under their question."""
    chosen = {key: given.value for key, given in shown.answers.items()}
    built = {question.key: _field(question, shown, is_open=question.applies(chosen)) for question in section.questions}
    fields: list[QuestionField] = []
    for question in section.questions:
        if question.when is not None:
            continue
        following = tuple(
            built[other.key] for other in section.questions if other.when and other.when.question == question.key
        )
        fields.append(replace(built[question.key], number=len(fields) + 1, followups=following))
    return fields


def _field(question: Question, shown: Shown, *, is_open: bool) -> QuestionField:
    given = shown.answers.get(question.key, Given())
    return QuestionField(
        number=0,
        question=question,
        options=tuple(_option(question, value, given, shown) for value in question.values),
        errors={p.part: p.text for p in reversed(shown.problems) if p.question == question.key},
        given=given,
        person=shown.named(given.person) or (given.text if question.type == Type.PERSON else ""),
        fact=shown.facts.get(question.key, ""),
        contradiction=shown.contradictions.get(question.key, ""),
        conflict=shown.conflicts.get(question.key),
        files=shown.files.get(question.key, ()),
        days=shown.days.get(question.key, ("", "")),
        open=is_open,
    )


def _option(question: Question, value: str, given: Given, shown: Shown) -> OptionField:
    chosen = given.value == value
    return OptionField(
        id=f"{question.key}-{value}",
        name=question.key,
        value=value,
        label=question.label_of(value),
        checked=chosen,
        needs=Value(value).needs,
        given=given if chosen else Given(),
        corrects=question.type == Type.CONFIRM_FACT and value == Value.NO,
        owner=shown.named(given.plan_owner) if chosen else "",
    )


@dataclass(frozen=True)
class Posted:
    """What was posted for a section: as typed for the page, as it can be kept, and what named nobody."""

    typed: Mapping[str, Given]
    kept: Mapping[str, Given]
    problems: Sequence[Problem]


def read_section(section: Section, data: Mapping[str, str]) -> Posted:
    """What was posted for each question. A name that is nobody's is a problem and is not kept as a person.

    Where the page asked to choose between two windows and the saved answer was chosen, the question is left out; and
    where it was never touched here, because another window may have answered it since.
    """
    typed, kept, problems = {}, {}, []
    for question in section.questions:
        if data.get(f"{question.key}-keep") == "saved":
            continue
        given = _read(question, data)
        if given == Given() and not _was_cleared(question, data):
            continue
        typed[question.key] = given
        kept[question.key], found = _with_people(question, given)
        problems += found
    return Posted(typed, kept, problems)


def _was_cleared(question: Question, data: Mapping[str, str]) -> bool:
    """Whether a field that is empty held something on the page. A radio can't be taken back, so that it never did."""
    return f"{question.key}-had" in data or data.get(f"{question.key}-keep") == "here"


def _read(question: Question, data: Mapping[str, str]) -> Given:
    explanation = _text(data, f"{question.key}-explanation")
    if not question.is_chosen:
        own = data.get(f"{question.key}-{_OWN[question.type]}", "")
        if question.type == Type.DATE:
            return Given(GIVEN if own.strip() else "", day=normal_date(own)[:41], explanation=explanation)
        if question.type == Type.PERSON:
            return Given(GIVEN if own.strip() else "", person=own.strip(), explanation=explanation)
        return Given(GIVEN if own.strip() else "", text=_text(data, f"{question.key}-text"), explanation=explanation)
    value = data.get(question.key, "")
    if value not in question.values:
        return Given()
    return replace(_under(f"{question.key}-{value}", value, data), explanation=explanation)


def _under(prefix: str, value: str, data: Mapping[str, str]) -> Given:
    needs = Value(value).needs
    if not needs:
        return Given(value)
    if needs == "reason":
        return Given(value, _text(data, f"{prefix}-comment"))
    severity = data.get(f"{prefix}-severity", "")
    return Given(
        value,
        comment=_text(data, f"{prefix}-comment"),
        plan=_text(data, f"{prefix}-plan"),
        plan_date=normal_date(data.get(f"{prefix}-date", "")),
        severity=severity if severity in EXCEPTION_DAYS else "",
        control=_text(data, f"{prefix}-control"),
        plan_owner=data.get(f"{prefix}-owner", "").strip(),
        text=_text(data, f"{prefix}-text"),
    )


def _with_people(question: Question, given: Given) -> tuple[Given, list[Problem]]:
    """The answer with ids in place of names, and what is wrong with a name."""
    problems = []
    if given.plan_owner:
        found, said = _person(given.plan_owner)
        given = replace(given, plan_owner=found)
        problems += [Problem(question.key, "plan_owner", said)] if said else []
    if given.person:
        found, said = _person(given.person)
        # What was typed is kept as text, so that nothing is lost.
        given = replace(given, person=found, text="" if found else given.person, value=GIVEN if found else "")
        problems += [Problem(question.key, "person", said)] if said else []
    return given, problems


def _person(text: str) -> tuple[str, str]:
    """The id of the person that a text names, or what is wrong with it. A mailbox or a service account is nobody."""
    try:
        person = PersonField(required=False).clean(text)
    except ValidationError as error:
        return "", error.messages[0]
    return (str(person.pk), "") if person else ("", "")


def _text(data: Mapping[str, str], name: str) -> str:
    return data.get(name, "").replace("\r\n", "\n").replace("\0", "").strip()


def read_version(data: Mapping[str, str]) -> int:
    """The version that a page was opened with; 0 for anything else than a number."""
    text = data.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def suggested_people() -> list[Person]:
    """The list behind the fields that name a person: one for all of a page, none for a large directory."""
    people = list(active_people()[: SUGGESTED + 1])
    return people if len(people) <= SUGGESTED else []


def in_words(question: Question, given: Given, people: Mapping[str, Person]) -> str:
    """An answer as a page shows it in one piece."""
    if not given.value and not given.person:
        return "Not answered"
    if question.type == Type.PERSON:
        return people[given.person].display_name if given.person in people else given.person
    if question.type == Type.DATE:
        return given.shown_day
    if question.type == Type.TEXT:
        return given.text
    label = question.label_of(given.value)
    return ". ".join(part for part in (label, given.text, given.comment, given.plan, given.shown_date) if part)


def conflicts_of(
    section: Section, newer: Iterable[Answer], typed: Mapping[str, Given], people: Mapping[str, Person]
) -> dict[str, Conflict]:
    """For each question that another window saved: both answers in words."""
    asked = {question.key: question for question in section.questions}
    return {
        answer.question: Conflict(
            here=in_words(asked[answer.question], typed.get(answer.question, Given()), people),
            saved=in_words(asked[answer.question], answer.given, people),
            saved_at=answer.saved_at,
            by=answer.answered_by.display_name,
        )
        for answer in newer
    }

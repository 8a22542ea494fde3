"""What a person may sign together: low tier, nothing changed, and clean the last time under the same questions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from django.db.models import QuerySet

from apps.attestations.models import Assignment
from apps.attestations.queries import waiting_for
from apps.attestations.queries.desk import held_against, people_in
from apps.attestations.questions import Question, Section, Type, thawed, values_of
from apps.attestations.rules import SIGNED_STATES, Against, Given, contradiction, section_problems
from apps.people.models import Person

# As many as somebody can look at: the page, and the verb.
AT_ONCE = 25


@dataclass(frozen=True)
class Candidate:
    """An assignment, the clean one before it, and why it can't be signed together; empty means it can."""

    assignment: Assignment
    before: Assignment | None
    why_not: str = ""
    answers: dict[str, Given] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    # Who is named in the answers, by id.
    people: Mapping[str, Person] = field(default_factory=dict)

    @property
    def summary(self) -> list[tuple[str, str]]:
        """What was answered the last time, with who was named and which day was given: (question, answer)."""
        asked = [question for section in self.sections for question in section.asked(values_of(self.answers))]
        return [(q.short, self._words(q, self.answers[q.key])) for q in asked if q.key in self.answers]

    def _words(self, question: Question, given: Given) -> str:
        named = self.people.get(given.person)
        said = named.display_name if named else given.shown_day or given.text
        label = question.label_of(given.value) if question.is_chosen or not said else ""
        return ". ".join(part for part in (label, said, given.comment) if part)


def could_be_together(person: Person) -> QuerySet[Assignment]:
    """What the tier and the delta allow among what waits for a person, nothing of it begun."""
    return (
        waiting_for(person)
        .filter(tier="low", delta="unchanged", state=Assignment.State.PENDING)
        .select_related("campaign", "system__unit", "system__owner", "snapshot", "person")
    )


def candidates(assignments: Iterable[Assignment], *, today: date) -> list[Candidate]:
    """Each assignment judged against the one before. Three queries and one for answers, whatever their number."""
    found = list(assignments)
    before = _before(found)
    judged = [_judged(one, before.get(one.system_id), today) for one in found]
    people = people_in(given for one in judged for given in one.answers.values())
    return [replace(one, people=people) for one in judged]


def _before(assignments: list[Assignment]) -> dict[int, Assignment]:
    """The last signed attestation of each system in an earlier campaign of a period."""
    rows = (
        Assignment.objects.filter(system__in=[one.system_id for one in assignments], state__in=SIGNED_STATES)
        .filter(campaign__is_event=False)
        .exclude(campaign__in={one.campaign_id for one in assignments})
        .select_related("campaign", "snapshot")
        .prefetch_related("answers", "signatures")
        .order_by("system_id", "-submitted_at", "-pk")
        .distinct("system_id")
    )
    return {row.system_id: row for row in rows}


def _judged(assignment: Assignment, before: Assignment | None, today: date) -> Candidate:
    if assignment.tier != "low" or assignment.delta != "unchanged":
        return Candidate(assignment, before, "Only unchanged systems of the low tier are signed together.")
    if before is None or before.result != Assignment.Result.CLEAN or before.stale_at is not None:
        return Candidate(assignment, before, "The last attestation was not clean, or something changed since.")
    against = held_against(assignment, today)
    sections = thawed(assignment.campaign.question_set, against.facts)
    if sections != thawed(before.campaign.question_set, held_against(before, today).facts):
        return Candidate(assignment, before, "The questions are not those of the last time.")
    answers = {answer.question: answer.given for answer in before.answers.all() if answer.value}
    return Candidate(assignment, before, _against_facts(sections, answers, against), answers, sections)


def _against_facts(sections: tuple[Section, ...], answers: dict[str, Given], against: Against) -> str:
    for section in sections:
        for question in section.asked(values_of(answers)):
            given = answers.get(question.key, Given())
            if question.type == Type.EVIDENCE:
                return f"It needs a file of this quarter: {question.short}."
            if said := contradiction(question, given.value, given.day, against):
                return said
        if problems := section_problems(section, answers, today=against.today, against=against):
            return f"{problems[0].text}."
    return ""

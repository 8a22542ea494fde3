"""What the pages of runbooks show: the list, the steps in words, the versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from apps.incidents.models import Runbook, RunbookStep, RunbookVersion
from apps.incidents.queries.runbooks import SCENARIO_WORDS, last_drilled, roles, scope_words, visible_runbooks
from apps.incidents.rules.runbooks import needs_two
from apps.people.models import Person

# The mandatory ones first, "not sure" last.
_PLACE = Case(
    *(When(scenario=value, then=Value(place)) for place, value in enumerate(v for v in SCENARIO_WORDS if v)),
    default=Value(99),
    output_field=IntegerField(),
)
# The organisation's own, then by operating model, by unit, by system.
_WIDTH = Case(
    When(system__isnull=False, then=Value(3)),
    When(unit__isnull=False, then=Value(2)),
    When(operating_model="", then=Value(0)),
    default=Value(1),
    output_field=IntegerField(),
)


@dataclass(frozen=True)
class RunbookRow:
    """One line of the list."""

    runbook: Runbook
    scenario: str
    scope: str
    number: int | None
    steps: int
    has_draft: bool
    drilled: datetime | None


@dataclass(frozen=True)
class StepWords:
    """One step in words."""

    step: RunbookStep
    who: str
    needs_two: bool


def listed(actor: Person, *, q: str = "", scenario: str = "") -> QuerySet[Runbook]:
    """Runbooks that a person may read and that are not retired: those of the organisation first, scenario by scenario.

    `scenario` "none" asks for those for "not sure".
    """
    rows = visible_runbooks(actor).filter(retired_at=None)
    if scenario:
        rows = rows.filter(scenario="" if scenario == "none" else scenario)
    if q:
        rows = rows.filter(
            Q(title__icontains=q) | Q(system__name__icontains=q) | Q(system__key__iexact=q) | Q(unit__name__icontains=q)
        )
    return rows.order_by(_PLACE, _WIDTH, "title", "pk")


def rows_of(runbooks: Sequence[Runbook]) -> list[RunbookRow]:
    """The lines of a page. Two statements."""
    used = RunbookVersion.objects.filter(runbook=OuterRef("pk"), state="published")
    counted = RunbookStep.objects.filter(version__runbook=OuterRef("pk"), version__state="published").order_by()
    facts = {
        row["pk"]: row
        for row in Runbook.objects.filter(pk__in=[one.pk for one in runbooks])
        .annotate(
            number=Subquery(used.values("number")[:1]),
            steps=Subquery(counted.values("version").annotate(n=Count("pk")).values("n")[:1]),
            drafts=Count("versions", filter=Q(versions__state="draft")),
        )
        .values("pk", "number", "steps", "drafts")
    }
    drilled = last_drilled([one.pk for one in runbooks])
    return [
        RunbookRow(
            runbook=one,
            scenario=SCENARIO_WORDS[one.scenario],
            scope=scope_words(one),
            number=facts[one.pk]["number"],
            steps=facts[one.pk]["steps"] or 0,
            has_draft=bool(facts[one.pk]["drafts"]),
            drilled=drilled.get(one.pk),
        )
        for one in runbooks
    ]


def step_lines(version: RunbookVersion | None) -> list[StepWords]:
    """The steps of a version in words; nothing for no version."""
    if version is None:
        return []
    known = roles()
    return [
        StepWords(step, known.get(step.role, step.role), needs_two(step.phase, step.does))
        for step in version.steps.all()
    ]


def versions_of(runbook: Runbook) -> list[RunbookVersion]:
    """All versions, the newest first, each with its steps and who wrote and published it. Two statements."""
    rows = runbook.versions.select_related("written_by", "published_by").prefetch_related("steps")
    return list(rows.order_by("-number"))

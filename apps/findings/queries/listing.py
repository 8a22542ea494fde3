"""The list of findings: tabs with counts, filters, rows that say who, by when and what comes next."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from apps.common.dates import day_words
from apps.findings.models import WAITING, CorrectiveAction, Finding, RiskAcceptance
from apps.findings.queries.findings import Tab, of_tab, on_record, visible_findings
from apps.findings.rules import SEVERITY_WORDS, overdue_words
from apps.people.models import Person
from apps.registry.models import Unit
from apps.registry.rules.breaches import Severity

TAB_WORDS = {
    Tab.MINE: "Mine",
    Tab.OVERDUE: "Overdue",
    Tab.ALL: "All open",
    Tab.ACCEPTED: "Accepted risks",
    Tab.CLOSED: "Closed",
}
CSV_HEADER = (
    "Number", "Check", "Severity", "Level", "Finding", "Remedy", "Where", "System key", "Domain", "Who puts it right",
    "Raised", "Due", "State", "Accepted until", "Closed", "Closed because",
)  # fmt: skip


@dataclass(frozen=True)
class TabLine:
    """One tab with its count."""

    tab: Tab
    label: str
    count: int


@dataclass(frozen=True)
class Row:
    """One finding in the list."""

    finding: Finding
    due: str
    tone: str
    next: str
    button: str
    severity_tone: str


@dataclass(frozen=True)
class Filters:
    """What the reader asks of a tab. Everything combines with "and"; an empty value asks nothing."""

    severity: str = ""
    check: str = ""
    unit: str = ""
    person: str = ""

    @classmethod
    def read(cls, data: Any) -> "Filters":
        """From a query string. What makes no sense asks nothing."""
        severity = data.get("severity", "")
        unit = data.get("unit", "")
        return cls(
            severity=severity if severity in SEVERITY_WORDS else "",
            check=data.get("check", "").replace("\0", "")[:40],
            unit=unit if unit.isascii() and unit.isdigit() and len(unit) < 10 else "",
            person=" ".join(data.get("person", "").replace("\0", "").split())[:200],
        )

    @property
    def asked(self) -> dict[str, str]:
        """What is asked, for the address."""
        return {name: value for name, value in vars(self).items() if value}


def tabs(actor: Person, today: date) -> list[TabLine]:
    """All tabs with their counts. Two or three queries."""
    waiting = Q(state__in=WAITING)
    counts = visible_findings(actor).aggregate(
        all=Count("pk", filter=waiting),
        overdue=Count("pk", filter=waiting & Q(due_on__lt=today)),
        accepted=Count("pk", filter=Q(state=Finding.State.ACCEPTED)),
        closed=Count("pk", filter=Q(state=Finding.State.CLOSED)),
    )
    counts["mine"] = of_tab(actor, Tab.MINE, today).count()
    return [TabLine(tab, TAB_WORDS[tab], counts[tab.value]) for tab in Tab]


def listed(actor: Person, tab: Tab, filters: Filters, today: date) -> QuerySet[Finding]:
    """The findings of a tab that the filters leave, in order."""
    found = of_tab(actor, tab, today)
    if filters.severity:
        found = found.filter(severity=filters.severity)
    if filters.check:
        found = found.filter(code=filters.check)
    if filters.unit:
        units = _below(int(filters.unit))
        found = found.filter(Q(unit__in=units) | Q(system__unit__in=units))
    if filters.person:
        found = found.filter(_named(filters.person))
    return found


def _named(text: str) -> Q:
    """A person by id, as links do it, else by name or address, as people do."""
    try:
        return Q(person=uuid.UUID(text))
    except ValueError:
        return Q(person__display_name__icontains=text) | Q(person__email__iexact=text)


def person_words(text: str) -> str:
    """The name behind an id in the address; other text as it is."""
    try:
        found = Person.objects.filter(pk=uuid.UUID(text))
    except ValueError:
        return text
    return found.values_list("display_name", flat=True).first() or text


def _below(unit: int) -> list[int]:
    """The unit and all below it. One query."""
    children: dict[int | None, list[int]] = {}
    for pk, parent in Unit.objects.values_list("pk", "parent"):
        children.setdefault(parent, []).append(pk)
    found, waiting = [unit], [unit]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def checks(actor: Person) -> list[str]:
    """The checks of which there is a finding that waits or is accepted, in order. One query."""
    seen = visible_findings(actor).exclude(state=Finding.State.CLOSED)
    return sorted(seen.order_by().values_list("code", flat=True).distinct()[:200])


def with_next(findings: QuerySet[Finding]) -> QuerySet[Finding]:
    """With what a row shows: the actions that are open and the acceptance in force. Two more queries."""
    waiting = [CorrectiveAction.State.PLANNED, CorrectiveAction.State.DONE]
    actions = CorrectiveAction.objects.filter(state__in=waiting).select_related("person", "verifier").order_by("due_on")
    in_force = RiskAcceptance.objects.filter(ended_at=None).select_related("accepted_by")
    return on_record(findings).prefetch_related(
        Prefetch("actions", actions, to_attr="waiting_actions"), Prefetch("acceptances", in_force, to_attr="in_force")
    )


def row_of(finding: Finding, actor: Person, today: date) -> Row:
    """A finding, read by `with_next`, as a row."""
    text, button = _next(finding, actor)
    return Row(finding, _due(finding, today), _tone(finding, today), text, button, severity_tone(finding.severity))


def severity_tone(severity: str) -> str:
    """How a severity is shown: by a tag, and always by its word."""
    return {"critical": "bad", "high": "warn"}.get(severity, "neutral")


def _due(finding: Finding, today: date) -> str:
    if finding.state == Finding.State.CLOSED and finding.closed_at:
        return ""
    if finding.state == Finding.State.ACCEPTED and finding.accepted_until:
        return f"until {day_words(finding.accepted_until)}"
    return overdue_words(finding.due_on, today)


def _tone(finding: Finding, today: date) -> str:
    if not finding.is_open:
        return "neutral"
    days = (finding.due_on - today).days
    return "bad" if days < 0 else "warn" if days <= 3 else "neutral"


def _next(finding: Finding, actor: Person) -> tuple[str, str]:
    """What comes next in words, and the word on the row's button."""
    actions: list[CorrectiveAction] = getattr(finding, "waiting_actions", [])
    in_force: list[RiskAcceptance] = getattr(finding, "in_force", [])
    if finding.state == Finding.State.CLOSED:
        return finding.get_closed_because_display(), "Open"
    if finding.state == Finding.State.ACCEPTED:
        by = in_force[0].accepted_by.display_name if in_force else "somebody"
        return f"Accepted by {by}", "Open"
    done = next((one for one in actions if one.state == CorrectiveAction.State.DONE), None)
    if finding.state == Finding.State.TO_VERIFY and done is not None:
        mine = done.verifier_id == actor.pk
        return (
            f"Verify: {done.verifier.display_name if done.verifier else 'somebody else'}",
            "Verify" if mine else "Open",
        )
    planned = next((one for one in actions if one.state == CorrectiveAction.State.PLANNED), None)
    if planned is not None:
        mine = planned.person_id == actor.pk
        return (
            f"{planned.person.display_name} by {day_words(planned.due_on)}: {planned.what}",
            "Finish" if mine else "Open",
        )
    return finding.remedy, "Plan" if finding.person_id == actor.pk else "Open"


def csv_rows(findings: QuerySet[Finding]) -> Iterator[tuple[object, ...]]:
    """The lines of the export, read in parts."""
    for one in on_record(findings).iterator(chunk_size=2000):
        yield (
            one.pk, one.code, SEVERITY_WORDS[Severity(one.severity)], one.level, one.title, one.remedy, one.place,
            one.system.key if one.system else "", one.domain.name if one.domain else "", one.person.display_name,
            one.raised_at.isoformat(), one.due_on, one.state, one.accepted_until or "",
            one.closed_at.isoformat() if one.closed_at else "", one.closed_because,
        )  # fmt: skip

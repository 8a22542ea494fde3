"""Response rules as pages show them, and what a new one would change before it is saved."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from apps.incidents.models import ResponseRule
from apps.people.models import Function, Person
from apps.registry.models import System, Unit
from apps.registry.queries.systems import visible_systems

_SAID_SQL = """
WITH RECURSIVE down(id) AS (
    SELECT %(unit)s::bigint WHERE %(unit)s::bigint IS NOT NULL
    UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id),
meant AS MATERIALIZED (
    SELECT s.id FROM registry_system s
    WHERE s.stage NOT IN ('proposed', 'retired') AND (%(system)s::bigint IS NULL OR s.id = %(system)s)
      AND (%(class)s = '' OR s.regulatory_class = %(class)s)
      AND (%(unit)s::bigint IS NULL OR s.unit_id IN (SELECT id FROM down))),
scenarios AS MATERIALIZED (
    SELECT CASE WHEN %(scenario)s = '' THEN incidents_all_scenarios() ELSE ARRAY[%(scenario)s, '']::text[] END AS them),
after AS MATERIALIZED (
    SELECT r.system_id, r.scenario, r.lead_id, r.is_fallback
    FROM scenarios, incidents_resolve(ARRAY(SELECT id FROM meant), scenarios.them, %(now)s, %(severity)s) r
    WHERE r.scenario = %(scenario)s OR %(scenario)s = ''),
compared AS (
    SELECT a.system_id, a.scenario, c.lead_id AS before_id, a.lead_id AS after_id, a.is_fallback
    FROM after a CROSS JOIN LATERAL (
        SELECT c.lead_id FROM incidents_responsecard c
        WHERE c.system_id = a.system_id AND c.scenario IN (a.scenario, '')
        ORDER BY c.scenario = a.scenario DESC LIMIT 1) AS c)
SELECT (SELECT count(*) FROM meant), t.*
FROM (SELECT) AS one LEFT JOIN (
    SELECT b.display_name AS before, l.display_name AS after, count(*) AS cards, count(DISTINCT c.system_id) AS systems,
        bool_or(c.is_fallback) AS fallback
    FROM compared c JOIN people_person b ON b.id = c.before_id JOIN people_person l ON l.id = c.after_id
    GROUP BY b.id, l.id) AS t ON true
ORDER BY (t.before = t.after), t.systems DESC, t.before, t.after
"""


@dataclass(frozen=True)
class RuleText:
    """What a rule says: for which scenario ("" for any) and scope, and who leads. No scope: the organisation."""

    reason: str
    scenario: str = ""
    min_severity: str = ""
    system: System | None = None
    regulatory_class: str = ""
    unit: Unit | None = None
    lead_person: Person | None = None
    lead_function: Function | None = None
    deputy: Person | None = None

    def row(self, actor: Person, now: datetime) -> ResponseRule:
        """The rule as a row that is not saved."""
        return ResponseRule(
            scenario=self.scenario, min_severity=self.min_severity, system=self.system, unit=self.unit,
            regulatory_class=self.regulatory_class, lead_person=self.lead_person, lead_function=self.lead_function,
            deputy=self.deputy, reason=self.reason.strip(), set_by=actor, valid_from=now,
        )  # fmt: skip


@dataclass(frozen=True)
class Consequence:
    """In how many systems one person would lead in place of another (or stay)."""

    before: str
    after: str
    cards: int
    systems: int
    fallback: bool

    @property
    def stays(self) -> bool:
        """Whether nothing would change."""
        return self.before == self.after


@dataclass(frozen=True)
class Preview:
    """What a rule would change: for how many live systems it is meant, and who would lead."""

    systems: int
    rows: tuple[Consequence, ...]

    @property
    def changes(self) -> tuple[Consequence, ...]:
        """Only where another person would lead."""
        return tuple(row for row in self.rows if not row.stays)


def preview_of(text: RuleText, *, actor: Person, now: datetime) -> Preview:
    """Who would lead under a rule: written, worked out and taken back. Raises ValidationError as the verb does.

    For a rule that leads from a severity on: in place of whom the card names, while nobody said how bad it is.
    """
    with transaction.atomic():
        rule = text.row(actor, now)
        rule.full_clean()
        rule.save(force_insert=True)
        rows = _compared(text, now)
        transaction.set_rollback(True)
    return rows


def _compared(text: RuleText, now: datetime) -> Preview:
    values = {
        "unit": text.unit.pk if text.unit else None,
        "system": text.system.pk if text.system else None,
        "class": text.regulatory_class,
        "scenario": text.scenario,
        "severity": text.min_severity,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SAID_SQL, values)
        found = cursor.fetchall()
    return Preview(found[0][0], tuple(Consequence(*row[1:]) for row in found if row[1] is not None))


def visible_rules(reader: Person) -> QuerySet[ResponseRule]:
    """Rules in force and ended, without those of systems that the reader may not see."""
    rows = ResponseRule.objects.select_related("system", "unit", "lead_person", "lead_function", "deputy", "set_by",
                                               "ended_by")  # fmt: skip
    seen = visible_systems(reader).values("pk")
    return rows.filter(Q(system=None) | Q(system__in=seen))


def in_force(reader: Person) -> QuerySet[ResponseRule]:
    """Rules that stand now, the most specific first."""
    ordered = visible_rules(reader).filter(valid_to=None)
    return ordered.order_by("system__name", "regulatory_class", "unit__name", "scenario", "min_severity", "pk")


def scope_words(rule: ResponseRule) -> str:
    """For what a rule is: the name of the system, the class, the unit, or the whole organisation."""
    if rule.system is not None:
        return rule.system.name
    if rule.regulatory_class:
        return System.RegulatoryClass(rule.regulatory_class).label
    return f"{rule.unit.name} and all below it" if rule.unit is not None else "The whole organisation"

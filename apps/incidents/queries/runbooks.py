"""Reading runbooks: which one stands for a system and a scenario, who may change it, what is overdue."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Max, Prefetch, Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.rules import canonical, digest
from apps.common.clock import day_words, local_date
from apps.incidents.models import Incident, Runbook, RunbookStep, RunbookVersion
from apps.incidents.rules import MANDATORY, Mode
from apps.incidents.rules.runbooks import FIELDS, ROLE_WORDS, StepText
from apps.incidents.rules.words import scenario_words
from apps.people.models import Function, Person
from apps.registry.models import System
from apps.registry.queries.succession import mandate_holder
from apps.registry.queries.systems import visible_systems
from apps.registry.rules import Scenario, Stage
from apps.registry.rules.breaches import Breach, Level, Severity

REVIEW_OVERDUE = "runbook.review_overdue"
OWNER_LEFT = "runbook.owner_left"
MISSING = "runbook.missing"
PATH = "/incidents/runbooks/"
SCENARIO_WORDS = {value: scenario_words(value) for value in ("", *Scenario)}


def any_or_words(scenario: str) -> str:
    """What went wrong, as a rule or a plan says for what it is."""
    return str(SCENARIO_WORDS[scenario]) if scenario else "Anything"


def visible_runbooks(actor: Person) -> QuerySet[Runbook]:
    """Every runbook that a person may read: all but those of systems that they may not open."""
    if not actor.is_active:
        return Runbook.objects.none()
    rows = Runbook.objects.select_related("owner", "reviewed_by", "system__owner", "unit")
    return rows.filter(Q(system=None) | Q(system__in=visible_systems(actor)))


def find_runbook(actor: Person, key: str) -> Runbook:
    """One visible runbook by key. Raises Runbook.DoesNotExist for not there and for not yours alike."""
    return visible_runbooks(actor).get(key=key)


def may_edit(actor: Person, runbook: Runbook) -> bool:
    """Whether a person writes versions of it: its owner, who manages incidents, who answers for its system."""
    mine = {runbook.owner_id, runbook.system.owner_id if runbook.system else None}
    return actor.is_active and (actor.pk in mine or may(actor, Permission.INCIDENTS_MANAGE))


def roles() -> dict[str, str]:
    """Whom a step can be for: code -> words."""
    seats = Function.objects.order_by("position").values_list("code", "seat_title")
    return ROLE_WORDS | dict(seats)


def text_of(step: RunbookStep) -> StepText:
    """What a step says."""
    return StepText(**{name: getattr(step, name) for name in FIELDS})


def steps_of(version: RunbookVersion) -> list[StepText]:
    """What the steps of a version say, in order."""
    return [text_of(step) for step in version.steps.all()]


def revision_of(version: RunbookVersion) -> str:
    """Changes with whatever a draft says: who saves or publishes names what they read."""
    said = [{name: getattr(step, name) for name in FIELDS} for step in version.steps.order_by("order")]
    return digest(canonical({"note": version.note, "state": version.state, "steps": said}))[:16]


def published(runbook: Runbook) -> RunbookVersion | None:
    """The version in use, with its steps."""
    return runbook.versions.filter(state="published").prefetch_related("steps").first()


def draft_of(runbook: Runbook) -> RunbookVersion | None:
    """The version that is being written, with its steps."""
    return runbook.versions.filter(state="draft").prefetch_related("steps").select_related("written_by").first()


# The most specific runbook in use. What is written for the scenario goes before one for "not sure"; then system,
# operating model, unit upward, organisation. All but the system's own are worked out once for a unit and a model.
_EFFECTIVE = """
WITH RECURSIVE sys AS MATERIALIZED (
    SELECT s.id, s.unit_id, s.operating_model FROM unnest(%(systems)s::bigint[]) AS w(id)
    JOIN registry_system s ON s.id = w.id),
scen AS MATERIALIZED (SELECT DISTINCT unnest(%(scenarios)s::text[]) AS scenario),
used AS MATERIALIZED (
    SELECT r.scenario, r.system_id, r.operating_model, r.unit_id, v.id AS version_id
    FROM incidents_runbook r JOIN incidents_runbookversion v ON v.runbook_id = r.id AND v.state = 'published'
    WHERE r.retired_at IS NULL),
place AS MATERIALIZED (SELECT DISTINCT unit_id, operating_model FROM sys),
up(origin, unit_id, parent_id, height) AS (
    SELECT u.id, u.id, u.parent_id, 0 FROM registry_unit u WHERE u.id IN (SELECT unit_id FROM place)
    UNION ALL
    SELECT up.origin, u.id, u.parent_id, up.height + 1 FROM up JOIN registry_unit u ON u.id = up.parent_id),
general AS MATERIALIZED (
    SELECT DISTINCT ON (p.unit_id, p.operating_model, scen.scenario) p.unit_id, p.operating_model, scen.scenario,
        u.version_id, u.scenario = scen.scenario AS own
    FROM place p CROSS JOIN scen
    JOIN used u ON u.system_id IS NULL AND u.scenario IN (scen.scenario, '')
        AND (u.operating_model = '' OR u.operating_model = p.operating_model)
    LEFT JOIN up ON up.origin = p.unit_id AND up.unit_id = u.unit_id
    WHERE u.unit_id IS NULL OR up.unit_id IS NOT NULL
    ORDER BY p.unit_id, p.operating_model, scen.scenario, u.scenario = scen.scenario DESC, u.operating_model <> '' DESC,
        u.unit_id IS NULL, up.height)
SELECT sys.id, scen.scenario, COALESCE(exact.version_id, CASE WHEN g.own THEN g.version_id END, loose.version_id,
    g.version_id)
FROM sys CROSS JOIN scen
LEFT JOIN used exact ON exact.system_id = sys.id AND exact.scenario = scen.scenario
LEFT JOIN used loose ON loose.system_id = sys.id AND loose.scenario = ''
LEFT JOIN general g ON g.unit_id = sys.unit_id AND g.operating_model = sys.operating_model
    AND g.scenario = scen.scenario
"""


def effective_versions(systems: Iterable[int], scenarios: Collection[str]) -> dict[tuple[int, str], int]:
    """(system, scenario) -> the version in use that stands there. One statement, also for all systems."""
    with connection.cursor() as cursor:
        cursor.execute(_EFFECTIVE, {"systems": list(systems), "scenarios": list(scenarios)})
        return {(system, scenario): version for system, scenario, version in cursor.fetchall() if version}


def organisation_version(scenario: str) -> int | None:
    """The version in use for the whole organisation: for trouble with a system that nobody knows yet."""
    used = RunbookVersion.objects.filter(
        state="published", runbook__retired_at=None, runbook__system=None, runbook__unit=None,
        runbook__operating_model="", runbook__scenario__in=[scenario, ""],
    )  # fmt: skip
    return used.order_by("-runbook__scenario").values_list("pk", flat=True).first()


def effective_runbook(system: System | None, scenario: str) -> RunbookVersion | None:
    """The version that stands for a system and a scenario, with its runbook and its steps. Three statements."""
    pk = effective_versions([system.pk], [scenario]).get((system.pk, scenario)) if system else None
    pk = pk or organisation_version(scenario)
    return versions_with_steps([pk]).get(pk) if pk else None


def versions_with_steps(pks: Iterable[int]) -> dict[int, RunbookVersion]:
    """Versions by id, each with its runbook and its steps in order. Two statements."""
    steps = Prefetch("steps", RunbookStep.objects.order_by("order"))
    rows = RunbookVersion.objects.filter(pk__in=list(pks)).select_related("runbook").prefetch_related(steps)
    return {version.pk: version for version in rows}


def last_drilled(runbooks: Sequence[int]) -> dict[int, datetime]:
    """Runbook -> when a drill last worked by it. One statement."""
    drills = Incident.objects.filter(mode=Mode.DRILL.value, steps__version__runbook__in=runbooks)
    rows = drills.values_list("steps__version__runbook").annotate(at=Max("declared_at"))
    return {pk: at for pk, at in rows if pk is not None}


def scope_words(runbook: Runbook) -> str:
    """For what it is, in words."""
    if runbook.system is not None:
        return runbook.system.name
    if runbook.operating_model:
        return str(runbook.get_operating_model_display())
    return runbook.unit.name if runbook.unit is not None else "The organisation"


def runbook_breaches(now: datetime) -> list[Breach]:
    """Runbooks whose review is overdue or whose owner left, and mandatory scenarios without one. Three queries."""
    holder = mandate_holder()
    if holder is None:
        return []
    in_use = Runbook.objects.filter(retired_at=None, versions__state="published").select_related("owner").distinct()
    in_use = in_use.exclude(system__stage=Stage.RETIRED.value)
    late = in_use.filter(review_due__lt=local_date(now))
    left = in_use.filter(owner__is_active=False)
    found = [_overdue(runbook, holder) for runbook in late] + [_left(runbook, holder) for runbook in left]
    everywhere = in_use.filter(system=None, unit=None, operating_model="").values_list("scenario", flat=True)
    missing = [scenario for scenario in MANDATORY if scenario.value not in set(everywhere)]
    return found + [_missing(scenario.value, holder) for scenario in missing]


def _overdue(runbook: Runbook, holder: Person) -> Breach:
    due = day_words(runbook.review_due) if runbook.review_due else "now"
    owner = runbook.owner if runbook.owner is not None and runbook.owner.is_active else holder
    return Breach(
        check=REVIEW_OVERDUE,
        level=Level.WARN,
        severity=Severity.MEDIUM,
        subject=f"runbook:{runbook.pk}",
        title=f"The runbook “{runbook.title}” was to be reviewed by {due}.",
        remedy="Read it and say that it is still right, or publish a new version.",
        person_id=owner.pk,
        system_id=runbook.system_id,
        unit_id=runbook.unit_id,
        path=f"{PATH}{runbook.key}/",
    )


def _left(runbook: Runbook, holder: Person) -> Breach:
    owner = runbook.owner.display_name if runbook.owner is not None else "nobody"
    return Breach(
        check=OWNER_LEFT,
        level=Level.WARN,
        severity=Severity.MEDIUM,
        subject=f"runbook:{runbook.pk}",
        title=f"The runbook “{runbook.title}” belongs to {owner}, who left.",
        remedy="Say who keeps it from now on.",
        person_id=holder.pk,
        system_id=runbook.system_id,
        unit_id=runbook.unit_id,
        path=f"{PATH}{runbook.key}/owner/",
    )


def _missing(scenario: str, holder: Person) -> Breach:
    return Breach(
        check=MISSING,
        level=Level.WARN,
        severity=Severity.HIGH,
        subject=f"scenario:{scenario}",
        title=f"No runbook is in use for the whole organisation: {SCENARIO_WORDS[scenario].lower()}.",
        remedy="Write one for the organisation and publish it.",
        person_id=holder.pk,
        path=PATH,
    )

"""The system page: who answers, what this version can check, what is known."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.db import connection
from django.urls import reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.assurance.queries import Row as TrailRow
from apps.assurance.queries import trail_of_system
from apps.attestations.queries import SystemStatus, status_by_system
from apps.common import clock
from apps.common.clock import local_date
from apps.findings.models import Finding
from apps.findings.queries import open_for_system
from apps.incidents.queries.drills import last_drill
from apps.incidents.rules.drills import counts_since
from apps.people.models import Person
from apps.portal.queries.answers import Answer, answer_for, day_words
from apps.registry.models import OwnershipTerm, System, Unit
from apps.registry.rules import Stage
from apps.registry.rules.imports.contacts import ContactClass, contact_class

LATEST = 5
FINDINGS = 5
CONTACT_WORDS = {
    ContactClass.NOT_AN_ADDRESS: "not an address",
    ContactClass.SEVERAL: "several addresses",
    ContactClass.SHARED: "mailbox",
}


@dataclass(frozen=True)
class Check:
    """One line of the readiness table. `met` is None where this version can't know."""

    name: str
    met: bool | None
    finding: str
    evidence: str = ""
    answers: Person | None = None
    href: str = ""

    @property
    def icon(self) -> str:
        return {True: "check", False: "circle-alert", None: "minus"}[self.met]


@dataclass(frozen=True)
class Told:
    """An event of the trail, with how often it happened in a row on that day."""

    row: TrailRow
    times: int


@dataclass(frozen=True)
class SystemPage:
    """Everything on the page."""

    system: System
    answer: Answer
    units: list[Unit]
    terms: list[OwnershipTerm]
    status: SystemStatus | None
    checks: list[Check]
    latest: list[Told]
    contact_word: str
    findings: list[Finding]
    findings_total: int
    today: date

    @property
    def away_words(self) -> str:
        """Until when the owner is away."""
        return f"Away until {day_words(self.answer.owner_until)}" if self.answer.owner_until else ""

    @property
    def acts_words(self) -> str:
        """Until when somebody acts for the owner."""
        return f"acts until {day_words(self.answer.until)}" if self.answer.until else ""

    @property
    def since(self) -> str:
        """When the person began to answer."""
        return day_words(local_date(self.terms[0].period.lower))


def system_page(reader: Person, system: System, *, today: date) -> SystemPage:
    """A fixed number of queries, whatever the system has behind it."""
    answer = answer_for(system, by_rule=False)
    status = status_by_system([system.pk], today=today).get(system.pk)
    terms = list(OwnershipTerm.objects.filter(system=system).select_related("person").order_by("-period")[:20])
    latest = _told(trail_of_system(system, 4 * LATEST, reader=reader)) if may_read_trail(reader, system) else []
    word = CONTACT_WORDS.get(contact_class(system.contact_given), "") if system.contact_given else ""
    return SystemPage(
        system,
        answer,
        unit_path(system.unit),
        terms,
        status,
        _checks(reader, answer, terms, status),
        latest,
        word,
        list(open_for_system(system)[:FINDINGS]),
        open_for_system(system).count(),
        today,
    )


def _told(rows: list[TrailRow]) -> list[Told]:
    """The latest events; the same act by the same person on one day is told once, with how often."""
    same = groupby(rows, key=lambda row: (row.who, row.kind, local_date(row.at)))
    return [Told(found[0], len(found)) for found in (list(group) for _, group in same)][:LATEST]


def may_read_trail(reader: Person, system: System) -> bool:
    """Those who read the whole trail, and the person who answers for the system."""
    return may(reader, Permission.TRAIL_READ) or reader.pk == system.owner_id


def may_change(reader: Person, system: System) -> bool:
    """Those who may change every system, and the owner who accepted this one."""
    return may(reader, Permission.SYSTEM_CHANGE) or _answers_for(reader, system)


def may_nominate(reader: Person, system: System) -> bool:
    """Those who may nominate for every system, and whoever answers for this one, also in the interim."""
    return system.stage != Stage.RETIRED and (may(reader, Permission.NOMINATE_OWNER) or reader.pk == system.owner_id)


def _answers_for(reader: Person, system: System) -> bool:
    return system.owner_id == reader.pk and system.owner_basis == System.Basis.ACCEPTED


_PATH_SQL = """
WITH RECURSIVE up(id, parent_id, height) AS (
    SELECT id, parent_id, 0 FROM registry_unit WHERE id = %s
    UNION ALL SELECT u.id, u.parent_id, up.height + 1 FROM registry_unit u JOIN up ON u.id = up.parent_id)
SELECT id FROM up ORDER BY height DESC
"""


def unit_path(unit: Unit) -> list[Unit]:
    """The unit and those above it, from the top. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_PATH_SQL, [unit.pk])
        ids = [row[0] for row in cursor.fetchall()]
    found = Unit.objects.in_bulk(ids)
    return [found[pk] for pk in ids]


def _checks(reader: Person, answer: Answer, terms: list[OwnershipTerm], status: SystemStatus | None) -> list[Check]:
    owner, accepted = answer.owner, answer.owner_basis == System.Basis.ACCEPTED
    since = day_words(local_date(terms[0].period.lower))
    nobody = "Nobody has accepted; an interim owner stands in"
    return [
        Check("A person owns it", accepted, "Accepted" if accepted else nobody, f"since {since}", owner),
        Check(
            "A deputy can step in",
            owner.deputy is not None and owner.deputy.is_active,
            "Named and active" if owner.deputy and owner.deputy.is_active else "No deputy is named",
            "",
            owner.deputy or owner,
        ),
        _attested(reader, answer.system, status, owner),
        *(Check(name, None, "not known here", part) for name, part in _LATER),
        _drilled(answer.system, owner),
    ]


# What later parts of the portal will tell, each shown as unknown until then.
_LATER = (
    ("Policies are enforced", "no enforcement point is connected"),
    ("Evidence is kept", "no enforcement point is connected"),
    ("The trail is read", "no review duty is set"),
    ("Cost is acted on", "no spend is recorded"),
)


def _drilled(system: System, owner: Person) -> Check:
    """A drill counts for twelve months. None at all is not known, and never good."""
    name, drill = "Response is drilled", last_drill(system)
    if drill is None or drill.ended_at is None:
        return Check(name, None, "not known here", "no drill is recorded")
    day = local_date(drill.ended_at)
    if day < counts_since(local_date(clock.now())):
        return Check(name, False, "Longer ago than 12 months", day_words(day), owner)
    words = {"passed": "Passed", "failed": "Failed"}.get(drill.outcome, "Report not signed yet")
    return Check(name, drill.outcome == "passed" if drill.outcome else None, words, day_words(day), owner)


def _attested(reader: Person, system: System, status: SystemStatus | None, owner: Person) -> Check:
    """Not attested and changed since are bad: silence and an old statement are no yes."""
    name = "The owner attested"
    if status is None:
        return Check(name, None, "In no campaign yet", "", owner)
    mine = reader.pk == owner.pk
    at = [status.code, system.key]
    due = day_words(status.due_on)
    if status.is_signed and status.submitted_at:
        href = reverse("attestations:receipt", args=at) if mine or may(reader, Permission.CAMPAIGN_READ) else ""
        signed_on = day_words(local_date(status.submitted_at))
        if status.stale_because:
            changed = ", ".join(status.stale_because).replace("_", " ")
            return Check(name, False, f"Changed since it was signed: {changed}", f"signed {signed_on}", owner, href)
        words = "Signed with exceptions" if status.result == "qualified" else "Signed"
        return Check(name, True, f"{words} for {status.label}", signed_on, owner, href)
    if status.state == "not_attested":
        return Check(name, False, f"Not attested for {status.label}", f"was due {due}", owner)
    href = reverse("attestations:assignment", args=at) if mine else ""
    if status.overdue:
        return Check(name, False, f"Overdue for {status.label}", f"was due {due}", owner, href)
    return Check(name, None, f"Open for {status.label}", f"due {due}", owner, href)

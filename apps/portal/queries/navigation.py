"""What stands around every page: the menu with its counts, and whom to call."""

from dataclasses import dataclass, field, replace

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q
from django.urls import NoReverseMatch, reverse

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.queries import completion, latest_campaign
from apps.common import clock
from apps.common.clock import local_date
from apps.findings.queries import overdue, visible_findings
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.registry.models import System
from apps.registry.queries import live, visible_systems

# Counts in the menu can be a minute old: over 100,000 systems they cost more than the page around them.
COUNTS_KEPT = 60
NOBODY_ACCEPTED = "without an accepted owner"


@dataclass(frozen=True)
class NavItem:
    """One entry of the menu."""

    label: str
    url: str
    icon: str
    active: bool = False
    count: str = ""
    count_bad: str = ""
    count_words: str = ""
    count_icon: str = "circle-dashed"


@dataclass(frozen=True)
class NavGroup:
    """Entries under one heading."""

    heading: str
    items: list[NavItem] = field(default_factory=list)


@dataclass(frozen=True)
class DutyLead:
    """Whom to call when nobody else is known: who acts for the person in the seat that holds the mandate."""

    name: str
    function: str
    phone: str
    email: str


# The last column: whether the calendar has to be asked, which is rare.
_LEAD_SQL = """
SELECT p.display_name, COALESCE(NULLIF(p.title, ''), f.seat_title), p.phone, p.email, p.id,
    EXISTS (SELECT FROM people_absence a WHERE a.person_id = p.id AND a.cancelled_at IS NULL
        AND %(day)s BETWEEN a.starts_on - 1 AND a.ends_on + 1)
FROM registry_mandate m
JOIN people_function f ON f.code = m.holder_id
JOIN people_seat s ON s.function_id = m.holder_id
JOIN people_person p ON p.id = s.holder_id
"""


def duty_lead() -> DutyLead | None:
    """The acting mandate holder; None before the first start. One query, three where the holder may be away."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(_LEAD_SQL, {"day": now.date()})
        row = cursor.fetchone()
    if row is None:
        return None
    *lead, holder_id, may_be_away = row
    if may_be_away:
        acting = acting_for(Person.objects.get(pk=holder_id), now)
        if acting.stood_in_for:
            acts = acting.acts
            words = f"acts for {acting.person.display_name}"
            return DutyLead(acts.display_name, words, acts.phone, acts.email)
    return DutyLead(*lead)


def menu_counts(person: Person) -> dict[str, int]:
    """Live systems that the person may open, how many of them nobody has accepted, and the share of the running
    campaign that is signed, in percent (-1: none runs, or not for them), and findings overdue. Kept for a minute."""
    key = f"menu:{person.pk}"
    counts: dict[str, int] | None = cache.get(key)
    if counts is None:
        counts = live(visible_systems(person)).aggregate(
            systems=Count("pk"), interim=Count("pk", filter=Q(owner_basis=System.Basis.INTERIM))
        )
        counts["signed"] = _signed_percent() if may(person, Permission.CAMPAIGN_READ) else -1
        counts["overdue"] = overdue(visible_findings(person), local_date(clock.now())).count()
        cache.set(key, counts, COUNTS_KEPT)
    return counts


def _signed_percent() -> int:
    campaign = latest_campaign()
    if campaign is None or not campaign.takes_answers:
        return -1
    return completion(campaign, today=local_date(clock.now())).counts.percent


def menu(person: Person, path: str, *, live: int = 0) -> list[NavGroup]:
    """The parts that are built and that the person may use. `live`: incidents that go on now."""
    counts = menu_counts(person)
    systems, interim = counts["systems"], counts["interim"]
    signed = f"{counts['signed']}%" if counts["signed"] >= 0 else ""
    groups = [
        NavGroup("", _kept(_always())),
        NavGroup("Register", _kept(_register(person, systems, interim))),
        NavGroup("Duties", _kept(_duties(signed, counts.get("overdue", 0), live))),
        NavGroup("Evidence", _kept(_evidence(person))),
    ]
    current = _current(path, [item.url for group in groups for item in group.items])
    return [_marked(group, current) for group in groups if group.items]


def _always() -> list[NavItem | None]:
    return [
        _item("Home", "portal:home", "house"),
        _item("Who answers?", "portal:who", "message-circle-question-mark"),
    ]


def _duties(signed: str, overdue: int, live: int) -> list[NavItem | None]:
    late, going_on = f"{overdue:,}" if overdue else "", f"{live:,} live" if live else ""
    return [
        _item("Attestations", "attestations:campaigns", "signature", count=signed),
        _item("Incidents", "incidents:incidents", "siren", count_bad=going_on, count_words="", count_icon="radio"),
        _item("Findings", "findings:findings", "flag", count_bad=late, count_words="overdue"),
    ]


def _register(person: Person, systems: int, interim: int) -> list[NavItem | None]:
    reads_all = may(person, Permission.SYSTEMS_READ_ALL)
    return [
        _item("Systems", "portal:systems", "boxes", count=f"{systems:,}"),
        _item("Ownership", "portal:blind_spots", "grid-3x3", count_bad=f"{interim:,}" if interim else ""),
        _item("People", "portal:people", "users"),
        _item("Units", "portal:units", "network") if reads_all else None,
        _item("Directory", "directory:home", "contact-round") if may(person, Permission.DIRECTORY_RUN) else None,
    ]


def _evidence(person: Person) -> list[NavItem | None]:
    runs = may(person, Permission.CAMPAIGN_RUN)
    return [
        _item("Audit trail", "assurance:trail", "list-tree") if may(person, Permission.TRAIL_READ) else None,
        _item("Readiness", "readiness:board", "gauge") if may(person, Permission.READINESS_READ) else None,
        _item("Status", "portal:status", "activity") if may(person, Permission.OPERATIONS_READ) else None,
        _item("Mail not delivered", "portal:outbox", "mail-warning") if runs else None,
        _item("Endpoints", "portal:endpoints", "webhook") if may(person, Permission.INCIDENTS_MANAGE) else None,
    ]


def _item(
    label: str,
    name: str,
    icon: str,
    *,
    count: str = "",
    count_bad: str = "",
    count_words: str = NOBODY_ACCEPTED,
    count_icon: str = "circle-dashed",
) -> NavItem | None:
    """An entry, or None where the part is not built."""
    try:
        url = reverse(name)
    except NoReverseMatch:
        return None
    return NavItem(label, url, icon, count=count, count_bad=count_bad, count_words=count_words, count_icon=count_icon)


def _kept(items: list[NavItem | None]) -> list[NavItem]:
    return [item for item in items if item is not None]


def _current(path: str, urls: list[str]) -> str:
    """The longest entry that the path is below; home is only itself."""
    below = [url for url in urls if url == path or (url != "/" and path.startswith(url))]
    return max(below, key=len, default="")


def _marked(group: NavGroup, current: str) -> NavGroup:
    return NavGroup(group.heading, [replace(item, active=item.url == current) for item in group.items])

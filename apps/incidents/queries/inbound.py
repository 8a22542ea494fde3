"""Reading for inbound messages: the source of a token, which system is meant, which live incident it is about.

A source is a machine: it sees no page, so that these reads do not start at what a person may see. What they find goes
into the incident, which only those see who may, and never into the answer.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from apps.incidents.models import InboundSource, Incident
from apps.incidents.rules import LIVE, State
from apps.incidents.rules.inbound import DEFAULT_LABELS, digest_of, prefix_of
from apps.people.models import Person
from apps.registry.models import System, SystemIdentity
from apps.registry.rules import NOT_LIVE

log = structlog.get_logger(__name__)
# Values that are looked up for one message; more name nothing any more.
MOST_VALUES = 200
MERGES = 20


def own_domain() -> str:
    """The domain that stands in the Message-ID of every mail of this portal."""
    return urlsplit(settings.SITE_URL).hostname or "localhost"


def mail_address(token: str) -> str:
    """Where mails of a source go; "" where this portal takes none."""
    mailbox, _, domain = settings.INBOUND_MAIL_ADDRESS.partition("@")
    return f"{mailbox}+{token}@{domain}" if domain else ""


def live_source(token: str) -> InboundSource | None:
    """The source that this token is for, while it is not revoked. The comparison takes as long for a wrong one."""
    rows = InboundSource.objects.select_related("system", "owner").filter(revoked_at=None)
    found = rows.filter(prefix=prefix_of(token) or "none").first()
    same = hmac.compare_digest(bytes(found.digest) if found else bytes(32), digest_of(token))
    return found if found is not None and same else None


def sources(*, revoked: bool) -> QuerySet[InboundSource]:
    """The sources that are live, or those that were revoked, by name."""
    return InboundSource.objects.select_related("system", "owner").exclude(revoked_at__isnull=revoked).order_by("name")


def live_of(source: InboundSource | None, keys: Sequence[str]) -> Incident | None:
    """The live incident that a source calls by one of these keys; where it was merged, the one that goes on."""
    wanted = [key for key in keys if key]
    if source is None or not wanted:
        return None
    same = Incident.objects.filter(source=source, dedup_key__in=wanted)
    if live := same.filter(state__in=[state.value for state in LIVE]).order_by("-pk").first():
        return live
    merged = same.filter(state=State.MERGED.value).order_by("-pk").first()
    return _goes_on(merged) if merged is not None else None


def _goes_on(incident: Incident) -> Incident | None:
    """What a merged incident was merged into in the end, while that is live."""
    for _ in range(MERGES):
        if incident.merged_into is None:
            break
        incident = incident.merged_into
    return incident if incident.is_live else None


def sender_of(address: str) -> Person | None:
    """The active person of this address. Whoever writes a mail can claim any."""
    return Person.objects.filter(email=address.lower(), is_active=True, kind=Person.Kind.HUMAN).first()


@dataclass(frozen=True)
class Meant:
    """Which system a message is about, and how that came about in words."""

    system: System | None
    words: str


def system_meant(source: InboundSource, labels: Mapping[str, Sequence[str]]) -> Meant:
    """The system that the labels name: the first label, in the order of the source, that names exactly one.

    By key, name or identity, in any case. Without one, the system that the source stands for. Never raises: what
    can't be looked up is not known.
    """
    values = _values(source, labels)
    try:
        with transaction.atomic():
            found = _named(values)
    except DatabaseError:
        log.exception("inbound.look_up_failed", source=source.pk)
        return Meant(None, "Which system it is about could not be looked up.")
    return _meant(source, values, found)


def _values(source: InboundSource, labels: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    # `system` is what our own JSON and a mail say by themselves, whatever else the source looks at.
    order = dict.fromkeys(["system", *(label.lower() for label in source.labels or DEFAULT_LABELS), "subject"])
    pairs = [(label, value) for label in order for value in labels.get(label, ()) if len(value) <= 500]
    return pairs[:MOST_VALUES]


# Each value by each of the three indexes; three rows of one are enough to know that it is not the only one.
_NAMED_SQL = """
SELECT v.place - 1, found.id, found.kind, s.stage FROM unnest(%(values)s::text[]) WITH ORDINALITY AS v(said, place)
CROSS JOIN LATERAL (
    (SELECT k.id, '' AS kind FROM registry_system k WHERE UPPER(k.key) = UPPER(v.said))
    UNION
    (SELECT n.id, '' FROM registry_system n WHERE UPPER(n.name) = UPPER(v.said)
     ORDER BY n.stage = ANY(%(over)s), n.id LIMIT 3)
    UNION
    (SELECT i.system_id, i.kind FROM registry_systemidentity i WHERE UPPER(i.value) = UPPER(v.said) LIMIT 20)
) AS found
JOIN registry_system s ON s.id = found.id
"""


def _named(values: list[tuple[str, str]]) -> list[set[int]]:
    """The systems that each value names: those of the label's own kind of identity before others, live before not."""
    found: list[list[tuple[int, str, bool]]] = [[] for _ in values]
    if values:
        with connection.cursor() as cursor:
            over = [stage.value for stage in NOT_LIVE]
            cursor.execute(_NAMED_SQL, {"values": [value for _, value in values], "over": over})
            for place, pk, kind, stage in cursor.fetchall():
                found[place].append((pk, kind, stage not in over))
    return [_best(label, rows) for (label, _), rows in zip(values, found, strict=True)]


def _best(label: str, rows: list[tuple[int, str, bool]]) -> set[int]:
    if label in SystemIdentity.Kind.values:
        rows = [row for row in rows if row[1] == label] or rows
    return {pk for pk, _, live in rows if live} or {pk for pk, _, _ in rows}


def _meant(source: InboundSource, values: list[tuple[str, str]], found: list[set[int]]) -> Meant:
    by_label: dict[str, set[int]] = {}
    for (label, _), systems in zip(values, found, strict=True):
        by_label.setdefault(label, set()).update(systems)
    for label, systems in by_label.items():
        if len(systems) == 1:
            value = next(said for (name, said), those in zip(values, found, strict=True) if name == label and those)
            return Meant(System.objects.get(pk=systems.pop()), f"The system is known by {label} “{value}”.")
    if several := [label for label, systems in by_label.items() if systems]:
        return Meant(None, f"Several systems go by its {' and its '.join(several)}. Choose the one that is meant.")
    if source.system is not None:
        return Meant(source.system, "Nothing in it names a system on record: it is about the one of this source.")
    return Meant(None, "Nothing in it names a system on record. Choose the one that is meant.")

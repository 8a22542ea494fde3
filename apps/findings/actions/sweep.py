"""The nightly check of everything that should not be so: raise what is new, refresh, close what is gone."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, Q

from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind, Subject
from apps.common.clock import local_date
from apps.findings.actions.common import close_all, end_acceptances, record_each
from apps.findings.actions.findings import due_on
from apps.findings.models import Finding, RiskAcceptance
from apps.findings.rules import LIST_FIRST, SEVERITIES, Swept, rank
from apps.findings.sources import Source, all_sources
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.people.queries import Presence, active_people
from apps.registry.models import GovernanceDomain
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach

LOCK = "findings_sweep"
log = structlog.get_logger(__name__)

# One statement for all breaches. The partial unique index decides what is there already, also against a sweep
# that runs beside this one. A person whom somebody chose stays; a due date only ever moves nearer. What is there and
# says the same is left out before: a conflict would lock its row, and most rows of most nights say the same.
_UPSERT_SQL = """
WITH b AS MATERIALIZED (
    SELECT code, subject, origin, level, severity,
        CASE WHEN system_id IS NOT NULL THEN 'system' WHEN unit_id IS NOT NULL THEN 'unit' ELSE 'organisation' END
            AS scope,
        CASE WHEN system_id IS NULL THEN unit_id END AS unit_id, system_id, domain_id, title, remedy, path, person_id,
        due_on
    FROM unnest(%(code)s::text[], %(subject)s::text[], %(origin)s::text[], %(level)s::text[], %(severity)s::text[],
        %(unit)s::bigint[], %(system)s::bigint[], %(domain)s::text[], %(title)s::text[], %(remedy)s::text[],
        %(path)s::text[], %(person)s::uuid[], %(due_on)s::date[])
        AS found(code, subject, origin, level, severity, unit_id, system_id, domain_id, title, remedy, path, person_id,
            due_on))
INSERT INTO findings_finding AS f (code, subject, origin, source, level, severity, scope, unit_id, system_id, domain_id,
    title, remedy, path, person_id, is_assigned, raised_at, due_on, step, state, closed_because, closing_reason)
SELECT b.code, b.subject, b.origin, 'sweep', b.level, b.severity, b.scope, b.unit_id, b.system_id, b.domain_id,
    b.title, b.remedy, b.path, b.person_id, false, %(now)s, b.due_on, 0, 'open', '', ''
FROM b LEFT JOIN findings_finding known
    ON known.code = b.code AND known.subject = b.subject AND NOT (known.state = 'closed')
WHERE known.id IS NULL OR known.source = 'sweep' AND (known.origin, known.level, known.severity, known.unit_id,
    known.system_id, known.domain_id, known.title, known.remedy, known.path,
    CASE WHEN known.is_assigned THEN b.person_id ELSE known.person_id END)
    IS DISTINCT FROM (b.origin, b.level, b.severity, b.unit_id, b.system_id, b.domain_id, b.title, b.remedy, b.path,
    b.person_id)
ON CONFLICT (code, subject) WHERE NOT (state = 'closed') DO UPDATE SET
    origin = EXCLUDED.origin, level = EXCLUDED.level, severity = EXCLUDED.severity, scope = EXCLUDED.scope,
    unit_id = EXCLUDED.unit_id, system_id = EXCLUDED.system_id, domain_id = EXCLUDED.domain_id,
    title = EXCLUDED.title, remedy = EXCLUDED.remedy, path = EXCLUDED.path,
    person_id = CASE WHEN f.is_assigned THEN f.person_id ELSE EXCLUDED.person_id END,
    due_on = CASE WHEN f.severity <> EXCLUDED.severity THEN LEAST(f.due_on, EXCLUDED.due_on) ELSE f.due_on END
WHERE f.source = 'sweep'
RETURNING f.id, f.title, f.person_id, (xmax = 0)
"""
_GONE_SQL = """
SELECT f.id, f.title FROM findings_finding f
LEFT JOIN unnest(%(code)s::text[], %(subject)s::text[]) AS b(code, subject)
    ON b.code = f.code AND b.subject = f.subject
WHERE f.source = 'sweep' AND f.state <> 'closed' AND b.code IS NULL AND NOT f.origin = ANY(%(kept)s)
ORDER BY f.id FOR NO KEY UPDATE OF f
"""
_REOPEN_SQL = """
UPDATE findings_finding f SET accepted_until = NULL, step = 0, due_on = (%(due)s::jsonb ->> f.severity)::date,
    state = CASE WHEN a.planned THEN 'in_progress' WHEN a.done THEN 'to_verify' WHEN a.decided THEN 'in_progress'
                 ELSE 'open' END
FROM (SELECT one.id, bool_or(c.state = 'planned') AS planned, bool_or(c.state = 'done') AS done,
             bool_or(c.state IN ('verified', 'rejected')) AS decided
      FROM findings_finding one LEFT JOIN findings_correctiveaction c ON c.finding_id = one.id
      WHERE one.id = ANY(%(ids)s) GROUP BY one.id) a
WHERE a.id = f.id RETURNING f.id, f.title
"""


@dataclass
class _Found:
    """All breaches of one run, one for each check and subject, and the sources that failed or were not asked."""

    breaches: dict[tuple[str, str], tuple[str, Breach]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)


@transaction.atomic
def sweep_registry(
    *,
    now: datetime,
    actor: Actor = SCHEDULER,
    sources: Mapping[str, Source] | None = None,
    only: Collection[str] = (),
) -> Swept:
    """Bring the findings in line with what the sources see. Safe to run twice and beside another one.

    With `only` these sources are asked, and what the others found before stays as it is.
    What a source could not tell stays as it is: the source is named in the answer and in the log. Risks whose
    acceptance expired, or that became graver, wait again. Writes one primary event where something changed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [LOCK])
    known = all_sources() if sources is None else sources
    found = _collect({name: known[name] for name in only or known}, now)
    found.not_asked = [name for name in known if only and name not in only]
    raised, changed = _upsert(found, now)
    gone = _gone(found)
    close_all([pk for pk, _ in gone], Finding.Because.GONE, now=now)
    reopened = _reopen(_ended(now), now)
    swept = Swept(len(raised), changed, len(gone), len(reopened), tuple(found.failed))
    if swept.did_something:
        cause = record(
            Kind.FINDINGS_SWEPT,
            actor=actor,
            subject=Subject("findings", "registry", "The register"),
            now=now,
            after={"raised": swept.raised, "changed": changed, "closed": swept.closed, "reopened": swept.reopened},
        )
        new = [(pk, title) for pk, title, _ in raised]
        _tell_new(raised, cause, now)
        record_each(Kind.FINDING_RAISED, new, actor=actor, now=now, cause=cause, after={"state": "open"})
        closed = {"state": "closed", "because": "gone"}
        record_each(Kind.FINDING_CLOSED, gone, actor=actor, now=now, cause=cause, after=closed)
        again = {"because": "the acceptance ended"}
        record_each(Kind.FINDING_REOPENED, reopened, actor=actor, now=now, cause=cause, after=again)
    log.info("findings.swept", **vars(swept))
    return swept


def _collect(sources: Mapping[str, Source], now: datetime) -> _Found:
    found = _Found()
    for name, source in sources.items():
        try:
            with transaction.atomic():
                breaches = source(now)
        except Exception:  # one broken check must not blind the others, nor close what it found before
            log.exception("findings.source_failed", source=name)
            found.failed.append(name)
            continue
        for breach in breaches:
            found.breaches[breach.check, _fitting(breach.subject)] = (name, breach)
    return found


def _fitting(subject: str) -> str:
    """The subject, or its digest where it is longer than the column."""
    return subject if len(subject) <= 200 else hashlib.sha256(subject.encode()).hexdigest()


def _upsert(found: _Found, now: datetime) -> tuple[list[tuple[int, str, UUID]], int]:
    """What is new, as (id, title, person), and how many others changed."""
    if not found.breaches:
        return [], 0
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT_SQL, _columns(found, now))
        rows = cursor.fetchall()
    raised = [(pk, title, person) for pk, title, person, new in rows if new]
    return raised, len(rows) - len(raised)


def _columns(found: _Found, now: datetime) -> dict[str, Any]:
    """The breaches column by column, each with a person who can be asked and a due date."""
    able = set(active_people().values_list("pk", flat=True))
    domains = set(GovernanceDomain.objects.values_list("pk", flat=True))
    fallback = mandate_holder()
    due = {severity.value: due_on(severity, now) for severity in SEVERITIES}
    rows = [
        (
            code, subject, origin, str(breach.level), str(breach.severity), breach.unit_id, breach.system_id,
            breach.domain if breach.domain in domains else None, breach.title[:600], breach.remedy, breach.path[:300],
            breach.person_id if breach.person_id in able or fallback is None else fallback.pk,
            due[breach.severity],
        )
        for (code, subject), (origin, breach) in sorted(found.breaches.items())
    ]  # fmt: skip
    names = (
        "code", "subject", "origin", "level", "severity", "unit", "system", "domain", "title", "remedy", "path",
        "person", "due_on",
    )  # fmt: skip
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) | {"now": now}


def _gone(found: _Found) -> list[tuple[int, str]]:
    keys = list(found.breaches)
    params = {
        "code": [key[0] for key in keys],
        "subject": [key[1] for key in keys],
        "kept": found.failed + found.not_asked,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GONE_SQL, params)
        return list(cursor.fetchall())


def _ended(now: datetime) -> list[int]:
    """Findings whose acceptance ends now: its last day has passed, or the finding is graver than what was accepted."""
    in_force = RiskAcceptance.objects.filter(ended_at=None)
    expired = list(in_force.filter(until__lt=local_date(now)).values_list("finding_id", flat=True))
    end_acceptances(expired, RiskAcceptance.Ended.EXPIRED, now=now)
    pairs = in_force.filter(~Q(finding__severity=F("severity"))).values_list(
        "finding_id", "severity", "finding__severity"
    )
    worse = [pk for pk, accepted, today in pairs if rank(today) < rank(accepted)]
    end_acceptances(worse, RiskAcceptance.Ended.WORSE, now=now)
    return expired + worse


def _reopen(ids: list[int], now: datetime) -> list[tuple[int, str]]:
    if not ids:
        return []
    due = {severity.value: due_on(severity, now).isoformat() for severity in SEVERITIES}
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN_SQL, {"ids": ids, "due": json.dumps(due)})
        return list(cursor.fetchall())


def _tell_new(raised: Iterable[tuple[int, str, UUID]], cause: UUID, now: datetime) -> None:
    """One mail a person that names the first of what is new; who is away has it said to who acts for them."""
    titles: dict[UUID, list[str]] = {}
    for _, title, person_id in raised:
        titles.setdefault(person_id, []).append(title)
    if not titles:
        return
    presence, people = Presence(now), Person.objects.in_bulk(list(titles))
    notes = []
    for pk, lines in titles.items():
        person = people[pk]
        recipient = presence.acting(person).acts
        noun = "1 new finding" if len(lines) == 1 else f"{len(lines):,} new findings"
        whose = "" if recipient.pk == pk else f" You act for {person.display_name}."
        body = f"{noun} to put right.{whose}\n\n" + "\n".join(f"- {line}" for line in lines[:LIST_FIRST])
        if len(lines) > LIST_FIRST:
            body += f"\nand {len(lines) - LIST_FIRST:,} more"
        notes.append(Note(f"findings:new:{cause}:{pk}", recipient, f"{noun} for you", body, "/findings/"))
    enqueue_many(notes, now=now)

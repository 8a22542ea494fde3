"""What should not be so about attestations: silence, decisions that nobody takes, risks and answers out of date."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.attestations.models import AttestationException
from apps.attestations.queries.exceptions import OPEN, decider, on_record
from apps.attestations.queries.reviews import Reviewers
from apps.attestations.rules.exceptions import DECIDE_WITHIN
from apps.common.clock import day_words, local_date
from apps.common.workdays import add_working_days
from apps.people.models import Person
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach, Level, Severity

NOT_ATTESTED = "not-attested"
STALE = "attestation-stale"
EXCEPTION_OVERDUE = "exception-overdue"
DECISION_OVERDUE = "exception-undecided"
RISK_EXPIRED = "exception-risk-expired"
TOO_MANY = "attestations-too-many"
_SEVERE = {"critical": Severity.CRITICAL, "high": Severity.HIGH, "unknown": Severity.HIGH, "low": Severity.LOW}

# The newest silence of each live system after which nobody attested it: neither later, nor by a signed supplement.
_SILENT_SQL = """
SELECT DISTINCT ON (s.id) s.id, s.key, s.name, s.tier, s.unit_id, s.owner_id, p.display_name, c.title, c.code
FROM attestations_assignment a
JOIN attestations_campaign c ON c.id = a.campaign_id AND c.state <> 'cancelled'
JOIN registry_system s ON s.id = a.system_id AND s.stage NOT IN ('proposed', 'retired')
JOIN people_person p ON p.id = a.person_id
WHERE a.state = 'not_attested'
  AND NOT EXISTS (SELECT FROM attestations_signature g WHERE g.assignment_id = a.id AND g.kind = 'supplement')
  AND NOT EXISTS (SELECT FROM attestations_assignment l WHERE l.system_id = a.system_id AND l.opened_at > a.opened_at
                  AND l.state IN ('submitted', 'accepted', 'sealed'))
ORDER BY s.id, a.opened_at DESC
"""
# Signed, and a material fact changed since; nobody was asked again after that.
_STALE_SQL = """
SELECT DISTINCT ON (s.id) s.id, s.key, s.name, s.tier, s.unit_id, s.owner_id, a.stale_at, c.title, c.code
FROM attestations_assignment a
JOIN attestations_campaign c ON c.id = a.campaign_id AND c.state <> 'cancelled'
JOIN registry_system s ON s.id = a.system_id AND s.stage NOT IN ('proposed', 'retired')
WHERE a.stale_at IS NOT NULL AND a.state IN ('submitted', 'accepted', 'sealed')
  AND NOT EXISTS (SELECT FROM attestations_assignment l WHERE l.system_id = a.system_id AND l.id <> a.id
                  AND l.opened_at >= a.stale_at AND l.state <> 'reassigned')
  AND NOT EXISTS (SELECT FROM attestations_signature g WHERE g.assignment_id = a.id AND g.signed_at > a.stale_at)
ORDER BY s.id, a.opened_at DESC
"""
_MANY_SQL = """
SELECT c.id, c.title, c.code, count(*), max(o.n), (array_agg(o.name ORDER BY o.n DESC, o.name))[1],
       (c.terms->>'items_per_person')::int
FROM attestations_campaign c
JOIN (SELECT a.campaign_id, p.display_name AS name, count(*) AS n
      FROM attestations_assignment a JOIN people_person p ON p.id = a.person_id
      WHERE a.state <> 'reassigned'
        AND a.campaign_id IN (SELECT id FROM attestations_campaign WHERE state IN ('open', 'grace'))
      GROUP BY a.campaign_id, p.id, p.display_name) o ON o.campaign_id = c.id
WHERE o.n > coalesce((c.terms->>'items_per_person')::int, 2147483647)
GROUP BY c.id ORDER BY c.id
"""


def attestation_breaches(now: datetime) -> list[Breach]:
    """Every breach of attestations. A fixed number of queries, but for exceptions that are past something."""
    if mandate_holder() is None:
        return []
    return [*_silent(), *_stale(), *_exceptions(now), *_too_many()]


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _silent() -> Iterator[Breach]:
    for system, key, name, tier, unit, owner, asked, title, code in _rows(_SILENT_SQL):
        yield Breach(
            check=NOT_ATTESTED,
            level=Level.WARN,
            severity=_SEVERE.get(tier, Severity.MEDIUM),
            subject=f"system:{system}",
            title=f"{asked} did not attest {name} ({key}) in {title}.",
            remedy="Attest it: sign a supplement, or the next campaign.",
            person_id=owner,
            system_id=system,
            unit_id=unit,
            path=f"/attestations/{code}/{key}/",
        )


def _stale() -> Iterator[Breach]:
    for system, key, name, tier, unit, owner, stale_at, title, code in _rows(_STALE_SQL):
        since = day_words(local_date(stale_at))
        yield Breach(
            check=STALE,
            level=Level.WARN,
            severity=_SEVERE.get(tier, Severity.MEDIUM),
            subject=f"system:{system}",
            title=f"What was signed for {name} ({key}) in {title} is out of date since {since}.",
            remedy="Say what changed: sign a supplement.",
            person_id=owner,
            system_id=system,
            unit_id=unit,
            path=f"/attestations/{code}/{key}/",
        )


def _exceptions(now: datetime) -> Iterator[Breach]:
    today, reviewers = local_date(now), Reviewers(now)
    fallback = mandate_holder()
    for one in _late(today):
        yield from _of_exception(one, today, decider(one, reviewers) or fallback)


def _late(today: date) -> QuerySet[AttestationException]:
    """What is past its day, what nobody decided in time, and risks that are accepted no longer."""
    rows = on_record(AttestationException.objects.all())
    overdue = rows.filter(state__in=OPEN, due_on__lt=today)
    undecided = rows.filter(state="requested", declared_on__lte=today - timedelta(days=DECIDE_WITHIN))
    expired = rows.filter(state="risk_accepted", accepted_until__lt=today)
    return (overdue | undecided | expired).order_by("pk")


def _of_exception(one: AttestationException, today: date, decides: Person | None) -> Iterator[Breach]:
    if decides is None:
        return
    who, what = one.owner.display_name, one.description[:200]
    if one.state == "risk_accepted":
        yield _breach(
            one, RISK_EXPIRED, f"The risk of an exception was accepted until {_until(one)}: {what}",
            "Decide anew, or have it put right.", decides,
        )  # fmt: skip
        return
    if one.state == "requested" and today > add_working_days(one.declared_on, DECIDE_WITHIN):
        yield _breach(
            one, DECISION_OVERDUE,
            f"Nobody decided about an exception of {who} within {DECIDE_WITHIN} working days: {what}",
            "Approve the plan, refuse it, or have the risk accepted.", decides,
        )  # fmt: skip
    if one.due_on < today:
        yield _breach(
            one, EXCEPTION_OVERDUE, f"{who} has not put right by {day_words(one.due_on)}: {what}",
            "Ask what is in the way; grant a later day only for a reason.", decides,
        )  # fmt: skip


def _until(one: AttestationException) -> str:
    return day_words(one.accepted_until) if one.accepted_until else ""


def _breach(one: AttestationException, check: str, title: str, remedy: str, person: Person) -> Breach:
    system = one.assignment.system if one.assignment else None
    unit = one.assignment.unit_id if one.assignment else one.node.unit_id if one.node else None
    return Breach(
        check=check,
        level=Level.WARN,
        severity=Severity(one.severity),
        subject=f"exception:{one.pk}",
        title=title if title.endswith(".") else f"{title}.",
        remedy=remedy,
        person_id=person.pk,
        system_id=system.pk if system else None,
        unit_id=unit,
        path=f"/attestations/exceptions/{one.pk}/",
    )


def _too_many() -> Iterator[Breach]:
    holder = mandate_holder()
    if holder is None:
        return
    for campaign, title, code, people, most, name, limit in _rows(_MANY_SQL):
        answer = "1 person answers" if people == 1 else f"{people:,} people answer"
        yield Breach(
            check=TOO_MANY,
            level=Level.WARN,
            severity=Severity.MEDIUM,
            subject=f"campaign:{campaign}",
            title=f"{answer} for more than {limit} systems in {title}; {name} for {most:,}.",
            remedy="Find more owners, or split the campaign: nobody looks closely at so many.",
            person_id=holder.pk,
            path=f"/attestations/{code}/",
        )

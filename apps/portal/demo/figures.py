"""Numbers of the demo as they stand in the tables, for the check and for whoever loads it."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries import completion
from apps.attestations.queries.verify_end import verify
from apps.attestations.rules import QUARTERLY, SIGNED_STATES
from apps.common.clock import local_date, now
from apps.directory.models import OffboardingCase
from apps.findings.models import Finding
from apps.incidents.models import (
    ClockRule,
    Exercise,
    InboundSource,
    Incident,
    IncidentClock,
    LeadTerm,
    Preflight,
    ResponseCard,
    Review,
    Runbook,
)
from apps.incidents.rules import LIVE, MANDATORY
from apps.notify.models import Channel
from apps.people.models import Absence, Person
from apps.portal.demo.certified import KEY as PILOT
from apps.readiness.queries import board
from apps.registry.models import Authority, CharterSignature, Handover, ImportRun, Nomination, RaciAcceptance, System
from apps.registry.models.handover import RUNNING
from apps.registry.queries import live


def import_figures() -> dict[str, Any]:
    """What the import of the inventory said about the file."""
    run = ImportRun.objects.filter(state=ImportRun.State.APPLIED).order_by("applied_at").first()
    if run is None:
        return {}
    report = run.report
    names = ("rows_read", "created", "updated", "unchanged")
    return {
        **{name: report[name] for name in names},
        "skipped": len(report["skipped"]),
        "live_in_file": report["systems_live"],
        "contacts": report["contacts"],
        "systems": System.objects.count(),
        "systems_live": live(System.objects.all()).count(),
    }


def owner_figures() -> dict[str, int]:
    """How many live systems have an owner who accepted, and how many an interim one."""
    counted = live(System.objects.all()).aggregate(
        accepted=Count("pk", filter=Q(owner_basis=System.Basis.ACCEPTED)),
        interim=Count("pk", filter=Q(owner_basis=System.Basis.INTERIM)),
    )
    states = dict(Nomination.objects.order_by().values_list("state").annotate(n=Count("pk")))
    return {**counted, "nominations_open": states.get("open", 0), "nominations_declined": states.get("declined", 0)}


def campaign_figures() -> dict[str, Any]:
    """Where the quarter's campaign stands, which is open."""
    campaign = _campaigns(QUARTERLY).last()
    if campaign is None:
        return {}
    counts = completion(campaign, today=local_date(now())).counts
    accepted = Assignment.objects.filter(campaign=campaign, owner_basis=System.Basis.ACCEPTED)
    return {
        "period": campaign.code,
        "state": campaign.state,
        "assignments": counts.total,
        "signed": counts.signed,
        "open": counts.open,
        "in_progress": counts.in_progress,
        "overdue": counts.overdue,
        "not_attested": counts.not_attested,
        "of_accepted_owners": accepted.count(),
        "signed_by_accepted_owners": accepted.filter(state__in=SIGNED_STATES).count(),
    }


def sealed_figures() -> dict[str, Any]:
    """What became of the campaign that is sealed: how it was answered, what goes on, whether each hash is right."""
    campaign = _campaigns(PILOT).filter(code=sealed_code()).first()
    if campaign is None:
        return {}
    counts = completion(campaign, today=local_date(now())).counts
    rows = campaign.assignments.exclude(state=Assignment.State.REASSIGNED)
    look = verify(campaign, at=now())
    return {
        "code": campaign.code,
        "assignments": counts.total,
        "clean": rows.filter(result=Assignment.Result.CLEAN).count(),
        "qualified": rows.filter(result=Assignment.Result.QUALIFIED).count(),
        "not_attested": counts.not_attested,
        "carried_over": campaign.exceptions.filter(carried_over_at__isnull=False).count(),
        "manifest_sha256": campaign.manifest_sha256,
        "comparisons": sum(look.figures.values()),
        "faults": [str(fault) for fault in look.faults],
    }


def sealed_code() -> str:
    """The code of the sealed campaign; empty where there is none."""
    codes = _campaigns(PILOT).filter(state=Campaign.State.SEALED).values_list("code", flat=True)
    return codes.first() or ""


def _campaigns(template: str) -> QuerySet[Campaign]:
    return Campaign.objects.filter(template__key=template).order_by("period")


def story_figures() -> dict[str, int]:
    """What today's story consists of: who stands in, what is handed over, who left, what is not as it should be."""
    today = local_date(now())
    return {
        "away_today": Absence.objects.filter(starts_on__lte=today, ends_on__gte=today, cancelled_at=None).count(),
        "authorities": Authority.objects.filter(ended_at=None).count(),
        "handovers": Handover.objects.filter(state__in=RUNNING).count(),
        "leavers": OffboardingCase.objects.filter(state=OffboardingCase.State.OPEN).count(),
        "letters_waiting": RaciAcceptance.objects.filter(state=RaciAcceptance.State.OPEN).count(),
        "charter_signatures": CharterSignature.objects.filter(withdrawn_at=None).count(),
        "findings": Finding.objects.exclude(state=Finding.State.CLOSED).count(),
    }


def going_on() -> QuerySet[Incident]:
    """What went wrong and goes on now, the first declared first."""
    states = [state.value for state in LIVE]
    return Incident.objects.filter(mode="real", state__in=states).order_by("declared_at", "pk")


def incident_figures() -> dict[str, Any]:
    """What went wrong and what was rehearsed, apart; who would respond; which clocks run; who can be called."""
    counted = Incident.objects.values_list("mode", "state").annotate(n=Count("pk")).order_by("mode", "state")
    states: dict[str, dict[str, int]] = {"real": {}, "drill": {}}
    for mode, state, number in counted:
        states.setdefault(mode, {})[state] = number
    mandatory = ResponseCard.objects.filter(scenario__in=[one.value for one in MANDATORY])
    return {
        **states,
        "live": going_on().count(),
        "live_with_lead": LeadTerm.objects.filter(
            incident__in=going_on(), ended_at=None, person__is_active=True
        ).count(),
        "cards": ResponseCard.objects.count(),
        "cards_mandatory": mandatory.count(),
        "cards_due": len(MANDATORY) * live(System.objects.all()).count(),
        "cards_with_active_lead": mandatory.filter(lead__is_active=True).count(),
        "clocks": dict(IncidentClock.objects.order_by("state").values_list("state").annotate(n=Count("pk"))),
        "clock_rules": ClockRule.objects.filter(replaced_at=None).count(),
        "drills": dict(Exercise.objects.order_by("state").values_list("state").annotate(n=Count("pk"))),
        "reviews": dict(Review.objects.order_by("state").values_list("state").annotate(n=Count("pk"))),
        "runbooks": Runbook.objects.filter(retired_at=None).count(),
        "channels": Channel.objects.filter(verified_at__isnull=False, removed_at=None).count(),
        "sources": InboundSource.objects.filter(revoked_at=None).count(),
        "preflight": Preflight.objects.count(),
    }


def headline() -> str:
    """The first sentence of the board's page."""
    return str(board(now=now()).headline)


def summary() -> dict[str, Any]:
    """Everything that the loader and the check print."""
    return {
        "people": Person.objects.filter(is_invented=True).count(),
        "import": import_figures(),
        "owners": owner_figures(),
        "campaign": campaign_figures(),
        "sealed": sealed_figures(),
        "story": story_figures(),
        "incidents": incident_figures(),
        "headline": headline(),
    }

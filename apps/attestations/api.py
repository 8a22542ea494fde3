"""The API of campaigns: list, and one with its completion."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.access.rules import Permission
from apps.attestations.models import Campaign
from apps.attestations.queries import Counts, completion, unit_rows
from apps.attestations.queries.report import report_body, report_json, report_sha256
from apps.common import clock
from apps.common.api import IdCursor, PageQuery, StrictSerializer, asked
from apps.common.clock import local_date

READERS = "Campaigns are read by seat holders, the board, auditors and the person who holds the mandate."


class CampaignOut(serializers.Serializer[Campaign]):
    """One quarter's campaign."""

    code = serializers.CharField(help_text="How addresses name it: 2026Q4, or 2026-11-critical of another template.")
    title = serializers.CharField()
    period = serializers.CharField(help_text="The period, such as 2026Q4 or 2026-11.")
    state = serializers.ChoiceField(Campaign.State.choices)
    opened_at = serializers.DateTimeField(allow_null=True)
    due_critical_on = serializers.DateField()
    due_high_on = serializers.DateField()
    due_on = serializers.DateField()
    closes_at = serializers.DateTimeField()
    rollup_at = serializers.DateTimeField(allow_null=True, help_text="When silence became not attested.")
    closed_at = serializers.DateTimeField(allow_null=True)
    sealed_at = serializers.DateTimeField(allow_null=True)
    scope_hash = serializers.CharField(help_text="SHA-256 of the scope as it was frozen at the opening.")
    manifest_sha256 = serializers.CharField(help_text="Empty until it is sealed.")


class CountsOut(serializers.Serializer[Counts]):
    """How many assignments are where. Signed, in progress, not started, overdue and not attested add up to `total`."""

    total = serializers.IntegerField()
    signed = serializers.IntegerField()
    in_progress = serializers.IntegerField()
    not_started = serializers.IntegerField()
    overdue = serializers.IntegerField()
    not_attested = serializers.IntegerField()
    interim = serializers.IntegerField(help_text="Whose owner was interim when the campaign opened.")
    clean = serializers.IntegerField(help_text="Of the signed.")
    qualified = serializers.IntegerField(help_text="Of the signed: with exceptions.")
    late = serializers.IntegerField(help_text="Of the signed: after the due date.")
    accepted = serializers.IntegerField(help_text="Of the signed: accepted by somebody else.")
    sent_back = serializers.IntegerField(help_text="Of the open: changes were requested.")
    percent = serializers.IntegerField(help_text="Signed, in whole percent, rounded down.")


class TierCountsOut(serializers.Serializer[Any]):
    """The counts of a tier with its due date."""

    tier = serializers.CharField(source="code", help_text="critical, high, or rest.")
    due_on = serializers.DateField()
    counts = CountsOut()


class UnitCountsOut(serializers.Serializer[Any]):
    """The counts of a top unit with all below it."""

    code = serializers.CharField(source="unit.code")
    name = serializers.CharField(source="unit.name")
    counts = CountsOut()


class CompletionOut(serializers.Serializer[Any]):
    """How far a campaign is: all, by tier, by unit (worst first)."""

    counts = CountsOut()
    tiers = TierCountsOut(many=True)
    units = UnitCountsOut(many=True)


class CampaignDetailOut(CampaignOut):
    """A campaign with its completion."""

    as_of = serializers.DateTimeField()
    completion = CompletionOut()


class CampaignCursor(IdCursor):
    """Newest first."""

    ordering = "-id"


class CampaignsView(TokenView, ListAPIView[Campaign]):
    """All campaigns."""

    serializer_class = CampaignOut
    pagination_class = CampaignCursor

    def get_queryset(self) -> QuerySet[Campaign]:
        """All of them, for whoever may read campaigns."""
        self.require(Permission.CAMPAIGN_READ, READERS)
        return Campaign.objects.all()

    @extend_schema(operation_id="campaigns_list", parameters=[PageQuery], summary="List campaigns")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Campaigns, newest first."""
        asked(request, PageQuery)
        return super().get(request, *args, **kwargs)


def _campaign(code: str) -> Campaign:
    found = Campaign.objects.filter(code=code).first()
    if found is None:
        raise Http404
    return found


class CampaignView(TokenView):
    """One campaign."""

    @extend_schema(operation_id="campaigns_retrieve", responses=CampaignDetailOut, summary="One campaign's completion")
    def get(self, request: Request, code: str) -> Response:
        """A campaign by its code, with how far it is."""
        asked(request, StrictSerializer)
        self.require(Permission.CAMPAIGN_READ, READERS)
        campaign, now = _campaign(code), clock.now()
        progress = completion(campaign, today=local_date(now))
        done = {"counts": progress.counts, "tiers": progress.tiers, "units": unit_rows(progress)}
        body = CampaignOut(campaign).data | {"as_of": now, "completion": CompletionOut(done).data}
        return Response(body)


class ReportView(TokenView):
    """The report of one campaign."""

    @extend_schema(
        operation_id="campaigns_report",
        responses=OpenApiTypes.OBJECT,
        summary="One campaign's report",
        description="Scope, results, gaps, exceptions, samples, decision times, changes, signatures, evidence, method. "
        "`campaign.draft` is true until it is closed. X-Content-SHA256 is the hash of the canonical JSON (RFC 8785).",
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        """The whole report as canonical JSON; systems are named that the token's person may see."""
        asked(request, StrictSerializer)
        self.require(Permission.CAMPAIGN_READ, READERS)
        campaign = _campaign(code)
        if campaign.opened_at is None:
            raise Http404
        body = report_body(campaign, now=clock.now(), reader=self.person())
        answer = HttpResponse(report_json(body), content_type="application/json")
        answer["X-Content-SHA256"] = report_sha256(body)
        return answer

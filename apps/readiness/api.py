"""The API of the board's page."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.access.rules import Permission
from apps.common import clock
from apps.common.api import StrictSerializer, asked
from apps.readiness.queries import as_json, board


class NamedOut(serializers.Serializer[Any]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()


class SystemsOut(serializers.Serializer[Any]):
    """Live systems and who answers for them."""

    live = serializers.IntegerField()
    accepted = serializers.IntegerField()
    interim = serializers.IntegerField()
    interim_long = serializers.IntegerField(help_text="Interim for more than 30 days.")


class IndicatorOut(serializers.Serializer[Any]):
    """One number; null where it is not known."""

    key = serializers.CharField()
    count = serializers.IntegerField(allow_null=True)
    of = serializers.IntegerField(allow_null=True)
    rows = serializers.CharField(help_text="The page with the rows behind the number.")
    note = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With `label`, which as an attribute would hide the serializer's own."""
        return super().get_fields() | {"label": serializers.CharField()}


class CoverOut(serializers.Serializer[Any]):
    """Who is accountable for what a seat tends to miss."""

    party = serializers.CharField()
    domains = serializers.ListField(child=serializers.CharField())
    person = NamedOut(allow_null=True)
    gap = serializers.CharField(help_text="Why nobody, or for how many systems nobody; empty where covered.")


class SeatOut(serializers.Serializer[Any]):
    """A seat and what it tends to miss."""

    seat = serializers.CharField()
    held_by = NamedOut(many=True)
    tends_to_miss = serializers.CharField()
    covered_by = CoverOut(many=True)


class FailureOut(serializers.Serializer[Any]):
    """One of the four ways governance fails."""

    title = serializers.CharField()
    known = serializers.BooleanField(help_text="False: not measured yet, never counted as good.")
    measure = serializers.CharField()


class SystemNameOut(serializers.Serializer[Any]):
    """A system by key."""

    key = serializers.CharField()
    name = serializers.CharField()


class ExceptionOut(serializers.Serializer[Any]):
    """Something the board should know by name."""

    text = serializers.CharField()
    system = SystemNameOut()
    person = NamedOut(allow_null=True)
    on = serializers.DateField()


class ShareOut(serializers.Serializer[Any]):
    """So many of so many."""

    count = serializers.IntegerField()
    of = serializers.IntegerField()


class SpanOut(serializers.Serializer[Any]):
    """Seconds over `n` incidents of the last 12 months."""

    n = serializers.IntegerField()
    median = serializers.FloatField()
    p90 = serializers.FloatField()


class SeriesOut(serializers.Serializer[Any]):
    """What happened, or what was rehearsed; the two are never added up."""

    incidents = serializers.IntegerField()
    acknowledge = SpanOut(allow_null=True, help_text="First answer by a person after the first page.")
    accepted = SpanOut(allow_null=True, help_text="From declaring to a lead who accepted.")


class ResponseOut(serializers.Serializer[Any]):
    """How ready the organisation is to respond; null is not known."""

    answerable = ShareOut(allow_null=True, help_text="Live systems with a lead and a deputy who can be reached.")
    reachable = ShareOut(allow_null=True, help_text="Leads who confirmed a test of a channel within 90 days.")
    drilled = ShareOut(allow_null=True, help_text="Mandatory scenarios of live systems drilled within 12 months.")
    real = SeriesOut()
    drill = SeriesOut()


class ReadinessOut(serializers.Serializer[Any]):
    """The board's page in numbers."""

    as_of = serializers.DateTimeField()
    organisation = serializers.CharField()
    headline = serializers.CharField()
    lead = serializers.CharField()
    mandate_holder = NamedOut(allow_null=True)
    systems = SystemsOut()
    campaign = serializers.CharField(allow_null=True, help_text="The period that the attestation numbers are of.")
    indicators = IndicatorOut(many=True)
    seats = SeatOut(many=True)
    failures = FailureOut(many=True)
    exceptions = ExceptionOut(many=True)
    contacts = serializers.DictField(child=serializers.IntegerField(), help_text="Of the last import, by class.")
    response = ResponseOut()
    milliseconds = serializers.IntegerField(help_text="How long the numbers took.")


class ReadinessView(TokenView):
    """The board's page."""

    @extend_schema(operation_id="readiness_retrieve", responses=ReadinessOut, summary="The board's page in numbers")
    def get(self, request: Request) -> Response:
        """The same numbers as the page: over all live systems; systems are named only where you may see them."""
        asked(request, StrictSerializer)
        self.require(
            Permission.READINESS_READ,
            "Readiness is read by the board, seat holders, auditors and the person who holds the mandate.",
        )
        return Response(as_json(board(now=clock.now(), reader=self.person())))

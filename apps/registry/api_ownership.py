"""The API of ownership: who answered when, and what other tools know about who a system belongs to."""

from datetime import date, datetime
from typing import Any

from django.http import Http404
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.access.rules import Permission
from apps.common import clock
from apps.common.api import StrictSerializer, asked
from apps.common.errors import Refused
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.models import OwnershipFact, System
from apps.registry.queries import find_system
from apps.registry.queries.history import Answered, answered_at, answered_on
from apps.registry.queries.prediction import predict

WHY_NOBODY = {
    "before": "The system was not on the register yet.",
    "future": "This lies in the future: nobody knows who answers then.",
}


class AnsweredQuery(StrictSerializer):
    """A day or a moment."""

    on = serializers.CharField(
        max_length=40,
        help_text="A date (a day in the organisation's time zone), or a date and time (RFC 3339, with its offset).",
    )

    def validate_on(self, text: str) -> date | datetime:
        """A date, or a moment with its offset."""
        try:
            moment = parse_datetime(text)
            day = parse_date(text) if moment is None or len(text) <= len("2026-11-23") else None
        except ValueError:
            moment = day = None
        if day is not None and 1900 < day.year < 9999:
            return day
        if moment is not None and moment.tzinfo is not None and 1900 < moment.year < 9999:
            return moment
        raise serializers.ValidationError("Give a date (2026-11-23), or a date and time with its offset.")


class AnsweredPersonOut(serializers.Serializer[Any]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")
    title = serializers.CharField()


class SpellOut(serializers.Serializer[Any]):
    """Somebody's time as the owner. `acted` is who acted for them then, where somebody else did."""

    person = AnsweredPersonOut()
    basis = serializers.ChoiceField(System.Basis.choices, source="term.basis")
    since = serializers.DateTimeField(source="term.period.lower")
    until = serializers.DateTimeField(source="term.period.upper", allow_null=True)
    acted = AnsweredPersonOut(allow_null=True)


class AnsweredOut(serializers.Serializer[Any]):
    """Who answered, in order. Several where it changed hands on that day; none before the first day."""

    on = serializers.CharField()
    time_zone = serializers.CharField(help_text="The organisation's: days begin and end by it.")
    answered = SpellOut(many=True)
    why_nobody = serializers.CharField(help_text="Empty where somebody answered.")
    registered_at = serializers.DateTimeField(allow_null=True)


class AnsweredView(TokenView):
    """Who answered on a day."""

    @extend_schema(
        operation_id="systems_answered",
        parameters=[AnsweredQuery],
        responses=AnsweredOut,
        summary="Who answered on a day or at a moment",
    )
    def get(self, request: Request, key: str) -> Response:
        """By the history of owners, with who acted while they were away. Not there and not yours: the same 404."""
        on: date | datetime = asked(request, AnsweredQuery)["on"]
        system = self.system(key)
        now = clock.now()
        found = answered_at(system, on, now=now) if isinstance(on, datetime) else answered_on(system, on, now=now)
        return Response(_answered(on, found))

    def system(self, key: str) -> System:
        """The system, or 404."""
        try:
            return find_system(self.person(), key)
        except System.DoesNotExist as error:
            raise Http404 from error


def _answered(on: date | datetime, found: Answered) -> Any:
    return AnsweredOut(
        {
            "on": on.isoformat(),
            "time_zone": clock.organisation_zone().key,
            "answered": found.spells,
            "why_nobody": WHY_NOBODY.get(found.why_nobody, ""),
            "registered_at": found.registered_on,
        }
    ).data


class FactIn(StrictSerializer):
    """What a tool knows."""

    kind = serializers.ChoiceField(OwnershipFact.Kind.choices)
    value = serializers.CharField(max_length=1000, help_text="The owner as the source writes it.")
    origin = serializers.CharField(max_length=300, help_text="The repository, the catalogue entry or the identity.")
    seen_at = serializers.DateTimeField(help_text="When the source said so.")


class FactOut(serializers.Serializer[OwnershipFact]):
    """A fact as it was read here, and whom all facts of the system together predict."""

    kind = serializers.ChoiceField(OwnershipFact.Kind.choices)
    value = serializers.CharField()
    origin = serializers.CharField(source="source")
    seen_at = serializers.DateTimeField()
    reading = serializers.ChoiceField(OwnershipFact.Reading.choices)
    person = AnsweredPersonOut(allow_null=True)


class FactsOut(serializers.Serializer[Any]):
    """Every fact of a system. `predicted` is offered to who nominates; nothing changes hands by it."""

    facts = FactOut(many=True)
    predicted = AnsweredPersonOut(allow_null=True)
    why_not = serializers.CharField(help_text="Why nobody is predicted; empty where somebody is, or without facts.")


class FactsView(AnsweredView):
    """What other tools know about who a system belongs to."""

    @extend_schema(operation_id="ownership_facts_list", responses=FactsOut, summary="Facts that name an owner")
    def get(self, request: Request, key: str) -> Response:
        """What is known, and whom it predicts."""
        asked(request, StrictSerializer)
        return Response(_facts(self.system(key)))

    @extend_schema(
        operation_id="ownership_facts_create",
        request=FactIn,
        responses={201: FactsOut},
        parameters=[OpenApiParameter("key", str, "path", description="The system's key.")],
        summary="Note a fact that names an owner",
    )
    def post(self, request: Request, key: str) -> Response:
        """Keep what one source says; the later sighting of each kind stands."""
        system = self.system(key)
        self.require(Permission.IMPORT_SYSTEMS, "Facts are noted by the person who holds the mandate.")
        form = FactIn(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            given = {**form.validated_data}
            note_ownership_fact(system, source=given.pop("origin"), actor=self.person(), now=clock.now(), **given)
        except Refused as error:
            raise serializers.ValidationError({"seen_at": [str(error)]}) from error
        return Response(_facts(system), status=status.HTTP_201_CREATED)


def _facts(system: System) -> Any:
    facts = list(OwnershipFact.objects.filter(system=system).select_related("person").order_by("kind"))
    found = predict(facts)
    return FactsOut({"facts": facts, "predicted": found.person, "why_not": found.why_not}).data

"""The API of response cards: who responds for one system, with all that a responder has to know."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.common import clock
from apps.common.api import StrictSerializer, asked
from apps.incidents.queries.card_json import as_json
from apps.incidents.queries.cards import card_of
from apps.incidents.rules import FROM_SEVERITY
from apps.registry.queries import on_record, who_answers_systems
from apps.registry.rules import Scenario

SCENARIOS = [scenario.value for scenario in Scenario]


class CardChannelOut(serializers.Serializer[Any]):
    """A way to reach somebody, and when a test of it last came through."""

    kind = serializers.CharField(help_text="phone, email, sms, voice or chat.")
    address = serializers.CharField()
    tested_at = serializers.DateTimeField(allow_null=True)


class CardPersonOut(serializers.Serializer[Any]):
    """Somebody on the card."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    time_zone = serializers.CharField()
    channels = CardChannelOut(many=True)


class CardStopOut(serializers.Serializer[Any]):
    """How the system is stopped, and who may."""

    holders = CardPersonOut(many=True)
    how = serializers.CharField()
    link = serializers.CharField()
    tested_on = serializers.DateField(allow_null=True)


class CardVendorOut(serializers.Serializer[Any]):
    """Where the vendor is reached."""

    name = serializers.CharField()
    channel = serializers.CharField()
    reference = serializers.CharField()
    must = serializers.CharField(help_text="What it owes us in an incident.")


class CardStepOut(serializers.Serializer[Any]):
    """One of the first steps."""

    order = serializers.IntegerField()
    title = serializers.CharField()
    instruction = serializers.CharField()


class CardRunbookOut(serializers.Serializer[Any]):
    """The runbook that an incident would begin with."""

    key = serializers.CharField()
    title = serializers.CharField()
    version = serializers.IntegerField()
    first_steps = CardStepOut(many=True)


class CardClockOut(serializers.Serializer[Any]):
    """A duty to report that may matter."""

    key = serializers.CharField()
    instrument = serializers.CharField()
    article = serializers.CharField()
    title = serializers.CharField()
    time = serializers.CharField()
    recipient = serializers.CharField()
    status = serializers.CharField()


class CardSeverityLeadOut(serializers.Serializer[Any]):
    """Somebody, with how they are reached."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    phone = serializers.CharField()
    email = serializers.CharField()


class CardSeverityOut(serializers.Serializer[Any]):
    """Who leads once somebody said that it is as bad as this, or worse."""

    from_severity = serializers.ChoiceField([one.value for one in FROM_SEVERITY])
    lead = CardSeverityLeadOut()


class CardDerivationOut(serializers.Serializer[Any]):
    """One step that led to the name."""

    step = serializers.CharField()
    where = serializers.CharField(allow_null=True, help_text="The scope of the rule or the matrix, or the basis.")
    person = serializers.CharField(allow_null=True)
    outcome = serializers.CharField()


class CardOut(serializers.Serializer[Any]):
    """The response card of a system in a scenario: exactly one active person leads."""

    system = serializers.CharField(help_text="The key.")
    name = serializers.CharField()
    unit = serializers.CharField()
    operating_model = serializers.CharField()
    scenario = serializers.ChoiceField(["", *SCENARIOS], help_text="Empty: not sure what went wrong.")
    answered_as = serializers.CharField(help_text="The scenario whose card answers; empty: as not sure.")
    lead = CardPersonOut()
    acts_for = CardPersonOut(allow_null=True)
    owner = CardPersonOut()
    deputy = CardPersonOut(allow_null=True)
    next_in_line = CardPersonOut(allow_null=True)
    basis = serializers.ChoiceField(["rule", "matrix", "owner", "interim", "acting", "mandate"])
    is_fallback = serializers.BooleanField(help_text="Nobody whom a rule or the matrix names can: a gap.")
    respond_within_minutes = serializers.IntegerField()
    stop = CardStopOut()
    vendor = CardVendorOut()
    evidence_how = serializers.CharField()
    runbook = CardRunbookOut(allow_null=True)
    clocks = CardClockOut(many=True)
    by_severity = CardSeverityOut(many=True)
    last_drill = serializers.DateTimeField(allow_null=True)
    derivation = CardDerivationOut(many=True)
    problems = serializers.ListField(child=serializers.CharField())
    computed_at = serializers.DateTimeField()


class CardQuery(StrictSerializer):
    """What went wrong."""

    scenario = serializers.ChoiceField(SCENARIOS, required=False)


class CardView(TokenView):
    """Who responds for one system."""

    @extend_schema(
        operation_id="system_card", parameters=[CardQuery], responses=CardOut, summary="Who responds for it?"
    )
    def get(self, request: Request, key: str) -> Response:
        """The card of a live system, in one indexed read; 404 for none and for one that is not yours alike."""
        scenario = asked(request, CardQuery).get("scenario", "")
        system = on_record(who_answers_systems(self.person())).filter(key=key).first()
        card = card_of(system, scenario, clock.now()) if system else None
        if card is None:
            raise Http404("No live system with this key.")
        return Response(as_json(card))

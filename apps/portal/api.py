"""The API of "who answers?"."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.common import clock
from apps.common.api import StrictSerializer, asked
from apps.portal.queries.who import as_json, resolve
from apps.portal.queries.who_text import as_text
from apps.registry.rules import Scenario, Stage, Tier

SCENARIOS = [scenario.value for scenario in Scenario]
STAGES = [stage.value for stage in Stage]
TIERS = [tier.value for tier in Tier]


class WhoPersonOut(serializers.Serializer[Any]):
    """A person who answers."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    active = serializers.BooleanField()


class WhoSystemOut(serializers.Serializer[Any]):
    """The system that was meant."""

    key = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    stage = serializers.ChoiceField(STAGES)
    tier = serializers.ChoiceField(TIERS)
    live = serializers.BooleanField()


class ChannelOut(serializers.Serializer[Any]):
    """A way to reach the person."""

    kind = serializers.CharField(help_text="phone, email or chat.")
    value = serializers.CharField()


class StepOut(serializers.Serializer[Any]):
    """One line of why this name."""

    chosen = serializers.BooleanField()
    text = serializers.CharField()


class AnswerOut(serializers.Serializer[Any]):
    """The one person who answers for a system, and every step that led to the name."""

    system = WhoSystemOut()
    person = WhoPersonOut()
    basis = serializers.ChoiceField(
        ["accepted", "interim", "lead", "mandate", "acting"],
        help_text="Why this person; `acting`: the owner is away or delegated.",
    )
    acts_for = WhoPersonOut(allow_null=True, help_text="Who is away or delegated, where somebody stands in.")
    until = serializers.DateField(allow_null=True, help_text="The last day on which somebody stands in.")
    role = serializers.CharField()
    deputy = WhoPersonOut(allow_null=True)
    owner = WhoPersonOut()
    owner_basis = serializers.ChoiceField(["accepted", "interim"])
    channels = ChannelOut(many=True)
    derivation = StepOut(many=True)
    problems = serializers.ListField(child=serializers.CharField())


class WhoOut(serializers.Serializer[Any]):
    """`one`: `answer` has it. `many`: `matches` and `people` have what fits, never a guess. `nothing`: neither."""

    query = serializers.CharField()
    scenario = serializers.ChoiceField(SCENARIOS, allow_null=True)
    outcome = serializers.ChoiceField(["one", "many", "nothing"])
    answer = AnswerOut(allow_null=True)
    matches = AnswerOut(many=True)
    people = WhoPersonOut(many=True, required=False)
    more = serializers.BooleanField(required=False, help_text="There are more matches: narrow the text.")


class WhoQuery(StrictSerializer):
    """What is asked."""

    q = serializers.CharField(max_length=200, help_text="A key, name, vendor, identity, unit or person.")
    scenario = serializers.ChoiceField(SCENARIOS, required=False, help_text="What went wrong.")


class WhoTextView(TokenView):
    """Who answers, in a few lines for a chat?"""

    @extend_schema(
        operation_id="who_answers_text",
        parameters=[WhoQuery],
        responses={(200, "text/plain"): str},
        summary="Who answers for this, as plain text?",
    )
    def get(self, request: Request) -> HttpResponse:
        """The name, how to reach them, who is next, how it is stopped; or one line a match."""
        wanted = asked(request, WhoQuery)
        scenario = Scenario(wanted["scenario"]) if "scenario" in wanted else None
        text = as_text(resolve(self.person(), wanted["q"], scenario), scenario, clock.now())
        return HttpResponse(text, content_type="text/plain; charset=utf-8")


class WhoView(TokenView):
    """Who answers?"""

    @extend_schema(operation_id="who_answers", parameters=[WhoQuery], responses=WhoOut, summary="Who answers for this?")
    def get(self, request: Request) -> Response:
        """Exactly one active person, or the list of what fits."""
        wanted = asked(request, WhoQuery)
        scenario = Scenario(wanted["scenario"]) if "scenario" in wanted else None
        return Response(as_json(resolve(self.person(), wanted["q"], scenario), scenario))

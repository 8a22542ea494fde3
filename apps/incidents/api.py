"""The API of incidents: list, one with its timeline, declare, take the response."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.api import IdCursor, PageQuery, StrictSerializer, asked
from apps.common.errors import NotAllowed
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.actions.declare import declare
from apps.incidents.actions.paging import API, acknowledge
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.queries.incidents import find_incident, on_page, visible_incidents
from apps.incidents.queries.page import rights_over
from apps.incidents.rules import LIVE, OPEN, Mode, Severity, State, Via, Visibility
from apps.people.models import Person
from apps.registry.queries import who_answers_systems
from apps.registry.rules import Scenario

LINES = 200
SCENARIOS = [scenario.value for scenario in Scenario]
MODES = [Mode.REAL.value, Mode.TEST.value]
SEVERITIES = [severity.value for severity in Severity]
VISIBILITIES = [visibility.value for visibility in Visibility]


class IncidentPersonOut(serializers.Serializer[Person]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")


class IncidentOut(serializers.Serializer[Incident]):
    """Something that went wrong, and the one person who answers for the response."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    mode = serializers.ChoiceField([mode.value for mode in Mode], help_text="A drill and a test did not happen.")
    title = serializers.CharField()
    system = serializers.CharField(source="system.key", default=None, allow_null=True, help_text="The system's key.")
    about = serializers.CharField(help_text="What it is about, where no system is known.")
    scenario = serializers.CharField(help_text="Empty: not sure.")
    severity = serializers.ChoiceField(SEVERITIES)
    state = serializers.ChoiceField([state.value for state in State])
    live = serializers.BooleanField(source="is_live")
    visibility = serializers.ChoiceField(VISIBILITIES)
    lead = IncidentPersonOut(help_text="Who answers for the response.")
    lead_accepted_at = serializers.DateTimeField(allow_null=True, help_text="When somebody first said: I take it.")
    declared_at = serializers.DateTimeField()
    declared_as = serializers.CharField()
    contained_at = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    merged_into = serializers.CharField(source="merged_into.code", default=None, allow_null=True)
    url = serializers.CharField(source="path", help_text="Its page in the portal.")
    version = serializers.IntegerField(help_text="Goes up with each change; send it back when you take the response.")


class LineOut(serializers.Serializer[TimelineEntry]):
    """One line of the timeline. It is never changed; `corrects` names the line that it puts right."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(TimelineEntry.Kind.choices)
    at = serializers.DateTimeField()
    text = serializers.CharField()
    person = serializers.CharField(source="person_name")
    corrects = serializers.IntegerField(source="corrects_id", allow_null=True)


class IncidentDetailOut(IncidentOut):
    """An incident with the newest 200 lines of its timeline."""

    description = serializers.CharField()
    timeline = LineOut(many=True)


class IncidentIn(StrictSerializer):
    """What happened. The same `form_token`, sent again, returns what it declared."""

    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    system = serializers.CharField(max_length=80, required=False, help_text="A system's key. Without it say `about`.")
    about = serializers.CharField(max_length=600, required=False, allow_blank=True)
    scenario = serializers.ChoiceField(SCENARIOS, required=False, allow_blank=True)
    severity = serializers.ChoiceField(SEVERITIES, required=False)
    visibility = serializers.ChoiceField(VISIBILITIES, required=False)
    mode = serializers.ChoiceField(MODES, required=False)
    form_token = serializers.UUIDField(required=False)

    def validate_title(self, title: str) -> str:
        """Some words."""
        if not title.strip():
            raise serializers.ValidationError("Say in one sentence what happened.")
        return title


class IncidentsQuery(PageQuery):
    """The filters of the list; they combine with "and"."""

    mode = serializers.ChoiceField([mode.value for mode in Mode], default=Mode.REAL.value)
    state = serializers.ChoiceField([state.value for state in State], required=False)
    live = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Whether it goes on now.")
    open = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Whether it is not over.")
    severity = serializers.ChoiceField(SEVERITIES, required=False)
    scenario = serializers.ChoiceField(SCENARIOS, required=False)
    system = serializers.CharField(max_length=80, required=False, help_text="A system's key.")


class IncidentsView(TokenView, ListAPIView[Incident]):
    """Incidents that the token's person may see."""

    serializer_class = IncidentOut
    pagination_class = IdCursor

    def get_queryset(self) -> QuerySet[Incident]:
        """What is visible, filtered."""
        if getattr(self, "swagger_fake_view", False):
            return Incident.objects.none()
        wanted = asked(self.request, IncidentsQuery)
        found = on_page(visible_incidents(self.person())).filter(mode=wanted["mode"])
        columns = {"state": "state", "severity": "severity", "scenario": "scenario", "system": "system__key"}
        found = found.filter(**{column: wanted[name] for name, column in columns.items() if name in wanted})
        for name, states in (("live", LIVE), ("open", OPEN)):
            values = [state.value for state in states]
            if wanted[name] is not None:
                found = found.filter(state__in=values) if wanted[name] else found.exclude(state__in=values)
        return found

    @extend_schema(operation_id="incidents_list", parameters=[IncidentsQuery], summary="List incidents")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Incidents in the order in which they were declared; real ones, where no other mode is asked for."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="incidents_declare",
        summary="Declare an incident",
        request=IncidentIn,
        responses={201: OpenApiResponse(IncidentOut, description="Declared; one named person is called.")},
        parameters=[OpenApiParameter("Location", str, "header", response=[201], description="The new incident.")],
    )
    def post(self, request: Request) -> Response:
        """Say that something went wrong. Whoever has a token with the scope write may."""
        form = IncidentIn(data=request.data)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        self._refuse_reserved(values)
        key = values.pop("system", None)
        system = who_answers_systems(self.person()).filter(key=key).first() if key else None
        if key and system is None:
            raise serializers.ValidationError({"system": ["There is no live system with this key that you may know."]})
        if system is None and not values.get("about", "").strip():
            raise serializers.ValidationError({"about": ["Name the system, or say what it is about."]})
        incident = declare(system=system, via=Via.API, actor=self.person(), now=clock.now(), **values)
        body = IncidentOut(on_page(Incident.objects.filter(pk=incident.pk)).get()).data
        place = f"/api/v1/incidents/{incident.code}/"
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": place})

    def _refuse_reserved(self, values: dict[str, Any]) -> None:
        """Raise NotAllowed for what only those may say who manage incidents."""
        usual = {"visibility": Visibility.OPEN.value, "mode": Mode.REAL.value}
        unusual = any(values.get(name, value) != value for name, value in usual.items())
        if unusual and not may(self.person(), Permission.INCIDENTS_MANAGE):
            raise NotAllowed("Who holds a seat, and who holds the mandate, may restrict an incident or declare a test.")


class AcknowledgeIn(StrictSerializer):
    """With the version that was seen, so that nothing is taken that somebody changed meanwhile."""

    version = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class Conflict(APIException):
    """Somebody changed it since the program looked."""

    status_code = status.HTTP_409_CONFLICT


class AcknowledgeView(TokenView):
    """Taking the response."""

    @extend_schema(
        operation_id="incidents_acknowledge", summary="Take the response", request=AcknowledgeIn, responses=IncidentOut
    )
    def post(self, request: Request, incident_code: str) -> Response:
        """The token's person takes it: they lead, and nobody else is called. Whoever has it already says so again."""
        form = AcknowledgeIn(data=request.data)
        form.is_valid(raise_exception=True)
        found, person = _found(self.person(), incident_code), self.person()
        rights = rights_over(person, found)
        if not rights.writes:
            raise NotAllowed(f"You may see this incident, but not take it. {rights.who}")
        try:
            acknowledge(found, actor=person, now=clock.now(), way=API, version=form.validated_data.get("version"))
        except MeanwhileChanged as error:
            raise Conflict(str(error)) from error
        return Response(IncidentOut(on_page(Incident.objects.filter(pk=found.pk)).get()).data)


def _found(person: Person, code: str) -> Incident:
    try:
        return find_incident(person, code)
    except Incident.DoesNotExist as error:
        raise Http404 from error


class IncidentView(TokenView):
    """One incident."""

    @extend_schema(operation_id="incidents_retrieve", responses=IncidentDetailOut, summary="One incident")
    def get(self, request: Request, incident_code: str) -> Response:
        """An incident with its timeline, the newest line first. Not there and not yours are the same 404."""
        asked(request, StrictSerializer)
        found = _found(self.person(), incident_code)
        body = IncidentOut(found).data | {"description": found.description}
        lines: Any = found.timeline.all()[:LINES]
        body["timeline"] = LineOut(lines, many=True).data
        return Response(body)

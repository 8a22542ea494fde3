"""The API of absences: one's own, or those of somebody whose days one keeps."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.common import clock
from apps.common.api import IdCursor, PageQuery, StrictSerializer, asked
from apps.common.errors import NotAllowed
from apps.people.models import Absence, Person
from apps.people.queries import active_people
from apps.portal.queries.availability import find_absence, require_may_keep
from apps.portal.queries.people import find_person
from apps.registry import actions as verbs

KINDS = [kind.value for kind in Absence.Kind]


class AbsencePersonOut(serializers.Serializer[Person]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")


class AbsenceOut(serializers.Serializer[Absence]):
    """Days on which somebody does not answer, both included, by the clock of the person."""

    id = serializers.IntegerField()
    person = AbsencePersonOut()
    kind = serializers.ChoiceField(KINDS, help_text="away, or delegated: here, and somebody else answers.")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    delegate = AbsencePersonOut(allow_null=True)
    origin = serializers.ChoiceField([source.value for source in Absence.Source], source="source")
    cancelled_at = serializers.DateTimeField(allow_null=True)


class AbsenceIn(StrictSerializer):
    """An absence or a delegation to record."""

    person = serializers.UUIDField(required=False, help_text="Left out: yourself.")
    kind = serializers.ChoiceField(KINDS, default=Absence.Kind.AWAY.value)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    delegate = serializers.UUIDField(required=False, allow_null=True, help_text="Left out: the deputy acts.")


class AbsencesQuery(PageQuery):
    """Whose absences."""

    person = serializers.UUIDField(required=False, help_text="Left out: yourself.")


class AbsencesView(TokenView, ListAPIView[Absence]):
    """Absences of one person."""

    serializer_class = AbsenceOut
    pagination_class = IdCursor

    def get_queryset(self) -> QuerySet[Absence]:
        """Those of a person whose days the token's person keeps."""
        person = _kept(self.person(), asked(self.request, AbsencesQuery).get("person"))
        return Absence.objects.filter(person=person).select_related("person", "delegate")

    @extend_schema(operation_id="absences_list", parameters=[AbsencesQuery], summary="List absences")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your absences, or those of somebody whose days you keep, cancelled ones too, oldest entry first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="absences_create",
        summary="Record an absence",
        request=AbsenceIn,
        responses={201: OpenApiResponse(AbsenceOut, description="Recorded.")},
    )
    def post(self, request: Request) -> Response:
        """Say on which days you, or somebody whose days you keep, do not answer."""
        form = AbsenceIn(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        actor = self.person()
        person = _kept(actor, given.get("person"))
        days = {"starts_on": given["starts_on"], "ends_on": given["ends_on"], "actor": actor, "now": clock.now()}
        absence = _record(person, given["kind"], _delegate(given.get("delegate")), days)
        return Response(AbsenceOut(absence).data, status=status.HTTP_201_CREATED)


class AbsenceView(TokenView):
    """One absence."""

    @extend_schema(operation_id="absences_cancel", responses={204: None}, summary="Cancel an absence")
    def delete(self, request: Request, absence_id: int) -> Response:
        """The person answers again from now on. Not there and not yours are the same 404."""
        asked(request, StrictSerializer)
        row = Absence.objects.select_related("person").filter(pk=absence_id, cancelled_at=None).first()
        if row is None:
            raise Http404
        _kept(self.person(), row.person_id, hidden=True)
        verbs.cancel_absence(find_absence(row.person, str(absence_id)), actor=self.person(), now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="absences_retrieve", responses=AbsenceOut, summary="One absence")
    def get(self, request: Request, absence_id: int) -> Response:
        """One absence by its id. Not there and not yours are the same 404."""
        asked(request, StrictSerializer)
        row = Absence.objects.select_related("person", "delegate").filter(pk=absence_id).first()
        if row is None:
            raise Http404
        _kept(self.person(), row.person_id, hidden=True)
        return Response(AbsenceOut(row).data)


def _kept(actor: Person, person_id: UUID | None, *, hidden: bool = False) -> Person:
    """The person whose days are meant. Raises Http404 for nobody known; NotAllowed, or Http404 where hidden."""
    if person_id is None:
        return actor
    try:
        person = find_person(actor, person_id)
    except Person.DoesNotExist as error:
        raise Http404 from error
    try:
        require_may_keep(actor, person)
    except NotAllowed as error:
        if hidden:
            raise Http404 from error
        raise
    return person


def _delegate(person_id: UUID | None) -> Person | None:
    if person_id is None:
        return None
    person = active_people().filter(pk=person_id).first()
    if person is None:
        raise serializers.ValidationError({"delegate": ["Nobody active has this id."]})
    return person


def _record(person: Person, kind: str, delegate: Person | None, days: dict[str, Any]) -> Absence:
    if kind == Absence.Kind.DELEGATED and delegate is None:
        raise serializers.ValidationError({"delegate": ["Name the person to whom you delegate."]})
    try:
        if kind == Absence.Kind.DELEGATED and delegate is not None:
            return verbs.delegate(person, delegate, **days)
        return verbs.record_absence(person, delegate=delegate, **days)
    except ValidationError as error:
        raise serializers.ValidationError({"detail": error.messages}) from error

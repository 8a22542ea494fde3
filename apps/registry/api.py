"""The API of systems: list, one, register."""

from datetime import date
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.access.api import TokenView
from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.api import IdCursor, PageQuery, StrictSerializer, asked
from apps.people.models import Person
from apps.registry.actions import register_system
from apps.registry.models import Authority, System, SystemIdentity, Unit
from apps.registry.models.systems import KEY_PATTERN, NAME_LENGTH
from apps.registry.queries import find_system, live, on_record, search, visible_systems
from apps.registry.queries.acting import ActingOwner, acting_owners
from apps.registry.queries.authority import authorities_of
from apps.registry.rules import Stage, Tier

STAGES = [stage.value for stage in Stage]
TIERS = [tier.value for tier in Tier]
NOT_THERE = "There is no system with this key that you may see."


class PersonOut(serializers.Serializer[Person]):
    """A person by public id. The address is there for those who administer people."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")
    title = serializers.CharField()
    email = serializers.SerializerMethodField(help_text="Null unless you administer people.")

    def get_email(self, person: Person) -> str | None:
        """The address, for those who may know it."""
        return person.email if self.context.get("with_email") else None


class UnitOut(serializers.Serializer[Unit]):
    """A business unit by its code."""

    code = serializers.CharField()
    name = serializers.CharField()


class OwnerOut(serializers.Serializer[System]):
    """The one person who answers, and on what basis."""

    person = PersonOut(source="owner")
    basis = serializers.ChoiceField(System.Basis.choices, source="owner_basis")
    deputy = PersonOut(source="owner.deputy", allow_null=True)


class TodayOut(serializers.Serializer[ActingOwner]):
    """Who answers today: the owner, or who acts for them while they are away or have delegated."""

    person = PersonOut(source="acts")
    acts_for = serializers.SerializerMethodField(help_text="The owner's name, where somebody stands in.")
    until = serializers.SerializerMethodField(help_text="The last day on which somebody stands in.")
    nobody_stands_in = serializers.BooleanField(help_text="The owner is away and nobody can act.")

    def get_acts_for(self, acting: ActingOwner) -> str | None:
        """The owner's name."""
        return acting.owner.display_name if acting.stood_in_for else None

    @extend_schema_field(serializers.DateField(allow_null=True))
    def get_until(self, acting: ActingOwner) -> date | None:
        """The last day."""
        return acting.until if acting.stood_in_for else None


class SystemOut(serializers.Serializer[System]):
    """A system as every list shows it."""

    key = serializers.CharField()
    name = serializers.CharField()
    unit = UnitOut()
    stage = serializers.ChoiceField(STAGES)
    tier = serializers.ChoiceField(TIERS)
    live = serializers.BooleanField(source="is_live", help_text="Neither proposed nor retired.")
    regulatory_class = serializers.ChoiceField(System.RegulatoryClass.choices)
    operating_model = serializers.ChoiceField(System.OperatingModel.choices)
    vendor = serializers.CharField()
    model = serializers.CharField(help_text="What it runs on: a model's name and version.")
    restricted = serializers.BooleanField()
    owner = OwnerOut(source="*")
    answers_today = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField(help_text="This system in the API.")
    page = serializers.SerializerMethodField(help_text="This system in the browser.")

    @extend_schema_field(TodayOut)
    def get_answers_today(self, system: System) -> Any:
        """Who answers today. Read once for a page (`today` of the context), else for this system."""
        today = self.context.get("today") or acting_owners([system], clock.now())
        return TodayOut(today[system.pk], context=self.context).data

    def get_url(self, system: System) -> str:
        """The address in the API."""
        return reverse("api:system", args=[system.key], request=self.context.get("request"))

    def get_page(self, system: System) -> str:
        """The address for people."""
        return f"{settings.SITE_URL}/systems/{system.key}/"


class IdentityOut(serializers.Serializer[SystemIdentity]):
    """A name by which an engine knows the system."""

    kind = serializers.ChoiceField(SystemIdentity.Kind.choices)
    value = serializers.CharField()


class AuthorityOut(serializers.Serializer[Authority]):
    """What the owner may do without asking, and who granted it."""

    may_stop = serializers.BooleanField()
    may_revoke = serializers.BooleanField()
    spend_cap = serializers.DecimalField(max_digits=14, decimal_places=2, allow_null=True)
    currency = serializers.CharField()
    granted_by = PersonOut()
    granted_at = serializers.DateTimeField()


class SystemDetailOut(SystemOut):
    """A system with all that is known about it."""

    authority = serializers.SerializerMethodField()

    purpose = serializers.CharField()
    chat_channel = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)
    identities = IdentityOut(many=True)

    @extend_schema_field(AuthorityOut(allow_null=True))
    def get_authority(self, system: System) -> Any:
        """What the owner may do without asking; null where nothing is granted."""
        found = authorities_of([system]).get(system.pk)
        return AuthorityOut(found, context=self.context).data if found else None


class IdentityIn(StrictSerializer):
    """A name by which an engine knows the system."""

    kind = serializers.ChoiceField(SystemIdentity.Kind.choices)
    value = serializers.CharField(max_length=300)


class UnitField(serializers.SlugRelatedField[Unit]):
    """A unit by its code."""

    def to_internal_value(self, data: Any) -> Unit:
        """The unit. Raises ValidationError for a code of none, and for a text that the database can't hold."""
        if isinstance(data, str) and "\0" in data:
            self.fail("does_not_exist", slug_name=self.slug_field, value="")
        return super().to_internal_value(data)


class SystemIn(StrictSerializer):
    """A system to register. Its owner is not chosen here: the interim order says who answers until one accepts."""

    key = serializers.RegexField(
        KEY_PATTERN, max_length=80, help_text="Stable: letters, digits, dot, dash, underscore."
    )
    name = serializers.CharField(max_length=NAME_LENGTH)
    unit = UnitField(slug_field="code", queryset=Unit.objects.all(), help_text="The unit's code.")
    purpose = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    stage = serializers.ChoiceField(STAGES, default=Stage.UNKNOWN.value)
    tier = serializers.ChoiceField(TIERS, default=Tier.UNKNOWN.value)
    regulatory_class = serializers.ChoiceField(System.RegulatoryClass.choices, required=False)
    operating_model = serializers.ChoiceField(System.OperatingModel.choices, required=False)
    vendor = serializers.CharField(required=False, allow_blank=True, max_length=300)
    model = serializers.CharField(
        required=False, allow_blank=True, max_length=300, help_text="What it runs on: a model's name and version."
    )
    chat_channel = serializers.CharField(required=False, allow_blank=True, max_length=120)
    restricted = serializers.BooleanField(required=False)
    identities = IdentityIn(many=True, required=False)


class SystemsQuery(PageQuery):
    """The filters of the list; they combine with "and"."""

    q = serializers.CharField(required=False, max_length=200, help_text="Words in key, name, vendor, unit, identity.")
    basis = serializers.ChoiceField(System.Basis.choices, required=False)
    tier = serializers.ChoiceField(TIERS, required=False)
    stage = serializers.ChoiceField(STAGES, required=False)
    unit = serializers.CharField(required=False, help_text="The unit's code; units below it are not included.")
    live = serializers.BooleanField(required=False, allow_null=True, default=None)


class SystemsView(TokenView, ListAPIView[System]):
    """The register."""

    serializer_class = SystemOut
    pagination_class = IdCursor
    today: dict[int, ActingOwner] | None = None

    def get_queryset(self) -> QuerySet[System]:
        """What the token's person may see, filtered."""
        wanted = asked(self.request, SystemsQuery)
        systems = on_record(visible_systems(self.person()))
        equal = {"owner_basis": "basis", "tier": "tier", "stage": "stage", "unit__code": "unit"}
        systems = systems.filter(**{field: wanted[name] for field, name in equal.items() if name in wanted})
        if wanted["live"] is not None:
            alive = live(System.objects.all()).values("pk")
            systems = live(systems) if wanted["live"] else systems.exclude(pk__in=alive)
        return search(systems, wanted["q"]) if wanted.get("q") else systems

    def get_serializer_context(self) -> dict[str, Any]:
        """With whether addresses of people may be told."""
        return {**super().get_serializer_context(), **_told_to(self.request.user), "today": self.today}

    def paginate_queryset(self, queryset: Any) -> Any:
        """One page, and who answers today for each of it."""
        page = super().paginate_queryset(queryset)
        self.today = acting_owners(page or [], clock.now())
        return page

    @extend_schema(operation_id="systems_list", parameters=[SystemsQuery], summary="List systems")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The systems that you may see, oldest registration first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="systems_create",
        summary="Register a system",
        request=SystemIn,
        responses={
            201: OpenApiResponse(SystemDetailOut, description="Registered; Location has its address."),
        },
        parameters=[OpenApiParameter("Location", str, "header", response=[201], description="The new system.")],
    )
    def post(self, request: Request) -> Response:
        """Put a system on the register. The interim order says who answers until somebody accepts."""
        self.require(Permission.SYSTEM_REGISTER, "Systems are registered by seat holders and who holds the mandate.")
        form = SystemIn(data=request.data)
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        identities = [(one["kind"], one["value"]) for one in fields.pop("identities", [])]
        system = _register(self.person(), identities, fields)
        body = SystemDetailOut(
            on_record(System.objects.filter(pk=system.pk)).get(), context=self.get_serializer_context()
        )
        return Response(body.data, status=status.HTTP_201_CREATED, headers={"Location": body.data["url"]})


def _register(person: Person, identities: list[tuple[str, str]], fields: dict[str, Any]) -> System:
    try:
        return register_system(actor=person, now=clock.now(), identities=identities, **fields)
    except IntegrityError as error:
        if System.objects.filter(key=fields["key"]).exists():  # another program was faster
            raise serializers.ValidationError({"key": ["System with this Key already exists."]}) from error
        raise


class SystemView(TokenView):
    """One system."""

    @extend_schema(operation_id="systems_retrieve", responses=SystemDetailOut, summary="One system")
    def get(self, request: Request, key: str) -> Response:
        """A system by its key. Not there and not yours are the same 404."""
        asked(request, StrictSerializer)
        try:
            system = find_system(self.person(), key)
        except System.DoesNotExist as error:
            raise Http404 from error
        return Response(SystemDetailOut(system, context={"request": request, **_told_to(self.person())}).data)


def _told_to(person: Any) -> dict[str, bool]:
    return {"with_email": isinstance(person, Person) and may(person, Permission.ADMINISTER_PEOPLE)}

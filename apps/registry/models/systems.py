"""Units, systems, the identities by which engines know them, grants on them, saved views."""

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import OpClass
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from guardian.models import UserObjectPermissionBase

from apps.people.models import Person
from apps.registry.rules import NOT_LIVE, TIER_ORDER, Stage, Tier

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
NAME_LENGTH = 500
# Critical first, unknown last. The same expression stands in the index and in the order of the list.
TIER_RANK = models.Case(
    *(models.When(tier=tier.value, then=models.Value(place)) for place, tier in enumerate(TIER_ORDER)),
    output_field=models.IntegerField(),
)
# What the list filters by, so that an index answers a page or a count without reading the rows.
LISTED_BY = ("stage", "tier", "owner_basis", "restricted", "unit", "owner")


class Unit(models.Model):
    """A business unit (agency, division, bureau) in a tree; its head answers where nobody has accepted."""

    name = models.CharField(max_length=300)
    code = models.CharField(max_length=300, unique=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    head = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="heads_units")

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints = (
            models.UniqueConstraint(
                fields=["parent", "name"],
                name="unit_name_once_under_parent",
                nulls_distinct=False,
                violation_error_message="There is a unit with this name here already.",
            ),
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=models.F("id")),
                name="unit_not_its_own_parent",
                violation_error_message="A unit can't be above itself.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class System(models.Model):
    """An AI agent, model-backed application, copilot or vendor AI service, and the one person who answers for it.

    `owner` is never empty. That a live system's owner is active, and that any owner is human, are foreign keys
    from the generated columns to (id, is_active) and (id, kind) of Person: no race slips through. A deferred
    trigger keeps `owner`, `owner_basis` and the current OwnershipTerm the same.
    """

    class Basis(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        INTERIM = "interim", "Interim"

    class OperatingModel(models.TextChoices):
        UNKNOWN = "unknown", "Unknown"
        SELF_HOSTED = "self_hosted", "Self-hosted"
        IAAS = "iaas", "Infrastructure as a service"
        AGENT_PLATFORM = "agent_platform", "Agent platform"
        VENDOR_SAAS = "vendor_saas", "Vendor service (SaaS)"

    class RegulatoryClass(models.TextChoices):
        UNKNOWN = "unknown", "Unknown"
        PROHIBITED = "prohibited", "Prohibited practice (AI Act Art. 5)"
        HIGH_RISK = "high_risk", "High-risk (AI Act Art. 6)"
        TRANSPARENCY = "transparency", "Transparency duties (AI Act Art. 50)"
        MINIMAL = "minimal", "No specific duties"

    key = models.CharField(
        max_length=80,
        unique=True,
        validators=[RegexValidator(KEY_PATTERN, "Use letters, digits, dots, dashes and underscores, 80 at most.")],
    )
    name = models.CharField(max_length=NAME_LENGTH)
    purpose = models.TextField(blank=True)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="systems")
    stage = models.CharField(
        max_length=12, choices=[(s.value, s.value.capitalize()) for s in Stage], default=Stage.UNKNOWN.value
    )
    tier = models.CharField(
        max_length=10, choices=[(t.value, t.value.capitalize()) for t in Tier], default=Tier.UNKNOWN.value
    )
    regulatory_class = models.CharField(max_length=14, choices=RegulatoryClass.choices, default=RegulatoryClass.UNKNOWN)
    operating_model = models.CharField(max_length=16, choices=OperatingModel.choices, default=OperatingModel.UNKNOWN)
    vendor = models.CharField(max_length=300, blank=True)
    # What it runs on: a model's name and version. A change makes the last attestation stale.
    model = models.CharField(max_length=300, blank=True, db_default="", default="")
    chat_channel = models.CharField("chat channel", max_length=120, blank=True)
    restricted = models.BooleanField(default=False)
    owner = models.ForeignKey(Person, models.PROTECT, related_name="owned_systems")
    owner_basis = models.CharField(max_length=8, choices=Basis.choices)
    owner_must_be_active = models.GeneratedField(
        expression=models.Case(models.When(~Q(stage__in=[s.value for s in NOT_LIVE]), then=models.Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )
    owner_must_be = models.GeneratedField(
        expression=models.Value("human"), output_field=models.CharField(max_length=10), db_persist=True
    )
    contact_given = models.TextField(blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    import_run = models.ForeignKey("registry.ImportRun", models.PROTECT, null=True, blank=True, related_name="systems")
    # Lower-case words to search in: key, name, vendor, unit names, identities. Kept by triggers.
    search_text = models.TextField(editable=False, default="")

    class Meta:
        permissions = (("answer_for_system", "Can see and act on a system"),)
        constraints = (
            models.CheckConstraint(condition=Q(stage__in=[s.value for s in Stage]), name="system_known_stage"),
            models.CheckConstraint(condition=Q(tier__in=[t.value for t in Tier]), name="system_known_tier"),
            models.CheckConstraint(condition=Q(owner_basis__in=["accepted", "interim"]), name="system_known_basis"),
            models.CheckConstraint(
                condition=~Q(name=""),
                name="system_has_name",
                violation_error_message="A system needs a name.",
            ),
            models.CheckConstraint(
                condition=Q(stage="retired", retired_at__isnull=False) | (~Q(stage="retired") & Q(retired_at=None)),
                name="system_retirement_dated",
            ),
        )
        indexes = (
            models.Index("name", "id", include=LISTED_BY, name="system_by_name"),
            models.Index(TIER_RANK, "name", "id", include=LISTED_BY, name="system_by_tier"),
            # Counting by grant: one narrow index beside another, in the order of the id.
            models.Index("id", include=("stage", "owner_basis", "tier"), name="system_counted"),
            models.Index("owner", "stage", name="system_owner_stage"),
            models.Index("unit", name="system_unit"),
            models.Index("owner_basis", "stage", name="system_basis_stage"),
            # The few that are not open to everybody, for the look-up that is.
            models.Index("id", condition=Q(restricted=True), name="system_restricted"),
            # Look-ups in any case: the whole value, and names by their beginning.
            models.Index(Upper("key"), name="system_key_upper"),
            models.Index(OpClass(Upper("name"), name="text_pattern_ops"), name="system_name_upper"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.stage not in NOT_LIVE


class SystemIdentity(models.Model):
    """A name by which an engine knows a system. One identity belongs to one system."""

    class Kind(models.TextChoices):
        SERVICE_ACCOUNT = "service_account", "Service account"
        SPIFFE_ID = "spiffe_id", "SPIFFE ID"
        NAMESPACE = "namespace", "Namespace"
        GATEWAY_KEY_ALIAS = "gateway_key_alias", "Gateway key alias"
        AGENT_ID = "agent_id", "Agent ID"

    system = models.ForeignKey(System, models.CASCADE, related_name="identities")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    value = models.CharField(max_length=300)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "value"],
                name="identity_of_one_system",
                violation_error_message="This identity belongs to another system already.",
            ),
        )
        indexes = (models.Index(Upper("value"), name="identity_value_upper"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"


class SystemUserPermission(UserObjectPermissionBase):
    """A person's grant on a system: a projection of owner and roles, written by `access.actions` only."""

    content_object = models.ForeignKey(System, models.CASCADE, related_name="user_grants")

    class Meta(UserObjectPermissionBase.Meta):
        indexes = (models.Index("user", "content_object", name="system_grant_by_user"),)


class SavedView(models.Model):
    """A named query string over the systems list, private or shared."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["person", "name"],
                name="saved_view_name_once",
                violation_error_message="You have a view with this name already.",
            ),
        )

    def __str__(self) -> str:
        return self.name

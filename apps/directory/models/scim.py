"""What an identity provider keeps here: its users and groups as it sent them, and the tokens it comes with."""

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from apps.people.models import Person
from apps.registry.models import Unit


class ScimToken(models.Model):
    """A key for an identity provider, kept as a SHA-256 only. It opens /scim/v2/ and nothing else."""

    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints = (
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(revoked_at=None),
                name="scim_token_name_once",
                violation_error_message="There is a token of this name. Choose another name, or revoke that one first.",
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="scim_token_named"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class ScimUser(models.Model):
    """A user resource beside its person. Whether it is active stands with the person only."""

    scim_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    person = models.OneToOneField(Person, models.PROTECT, related_name="scim_user")
    user_name = models.CharField(max_length=254)
    # The userName without case: Ada@ and ada@ are one user.
    user_key = models.CharField(
        max_length=254, unique=True, error_messages={"unique": "There is a user of this userName already."}
    )
    external_id = models.CharField(max_length=255, blank=True, db_index=True)
    document = models.JSONField(default=dict)
    # How the directory names the manager; kept where nobody of that name has arrived yet.
    manager_ref = models.CharField(max_length=255, blank=True, db_index=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = (GinIndex(fields=["document"], name="scim_user_document", opclasses=["jsonb_path_ops"]),)

    def __str__(self) -> str:
        return self.user_name


class ScimGroup(models.Model):
    """A group resource. A group never owns a system; some grant a role (SCIM_ROLE_GROUPS)."""

    scim_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    name_key = models.CharField(
        max_length=255, unique=True, error_messages={"unique": "There is a group of this displayName already."}
    )
    external_id = models.CharField(max_length=255, blank=True, db_index=True)
    members: "models.ManyToManyField[ScimUser, models.Model]" = models.ManyToManyField(
        ScimUser, blank=True, related_name="groups"
    )
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """Where a directory says that a person works. It names nobody owner of anything."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True, related_name="placement")
    department = models.CharField(max_length=200, blank=True)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")
    employee_number = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return f"{self.person_id} in {self.department}"

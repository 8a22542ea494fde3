"""API tokens. Object grants sit beside the model that they are about, in registry."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.people.models import Person


class ApiToken(models.Model):
    """A key for a program, kept as a SHA-256 only. It acts as its person, within its scopes, until it ends."""

    class Scope(models.TextChoices):
        READ = "read", "Read what the person may read"
        WRITE = "write", "Register and change what the person may change"

    person = models.ForeignKey(Person, models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes: "ArrayField[list[str], list[str]]" = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

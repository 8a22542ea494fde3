"""People, functions, seats and granted roles."""

import uuid
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from apps.people.rules import RoleName, initials


class PersonManager(BaseUserManager["Person"]):
    """Look-up by address in any case. People are created by `actions.provision_person` only."""

    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(email=(username or "").lower())


class Person(AbstractBaseUser, PermissionsMixin):
    """Somebody known to the portal, or a service account. Deactivated, never deleted.

    (id, is_active) and (id, kind) are unique so that other tables can demand an active human by foreign key.
    """

    class Kind(models.TextChoices):
        HUMAN = "human", "Person"
        SERVICE = "service", "Service account"

    class Theme(models.TextChoices):
        SYSTEM = "", "As the device is set"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.HUMAN)
    email = models.EmailField("email address", unique=True)
    display_name = models.CharField("name", max_length=200)
    title = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    line_manager = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="reports")
    deputy = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="deputy_of")
    functions: "models.ManyToManyField[Function, Any]" = models.ManyToManyField(
        "people.Function", blank=True, related_name="people"
    )
    is_active = models.BooleanField(default=True)
    # The last working day, once it is known. Who leaves soon takes nothing over.
    leaving_on = models.DateField(null=True, blank=True)
    is_invented = models.BooleanField(default=False)
    # Counted up to sign somebody out everywhere: each session carries the number that it began with.
    session_round = models.PositiveIntegerField(default=0)
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.SYSTEM, blank=True)
    shortcuts = models.BooleanField("single-key shortcuts", default=True)
    created_at = models.DateTimeField()
    deactivated_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]
    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["id", "is_active"], name="person_id_is_active"),
            models.UniqueConstraint(fields=["id", "kind"], name="person_id_kind"),
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")),
                name="person_email_lower",
                violation_error_message="An email address is kept in lower case.",
            ),
            models.CheckConstraint(
                condition=~models.Q(display_name=""),
                name="person_has_name",
                violation_error_message="A person needs a name.",
            ),
            models.CheckConstraint(
                condition=models.Q(deputy=None) | ~models.Q(deputy=models.F("id")),
                name="person_deputy_is_another",
                violation_error_message="Nobody is their own deputy. Choose another person.",
            ),
            models.CheckConstraint(
                condition=models.Q(line_manager=None) | ~models.Q(line_manager=models.F("id")),
                name="person_manager_is_another",
                violation_error_message="Nobody is their own line manager. Choose another person.",
            ),
            models.CheckConstraint(
                condition=models.Q(is_active=True, deactivated_at=None)
                | models.Q(is_active=False, deactivated_at__isnull=False),
                name="person_deactivation_dated",
            ),
            models.CheckConstraint(condition=models.Q(is_superuser=False), name="person_no_superuser"),
        )
        indexes = (models.Index(Lower("display_name"), name="person_name"),)

    def __str__(self) -> str:
        return self.display_name

    @property
    def initials(self) -> str:
        return initials(self.display_name)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session has to match: the password, and the round of sessions. Django compares it at each request."""
        kept = self.password + (f"#{self.session_round}" if self.session_round else "")
        return salted_hmac("people.Person.session", kept, secret=secret, algorithm="sha256").hexdigest()

    @property
    def audit_id(self) -> str:
        return f"u:{self.pk}"

    @property
    def audit_name(self) -> str:
        return self.display_name

    @cached_property
    def audit_function(self) -> str:
        """Functions as they are now, for the trail. Costs one query the first time."""
        return ", ".join(self.functions.order_by("position").values_list("name", flat=True)) or self.title


class Function(models.Model):
    """A function of the organisation, such as Security or Finance. Not a business unit."""

    code = models.CharField(primary_key=True, max_length=20)
    name = models.CharField(max_length=60)
    seat_title = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(unique=True)

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return self.name


class Seat(models.Model):
    """The one place that speaks for a function: held by one active person, or vacant.

    The database demands an active human in it (foreign keys in migration 0002) and lets other tables demand
    that it is held, by way of the generated `is_held`.
    """

    function = models.OneToOneField(Function, models.PROTECT, primary_key=True, related_name="seat")
    holder = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="seats")
    since = models.DateTimeField(null=True, blank=True)
    # Taken over by rule because the holder left, until somebody is seated.
    is_interim = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(holder=None, since=None) | models.Q(holder__isnull=False, since__isnull=False),
                name="seat_held_since",
            ),
        )

    def __str__(self) -> str:
        return f"seat of {self.function_id}"


class Absence(models.Model):
    """Days on which somebody does not answer: away, or present and having delegated.

    Days are local to the person (`Person.time_zone`), first and last included. Who acts meanwhile is computed by
    `queries.acting_for`, never typed: the delegate named here, else the deputy, else who comes next. A row is only
    ever cancelled, and what is changed is a new row, so that who acted on a past day stays known.
    """

    class Kind(models.TextChoices):
        AWAY = "away", "Away"
        DELEGATED = "delegated", "Delegated"

    class Source(models.TextChoices):
        PERSON = "person", "Entered here"
        CALENDAR = "calendar", "From a calendar file"
        DIRECTORY = "directory", "From the HR file"

    person = models.ForeignKey(Person, models.PROTECT, related_name="absences")
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.AWAY)
    starts_on = models.DateField()
    ends_on = models.DateField()
    delegate = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="stands_in_during")
    source = models.CharField(max_length=9, choices=Source.choices, default=Source.PERSON)
    # The UID of the calendar entry (RFC 5545 3.8.4.7), so that the same file twice changes nothing.
    uid = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    # Whether today is one of the days, as the verbs and the sweep saw it last: what grants are made from.
    in_force = models.BooleanField(default=False)

    class Meta:
        ordering = ("starts_on", "pk")
        constraints = (
            ExclusionConstraint(
                name="absence_once_a_day",
                expressions=[
                    ("person", RangeOperators.EQUAL),
                    (Func("starts_on", "ends_on", Value("[]"), function="daterange"), RangeOperators.OVERLAPS),
                ],
                condition=models.Q(cancelled_at=None),
                violation_error_message="There is an absence on some of these days already.",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on__gte=models.F("starts_on")),
                name="absence_ends_after_start",
                violation_error_message="The last day is not before the first.",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=["away", "delegated"]), name="absence_known_kind"),
            models.CheckConstraint(
                condition=~models.Q(kind="delegated") | models.Q(delegate__isnull=False),
                name="absence_delegation_names_somebody",
                violation_error_message="Name the person to whom you delegate.",
            ),
            models.CheckConstraint(
                condition=models.Q(delegate=None) | ~models.Q(delegate=models.F("person")),
                name="absence_delegate_is_another",
                violation_error_message="Nobody stands in for themselves. Choose another person.",
            ),
            models.CheckConstraint(
                condition=models.Q(cancelled_at=None) | models.Q(in_force=False), name="absence_cancelled_is_over"
            ),
            models.UniqueConstraint(
                fields=["person", "uid"],
                condition=models.Q(cancelled_at=None) & ~models.Q(uid=""),
                name="absence_entry_once",
                violation_error_message="This calendar entry is here already.",
            ),
        )
        indexes = (
            models.Index("person", "ends_on", condition=models.Q(cancelled_at=None), name="absence_in_force"),
            models.Index("ends_on", "starts_on", condition=models.Q(cancelled_at=None), name="absence_by_day"),
            models.Index("id", condition=models.Q(in_force=True), name="absence_now"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.starts_on} to {self.ends_on}"


class RoleGrant(models.Model):
    """A role that somebody gave to a person, until a day or until revoked.

    What the directory granted for a group, it takes back with the membership; it never takes what a person granted.
    """

    class Source(models.TextChoices):
        PORTAL = "portal", "Granted here"
        SCIM = "scim", "By a group of the directory"

    person = models.ForeignKey(Person, models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=20, choices=[(role.value, role.value.capitalize()) for role in RoleName])
    granted_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=6, choices=Source.choices, default=Source.PORTAL)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["person", "role"],
                condition=models.Q(revoked_at=None),
                name="role_grant_once",
                violation_error_message="This person has this role already.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in RoleName]), name="role_grant_known_role"
            ),
            models.CheckConstraint(condition=models.Q(source__in=["portal", "scim"]), name="role_grant_known_source"),
        )

    def __str__(self) -> str:
        return f"{self.role} for {self.person_id}"


class Training(models.Model):
    """A course that somebody completed. Who operates or oversees AI has to be competent (AI Act Art. 26(2))."""

    person = models.ForeignKey(Person, models.PROTECT, related_name="trainings")
    course = models.CharField(max_length=200)
    completed_on = models.DateField()
    # None: it does not expire.
    valid_until = models.DateField(null=True, blank=True)
    evidence = models.CharField(max_length=600, blank=True)
    recorded_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-completed_on", "pk")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_until=None) | models.Q(valid_until__gte=models.F("completed_on")),
                name="training_ends_after_start",
                violation_error_message="A training is valid at least on the day on which it was completed.",
            ),
            models.CheckConstraint(
                condition=~models.Q(course=""),
                name="training_has_course",
                violation_error_message="Name the course.",
            ),
            models.UniqueConstraint(
                fields=["person", "course", "completed_on"],
                condition=models.Q(revoked_at=None),
                name="training_once",
                violation_error_message="This training is on record already.",
            ),
        )
        indexes = (models.Index("person", condition=models.Q(revoked_at=None), name="training_on_record"),)

    def __str__(self) -> str:
        return f"{self.course} of {self.person_id}"

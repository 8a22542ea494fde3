"""Facts outside the register that name somebody: who owns the code, who is in the catalogue, who deployed it."""

from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models.systems import System


class OwnershipFact(models.Model):
    """The newest word of one source about one system. It is offered as a prediction, never applied.

    `person` is there where the value names exactly one person known here; `reading` says what it names else.
    """

    class Kind(models.TextChoices):
        CODE_OWNER = "code_owner", "Code owner"
        BACKSTAGE_OWNER = "backstage_owner", "Backstage owner"
        DEPLOYER = "deployer", "Deployer of the identity"

    class Reading(models.TextChoices):
        PERSON = "person", "One person"
        SEVERAL = "several", "Several"
        TEAM = "team", "A team"
        MAILBOX = "mailbox", "A mailbox"
        SERVICE = "service", "A service account"
        UNKNOWN = "unknown", "Nobody known here"

    system = models.ForeignKey(System, models.PROTECT, related_name="ownership_facts")
    kind = models.CharField(max_length=15, choices=Kind.choices)
    value = models.CharField(max_length=1000)
    source = models.CharField(max_length=300)
    seen_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    reading = models.CharField(max_length=8, choices=Reading.choices)
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["system", "kind"], name="ownership_fact_once_a_kind"),
            models.CheckConstraint(
                condition=Q(kind__in=["code_owner", "backstage_owner", "deployer"]), name="ownership_fact_known_kind"
            ),
            models.CheckConstraint(
                condition=Q(reading="person", person__isnull=False) | (~Q(reading="person") & Q(person=None)),
                name="ownership_fact_person_is_read",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.system_id}"

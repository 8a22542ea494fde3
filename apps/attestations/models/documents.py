"""Files: evidence that people give, documents that the portal makes, and what is kept of a campaign's end."""

from django.db import models
from django.db.models import F, Q

from apps.attestations.models.campaigns import Campaign
from apps.attestations.models.scope import Assignment
from apps.attestations.models.signatures import Signature
from apps.people.models import Person


class EvidenceFile(models.Model):
    """A file given as evidence for an answer. Its bytes lie in private storage under their SHA-256.

    Three days that are not the same: when it was put here, from when what it shows is true, until when.
    Under a signed answer it stays (trigger in the migration).
    """

    class Scan(models.TextChoices):
        PENDING = "pending", "Waiting to be scanned"
        CLEAN = "clean", "Scanned, nothing found"
        INFECTED = "infected", "Infected: locked"
        NOT_SCANNED = "not_scanned", "Not scanned: no scanner is set up"
        FAILED = "failed", "The scan failed"

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="evidence")
    question = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    effective_on = models.DateField()
    expires_on = models.DateField(null=True, blank=True)
    uploaded_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    scan = models.CharField(max_length=11, choices=Scan.choices, default=Scan.PENDING)
    scanned_at = models.DateTimeField(null=True, blank=True)
    scan_note = models.CharField(max_length=300, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="evidence_hash_is_sha256"),
            models.CheckConstraint(condition=Q(size__gt=0), name="evidence_not_empty"),
            models.CheckConstraint(condition=~Q(name=""), name="evidence_has_name"),
            models.CheckConstraint(
                condition=Q(expires_on=None) | Q(expires_on__gte=F("effective_on")), name="evidence_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(removed_at=None, removed_by=None) | Q(removed_at__isnull=False, removed_by__isnull=False),
                name="evidence_removal_dated",
            ),
            models.UniqueConstraint(
                fields=["assignment", "question", "sha256"],
                condition=Q(removed_at=None),
                name="one_file_once_per_answer",
                violation_error_message="This file is attached here already.",
            ),
        )
        indexes = (
            models.Index("scan", condition=Q(scan="pending"), name="evidence_to_scan"),
            models.Index("expires_on", condition=Q(removed_at=None), name="evidence_expiring"),
        )

    def __str__(self) -> str:
        return self.name


class CampaignDocument(models.Model):
    """A PDF that is made in the background: a campaign's report, or the receipt of a signature."""

    class Kind(models.TextChoices):
        REPORT = "report", "Report"
        RECEIPT = "receipt", "Receipt"

    class State(models.TextChoices):
        QUEUED = "queued", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Not made"

    kind = models.CharField(max_length=7, choices=Kind.choices)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="documents")
    signature = models.ForeignKey(Signature, models.PROTECT, null=True, blank=True, related_name="documents")
    state = models.CharField(max_length=6, choices=State.choices, default=State.QUEUED)
    requested_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    # What it was made from: a document of older content is made anew.
    source_sha256 = models.CharField(max_length=64)
    content = models.BinaryField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(kind="report", signature=None) | Q(kind="receipt", signature__isnull=False),
                name="document_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(state="ready", made_at__isnull=False, content__isnull=False) & ~Q(sha256="")
                | ~Q(state="ready") & Q(made_at=None, content=None, sha256=""),
                name="document_made_dated",
            ),
            models.UniqueConstraint(
                fields=["kind", "campaign", "signature", "source_sha256"],
                condition=~Q(state="failed"),
                nulls_distinct=False,
                name="one_document_per_content",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.campaign_id}"


class CampaignRecord(models.Model):
    """What is kept of a campaign's end, as canonical JSON: its closing, and its manifest. Written once.

    The closing names who did not attest; the manifest holds the hash of everything. In a table of their own,
    because they are large and a campaign is read often.
    """

    class Kind(models.TextChoices):
        CLOSING = "closing", "Closing"
        MANIFEST = "manifest", "Manifest"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="records", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    body = models.TextField()
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["campaign", "kind"], name="one_record_of_each_kind"),
            models.CheckConstraint(condition=Q(kind__in=["closing", "manifest"]), name="record_known_kind"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.campaign_id}"

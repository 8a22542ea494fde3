"""Signatures: append-only, one chain."""

from django.db import models
from django.db.models import F, Q

from apps.attestations import rules
from apps.people.models import Person


class Signature(models.Model):
    """A person's signature. Append-only, and a chain: each names the hash of the one before.

    Name, title and function are copied as they were, so that every rendering can show who signed, when and
    with what meaning (21 CFR 11.50); the payload binds it to what was signed (11.70). What is signed is an
    assignment's answers (`attestation`, or `supplement` as a correction), a set of reviews (`acceptance`,
    `sample`), a node of the roll-up, or the decision about an exception.
    """

    class Kind(models.TextChoices):
        ATTESTATION = "attestation", "Attestation"
        SUPPLEMENT = "supplement", "Correction"
        ACCEPTANCE = "acceptance", "Acceptance"
        SAMPLE = "sample", "Sample re-performed"
        ROLLUP = "rollup", "Roll-up"
        EXCEPTION = "exception", "Decision about an exception"

    class Meaning(models.TextChoices):
        CERTIFY = "certify", "I certify the answers"
        ACKNOWLEDGE = "acknowledge", "I acknowledge exceptions and what I do about them"
        REVIEWED = "reviewed", "I reviewed this"
        APPROVE = "approve", "I approve the plan"
        ACCEPT_RISK = "accept_risk", "I accept the risk"
        REFUSE = "refuse", "I refuse"
        DECLINE = "decline", "I decline to sign"

    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.ATTESTATION)
    assignment = models.ForeignKey(
        "attestations.Assignment", models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    # The assignment's round that an attestation signs; the number of a correction; 1 for all else.
    round = models.PositiveSmallIntegerField(default=1)
    node = models.ForeignKey(
        "attestations.RollupNode", models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    # The seat in whose name a node is signed; empty for a unit's head.
    seat = models.CharField(max_length=20, blank=True)
    exception = models.ForeignKey(
        "attestations.AttestationException", models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    corrects = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="corrected_by")
    # How many were signed at once with this ceremony, and the batch's id where it was more than one.
    batch_size = models.PositiveIntegerField(default=1)
    batch = models.UUIDField(null=True, blank=True)
    signer = models.ForeignKey(Person, models.PROTECT, related_name="signatures")
    signer_name = models.CharField(max_length=200)
    signer_title = models.CharField(max_length=200, blank=True)
    signer_function = models.CharField(max_length=400, blank=True)
    # How the signer came to own the system; empty where what is signed is no attestation.
    signer_basis = models.CharField(max_length=8, blank=True)
    # Who was asked at the opening; another name than the signer's where it changed hands since.
    assigned_name = models.CharField(max_length=200, blank=True)
    meaning = models.CharField(max_length=12, choices=Meaning.choices)
    statement = models.TextField()
    exceptions = models.PositiveIntegerField()
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64, unique=True)
    prev_hash = models.CharField(max_length=64, unique=True)
    auth_method = models.CharField(max_length=40)
    auth_at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["attestation", "supplement"], assignment__isnull=False, node=None, exception=None)
                | Q(kind="rollup", assignment=None, node__isnull=False, exception=None)
                | Q(kind="exception", assignment=None, node=None, exception__isnull=False)
                | Q(kind__in=["acceptance", "sample"], assignment=None, node=None, exception=None),
                name="signature_under_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["attestation", "supplement"], meaning__in=["certify", "acknowledge"])
                | Q(kind="rollup", meaning__in=["certify", "acknowledge", "decline"])
                | Q(kind="exception", meaning__in=["approve", "accept_risk", "refuse"])
                | Q(kind__in=["acceptance", "sample"], meaning="reviewed"),
                name="signature_meaning_fits",
            ),
            models.CheckConstraint(
                condition=~Q(meaning__in=["certify", "acknowledge"])
                | Q(meaning="certify", exceptions=0)
                | Q(meaning="acknowledge", exceptions__gt=0),
                name="signature_clean_without_exceptions",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["attestation", "supplement"], signer_basis__in=["accepted", "interim"])
                & ~Q(assigned_name="")
                | ~Q(kind__in=["attestation", "supplement"]) & Q(signer_basis="", assigned_name=""),
                name="signature_known_basis",
            ),
            # A correction names what it corrects; what is attested after the end had nothing before it (trigger).
            models.CheckConstraint(
                condition=Q(kind="supplement") | Q(corrects=None), name="signature_corrects_another"
            ),
            models.CheckConstraint(
                condition=Q(batch=None, batch_size=1) | Q(batch__isnull=False, batch_size__gt=1),
                name="signature_batch_counted",
            ),
            models.CheckConstraint(
                condition=~Q(signer_name="") & ~Q(statement="") & ~Q(auth_method=""), name="signature_complete"
            ),
            models.CheckConstraint(condition=Q(auth_at__lte=F("signed_at")), name="signature_after_auth"),
            models.UniqueConstraint(
                fields=["assignment", "kind", "round"],
                condition=Q(assignment__isnull=False),
                name="one_signature_per_round",
            ),
            models.UniqueConstraint(
                fields=["node", "seat"], condition=Q(node__isnull=False), name="one_signature_per_seat"
            ),
            # Two seats at the top are two people.
            models.UniqueConstraint(
                fields=["node", "signer"],
                condition=Q(node__isnull=False),
                name="one_signature_per_person",
                violation_error_message="You signed this already. The other signature is somebody else's.",
            ),
        )

    def __str__(self) -> str:
        return self.receipt

    @property
    def receipt(self) -> str:
        """The number on the receipt."""
        return rules.receipt_number(self.payload_sha256)

"""What an owner may do without asking, and who granted it."""

from typing import Any

from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models.ownership import Nomination, OwnershipTerm

CURRENCY_PATTERN = r"^[A-Z]{3}$"  # ISO 4217


def _spend_is_whole(name: str) -> models.CheckConstraint:
    """An amount with its currency, or neither."""
    return models.CheckConstraint(
        condition=Q(spend_cap=None, currency="")
        | Q(spend_cap__isnull=False, spend_cap__gte=0, currency__regex=CURRENCY_PATTERN),
        name=name,
        violation_error_message="Give an amount of zero or more and its currency, or neither.",
    )


class Powers(models.Model):
    """Stop the system, revoke its permissions, cap what it spends up to an amount."""

    may_stop = models.BooleanField("stop the system", default=False)
    may_revoke = models.BooleanField("revoke its permissions", default=False)
    # None: may not cap spend.
    spend_cap = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        abstract = True

    @property
    def powers(self) -> dict[str, Any]:
        """The powers as the trail and a hand-over tell them: no floats."""
        return {
            "stop": self.may_stop,
            "revoke": self.may_revoke,
            "spend_cap": str(self.spend_cap) if self.spend_cap is not None else None,
            "currency": self.currency,
        }


class AuthorityOffer(Powers):
    """The authority that goes with a nomination. It takes force when the nominee answers for the system."""

    nomination = models.OneToOneField(Nomination, models.PROTECT, related_name="offer")
    offered_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    offered_at = models.DateTimeField()

    class Meta:
        constraints = (_spend_is_whole("offer_spend_is_whole"),)

    def __str__(self) -> str:
        return f"with nomination {self.nomination_id}"


class Authority(Powers):
    """What the person of one term may do without asking. A change is a new row; it ends with the term.

    The database grants it only on a term that runs, only by an active human, one in force a term, and ends it
    when the term closes.
    """

    term = models.ForeignKey(OwnershipTerm, models.PROTECT, related_name="authorities")
    granted_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    granted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("-granted_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["term"],
                condition=Q(ended_at=None),
                name="one_authority_in_force",
                violation_error_message="This authority was changed at the same moment. Look again.",
            ),
            _spend_is_whole("authority_spend_is_whole"),
        )

    def __str__(self) -> str:
        return f"of term {self.term_id}"

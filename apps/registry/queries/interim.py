"""Since when nobody who accepted answers."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from apps.registry.models import OwnershipTerm, System


def interim_since_before(systems: QuerySet[System], moment: datetime) -> QuerySet[System]:
    """Systems for which nobody who accepted has answered since before a moment.

    Counted from the end of the last accepted term, else from the first day on the register: a change from one
    interim owner to another does not start it again.
    """
    terms = OwnershipTerm.objects.filter(system=OuterRef("pk"))
    accepted = terms.filter(basis=System.Basis.ACCEPTED)
    return systems.filter(
        ~Exists(accepted.filter(period__endswith__gte=moment)),
        Exists(terms.filter(period__startswith__lt=moment)),
        owner_basis=System.Basis.INTERIM,
    )

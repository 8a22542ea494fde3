"""Saving what somebody else may be saving at the same moment."""

from collections.abc import Collection
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model


def save_checked(row: Model, *, exclude: Collection[str] | None = None, **saving: Any) -> None:
    """Check a row, then save it. Who was a moment later is told the same as who comes an hour later.

    Raises ValidationError, also where the value was free when it was checked and taken when it was saved.
    """
    row.full_clean(exclude=exclude)
    try:
        with transaction.atomic():
            row.save(**saving)
    except IntegrityError:
        row.full_clean(exclude=exclude)  # now it sees what the other one saved, and says so
        raise

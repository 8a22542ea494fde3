"""Saving what somebody else may be saving at the same moment."""

from collections.abc import Collection
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Model

# What the database says where two transactions met: unique, foreign key, exclusion; deadlock, serialization.
COLLISIONS = ("23503", "23505", "23P01", "40P01", "40001")


def is_collision(error: Exception) -> bool:
    """Whether the database ended a transaction because another one was there first. Nothing of it was kept."""
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", "") in COLLISIONS


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

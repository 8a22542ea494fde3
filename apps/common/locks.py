"""Locking one row before it is read with what it points to."""

from typing import Any

from django.db.models import QuerySet


def hold_row(rows: QuerySet[Any], pk: object, *, skip_locked: bool = False) -> bool:
    """Lock one row by itself, to read it after that. Returns whether it is there, and free where that is asked.

    Read at once with what it points to, it is not found by whoever waited while another wrote it to point elsewhere;
    what it may point to or not is then read as nothing.
    """
    held = rows.select_for_update(no_key=True, skip_locked=skip_locked)
    return bool(held.filter(pk=pk).order_by().values_list("pk"))

"""Response cards are kept by the database; here is what sweeps do about what a commit left behind."""

from datetime import datetime

from django.db import connection, transaction

# The very lock under which a commit works cards out: whoever is second sees what the first one changed.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('incidents_response_cards')), set_config('govportal.now', %s, true)"


@transaction.atomic
def settle_cards(*, now: datetime) -> int:
    """Work out the cards that a transaction could not, because it failed on them. Returns how many changed."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [now.isoformat()])
        cursor.execute("SELECT incidents_settle_rows(NULL)")
        changed: int = cursor.fetchone()[0]
    return changed


@transaction.atomic
def recompute_cards(*, now: datetime) -> int:
    """Work out every card again, in one statement; returns how many said something else. Safe to run twice."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [now.isoformat()])
        cursor.execute(
            "SELECT incidents_refresh_cards(ARRAY(SELECT s.id FROM registry_system s), incidents_all_scenarios(), "
            "%s, false)",
            [now],
        )
        changed: int = cursor.fetchone()[0]
    return changed

"""What the board's page says of findings: overdue for more than ten days, by name."""

from datetime import date, timedelta

from django.db.models import Q, QuerySet

from apps.findings.models import WAITING, Finding
from apps.findings.rules import BOARD_AFTER
from apps.registry.models import System


def late_on_the_board(named: QuerySet[System], today: date) -> QuerySet[Finding]:
    """Findings that are overdue for longer than the ladder, the longest first; of systems only those in `named`."""
    late = Finding.objects.filter(state__in=WAITING, due_on__lt=today - timedelta(days=BOARD_AFTER))
    return (
        late.filter(Q(system=None) | Q(system__in=named))
        .select_related("person", "system", "unit")
        .order_by("due_on", "pk")
    )

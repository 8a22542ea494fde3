"""A month of the trail that was made in a transaction that failed."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from apps.audit.actions import record
from apps.audit.models import AuditEvent
from apps.audit.rules import SCHEDULER, Kind, Subject

LATER = datetime(2031, 5, 4, tzinfo=UTC)


def write() -> None:
    record(Kind.VIEW_SAVED, actor=SCHEDULER, subject=Subject("view", "1"), now=LATER)


@pytest.mark.committed
def test_a_month_is_known_only_when_it_is_kept(committed_db: str) -> None:
    def fails() -> None:
        with transaction.atomic():
            write()
            write()
            raise RuntimeError("the verb failed")

    with pytest.raises(RuntimeError):
        fails()
    with transaction.atomic():
        write()
    assert AuditEvent.objects.filter(month=LATER.date().replace(day=1)).count() == 1

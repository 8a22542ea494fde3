"""The same form from two windows at the same moment."""

import uuid
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from apps.common import clock
from apps.incidents.actions.declare import declare
from apps.incidents.models import Incident
from tests.cast import Cast
from tests.factories import a_system

pytestmark = pytest.mark.committed


def test_two_at_once_are_one(committed_db: str) -> None:
    """The same form from two windows at the same moment: one incident, one call, both are shown it."""
    cast = Cast()
    system, token = a_system(cast, owner=cast.ada, now=clock.now() - timedelta(days=1)), uuid.uuid4()
    codes, start = [], Barrier(2)

    def send() -> None:
        try:
            start.wait(timeout=10)
            made = declare(title="One", system=system, actor=cast.dov, now=clock.now(), form_token=token)
            codes.append(made.code)
        finally:
            connection.close()

    threads = [Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(codes) == 2
    assert set(codes) == {Incident.objects.get().code}

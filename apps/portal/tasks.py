"""The watchman's sweep."""

from celery import shared_task

from apps.common import clock
from apps.findings.actions import sweep_registry
from apps.findings.tasks import told

# The name of the watchman's source among those of the findings.
SOURCE = "watch"


@shared_task(name="portal.watch")
def watch() -> int:
    """Raise a finding for each duty that was not done, close it when it is. Returns how many were raised.

    Raises RuntimeError where the source itself failed.
    """
    return told(sweep_registry(now=clock.now(), only=[SOURCE]))

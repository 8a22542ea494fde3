"""Sweeps over everything: the watchman's, and the quarterly question whether people can be reached."""

from celery import shared_task

from apps.common import clock
from apps.findings.actions import sweep_registry
from apps.findings.tasks import told
from apps.notify.actions import enqueue_many
from apps.portal.dead_man import sign_of_life
from apps.portal.queries.channels import test_notes

# The name of the watchman's source among those of the findings.
SOURCE = "watch"


@shared_task(name="portal.watch")
def watch() -> int:
    """Raise a finding for each duty that was not done, close it when it is. Returns how many were raised.

    Raises RuntimeError where the source itself failed. A watchman outside is told last, where there is one.
    """
    raised = told(sweep_registry(now=clock.now(), only=[SOURCE]))
    sign_of_life(now=clock.now())
    return raised


@shared_task(name="portal.ask_for_tests")
def ask_for_tests() -> int:
    """Ask everybody who holds a seat or owns a live system, and whom no test reached within 90 days, for a test: one
    mail in a quarter. Returns how many were asked."""
    now = clock.now()
    return enqueue_many(test_notes(now), now=now)

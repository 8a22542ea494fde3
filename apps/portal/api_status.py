"""The API of the status page, for monitoring."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.access.rules import Permission
from apps.audit.models import SweepRun
from apps.common import clock
from apps.portal.queries.watch import READERS, Outcome, Watched, watched


class StatusPersonOut(serializers.Serializer[Any]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class StatusDutyOut(serializers.Serializer[Any]):
    """Something that has to be done without anybody asking."""

    key = serializers.CharField(help_text="Stays the same.")
    what = serializers.CharField()
    by_when = serializers.CharField()
    done = serializers.BooleanField()
    looked = serializers.BooleanField(help_text="False where the check itself failed; then it is not done.")
    undone = serializers.IntegerField(help_text="How many things were not done.")
    words = serializers.CharField(help_text="What was not done; empty where it was.")
    action = serializers.CharField()
    person = StatusPersonOut(allow_null=True, help_text="Who sees to it; null where it is done.")
    told_at = serializers.DateTimeField(allow_null=True, help_text="Since when there is a finding.")
    finding = serializers.IntegerField(allow_null=True)


class StatusSweepOut(serializers.Serializer[Any]):
    """A sweep and its last run."""

    name = serializers.CharField()
    every_seconds = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    succeeded_at = serializers.DateTimeField(allow_null=True, help_text="The last end that was good.")
    runs = serializers.IntegerField()
    failures = serializers.IntegerField()
    failures_in_a_row = serializers.IntegerField()
    late = serializers.BooleanField()
    poisoned = serializers.BooleanField(help_text="Failed five times in a row or more. It is still tried.")
    last_result = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(help_text="Of the last failure, also where it works again. Names no person.")


class StatusOut(serializers.Serializer[Any]):
    """Whether every duty is done. `done` is what to watch."""

    done = serializers.BooleanField()
    verdict = serializers.CharField()
    looked_at = serializers.DateTimeField()
    duties = StatusDutyOut(many=True)
    sweeps = StatusSweepOut(many=True)


class StatusView(TokenView):
    """Does the portal do its duties?"""

    @extend_schema(operation_id="status", responses=StatusOut, summary="Whether every duty was done")
    def get(self, request: Request) -> Response:
        """Looks now, at the database alone: it answers while Redis is down and no worker runs."""
        self.require(Permission.OPERATIONS_READ, f"This is for {READERS}.")
        return Response(_body(watched(clock.now(), reader=self.person())))


def _body(found: Watched) -> dict[str, Any]:
    return {
        "done": not found.undone,
        "verdict": found.verdict,
        "looked_at": found.now,
        "duties": [_duty(one) for one in found.outcomes],
        "sweeps": [_sweep(run, found) for run in found.sweeps],
    }


def _duty(one: Outcome) -> dict[str, Any]:
    person = None if one.done else one.sees_to_it
    return {
        "key": one.duty.key,
        "what": one.duty.what,
        "by_when": one.duty.by_when,
        "done": one.done,
        "looked": one.looked,
        "undone": one.undone,
        "words": "" if one.done else one.words,
        "action": one.duty.action,
        "person": {"id": person.pk, "name": person.display_name} if person else None,
        "told_at": one.finding.raised_at if one.finding else None,
        "finding": one.finding.pk if one.finding else None,
    }


def _sweep(run: SweepRun, found: Watched) -> dict[str, Any]:
    names = (
        "name", "every_seconds", "started_at", "finished_at", "succeeded_at", "runs", "failures", "failures_in_a_row",
        "last_result", "last_error",
    )  # fmt: skip
    late = {"late": run.is_late(found.now), "poisoned": run.is_poisoned}
    return {name: getattr(run, name) for name in names} | late

"""Undoing an import: a system is never deleted, so what it registered is retired while nobody has touched it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import system_subject
from apps.registry.models import ImportRun, Nomination, System
from apps.registry.rules import Stage

REASON = "The import that registered it was undone."


@dataclass(frozen=True)
class Undone:
    """What an undo did: systems retired with the stage they had, and those left alone with the reason."""

    retired: list[tuple[System, str]]
    retired_before: int
    left_alone: list[tuple[str, str, str]]

    def as_json(self) -> dict[str, Any]:
        return {
            "retired": len(self.retired),
            "retired_before": self.retired_before,
            "left_alone": [{"key": key, "name": name, "reason": why} for key, name, why in self.left_alone],
        }

    def record(self, *, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
        """One event for each system, below the undo's own."""
        entries = [
            Entry(Kind.SYSTEM_RETIRED, system_subject(system), {"stage": stage}, {"stage": "retired"}, REASON)
            for system, stage in self.retired
        ]
        for start in range(0, len(entries), 500):
            record_many(entries[start : start + 500], actor=actor, now=now, cause=cause)


def retire_untouched(run: ImportRun, *, actor: Actor, now: datetime) -> Undone:
    """Retire what the run registered and nobody touched since. The caller holds the import lock."""
    locked = System.objects.filter(import_run=run).select_for_update(no_key=True).order_by("pk")
    systems = list(locked.only("id", "key", "name", "stage", "created_at", "updated_at"))
    reasons = _touched(run)
    untouched = [system for system in systems if system.pk not in reasons]
    retired = [(system, system.stage) for system in untouched if system.stage != Stage.RETIRED]
    ids = [system.pk for system, _ in retired]
    System.objects.filter(pk__in=ids).update(stage=Stage.RETIRED, retired_at=now, updated_at=now)
    Nomination.objects.filter(system__in=ids, state="open").update(
        state="withdrawn", answered_at=now, answer_reason=REASON
    )
    sync_grants(ids)
    left = [(s.key, s.name, reasons[s.pk]) for s in systems if s.pk in reasons]
    updated = [(u["key"], "", "It was there before; what the import changed stays") for u in run.report["updates"]]
    return Undone(retired, len(untouched) - len(retired), left + updated)


def _touched(run: ImportRun) -> dict[int, str]:
    """Systems of the run that somebody has touched, and by what."""
    answered = Nomination.objects.filter(system=OuterRef("pk")).filter(~Q(state="open"))
    rows = (
        System.objects.filter(import_run=run)
        .annotate(terms_count=Count("terms"), was_answered=Exists(answered))
        .filter(Q(terms_count__gt=1) | Q(was_answered=True) | ~Q(updated_at=F("created_at")))
    )
    reasons = {}
    for pk, terms, was_answered in rows.values_list("pk", "terms_count", "was_answered"):
        if terms > 1:
            reasons[pk] = "Another owner answers since"
        elif was_answered:
            reasons[pk] = "A nomination was answered or withdrawn since"
        else:
            reasons[pk] = "It was changed since"
    return reasons

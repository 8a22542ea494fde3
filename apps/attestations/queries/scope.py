"""Which systems a campaign covers: a saved query over the register."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from apps.registry.models import System, Unit
from apps.registry.rules import NOT_LIVE, Stage, Tier

# Filters of the systems list that a scope may have, with their column and what they may hold. `unit` holds codes.
_COLUMNS = {
    "tier": ("s.tier", frozenset(tier.value for tier in Tier)),
    "stage": ("s.stage", frozenset(stage.value for stage in Stage if stage not in NOT_LIVE)),
    "regulatory_class": ("s.regulatory_class", frozenset(System.RegulatoryClass.values)),
    "operating_model": ("s.operating_model", frozenset(System.OperatingModel.values)),
    "basis": ("s.owner_basis", frozenset(System.Basis.values)),
}
_BELOW = """s.unit_id IN (
    WITH RECURSIVE below AS (
        SELECT id FROM registry_unit WHERE code = ANY(%(scope_unit)s)
        UNION SELECT u.id FROM registry_unit u JOIN below b ON u.parent_id = b.id)
    SELECT id FROM below)"""
_COVERED_SQL = "SELECT count(*) FROM registry_system s WHERE s.stage <> ALL(%(not_live)s) AND (<condition>)"


def normal_scope(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    """The scope with its filters in order and without empty ones.

    Raises ValueError with a sentence for a filter or a value that is none.
    """
    normal = {}
    for name in sorted(scope):
        values = sorted(set(scope[name]))
        if name == "unit":
            known = set(Unit.objects.filter(code__in=values).values_list("code", flat=True))
        elif name in _COLUMNS:
            known = set(_COLUMNS[name][1])
        else:
            raise ValueError(f"{name} is no filter of a scope.")
        if wrong := [value for value in values if value not in known]:
            raise ValueError(f"{wrong[0]!r} is no {name.replace('_', ' ')} that a scope can have.")
        if values:
            normal[name] = values
    return normal


def scope_sql(scope: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A condition on the system `s` and its parameters. An empty scope is every live system."""
    parts = [f"{column} = ANY(%(scope_{name})s)" for name, (column, _) in _COLUMNS.items() if scope.get(name)]
    if scope.get("unit"):
        parts.append(_BELOW)
    params = {f"scope_{name}": list(scope[name]) for name in (*_COLUMNS, "unit") if scope.get(name)}
    return " AND ".join(parts) or "TRUE", params


def covered(scope: Mapping[str, Any]) -> int:
    """How many live systems a scope covers now."""
    condition, params = scope_sql(scope)
    with connection.cursor() as cursor:
        cursor.execute(
            _COVERED_SQL.replace("<condition>", condition),
            {"not_live": [stage.value for stage in NOT_LIVE], **params},
        )
        return int(cursor.fetchone()[0])

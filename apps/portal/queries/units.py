"""The tree of units for its pages: counts of live systems, what is below, search."""

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Lower

from apps.people.models import Person
from apps.registry.models import Unit
from apps.registry.queries import who_answers_systems

# Every unit and, for each, all units above it: a system counts in its own unit and in each of those.
_COUNTS_SQL = """
WITH RECURSIVE own(unit_id, n) AS ({systems}),
up(unit_id, above) AS (
    SELECT unit_id, unit_id FROM own
    UNION ALL SELECT up.unit_id, u.parent_id FROM up JOIN registry_unit u ON u.id = up.above
    WHERE u.parent_id IS NOT NULL)
SELECT up.above, sum(own.n)::bigint, coalesce(sum(own.n) FILTER (WHERE up.above = own.unit_id), 0)::bigint
FROM up JOIN own USING (unit_id) GROUP BY up.above
"""


def live_counts(reader: Person) -> dict[int, tuple[int, int]]:
    """Per unit: live systems in it and below, and in it alone. One query.

    Counts what a reader may ask about: restricted systems only where the reader sees them.
    """
    systems = (
        who_answers_systems(reader).order_by().values("unit_id").annotate(n=Count("pk")).values_list("unit_id", "n")
    )
    sql, params = systems.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS_SQL.format(systems=sql), params)
        return {unit: (below, own) for unit, below, own in cursor.fetchall()}


def listed_units(*, parent: Unit | None = None, text: str = "") -> QuerySet[Unit]:
    """Units directly below a unit (or at the top), or wherever their name, code or head has these words."""
    units = Unit.objects.select_related("head", "parent").annotate(inner=Count("children"))
    if not text:
        return units.filter(parent=parent).order_by(Lower("name"), "pk")
    for word in text.split():
        units = units.filter(Q(name__icontains=word) | Q(code__icontains=word) | Q(head__display_name__icontains=word))
    return units.order_by(Lower("name"), "pk")


def unit_choices() -> list[tuple[str, str]]:
    """Every unit with the names above it, in the order of the tree. One query."""
    units = {pk: (name, parent) for pk, name, parent in Unit.objects.values_list("pk", "name", "parent_id")}

    def path(pk: int | None) -> tuple[str, ...]:
        return () if pk is None else (*path(units[pk][1]), units[pk][0])

    named = sorted(((path(pk), pk) for pk in units), key=lambda row: [name.lower() for name in row[0]])
    return [(str(pk), " › ".join(names)) for names, pk in named]

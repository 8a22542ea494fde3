"""What a duty check is: what should have been done, by when, how many were not, and who sees to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from django.db.models import Count, Model, QuerySet, Subquery, Value

from apps.access.rules import Permission
from apps.audit.models import SweepRun
from apps.audit.queries import sweep_runs
from apps.common.clock import local_date
from apps.registry.rules.breaches import Severity

# So many examples of what was not done.
EXAMPLES = 5
M = TypeVar("M", bound=Model)


class Tends(StrEnum):
    """Who sees to a duty that was not done: whoever runs the machines, or whoever runs the programme."""

    ADMINISTRATOR = "administrator"
    MANDATE = "mandate"


@dataclass(frozen=True)
class Example:
    """One thing that was not done. About a system only those hear who may see it; a link may need a permission."""

    text: str
    path: str = ""
    system_id: int | None = None
    needs: Permission | None = None


@dataclass(frozen=True)
class Look:
    """What a check saw: how many things were not done, and the first of them."""

    undone: int = 0
    examples: tuple[Example, ...] = ()


class Scene:
    """The moment at which all checks look, and what several of them read once."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def today(self) -> date:
        """The organisation's date."""
        return local_date(self.now)

    @cached_property
    def sweeps(self) -> list[SweepRun]:
        """Every sweep, by name. One query."""
        return sweep_runs()


@dataclass(frozen=True)
class Duty:
    """Something that has to be done without anybody asking, and how to see that it was.

    `key` names its finding and is never used for something else. `one` and `many` say what was not done; `{n}` is
    how many. `title` is a whole sentence without a number: a finding's words stay the same while it is open.
    """

    key: str
    what: str
    by_when: str
    title: str
    one: str
    many: str
    action: str
    tends: Tends
    severity: Severity
    look: Callable[[Scene], Look]

    def words(self, undone: int) -> str:
        """What was not done, with how many."""
        return self.one if undone == 1 else self.many.format(n=f"{undone:,}")


def seen(rows: QuerySet[M], example: Callable[[M], Example]) -> Look:
    """How many rows there are, and the first of them as examples. One query, also over 100,000 rows."""
    whole = rows.order_by().annotate(one=Value(1)).values("one").annotate(n=Count("pk")).values("n")
    counted: Any = rows.annotate(in_all=Subquery(whole))[:EXAMPLES]
    found = list(counted)
    return Look(found[0].in_all if found else 0, tuple(example(row) for row in found))


def listed(items: Iterable[Example]) -> Look:
    """As `seen`, of what is in memory already."""
    examples = tuple(items)
    return Look(len(examples), examples[:EXAMPLES])

"""Where a matrix stands: the organisation, a unit or a system; its addresses and its bread crumbs."""

from dataclasses import dataclass, field

from django.http import Http404
from django.urls import reverse

from apps.people.models import Person
from apps.portal.queries.system import unit_path
from apps.registry.models import System, Unit
from apps.registry.queries import find_system
from apps.registry.queries.raci_scope import Scope

Crumbs = list[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """One scope with everything that its pages are called by."""

    scope: Scope
    base: str
    title: str
    args: list[str | int] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)

    def address(self, part: str = "", *more: str) -> str:
        """The address of a part: "cell", "draft", "history" or "row"; without one, of the matrix itself."""
        return reverse(f"portal:{self.base}{'_' if part else ''}{part}", args=[*self.args, *more])

    @property
    def url(self) -> str:
        return self.address()

    @property
    def is_top(self) -> bool:
        """The organisation: nothing is above it."""
        return self.scope.unit is None and self.scope.system is None

    @property
    def draft_url(self) -> str:
        return self.address("draft")

    @property
    def history_url(self) -> str:
        return self.address("history")

    @property
    def units_url(self) -> str:
        """The list of units, for the organisation and for units."""
        return "" if self.scope.system else reverse("portal:raci_units")

    @property
    def crumbs(self) -> Crumbs:
        """The way to the matrix, itself included."""
        if self.scope.system:
            system = self.scope.system
            home = (system.key, reverse("portal:system", args=[system.key]))
            return [("Systems", reverse("portal:systems")), home, ("Ownership", self.url)]
        matrix = ("Matrix", reverse("portal:raci"))
        return [matrix, *((unit.name, reverse("portal:raci_unit", args=[unit.pk])) for unit in self.units)]

    def below(self, last: str) -> Crumbs:
        """The way to a page below the matrix."""
        return [*self.crumbs, (last, "")]

    @property
    def way(self) -> Crumbs:
        """The way on the matrix itself: the last is where one stands. Nothing for the organisation."""
        return [*self.crumbs[:-1], (self.crumbs[-1][0], "")] if len(self.crumbs) > 1 else []


def find_place(reader: Person, *, unit_id: int | None = None, key: str | None = None) -> Place:
    """The scope that an address names. Raises Http404 for what is not there and for what is not the reader's."""
    if key is not None:
        try:
            return place_of(Scope(system=find_system(reader, key)))
        except System.DoesNotExist:
            raise Http404 from None
    if unit_id is None:
        return place_of(Scope())
    unit = Unit.objects.select_related("head").filter(pk=unit_id).first() if unit_id < 2**63 else None
    if unit is None:
        raise Http404
    return place_of(Scope(unit=unit))


def place_of(scope: Scope) -> Place:
    """The place of a scope."""
    if scope.system:
        return Place(scope, "system_ownership", scope.system.name, [scope.system.key])
    if scope.unit:
        return Place(scope, "raci_unit", scope.unit.name, [scope.unit.pk], unit_path(scope.unit))
    return Place(scope, "raci", "the organisation")

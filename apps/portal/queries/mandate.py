"""The charter as a page: what it says, who signed it, what changed from version to version."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.people.models import Person, Seat
from apps.registry.models import Charter, CharterDomain
from apps.registry.queries.charter import SeatSignature, seat_signatures


@dataclass(frozen=True)
class CharterPage:
    """A version of the charter with its domains by layer and the state of its signatures."""

    charter: Charter
    holder: Person | None
    layers: list[tuple[str, list[CharterDomain]]]
    seats: list[SeatSignature]
    mine: frozenset[str]

    @property
    def signed(self) -> int:
        return sum(seat.state == "signed" for seat in self.seats)

    @property
    def missing(self) -> int:
        return len(self.seats) - self.signed

    @property
    def covered(self) -> int:
        return sum(len(rows) for _, rows in self.layers)

    @property
    def without_authority(self) -> int:
        return sum(not row.may_enforce for _, rows in self.layers for row in rows)


def charter_page(charter: Charter, reader: Person) -> CharterPage:
    """Everything that a version's page shows. Four queries."""
    layers: dict[str, list[CharterDomain]] = {}
    for row in charter.covered.select_related("domain"):
        layers.setdefault(row.domain.layer, []).append(row)
    holder = Seat.objects.select_related("holder").get(function_id=charter.holder_id).holder
    seats = seat_signatures(charter)
    mine = frozenset(seat.function.code for seat in seats if seat.holder and seat.holder.pk == reader.pk)
    return CharterPage(charter, holder, list(layers.items()), seats, mine)


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What one frozen text of the charter says differently from another, in sentences."""
    found = []
    if before["holder"] != after["holder"]:
        found.append(f"Holder: {after['holder']['seat']} in place of {before['holder']['seat']}.")
    if before["authority"] != after["authority"]:
        found.append("The authority says something else.")
    old, new = set(before["enforcement_points"]), set(after["enforcement_points"])
    found += [f"Enforcement point added: {point}." for point in sorted(new - old)]
    found += [f"Enforcement point taken out: {point}." for point in sorted(old - new)]
    return found + _domain_changes(before, after)


def _domain_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old = {row["key"]: row for row in before["domains"]}
    new = {row["key"]: row for row in after["domains"]}
    found = [f"Covered now: {row['name']}." for key, row in new.items() if key not in old]
    found += [f"Not covered any more: {row['name']}." for key, row in old.items() if key not in new]
    for key in old.keys() & new.keys():
        if old[key]["may_enforce"] != new[key]["may_enforce"]:
            word = "may enforce" if new[key]["may_enforce"] else "no authority to enforce any more"
            found.append(f"{new[key]['name']}: {word}.")
    return found

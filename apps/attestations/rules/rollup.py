"""What the roll-up says: who signs in which capacity, the two statements, and the lines that are hashed. No Django."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

MEANING_CERTIFY, MEANING_ACKNOWLEDGE, MEANING_DECLINE = "certify", "acknowledge", "decline"


class Basis(StrEnum):
    """In which capacity somebody signs a node."""

    HOLDER = "holder"
    ACTING = "acting"
    ABOVE = "above"
    MANDATE = "mandate"


@dataclass(frozen=True)
class Below:
    """Everything below a node, counted, and the hash of the lines that say it one by one.

    `late` counts signatures after the due date among the signed ones; `declined` counts nodes below, and `added` the
    exceptions that somebody added at one of them.
    """

    total: int = 0
    clean: int = 0
    qualified: int = 0
    late: int = 0
    not_attested: int = 0
    unfinished: int = 0
    declined: int = 0
    added: int = 0
    sha256: str = ""

    @property
    def faults(self) -> int:
        """What forbids a clean signature."""
        return self.qualified + self.not_attested + self.declined + self.added


def child_line(key: str, state: str, result: str, signature: str) -> str:
    """One attestation under a unit. Sealing changes nothing in what was signed above."""
    return f"{key} {'accepted' if state == 'sealed' else state} {result or '-'} {signature or '-'}\n"


def node_line(level: str, unit: int | None, state: str, signatures: Sequence[str]) -> str:
    """One node under another."""
    return f"{level} {unit or '-'} {state} {','.join(signatures) or '-'}\n"


def capacity(basis: str, place: str, *, is_unit: bool, instead_of: str = "") -> str:
    """In which capacity somebody signs, in the first person: the first sentence of the statement."""
    if basis == Basis.HOLDER:
        return f"I head {place}." if is_unit else f"I hold the seat {place}."
    if basis == Basis.ACTING:
        return f"I act for {instead_of}, who heads {place} and is away."
    if basis == Basis.ABOVE:
        return f"Nobody who heads {place} can sign. I head the unit above it."
    if is_unit:
        return f"Nobody who heads {place} can sign. I sign as the holder of the governance mandate."
    return f"The seat {place} is vacant. I sign as the holder of the governance mandate."


def node_statement(first: str, label: str, below: Below, own: int) -> str:
    """What is signed: that everything below is in order, or that it is not. One fault forbids the first."""
    scope = f"Below this signature {_systems(below.total)} of the {label} attestation."
    if not below.faults and not own:
        return (
            f"{first} {scope} Each was attested by the person who answers for it and accepted by somebody else. None "
            "has an exception and none is missing. To the best of my knowledge this is complete and correct, and I "
            "certify it."
        )
    parts = [
        _part(below.qualified, "was attested with exceptions", "were attested with exceptions"),
        _part(below.not_attested, "was not attested", "were not attested"),
        _part(below.declined, "part declined to sign", "parts declined to sign"),
        _part(below.added, "exception was added below", "exceptions were added below"),
        f"I add {own} exception{'' if own == 1 else 's'} of my own" if own else "",
    ]
    return (
        f"{first} {scope} I do not certify that everything is in order: {'; '.join(filter(None, parts))}. I have read "
        "them by name, and I acknowledge them and what is done about them."
    )


def decline_statement(first: str, label: str, below: Below, reason: str) -> str:
    """What is signed by who does not sign."""
    return f"{first} Below this place {_systems(below.total)} of the {label} attestation. I decline to sign: {reason}"


def _systems(number: int) -> str:
    return "is 1 system" if number == 1 else f"are {number} systems"


def _part(number: int, one: str, many: str) -> str:
    return "" if not number else f"{number} {one if number == 1 else many}"


def meaning_of_node(below: Below, own: int) -> str:
    """Which of the two statements is open."""
    return MEANING_ACKNOWLEDGE if below.faults or own else MEANING_CERTIFY


def result_of(meanings: Iterable[str]) -> str:
    """The state of a node that everybody who is asked has signed."""
    return "signed_clean" if all(meaning == MEANING_CERTIFY for meaning in meanings) else "signed_qualified"

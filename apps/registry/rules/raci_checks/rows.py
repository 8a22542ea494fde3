"""Checks of each row by itself: R01 to R06, R12, R17, R21. No Django here."""

from collections.abc import Iterator
from itertools import pairwise

from apps.registry.rules.breaches import Level
from apps.registry.rules.raci_checks.facts import FUNCTION, OWNER, SCENARIO_ROWS, Fault, Sheet, listed

MOST_CONSULTED, MOST_INFORMED = 3, 6


def r01_one_accountable(sheet: Sheet) -> Iterator[Fault]:
    """Every row has an A. Basis: the golden rule of the matrix, exactly one A. More than one is R17's. Block."""
    for line in sheet.lines.values():
        if line.cells and not line.holders("A"):
            yield Fault("R01", Level.BLOCK, f"{line.name} has no A.", "Give the A to one party.", line.domain)


def r02_accountable_resolves(sheet: Sheet) -> Iterator[Fault]:
    """The A is one active natural person today. Basis: AI Act Art. 26(2), natural persons. Block.

    Nobody who left has any other letter either, such as in a draft that names them.
    """
    for line in sheet.lines.values():
        for party in line.cells:
            if party == OWNER:
                continue  # the database gives every live system an active owner
            known, holder = sheet.parties.get(party), sheet.holder(party)
            if holder is not None and not holder.can_act:
                text = f"{holder.name} has the {line.cells[party]} of {line.name} and is no active person."
                yield Fault("R02", Level.BLOCK, text, "Give it to an active person.", line.domain, party)
            elif holder is None and party == line.accountable:
                vacant = known is not None and known.kind == FUNCTION
                why = f"the seat {known.words} is vacant" if known and vacant else "the party is not known"
                remedy = "Seat somebody, or give the A to another party." if vacant else "Give the A to another party."
                text = f"Nobody answers for {line.name}: {why}."
                yield Fault("R02", Level.BLOCK, text, remedy, line.domain, party)


def r03_somebody_does_it(sheet: Sheet) -> Iterator[Fault]:
    """Every row has at least one R; the A may double as R. Basis: practice of the matrix. Block."""
    for line in sheet.lines.values():
        if line.cells and not line.holders("R"):
            yield Fault(
                "R03",
                Level.BLOCK,
                f"{line.name} has no R: nobody does the work.",
                "Give an R to one party.",
                line.domain,
            )


def r04_no_gap(sheet: Sheet) -> Iterator[Fault]:
    """No day without an A, and no day with two, in the history of a row. Basis: SM&CR, no gaps. Block."""
    for domain, spans in sheet.spans.items():
        for (_, ended), (began, _) in pairwise(sorted(spans, key=lambda span: span[0])):
            if ended == began:
                continue
            name = sheet.lines[domain].name if domain in sheet.lines else domain
            what = "Two parties had the A" if ended is None or ended > began else "Nobody had the A"
            first, last = (ended, began) if ended and ended < began else (began, ended)
            until = f" to {last.day} {last:%b %Y}" if last else " on"
            since = f"{first.day} {first:%b %Y}" if first else ""
            text = f"{what} of {name} from {since}{until}."
            yield Fault("R04", Level.BLOCK, text, "Say in the record who answered then.", domain, began.isoformat())


def r05_owner_operates(sheet: Sheet) -> Iterator[Fault]:
    """Who answers for the system has the A of operating it. Basis: no contradiction to the register. Block."""
    line = sheet.lines.get("operate-monitor")
    if line is not None and (party := line.accountable) is not None and party != OWNER:
        text = f"{sheet.words(party)} has the A of {line.name}, and the system's owner answers for the system."
        yield Fault("R05", Level.BLOCK, text, "Give the A back to the system's owner.", line.domain)


def r06_all_rows_covered(sheet: Sheet) -> Iterator[Fault]:
    """Lifecycle rows and mandatory scenarios are never empty. Basis: NIST AI RMF GOVERN 2.1. Block."""
    for line in sheet.lines.values():
        if not line.cells and (line.layer == "Lifecycle" or line.domain in SCENARIO_ROWS):
            text = f"{line.name} is empty: every system has to have it."
            yield Fault("R06", Level.BLOCK, text, "Set an A and an R, or inherit the row.", line.domain)


def r12_not_too_many(sheet: Sheet) -> Iterator[Fault]:
    """At most 3 C and 6 I a row, and at least one of either. Basis: horizontal analysis. Warn."""
    for line in sheet.lines.values():
        consulted, informed = len(line.holders("C")), len(line.holders("I"))
        if consulted > MOST_CONSULTED:
            text = f"{line.name} asks {consulted} parties; {MOST_CONSULTED} are enough."
            yield Fault("R12", Level.WARN, text, "Take some C away.", line.domain, "C", consulted)
        if informed > MOST_INFORMED:
            text = f"{line.name} informs {informed} parties; {MOST_INFORMED} are enough."
            yield Fault("R12", Level.WARN, text, "Take some I away.", line.domain, "I", informed)
        if line.cells and not consulted + informed:
            text = f"{line.name} has no C and no I: nobody else hears of it."
            yield Fault("R12", Level.WARN, text, "Give somebody a C or an I.", line.domain, "none")


def r17_not_shared(sheet: Sheet) -> Iterator[Fault]:
    """An A is not shared. Basis: FCA guidance on sharing; here it is always refused. Block."""
    for line in sheet.lines.values():
        holders = line.holders("A")
        if len(holders) > 1:
            who = listed(sorted(sheet.words(party).rstrip(",") for party in holders))
            text = f"{line.name} has {len(holders)} A: {who}."
            yield Fault("R17", Level.BLOCK, text, "Choose one; the others can have R.", line.domain, "", len(holders))


def r21_versioned(sheet: Sheet) -> Iterator[Fault]:
    """No letter is in force that its version does not tell of. Basis: AI Act Art. 17(1)(m), documented. Block."""
    for domain in sheet.unversioned:
        name = sheet.lines[domain].name if domain in sheet.lines else domain
        text = f"{name} was changed outside the portal: its version does not tell of it."
        yield Fault("R21", Level.BLOCK, text, "Send the row as a draft, so that it is approved.", domain)

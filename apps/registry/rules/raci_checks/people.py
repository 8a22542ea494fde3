"""Checks of who is behind the letters: R07 to R11, R13 to R16, R18 to R20. No Django here."""

from collections.abc import Iterator
from datetime import date

from apps.registry.rules.breaches import Level
from apps.registry.rules.raci_checks.facts import (
    BOARD,
    CENTRAL,
    FUNCTION,
    OWNER,
    SCENARIO_ROWS,
    TRAINED_TIERS,
    Fault,
    Line,
    Sheet,
    Who,
    some,
)

REVIEW, BUILD = "independent-review", "release"
OVERSIGHT_ROWS = ("regulatory-compliance", "liability-reputation", "notify", "residual-risk", "campaign-report")
OVERSEERS = (BOARD, "legal")
# Does the work of one of these, and answers for one of those: verifies their own control.
CONTROLS = ("release", "runtime-enforcement", "agent-permissions", "access-management", "data-leakage")
VERIFIED_BY = ("audit-trail-evidence", REVIEW)
MOST_OF_ROWS, MOST_OF_CENTRAL = 0.25, 0.4
# Row -> the authority that its A needs (NIST AI RMF MANAGE 2.4, AI Act Art. 26(2)).
AUTHORITY_OF = {"stop": "stop a system", "budget-caps": "set its budget limit", "notify": "decide to notify"}


def r07_review_is_independent(sheet: Sheet) -> Iterator[Fault]:
    """Who reviews (A or R) neither builds (R of release) nor owns. Basis: M-25-21, independent reviewer. Block."""
    line = sheet.lines.get(REVIEW)
    if line is None:
        return
    builders = sheet.identities(BUILD, "R") - {OWNER}
    owner = sheet.identity(OWNER)
    for party in dict.fromkeys(line.holders("A") + line.holders("R")):
        who = sheet.identity(party)
        if who is None:
            continue
        role = "owns the system" if who == owner else "builds what is released" if who in builders else ""
        if role:
            text = f"{_name(sheet, party)} reviews independently and {role}."
            yield Fault("R07", Level.BLOCK, text, f"Give {line.name} to somebody else.", REVIEW, who)


def r08_audit_stays_out(sheet: Sheet) -> Iterator[Fault]:
    """Internal audit has no A and no R on first- and second-line rows. Basis: IIA Three Lines. Block."""
    for who in sheet.auditors.values():
        rows = [line.name for line in _rows(sheet, who.id)]
        text = f"{who.name} audits and has letters in {some(rows)}."
        yield Fault("R08", Level.BLOCK, text, "Give the A and R to somebody who does not audit.", "", who.id, len(rows))


def _rows(sheet: Sheet, identity: str) -> list[Line]:
    return [line for line in sheet.lines.values() if any(
        {"A", "R"} & set(letters) and sheet.identity(party) == identity for party, letters in line.cells.items()
    )]  # fmt: skip


def r09_board_oversees(sheet: Sheet) -> Iterator[Fault]:
    """Board and General Counsel have an A on oversight rows only. Basis: IIA; NIST AI RMF GOVERN 2.3. Warn."""
    for line in sheet.lines.values():
        party = line.accountable
        if party in OVERSEERS and line.domain not in OVERSIGHT_ROWS:
            text = f"{sheet.words(party)} has the A of {line.name}, which is not oversight."
            yield Fault("R09", Level.WARN, text, "Give the A to who runs it.", line.domain, party)


def r10_not_overloaded(sheet: Sheet) -> Iterator[Fault]:
    """Nobody has more systems than the cap or the A of over a quarter of the rows. Basis: vertical analysis. Warn.

    Systems held in the interim are counted apart, and the rows of a system's owner come with the system.
    """
    held: dict[str, list[str]] = {}
    for line in sheet.lines.values():
        party = line.accountable
        holder = sheet.holder(party) if party != OWNER else None
        if holder:
            held.setdefault(holder.id, []).append(line.name)
    for who in sheet.people.values():
        if who.systems > sheet.most_systems:
            text = f"{who.name} answers for {who.systems} systems; {sheet.most_systems} is the most."
            yield Fault("R10", Level.WARN, text, "Hand some systems over.", "", who.id, who.systems)
        elif len(rows := held.get(who.id, [])) > MOST_OF_ROWS * len(sheet.lines):
            text = f"{who.name} has the A of {len(rows)} of {len(sheet.lines)} rows."
            yield Fault("R10", Level.WARN, text, "Give some of them to somebody else.", "", who.id, len(rows))


def r11_no_empty_role(sheet: Sheet) -> Iterator[Fault]:
    """Every function has an A or an R somewhere. Basis: vertical analysis. Warn."""
    busy = {
        party for line in sheet.lines.values() for party, letters in line.cells.items() if {"A", "R"} & set(letters)
    }
    for party in sheet.parties.values():
        if party.kind == FUNCTION and party.key not in busy:
            text = f"{party.words} has no A and no R in any row."
            yield Fault("R11", Level.WARN, text, "Give it work, or take its letters away.", "", party.key)


def r13_scenario_deputies(sheet: Sheet) -> Iterator[Fault]:
    """Who leads a response has a deputy who is somebody else, not next in the escalation, and both can be reached.

    Basis: the response must not rest on one person. Block. The next in the escalation is the line manager.
    """
    for domain in SCENARIO_ROWS:
        line = sheet.lines.get(domain)
        holder = sheet.holder(line.accountable) if line else None
        if line is None or holder is None or not holder.can_act:
            continue
        if problem := _deputy_problem(holder):
            text = f"{holder.name} leads {line.name} and {problem}."
            yield Fault("R13", Level.BLOCK, text, f"Name another deputy for {holder.name}.", domain, holder.id)


def _deputy_problem(holder: Who) -> str:
    if holder.deputy is None:
        return "has no deputy"
    if holder.deputy == holder.id:
        return "is their own deputy"
    if not holder.deputy_can_act:
        return f"the deputy {holder.deputy_name} can't act"
    if holder.deputy == holder.manager:
        return f"the deputy {holder.deputy_name} is also the next in the escalation"
    return "" if holder.reachable else "can't be reached by phone or email"


def r14_authority(sheet: Sheet) -> Iterator[Fault]:
    """The A holds the authority that the row needs, on record. Basis: MANAGE 2.4, AI Act Art. 26(2).

    Blocks where it is recorded that an owner lacks it; warns where nothing is recorded: unknown is never good.
    """
    for domain, authority in AUTHORITY_OF.items():
        line = sheet.lines.get(domain)
        party = line.accountable if line else None
        if line is None or party is None or (party == OWNER and sheet.owner is None):
            continue
        if party == OWNER and domain == "stop" and sheet.may_stop is not None:
            if not sheet.may_stop:
                text = f"{_name(sheet, party)} has the A of {line.name} without the authority to {authority}."
                yield Fault("R14", Level.BLOCK, text, "Grant the authority, or give the A away.", domain, party, 2)
        else:
            text = f"It is not recorded that {_name(sheet, party)} may {authority}."
            yield Fault("R14", Level.WARN, text, "Record the authority.", domain, party)


def r15_competence(sheet: Sheet) -> Iterator[Fault]:
    """A and R of operating have a valid training. Basis: AI Act Art. 26(2), GOVERN 2.2. Warn; block at high tiers."""
    line = sheet.lines.get("operate-monitor")
    if line is None:
        return
    level = Level.BLOCK if sheet.tier in TRAINED_TIERS else Level.WARN
    for party in dict.fromkeys(line.holders("A") + line.holders("R")):
        holder = sheet.holder(party)
        if holder and not holder.trained:
            text = f"{holder.name} operates and has no valid training on record."
            yield Fault("R15", level, text, "Record the training.", line.domain, holder.id, level == Level.BLOCK)


def r16_accepted_in_time(sheet: Sheet) -> Iterator[Fault]:
    """A new A is accepted within 5 working days. Basis: FCA SYSC 25.9. Block after the day."""
    for one in sheet.waiting:
        if one.due_on < sheet.today:
            text = f"{one.name} has not accepted the A of {some(list(one.rows))}, due {_day(one.due_on)}."
            yield Fault("R16", Level.BLOCK, text, f"Ask {one.name}, or take the change back.", "", one.key)


def r18_no_vacancy(sheet: Sheet) -> Iterator[Fault]:
    """No A is with a vacant seat or with somebody who is away while nobody acts. Block at once, with its age.

    Basis: somebody answers every day.
    """
    for key, party in sheet.parties.items():
        rows = [line.name for line in sheet.lines.values() if line.accountable == key]
        if not rows:
            continue
        if party.vacant_days is not None:
            text = (
                f"The seat {party.words} has been vacant for {_days(party.vacant_days)}; it has the A of {some(rows)}."
            )
            yield Fault("R18", Level.BLOCK, text, "Seat somebody.", "", key, len(rows))
        elif party.holder and party.holder.away_days is not None:
            who = party.holder
            since = _days(party.holder.away_days)
            text = f"{who.name} has been away for {since} and nobody acts; they have the A of {some(rows)}."
            yield Fault("R18", Level.BLOCK, text, f"Name a deputy for {who.name}.", "", who.id, len(rows))


def r19_central_team(sheet: Sheet) -> Iterator[Fault]:
    """The platform's seat has no more than 40 % of the A. Basis: a centre becomes the bottleneck. Warn."""
    rows = [line for line in sheet.lines.values() if line.accountable == CENTRAL]
    if len(rows) > MOST_OF_CENTRAL * len(sheet.lines):
        text = f"{sheet.words(CENTRAL)} has the A of {len(rows)} of {len(sheet.lines)} rows: a bottleneck."
        yield Fault("R19", Level.WARN, text, "Give rows to who uses the platform.", "", CENTRAL, len(rows))


def r20_duties_apart(sheet: Sheet) -> Iterator[Fault]:
    """Nobody does the work of a control (R) and answers for its proof (A). Basis: segregation of duties. Block."""
    for proof in VERIFIED_BY:
        line = sheet.lines.get(proof)
        verifier = sheet.identity(line.accountable) if line else None
        if line is None or verifier is None:
            continue
        both = [sheet.lines[key].name for key in CONTROLS if verifier in sheet.identities(key, "R")]
        if both:
            name = _name(sheet, line.accountable or "")
            text = f"{name} has the R of {some(both)} and the A of {line.name}."
            yield Fault("R20", Level.BLOCK, text, "Give one of the two to somebody else.", proof, verifier, len(both))


def _name(sheet: Sheet, party: str) -> str:
    holder = sheet.holder(party)
    return holder.name if holder else sheet.words(party)[:1].upper() + sheet.words(party)[1:]


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"

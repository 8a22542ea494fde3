"""The 21 checks of the matrix as pure functions over the effective matrix of one scope. No Django here."""

from collections.abc import Callable, Iterator

from apps.registry.rules.raci_checks import people, rows
from apps.registry.rules.raci_checks.facts import Fault, Sheet

Check = Callable[[Sheet], Iterator[Fault]]

CHECKS: dict[str, Check] = {
    "R01": rows.r01_one_accountable,
    "R02": rows.r02_accountable_resolves,
    "R03": rows.r03_somebody_does_it,
    "R04": rows.r04_no_gap,
    "R05": rows.r05_owner_operates,
    "R06": rows.r06_all_rows_covered,
    "R07": people.r07_review_is_independent,
    "R08": people.r08_audit_stays_out,
    "R09": people.r09_board_oversees,
    "R10": people.r10_not_overloaded,
    "R11": people.r11_no_empty_role,
    "R12": rows.r12_not_too_many,
    "R13": people.r13_scenario_deputies,
    "R14": people.r14_authority,
    "R15": people.r15_competence,
    "R16": people.r16_accepted_in_time,
    "R17": rows.r17_not_shared,
    "R18": people.r18_no_vacancy,
    "R19": people.r19_central_team,
    "R20": people.r20_duties_apart,
    "R21": rows.r21_versioned,
}
# Those whose answer depends on who owns the system: asked once for each owner, not once for each system.
OF_THE_OWNER: dict[str, Check] = {key: CHECKS[key] for key in ("R07", "R08", "R10", "R13", "R15", "R20")}


def faults(sheet: Sheet, checks: dict[str, Check] | None = None) -> list[Fault]:
    """What is wrong with one matrix, in the order of the checks."""
    return [fault for check in (checks or CHECKS).values() for fault in check(sheet)]


def added(before: list[Fault], after: list[Fault]) -> list[Fault]:
    """What was not wrong before, or is worse now. What was there already never stops another change."""
    known = {fault.key: fault.measure for fault in before}
    return [fault for fault in after if fault.key not in known or fault.measure > known[fault.key]]


def without_echoes(found: list[Fault], *, keep: str) -> list[Fault]:
    """One cause, one breach: a vacant seat is told by its rows (R02, on save) or by the seat (R18, at night)."""
    dropped = "R18" if keep == "R02" else "R02"
    told = {fault.about for fault in found if fault.check == keep}
    return [fault for fault in found if fault.check != dropped or fault.about not in told]


__all__ = ["CHECKS", "OF_THE_OWNER", "Fault", "Sheet", "added", "faults", "without_echoes"]

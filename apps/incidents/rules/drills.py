"""Drills: what each kind is, how long one counts, and what a report needs. No Django here."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from apps.findings.rules import months_later

# How long a drill counts.
COUNTS_MONTHS = 12
# One drill calls people of so many systems at most.
SYSTEMS_AT_MOST = 25
# A drill that was not started at its time is not started in the middle of another day.
STARTS_WITHIN = timedelta(hours=2)
# Working days for what a failed drill showed, where nobody says another day.
GAP_WITHIN = 20

TYPE_MEANS = {
    "tabletop": "People talk through what they would do. The facilitator tells what happens, bit by bit, and "
    "answers are timed.",
    "call_tree": "Everybody whom the plan names is called and answers. Nothing else happens.",
    "kill_switch": "The system is stopped for real, in agreement with its owner, and started again.",
    "blind_page": "The lead is called without notice. Nobody but the facilitator knows before.",
}
# HSEEP (FEMA, 2020).
RATING_WORDS = {
    "P": "Performed without challenges",
    "S": "Performed with some challenges",
    "M": "Performed with major challenges",
    "U": "Unable to be performed",
    "N": "Not observed",
}
REPORT_WORDS = (
    "I facilitated this drill and did not lead its response. What is written here is what I saw, and each thing to "
    "improve has a person and a day."
)


def counts_since(today: date) -> date:
    """The first day of drills that still count."""
    return months_later(today, -COUNTS_MONTHS)


def is_too_late(planned_at: datetime, now: datetime) -> bool:
    """Whether a drill that should have begun by itself has to be planned anew."""
    return now - planned_at > STARTS_WITHIN


def not_ready(
    *, type: str, announced: bool, objectives: Collection[str], systems: int, injects: int
) -> list[str]:  # fmt: skip
    """What a drill still needs before it can be started, in words."""
    left = []
    if not objectives:
        left.append("Say what it is to show: one objective at least.")
    if not systems:
        left.append("Choose the systems.")
    if systems > SYSTEMS_AT_MOST:
        left.append(f"Choose {SYSTEMS_AT_MOST} systems at most.")
    if type == "tabletop" and not injects:
        left.append("A tabletop needs something that the facilitator tells: one inject at least.")
    if type == "blind_page" and announced:
        left.append("A page by surprise is not announced.")
    return left


def report_lacks(
    *, outcome: str, summary: str, objectives: int, rated: Mapping[int, str]
) -> list[str]:  # fmt: skip
    """What a report still needs before it can be signed, in words. Objectives count from 1."""
    left = []
    if outcome not in {"passed", "failed"}:
        left.append("Say whether the drill passed or failed.")
    if not summary.strip():
        left.append("Sum up what happened.")
    open_ = [str(number) for number in range(1, objectives + 1) if number not in rated]
    if open_:
        left.append(f"Rate objective {', '.join(open_)}.")
    unable = [str(number) for number in sorted(rated) if rated[number] == "U" and number]
    if unable and outcome == "passed":
        left.append(f"Objective {', '.join(unable)} could not be performed, so that the drill did not pass.")
    return left

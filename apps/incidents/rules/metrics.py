"""What is measured about incidents and how: the definitions are part of the product. No Django here."""

from dataclasses import dataclass
from datetime import date, timedelta

from apps.findings.rules import months_later

# A lead who changes sooner than this was the wrong one, or could not be reached.
WRONG_LEAD_WITHIN = timedelta(minutes=60)
# The same system and scenario again within so many days.
REPEAT_WITHIN = timedelta(days=90)
SERIES = ("real", "drill")
SERIES_WORDS = {"real": "What happened", "drill": "Drills"}
UNKNOWN = {"real": "Not known: no incident yet", "drill": "Not known: no drill yet"}
UNMEASURED = "Not known: not measured in any yet"


@dataclass(frozen=True)
class Definition:
    """One number: what it is called, how it is worked out, and what it leaves out."""

    key: str
    label: str
    formula: str
    note: str


SPANS = (
    Definition(
        "owner_answer", "Time to owner answer", "First look at who answers − declared",
        "What the portal promises: a name at once.",
    ),
    Definition(
        "acknowledge", "Time to acknowledge", "First answer by a person − first page sent",
        "An answer by a program, and falling silent, do not count.",
    ),
    Definition("accepted", "Time to accepted lead", "Lead accepted − declared", ""),
    Definition("contain", "Time to contain", "Contained − declared", "The first time, where it was opened again."),
    Definition("resolve", "Time to resolve", "Resolved − declared", "The last time, where it was opened again."),
)  # fmt: skip
DRILL_SPANS = (
    Definition(
        "decision", "Time to decision", "Decided whether to report − drill started",
        "No legal clock runs in a drill. This is measured instead.",
    ),
    Definition("draft", "Time to submittable draft", "Draft that could be handed in − drill started", ""),
)  # fmt: skip
COUNTS = (
    Definition("handovers", "Hand-overs", "Times that the lead passed to somebody who said yes", ""),
    Definition(
        "wrong_lead", "Wrong first lead", "Incidents whose lead changed within 60 minutes ÷ incidents",
        "Declined, relieved and handed over count. Younger than 60 minutes do not.",
    ),
    Definition("repeat", "Repeated", "Same system and scenario within 90 days ÷ incidents with a system", ""),
    Definition(
        "reviews_on_time", "Reviews on time", "Signed by their day ÷ signed or past their day",
        "Due 5 working days after resolving.",
    ),
    Definition("actions_overdue", "Actions overdue", "Open actions past their day ÷ open actions", ""),
)  # fmt: skip
COVERAGE = Definition(
    "coverage", "Drill coverage", "Live systems × mandatory scenarios drilled within 12 months ÷ all of them",
    "A drill counts once it ended.",
)  # fmt: skip
METHOD = (
    "Each incident that was declared in the period counts, also one that turned out to be none. Medians and the 90th "
    "percentile are interpolated between the two nearest; there are no means. What happened and what was rehearsed are "
    "never added up. Tests of the plumbing are in neither. Restricted incidents are counted and not listed."
)


@dataclass(frozen=True)
class Spread:
    """A median and a 90th percentile in seconds, of `n`. Both None where there is none: not known, never 0."""

    n: int = 0
    median: float | None = None
    p90: float | None = None

    @property
    def median_words(self) -> str:
        """The median as people say it; empty where it is not known."""
        return "" if self.median is None else span_words(self.median)

    @property
    def p90_words(self) -> str:
        """The 90th percentile as people say it; empty where it is not known."""
        return "" if self.p90 is None else span_words(self.p90)


@dataclass(frozen=True)
class Share:
    """So many of so many. Not known where there is nothing to count from."""

    n: int = 0
    of: int = 0

    @property
    def known(self) -> bool:
        """Whether there is anything to count from."""
        return self.of > 0

    @property
    def percent(self) -> int | None:
        """The share in whole percent, rounded down, so that 100 means all of them."""
        return self.n * 100 // self.of if self.of else None

    @property
    def words(self) -> str:
        """The share as a page says it: one of many is not none. Empty where it is not known."""
        return "under 1%" if self.n and self.percent == 0 else f"{self.percent}%" if self.known else ""


def span_words(seconds: float) -> str:
    """ "12 s", "3 min", "71 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


PERIODS = {"90": ("90 days", 90), "365": ("12 months", 365), "all": ("All time", 0)}


def period_start(period: str, today: date) -> date | None:
    """The first day of a period; None for all time."""
    if period == "365":
        return months_later(today, -12)
    days = PERIODS[period][1]
    return today - timedelta(days=days) if days else None

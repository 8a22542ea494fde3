"""What the board's page says for which numbers; which seat tends to miss what. No Django here."""

from dataclasses import dataclass

# Days after which an interim owner is a finding.
INTERIM_LONG = 30
# An exception list is read only when it is short.
EXCEPTIONS_SHOWN = 5
QUESTION = "If something went wrong with an AI agent in production today, who would own the response?"


@dataclass(frozen=True)
class Headline:
    """The answer in one or two sentences; `hole` is the part that has to be louder."""

    good: str
    hole: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.good, self.hole) if part)


def headline(live: int, accepted: int) -> Headline:
    """The board's headline from the number of live systems and of those with an owner who accepted."""
    missing = live - accepted
    if live == 0:
        return Headline("No system is live yet.", "")
    if accepted == 0:
        return Headline(
            "",
            "For the one live system, nobody has accepted."
            if live == 1
            else f"For none of {number(live)} systems has anybody accepted.",
        )
    if missing == 0:
        who = "the one live system" if live == 1 else f"all {number(live)} systems"
        return Headline(f"For {who}, one person has accepted.", "")
    return Headline(
        f"For {number(accepted)} of {number(live)} systems, one person has accepted.",
        f"For {number(missing)}, nobody has.",
    )


def lead(live: int, interim: int, long: int) -> str:
    """What stands under the headline: who answers meanwhile, and for how many that has gone on too long."""
    if live == 0:
        return "Register or import systems first. This page then says for each who answers."
    if interim == 0:
        return "It is known by name who answers." if live == 1 else "For each of them it is known by name who answers."
    each = (
        "An interim owner stands in for it."
        if interim == 1
        else f"An interim owner stands in for each of the {number(interim)}."
    )
    if long == 0:
        return f"{each} Nobody has stood in for more than {INTERIM_LONG} days."
    if interim == 1:
        return f"{each} That has gone on for more than {INTERIM_LONG} days."
    if long == interim:
        return f"{each} All of them have stood in for more than {INTERIM_LONG} days."
    gone = "1 of them has" if long == 1 else f"{number(long)} of them have"
    return f"{each} {gone} stood in for more than {INTERIM_LONG} days."


def number(count: int) -> str:
    """A count with separators: 3,297."""
    return f"{count:,}"


def days(count: int) -> str:
    """A number of days in words."""
    return "1 day" if count == 1 else f"{number(count)} days"


@dataclass(frozen=True)
class SeatPattern:
    """A seat that tends to hold AI governance, and what goes unseen while it does."""

    functions: tuple[str, ...]
    title: str
    misses: str
    # The governance domains in which that blind spot would show: whoever is accountable there covers it.
    domains: tuple[str, ...]


# From the field: who tends to own AI governance, and what gets missed (the product's table of patterns).
# The domains are the rows of the matrix that come nearest to the words; "developer productivity" is developer
# tooling, "day-to-day enforcement" is enforcement while running and the watch over it.
SEATS = (
    SeatPattern(
        ("ciso",), "CISO", "Cost attribution, developer productivity: the business layer",
        ("cost-attribution", "acting-on-cost", "developer-tooling"),
    ),
    SeatPattern(
        ("engineering",), "VP Engineering", "Agents at run time, security controls, regulatory exposure",
        ("runtime-enforcement", "security-posture", "regulatory-compliance"),
    ),
    SeatPattern(("cto",), "CTO", "Day-to-day enforcement", ("runtime-enforcement", "operate-monitor")),
    SeatPattern(
        ("platform",), "VP IT and Platform", "Application behaviour, prompts, agent permissions",
        ("prompts-behaviour", "agent-permissions"),
    ),
    SeatPattern(
        ("ai_lead",), "Head of AI", "Security, compliance, cost; authority to enforce",
        ("security-posture", "regulatory-compliance", "cost-attribution"),
    ),
    SeatPattern(
        ("board", "legal"), "Board, General Counsel", "Everything below the boardroom: the controls themselves",
        ("operate-monitor", "runtime-enforcement", "audit-trail-evidence"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """One of the four ways governance fails, and what will measure it."""

    title: str
    measure: str


# Nothing measures these yet. Unknown is shown as unknown and never counted as good.
FAILURES = (
    Failure(
        "Policy not enforced",
        "Will count the policies in force that an enforcement point runs in their current version.",
    ),
    Failure(
        "Enforcement not auditable",
        "Will count the decisions that name a system, a policy version and the control they are evidence for.",
    ),
    Failure(
        "Trail nobody reads", "Will count the review duties signed on time by somebody who did not write the rows."
    ),
    Failure("Cost not acted on", "Will count the spikes in cost that a person decided on before their deadline."),
)

# What an import found where a contact should be, as the import's report names it.
_CONTACT_WORDS = {
    "none": "no contact at all",
    "not_an_address": "something that is not an address",
    "several": "several addresses",
    "shared": "an address that many systems share, or a mailbox",
    "unknown": "an address that nobody here has",
    "person": "a person known here by that address",
}


def contact_words(name: str) -> str:
    """A class of contacts in words."""
    return _CONTACT_WORDS.get(name, name.replace("_", " "))

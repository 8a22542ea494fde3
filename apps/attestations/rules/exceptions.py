"""Exceptions and reviews: how long, how grave, what is signed. No Django here."""

from collections.abc import Iterable
from datetime import date, timedelta

from apps.attestations.rules.states import EXCEPTION_DAYS

# Working days in which somebody decides about an exception, and in which changes are made after a review.
DECIDE_WITHIN = 5
CHANGE_WITHIN = 5
# A finding of an exception has this check.
EXCEPTION_CHECK = "attestation.exception"
SEVERITY_OF_TIER = {"critical": "critical", "high": "high", "low": "low"}
FIND_OUT = "Find out, and answer the question."


def latest_due(severity: str, declared_on: date) -> date:
    """The last day by which an exception of this severity has to be put right."""
    return declared_on + timedelta(days=EXCEPTION_DAYS[severity])


def severity_of_tier(tier: str) -> str:
    """How grave it is that an owner cannot say: as grave as the system; medium where the tier is not known."""
    return SEVERITY_OF_TIER.get(tier, "medium")


def acceptance_statement(names: Iterable[str]) -> str:
    """What somebody signs who accepts attestations."""
    listed = list(names)
    what = f"the attestation of {listed[0]}" if len(listed) == 1 else f"the attestations of {len(listed)} systems"
    return (
        f"I reviewed {what}: the answers, the frozen facts and what contradicts them. I accept it. "
        "I neither signed it nor own the system."
        if len(listed) == 1
        else f"I reviewed {what}: clean, in time, and none of them critical or drawn as a sample. I accept them. "
        "I neither signed them nor own the systems."
    )


def sample_statement(name: str, questions: int, disagreements: int) -> str:
    """What somebody signs who answered the questions of a sample again."""
    if disagreements:
        how = f"I disagree with {disagreements} of them, as stated above, so that it goes back to its owner."
    else:
        how = "I agree with all of them."
    return f"I answered the {questions} questions about {name} again myself, on the same facts. {how}"


def decision_statement(meaning: str, what: str, until: str = "") -> str:
    """What somebody signs who decides about an exception."""
    return {
        "approve": f"I approve the plan for: {what} It stays an exception until somebody else verified the result.",
        "refuse": f"I refuse the plan for: {what} The owner has to propose another one.",
        "accept_risk": f"I accept the risk until {until}: {what} It does not become compliant by it.",
    }[meaning]

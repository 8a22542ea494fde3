"""How incidents are spoken of: scenarios, states. No Django here."""

from apps.incidents.rules import LIVE, State, Visibility
from apps.registry.rules import Scenario

# What went wrong: the words of the choice and its icon.
SCENARIO_CHOICES = {
    Scenario.DATA_ACCESS: ("It accessed data", "eye"),
    Scenario.HARMFUL_DECISION: ("It made a harmful decision", "scale"),
    Scenario.COST_SPIKE: ("It cost too much", "coins"),
    Scenario.UNSAFE_ACTION: ("It did something unsafe", "triangle-alert"),
    Scenario.QUALITY_REGRESSION: ("Its answers got worse", "trending-down"),
    Scenario.PROVIDER_OUTAGE: ("Its provider is down", "cloud-off"),
    Scenario.COMPLAINT: ("Somebody complained", "megaphone"),
}
NOT_SURE = "Not sure"
VISIBILITY_WORDS = {
    Visibility.OPEN: "Whoever may see all systems, and those who take part",
    Visibility.RESTRICTED: "Only those who take part, the mandate holder and auditors",
    Visibility.PRIVILEGED: "Privileged: only those who take part, and the General Counsel",
}


def scenario_words(scenario: str) -> str:
    """What went wrong, in words."""
    return SCENARIO_CHOICES[Scenario(scenario)][0] if scenario else NOT_SURE


def state_tone(state: str) -> str:
    """The tone of a state's tag: solid while it is live, ok once it is contained or over."""
    if state == State.CONTAINED:
        return "ok"
    if state in LIVE:
        return "solid"
    return "ok" if state == State.CLOSED else "warn" if state in (State.RESOLVED, State.IN_REVIEW) else "neutral"

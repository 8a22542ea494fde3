"""What the charter of the mandate must have: whose signatures, and what they mean. No Django here."""

from collections.abc import Mapping

# The seats whose signature makes the mandate cross-functional; the holder's own is that it was put in force.
SIGNING_SEATS: Mapping[str, str] = {
    "ciso": "security agrees to the policies that the holder enforces, and has access to the audit trail",
    "engineering": "engineering lets the holder enforce in build, release and run time",
    "finance": "finance agrees on how cost is attributed and acted on",
    "legal": "legal agrees on the duties that the law sets, and that it is told at once",
    "ai_lead": "the AI lead rolls out through what the holder enforces",
    "board": "the board gives the mandate, and reads once a quarter whether it is kept",
}


def meaning_of(function: str, organisation: str) -> str:
    """The sentence that a seat signs: in the first person, about this charter."""
    return (
        f"I have read this charter of AI governance at {organisation}. For my seat I agree to it: "
        f"{SIGNING_SEATS[function]}. I stand by it until I withdraw."
    )

"""Names of functions, roles and seats; what counts as a person. No Django here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

# Who leaves within as many days takes nothing over: an interim owner should last until somebody accepts.
LEAVING_SOON = 30
# Days in one absence; the database knows the number too. A longer one is a slip in the year.
LONGEST_ABSENCE = 1100

# How long a proof of identity is good for the signature that it was made for.
CONFIRMED_WITHIN = timedelta(minutes=5)

# Function code -> (function, title of its seat). The order is the order of the matrix.
FUNCTIONS: dict[str, tuple[str, str]] = {
    "ciso": ("Security", "CISO"),
    "engineering": ("Engineering", "VP Engineering"),
    "cto": ("Technology", "CTO"),
    "platform": ("Platform", "VP IT and Platform"),
    "ai_lead": ("AI", "Head of AI"),
    "finance": ("Finance", "Head of Finance"),
    "legal": ("Legal", "General Counsel"),
    "board": ("Board", "Board committee chair"),
}


class RoleName(StrEnum):
    """Roles that are granted. Owner, seat holder and mandate holder are facts, not grants."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    BOARD = "board"


@dataclass(frozen=True)
class Confirmation:
    """That a person proved again who they are: how, and when.

    `method`: password, password+totp, password+recovery_codes, totp, recovery_codes, passkey, or sso:<provider>.
    """

    method: str
    at: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it was made, and not more than five minutes ago."""
        return bool(self.method) and now - CONFIRMED_WITHIN <= self.at <= now


def same_name(typed: str, name: str) -> bool:
    """Whether the typed name is the name in the profile; extra spaces do not count."""
    return " ".join(typed.split()) == " ".join(name.split())


def why_not_signed(declared: bool, typed_name: str, name: str, confirmation: Confirmation, now: datetime) -> str:
    """What a signature of any kind still needs: the box, the profile's name, a fresh proof. Empty where nothing."""
    if not declared:
        return "Tick the box to confirm the declaration."
    if not same_name(typed_name, name):
        return f"Type your name as it is in your profile: {name}."
    return "" if confirmation.holds(now) else "Confirm again that it is you, then sign."


@dataclass(frozen=True)
class StandIn:
    """Somebody who could act for a person: why them, and whether they can today. `person_id` None: nobody named."""

    source: str  # delegate | deputy | manager; for a system also unit_head | mandate | mandate_stand_in
    person_id: str | None
    outcome: str  # chosen | nobody | inactive | absent
    name: str = ""


def stand_in(candidates: Iterable[StandIn]) -> tuple[StandIn | None, list[StandIn]]:
    """The first candidate who can act, and every step that led there. Candidates come as "chosen" if they can."""
    steps: list[StandIn] = []
    for candidate in candidates:
        steps.append(candidate)
        if candidate.outcome == "chosen":
            return candidate, steps
    return None, steps


def leaves_soon(leaving_on: date | None, today: date) -> bool:
    """Whether somebody's last day has passed or is near, so that nothing is handed to them by rule."""
    return leaving_on is not None and leaving_on <= today + timedelta(days=LEAVING_SOON)


# Local parts that name a duty or a team. Such an address reaches whoever reads it today: nobody answers.
ROLE_WORDS = {
    "admin", "agency", "ai", "caio", "cdaio", "cdo", "ciso", "compliance", "contact", "data", "desk", "feedback",
    "governance", "group", "guest", "help", "helpdesk", "info", "inquiries", "mail", "nobody", "noreply", "office",
    "open", "operations", "placeholder", "policy", "postmaster", "press", "privacy", "public", "security", "service",
    "shared", "support", "svc", "tba", "tbd", "team", "unassigned", "unknown", "use", "webmaster",
}  # fmt: skip


def is_role_address(address: str) -> bool:
    """True where the local part names a duty or a team (caio@, ai-team@), not a person."""
    local = address.split("@", 1)[0].lower()
    return any(word in ROLE_WORDS for word in re.split(r"[._+\-\d]+", local))


def initials(name: str) -> str:
    """Up to two letters for the mark before a name."""
    words = [word for word in re.split(r"[\s]+", name.strip()) if word and word[0].isalpha()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()

"""What an owner may do without asking. No Django here."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Powers:
    """Stop the system, revoke its permissions, cap what it spends up to an amount."""

    may_stop: bool = False
    may_revoke: bool = False
    spend_cap: Decimal | None = None
    currency: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is granted at all."""
        return self.may_stop or self.may_revoke or self.spend_cap is not None

    def fields(self) -> dict[str, Any]:
        """By the names of the model's fields."""
        return asdict(self)


def power_words(may_stop: bool, may_revoke: bool, spend_cap: Decimal | None, currency: str) -> list[str]:
    """The powers as a reader says them: "Stop the system", "Cap spend up to 5,000.00 EUR"."""
    words = ["Stop the system"] if may_stop else []
    if may_revoke:
        words.append("Revoke its permissions")
    if spend_cap is not None:
        words.append(f"Cap spend up to {spend_cap:,.2f} {currency}")
    return words

"""What a reviewer should know about how an attestation was answered. Facts in words; they accuse nobody.

From the field: certifications fail by clicking through (more than 95 % approved, less than 10 seconds a decision).
A flag is a reason to look, never a verdict. No Django here.
"""

from dataclasses import dataclass
from enum import StrEnum

# Less than this a question, on the average of one attestation.
FAST_SECONDS = 10
# From so many attestations of one person on, all of them within a minute are a flag.
MANY_AT_ONCE = 3
ONE_MINUTE = 60
# The same words at so many systems of one person.
SAME_COMMENT = 2
# Fewer answers than these say nothing about a pattern.
ENOUGH_ANSWERS = 3


class FlagCode(StrEnum):
    """What was noticed."""

    FAST = "fast"
    ALL_YES = "all_yes"
    ONE_MINUTE = "one_minute"
    SAME_COMMENT = "same_comment"
    BATCH = "batch"


@dataclass(frozen=True)
class Flag:
    """One thing that was noticed, in words."""

    code: FlagCode
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Measured:
    """How one attestation came about, as far as it was measured. `seconds` is None where nothing was."""

    answers: int
    timed: int
    seconds: int | None
    all_yes: bool
    same_comments: int
    batch_size: int
    # Of the signer in this campaign: how many they signed, and seconds from the first to the last.
    signed: int
    span: int

    @property
    def per_answer(self) -> float | None:
        """Seconds a question; None where it was not measured."""
        return None if self.seconds is None or not self.timed else self.seconds / self.timed


def flags_from(found: Measured) -> list[Flag]:
    """What a reviewer is told, in a fixed order. Unknown raises no flag; it is shown as unknown."""
    flags = []
    pace = found.per_answer
    if pace is not None and pace < FAST_SECONDS:
        flags.append(Flag(FlagCode.FAST, f"{found.seconds} s for {_count(found.timed, 'answer')}"))
    if found.all_yes and found.answers >= ENOUGH_ANSWERS:
        flags.append(Flag(FlagCode.ALL_YES, f"All {found.answers} answers are yes"))
    if found.batch_size == 1 and found.signed >= MANY_AT_ONCE and found.span < ONE_MINUTE:
        flags.append(Flag(FlagCode.ONE_MINUTE, f"{found.signed} systems signed within {found.span} s"))
    if found.same_comments >= SAME_COMMENT:
        flags.append(Flag(FlagCode.SAME_COMMENT, f"The same comment stands at {found.same_comments} systems"))
    if found.batch_size > 1:
        flags.append(Flag(FlagCode.BATCH, f"Signed together with {found.batch_size - 1} more"))
    return flags


def _count(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"


def pace_words(seconds: float | None) -> str:
    """Seconds a question in words; "not measured" where it is unknown."""
    if seconds is None:
        return "not measured"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

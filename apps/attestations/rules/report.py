"""What a report says about itself: method and limits, and how its rows are written flat. No Django here."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

VERSION = "1"

OUTCOME_WORDS = {
    "clean": "Signed clean",
    "qualified": "Signed with exceptions",
    "not_attested": "Not attested",
    "open": "Not signed yet",
    "": "Not in scope",
}
METHOD = (
    "Scope: every system that the campaign's saved query found at the opening, frozen in one transaction. Its hash is "
    "SHA-256 over one line of key and hash of the frozen facts per system.",
    "An answer counts when the person who answers for the system signed it after confirming who they are. "
    "Silence is never a yes: what nobody signed by the end is not attested, by name.",
    "Late means signed after the due date of the system's tier. With exceptions means that at least one answer is no, "
    "yes with an exception, or cannot be said; accepting a risk or a plan never makes it clean.",
    "Samples: every critical system, and a share drawn by a secret whose hash was fixed at the opening. A reviewer "
    "other than the signer answers the questions again.",
    "Decision times run from opening a section to the answer. What was not measured is shown as not measured.",
)
LIMITS = (
    "The register is what was known: a system that nobody registered is in no campaign.",
    "Signers state what they know to the best of their knowledge. Only samples were checked by somebody else.",
    "Times and patterns are reasons to look. They do not prove that an answer is wrong, or that it is right.",
)
CSV_HEADER = ("Part", "Group", "What", "Value", "System", "Person", "Date", "Note")

_Row = tuple[object, ...]


def flat(body: Mapping[str, Any]) -> Iterator[_Row]:
    """A report as rows of a spreadsheet: numbers first, then each list of names."""
    for name, value in body["campaign"].items():
        yield ("campaign", "", name, value, "", "", "", "")
    for name in ("scope", "ownership_gaps", "exceptions", "contradictions", "sampling", "decision_times", "changes"):
        yield from _numbers(name, body[name])
    yield from _results(body["results"])
    yield from _lists(body)
    for text in (*body["method"], *body["limits"]):
        yield ("method", "", "", "", "", "", "", text)


def _numbers(part: str, values: Mapping[str, Any], group: str = "") -> Iterator[_Row]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(part, value, name)
        elif not isinstance(value, list):
            yield (part, group, name, value, "", "", "", "")


def _results(results: Mapping[str, Any]) -> Iterator[_Row]:
    yield from _numbers("results", results["all"], "all")
    for kind in ("by_tier", "by_unit"):
        for row in results[kind]:
            yield from _numbers("results", {k: v for k, v in row.items() if k not in ("name", "code")}, row["name"])


def _lists(body: Mapping[str, Any]) -> Iterator[_Row]:
    for row in body["not_attested"]["rows"]:
        yield ("not attested", row["unit"], row["tier"], "", row["key"], row["person"], row["due_on"], row["name"])
    for row in body["ownership_gaps"]["rows"]:
        yield ("ownership gap", row["unit"], "days", row["days"], row["key"], row["person"], "", row["name"])
    for row in body["exceptions"]["rows"]:
        what = (row["severity"], row["state"])
        yield ("exception", *what, row["extensions"], row["key"], row["owner"], row["due_on"], row["description"])
    for row in body["contradictions"]["rows"]:
        yield ("contradiction", "", row["question"], row["contradiction"], row["key"], "", "", row["explanation"])
    for row in body["changes"]["rows"]:
        yield ("changed", row["before"], row["after"], "", row["key"], "", "", row["name"])
    for row in body["rollup"]["rows"]:
        yield ("roll-up", row["level"], row["state"], row["unit"], "", row["signers"], row["signed_at"], row["reason"])
    for row in body["signatures"]["rows"]:
        who = (row["about"], row["signer"], row["signed_at"])
        yield ("signature", row["kind"], row["meaning"], row["receipt"], *who, row["sha256"])
    for row in body["evidence"]["rows"]:
        yield (
            "evidence",
            row["question"],
            row["name"],
            row["sha256"],
            row["key"],
            "",
            row["effective_on"],
            row["scan"],
        )


def shown(rows: Iterable[Any], total: int) -> dict[str, Any]:
    """A list with how many there are of it, where not all are listed."""
    return {"total": total, "rows": list(rows)}

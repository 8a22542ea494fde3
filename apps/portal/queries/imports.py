"""What the import pages say about a run: counts, shares, columns, rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import Http404

from apps.registry.models import ImportRun
from apps.registry.rules.imports import FEDERAL

# Field of the register, columns of the file that it comes from.
_FEDERAL_COLUMNS = (
    ("Key", "agency, id"),
    ("Name", "use_case_name"),
    ("Owner", "contact_email"),
    ("Unit", "agency, agency_bureau"),
    ("Stage", "development_stage"),
    ("Tier", "is_high_impact"),
    ("Purpose", "problem_solved, benefits"),
    ("Vendor", "vendor_name"),
)
# Column of our own format, what goes into it.
OWN_FORMAT = (
    ("key", "Letters, digits, dots, dashes, underscores. It never changes."),
    ("name", "Up to 500 characters."),
    ("unit", "The code of a unit that is on the register."),
    ("stage", "proposed, development, pilot, production, suspended, retired, unknown or empty."),
    ("tier", "critical, high, medium, low, unknown or empty."),
    ("regulatory_class", "prohibited, high_risk, transparency, minimal, unknown or empty."),
    ("operating_model", "self_hosted, iaas, agent_platform, vendor_saas, unknown or empty."),
    ("vendor", "Up to 300 characters, or empty."),
    ("purpose", "What it is for, or empty."),
    ("owner_email", "One person's address. That person is asked and must accept. Or empty."),
    ("identities", "kind:value, more than one separated by |, or empty."),
    ("chat_channel", "Where to reach the people behind it, or empty."),
    ("model", "What it runs on, up to 300 characters. The column can be left out."),
)
_OWN_COLUMNS = (
    ("Key", "key"),
    ("Name", "name"),
    ("Owner", "owner_email"),
    ("Unit", "unit"),
    ("Stage", "stage"),
    ("Tier", "tier"),
)
TABS = (
    ("", "All rows"),
    ("created", "New"),
    ("updated", "Changed"),
    ("unchanged", "Unchanged"),
    ("skipped", "Skipped"),
    ("asked", "With a person"),
)
ADDRESSES_SHOWN = 10
# More than this takes longer than a web request may; the command has no such limit.
MOST_BY_PAGE = 10_000


@dataclass(frozen=True)
class Row:
    """One row of the file and what becomes of it."""

    number: int
    outcome: str
    key: str
    name: str
    contact_class: str
    contact: str
    note: str
    asked: bool


@dataclass(frozen=True)
class Share:
    """One kind of contact: how many rows have it, and what that means."""

    n: int
    label: str
    note: str
    css_class: str = "bar-hole"


class Review:
    """A run as its page shows it. `show` names the tab."""

    def __init__(self, run: ImportRun, show: str) -> None:
        if show not in dict(TABS):
            raise Http404
        self.run, self.report, self.show = run, run.report, show

    @property
    def waiting(self) -> bool:
        return self.run.state == ImportRun.State.RECEIVED

    @property
    def too_many(self) -> bool:
        """True where the effect is too large for a web request."""
        return int(self.report["created"]) + int(self.report["updated"]) > MOST_BY_PAGE

    @property
    def with_person(self) -> int:
        """Rows whose contact is one active person whom the portal knows."""
        return int(self.report["contacts"]["person"])

    @property
    def systems(self) -> int:
        """Rows that are systems: all but the skipped ones."""
        return int(self.report["rows_read"]) - len(self.report["skipped"])

    @cached_property
    def shares(self) -> list[Share]:
        """The six kinds of contact; together they are all rows read."""
        contacts, threshold = self.report["contacts"], self.report["shared_threshold"]
        alone = self.report["high_live_without_contact"]
        return [
            Share(contacts["person"], "a person", self._person_note(), "bar-done"),
            Share(contacts["unknown"], "an unknown address", "Nobody in the portal has it. No mail is sent there."),
            Share(
                contacts["shared"],
                "a shared address",
                f"A role such as caio@, or one address on over {threshold} rows.",
            ),
            Share(contacts["several"], "several addresses", "More than one address in one cell."),
            Share(contacts["not_an_address"], "no address", "A web page or a bare name."),
            Share(
                contacts["none"], "nothing at all", f"The cell is empty. {alone:,} of these are high-impact and in use."
            ),
        ]

    def _person_note(self) -> str:
        nominations, people = self.report["nominations"], self.report["nominees"]
        if not nominations:
            return "Nobody new is asked."
        who = "One person is asked" if people == 1 else f"{people:,} people are asked"
        return f"{who} about {nominations:,}. Each one accepts before it counts."

    @cached_property
    def bar(self) -> list[dict[str, Any]]:
        """The same six kinds for the stacked bar."""
        return [{"n": share.n, "class": share.css_class, "label": share.label} for share in self.shares]

    @property
    def addresses(self) -> list[dict[str, Any]]:
        """Shared addresses with the most systems behind them, each with its bar."""
        first = self.report["shared_addresses"][:ADDRESSES_SHOWN]
        most = first[0]["systems"] if first else 1
        return [
            {**entry, "most": most, "bar": [{"n": entry["systems"], "class": "bar-bad", "label": "systems"}]}
            for entry in first
        ]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Where the fields come from."""
        return _FEDERAL_COLUMNS if self.run.format == FEDERAL else _OWN_COLUMNS

    @cached_property
    def all_rows(self) -> list[Row]:
        """Every row that the report keeps."""
        return [Row(*values) for values in self.report["rows"]]

    @property
    def rows(self) -> list[Row]:
        """The rows of the tab that is shown."""
        return [row for row in self.all_rows if self._belongs(row, self.show)]

    @staticmethod
    def _belongs(row: Row, show: str) -> bool:
        return not show or row.outcome == show or (show == "asked" and row.asked)

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """Tabs with their counts; one that would be empty is left out."""
        report = self.report
        counts = {
            "": report["rows_read"],
            "created": report["created"],
            "updated": report["updated"],
            "unchanged": report["unchanged"],
            "skipped": len(report["skipped"]),
            "asked": report["nominations"],
        }
        return [
            {"show": show, "label": label, "n": counts[show], "current": show == self.show}
            for show, label in TABS
            if counts[show] or show == self.show
        ]

    @property
    def rows_left_out(self) -> int:
        """Rows that are counted and not listed, because the file has too many."""
        return int(self.report["rows_read"]) - len(self.all_rows)

    @property
    def undone(self) -> dict[str, Any] | None:
        """What the undo did, if there was one."""
        found: dict[str, Any] | None = self.report.get("undone")
        return found

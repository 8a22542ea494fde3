"""Reading findings. Every read for a person starts at `visible_findings`."""

from apps.findings.queries.findings import (
    Tab,
    findings_for,
    of_tab,
    on_record,
    open_findings,
    open_for_system,
    overdue,
    planned_for,
    reads_all,
    to_verify_by,
    visible_findings,
)
from apps.findings.queries.late import late_on_the_board

__all__ = [
    "Tab",
    "findings_for",
    "late_on_the_board",
    "of_tab",
    "on_record",
    "open_findings",
    "open_for_system",
    "overdue",
    "planned_for",
    "reads_all",
    "to_verify_by",
    "visible_findings",
]

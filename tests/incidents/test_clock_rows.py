"""Each seeded row with a number, worked by hand from one moment: Friday 20 November 2026, 09:00 in Berlin.

The source of each expectation is the row's own instrument and article; how its unit is counted stands in
`test_clock_deadlines.py`. A Friday, so that hours run through a weekend and days end on one.
"""

import pytest

from apps.incidents.models import ClockRule
from apps.incidents.rules.clocks import due_at
from tests.incidents.test_clock_deadlines import BERLIN, berlin

pytestmark = pytest.mark.django_db

START = berlin("2026-11-20 09:00")
DUE = {
    # Hours, straight.
    "GDPR-33": "2026-11-23 09:00", "NIS2-24": "2026-11-21 09:00", "NIS2-72": "2026-11-23 09:00",
    "DORA-INI": "2026-11-20 13:00", "DORA-INT": "2026-11-23 09:00", "CRA-EW": "2026-11-21 09:00",
    "CRA-NOT": "2026-11-23 09:00", "NYDFS-17A": "2026-11-23 09:00", "BANK-36": "2026-11-21 21:00",
    "CA-SB53-24": "2026-11-21 09:00", "NY-RAISE": "2026-11-23 09:00", "NY-RAISE-24": "2026-11-21 09:00",
    "CIRCIA-72": "2026-11-23 09:00", "CIRCIA-24": "2026-11-21 09:00", "FCA-26-2": "2026-11-21 09:00",
    "FCA-26-2-PAY": "2026-11-20 13:00", "GDPR-33-OMNIBUS": "2026-11-24 09:00",
    # Days of EU law: the day of the event is not counted, an end on a weekend moves (Regulation 1182/71 Art. 3).
    "AIA-73-GEN": "2026-12-07 23:59:59", "AIA-73-CI": "2026-11-23 23:59:59", "AIA-73-DEATH": "2026-11-30 23:59:59",
    "CRA-FIN-VUL": "2026-12-04 23:59:59", "MDR-87-PH": "2026-11-23 23:59:59", "MDR-87-DEATH": "2026-11-30 23:59:59",
    "MDR-87-GEN": "2026-12-07 23:59:59",
    # Days of other law: no move.
    "CA-SB53": "2026-12-05 23:59:59", "CO-205": "2027-02-18 23:59:59", "CO-189": "2026-12-20 23:59:59",
    "HIPAA": "2027-01-19 23:59:59", "OMB-WAIVE": "2026-12-20 23:59:59",
    # Months; 20 December is a Sunday. DORA: noon of the next working day.
    "NIS2-1M": "2026-12-20 23:59:59", "CRA-FIN-INC": "2026-12-21 23:59:59", "DORA-FIN": "2026-12-21 12:00",
    # Four business days without Thanksgiving, until 17:30 in New York.
    "SEC-105": "2026-11-27 23:30",
    # Thirty business days without 25 and 28 December and 1 January.
    "FCA-26-2-FIN": "2027-01-06 23:59:59",
}  # fmt: skip


def test_each_row_with_a_number_has_its_deadline() -> None:
    found = {}
    for rule in ClockRule.objects.filter(replaced_at=None):
        anchors = {rule.anchor: START, **({rule.term.cap_anchor: START} if rule.term.cap_anchor else {})}
        due = due_at(rule.term, anchors, BERLIN)
        if due is not None:
            found[rule.key] = due.at
    assert found == {key: berlin(text) for key, text in DUE.items()}

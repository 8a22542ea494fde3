"""The 21 checks of the matrix: found and not found, in exact words; and the night's breaches, each cause once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.people import actions as people
from apps.people.models import Person
from apps.people.rules import FUNCTIONS
from apps.registry.actions import raci
from apps.registry.models import GovernanceDomain
from apps.registry.queries.raci_checks import breaches
from apps.registry.queries.raci_facts import Facts
from apps.registry.queries.raci_scope import Scope, own_rows
from apps.registry.rules.breaches import Breach, Level
from apps.registry.rules.raci_checks import CHECKS, added, faults
from apps.registry.rules.raci_checks.facts import FUNCTION, PERSON, Fault, Line, Party, Sheet, Waiting, Who
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters

LATER = NOW + timedelta(hours=2)


def who(name: str, **facts: Any) -> Who:
    """Somebody about whom nothing is wrong."""
    given: dict[str, Any] = {"deputy": "deputy", "deputy_name": "Dee", "deputy_can_act": True, "trained": True} | facts
    return Who(id=name.lower(), name=name, **given)


def sheet(rows: dict[str, dict[str, str]], **facts: Any) -> Sheet:
    """Some rows, with a person of their own behind every seat."""
    lines = {key: Line(key, key.replace("-", " ").capitalize(), "Lifecycle", cells) for key, cells in rows.items()}
    parties = {
        code: Party(code, title, FUNCTION, who(code.capitalize())) for code, (_, title) in FUNCTIONS.items()
    } | facts.pop("parties", {})
    return Sheet("organisation", lines, parties, **facts)


def found(check: str, rows: dict[str, dict[str, str]], **facts: Any) -> list[str]:
    """What one check says."""
    return [fault.text for fault in CHECKS[check](sheet(rows, **facts))]


FINE: dict[str, dict[str, str]] = {
    "release": {"owner": "A", "engineering": "R", "ciso": "C"},
    "operate-monitor": {"owner": "A", "engineering": "R", "ciso": "I"},
    "independent-review": {"ai_lead": "A", "ciso": "R", "owner": "C"},
    "incident-data-access": {"ciso": "A", "engineering": "R", "legal": "C"},
    "audit-trail-evidence": {"cto": "A", "platform": "R", "owner": "I"},
    "stop": {"owner": "A", "engineering": "R", "ciso": "C"},
}
VACANT = {"finance": Party("finance", "Head of Finance", FUNCTION, None, 12)}
GONE = {"gone": Party("gone", "Ivan", PERSON, who("Ivan", can_act=False))}
AT = datetime(2026, 11, 3, tzinfo=UTC)
LATE = Waiting("1", "b", "Ben", ("Stop",), date(2026, 11, 23))
SPAN = (AT, AT + timedelta(days=2))


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_found_where_nothing_is_wrong(check: str) -> None:
    assert found(check, FINE) == ([] if check != "R11" else found("R11", FINE))


CASES: dict[str, list[tuple[dict[str, dict[str, str]], dict[str, Any], list[str]]]] = {
    "R01": [({"stop": {"ciso": "R"}}, {}, ["Stop has no A."])],
    "R02": [
        ({"stop": {"finance": "A"}}, {"parties": VACANT},
         ["Nobody answers for Stop: the seat Head of Finance is vacant."]),
        ({"stop": {"gone": "A"}}, {"parties": GONE}, ["Ivan has the A of Stop and is no active person."]),
        ({"stop": {"other": "A"}}, {}, ["Nobody answers for Stop: the party is not known."]),
    ],
    "R03": [({"stop": {"ciso": "A"}}, {}, ["Stop has no R: nobody does the work."])],
    "R04": [
        (FINE, {"spans": {"stop": (SPAN, (AT + timedelta(days=4), None))}},
         ["Nobody had the A of Stop from 5 Nov 2026 to 7 Nov 2026."]),
        (FINE, {"spans": {"stop": (SPAN, (AT + timedelta(days=1), None))}},
         ["Two parties had the A of Stop from 4 Nov 2026 to 5 Nov 2026."]),
        (FINE, {"spans": {"stop": (SPAN, (SPAN[1], None))}}, []),
    ],
    "R05": [
        ({"operate-monitor": {"ciso": "AR"}}, {},
         ["CISO has the A of Operate monitor, and the system's owner answers for the system."]),
    ],
    "R06": [({"retire": {}}, {}, ["Retire is empty: every system has to have it."])],
    "R07": [
        ({**FINE, "independent-review": {"owner": "A", "ciso": "R"}}, {},
         ["The system's owner reviews independently and owns the system."]),
        ({**FINE, "independent-review": {"engineering": "A", "ciso": "R"}}, {},
         ["Engineering reviews independently and builds what is released."]),
        (FINE, {"owner": who("Ciso")}, ["Ciso reviews independently and owns the system."]),
    ],
    "R08": [
        ({"stop": {"eve": "A"}}, {"parties": {"eve": Party("eve", "Eve", PERSON, who("Eve", auditor=True))}},
         ["Eve audits and has letters in Stop."]),
        ({"stop": {"eve": "I"}}, {"parties": {"eve": Party("eve", "Eve", PERSON, who("Eve", auditor=True))}}, []),
    ],
    "R09": [
        ({"stop": {"board": "A"}}, {}, ["Board committee chair has the A of Stop, which is not oversight."]),
        ({"residual-risk": {"board": "A"}}, {}, []),
    ],
    "R10": [
        (FINE, {"owner": who("Ada", systems=26)}, ["Ada answers for 26 systems; 25 is the most."]),
        (FINE, {"owner": who("Ada", systems=25, interim=400)}, []),
        ({"stop": {"ciso": "A"}, "restart": {"ciso": "A"}, "drills": {"legal": "A"}, "attest": {"owner": "A"}}, {},
         ["Ciso has the A of 2 of 4 rows."]),
    ],
    "R11": [
        ({"stop": dict.fromkeys(FUNCTIONS, "R") | {"cto": "I"}}, {}, ["CTO has no A and no R in any row."]),
        ({"stop": dict.fromkeys(FUNCTIONS, "R")}, {}, []),
    ],
    "R12": [
        ({"stop": {"ciso": "C", "legal": "C", "cto": "C", "board": "C"}}, {}, ["Stop asks 4 parties; 3 are enough."]),
        ({"stop": dict.fromkeys(list(FUNCTIONS)[:7], "I")}, {}, ["Stop informs 7 parties; 6 are enough."]),
        ({"stop": {"ciso": "AR"}}, {}, ["Stop has no C and no I: nobody else hears of it."]),
    ],
    "R13": [
        ({"incident-data-access": {"x": "A"}}, {"parties": {"x": Party("x", "Xi", PERSON, who("Xi", **facts))}}, [text])
        for facts, text in (
            ({"deputy": None}, "Xi leads Incident data access and has no deputy."),
            ({"deputy": "xi"}, "Xi leads Incident data access and is their own deputy."),
            ({"deputy_can_act": False}, "Xi leads Incident data access and the deputy Dee can't act."),
            ({"manager": "deputy"},
             "Xi leads Incident data access and the deputy Dee is also the next in the escalation."),
            ({"reachable": False}, "Xi leads Incident data access and can't be reached by phone or email."),
        )
    ],
    "R14": [
        (FINE, {"owner": who("Ada"), "may_stop": False},
         ["Ada has the A of Stop without the authority to stop a system."]),
        (FINE, {"owner": who("Ada"), "may_stop": True}, []),
        (FINE, {"owner": who("Ada")}, ["It is not recorded that Ada may stop a system."]),
        ({"budget-caps": {"finance": "A"}}, {}, ["It is not recorded that Finance may set its budget limit."]),
    ],
    "R15": [
        (FINE, {"owner": who("Ada", trained=False)}, ["Ada operates and has no valid training on record."]),
        (FINE, {"owner": who("Ada")}, []),
    ],
    "R16": [
        (FINE, {"today": date(2026, 11, 24), "waiting": (LATE,)},
         ["Ben has not accepted the A of Stop, due 23 Nov 2026."]),
        (FINE, {"today": date(2026, 11, 23), "waiting": (LATE,)}, []),
    ],
    "R17": [({"stop": {"ciso": "A", "engineering": "AR"}}, {}, ["Stop has 2 A: CISO and VP Engineering."])],
    "R18": [
        ({"stop": {"finance": "A"}, "restart": {"finance": "A"}}, {"parties": VACANT},
         ["The seat Head of Finance has been vacant for 12 days; it has the A of Stop and Restart."]),
        ({"stop": {"x": "A"}}, {"parties": {"x": Party("x", "Xi", PERSON, who("Xi", away_days=1))}},
         ["Xi has been away for 1 day and nobody acts; they have the A of Stop."]),
        ({"stop": {"finance": "R"}}, {"parties": VACANT}, []),
    ],
    "R19": [
        ({"stop": {"platform": "A"}, "drills": {"ciso": "A"}}, {},
         ["VP IT and Platform has the A of 1 of 2 rows: a bottleneck."]),
        ({"stop": {"platform": "A"}, "drills": {"ciso": "A"}, "attest": {"ciso": "A"}}, {}, []),
    ],
    "R20": [
        ({**FINE, "audit-trail-evidence": {"engineering": "A", "platform": "R"}}, {},
         ["Engineering has the R of Release and the A of Audit trail evidence."]),
        (FINE, {}, []),
    ],
    "R21": [
        (FINE, {"unversioned": ("stop",)}, ["Stop was changed outside the portal: its version does not tell of it."]),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("check", "number"), [(check, n) for check, cases in CASES.items() for n in range(len(cases))])
def test_what_a_check_says(check: str, number: int) -> None:
    rows, facts, texts = CASES[check][number]
    assert found(check, rows, **facts) == texts


def test_every_check_is_tried() -> None:
    assert list(CASES) == list(CHECKS) == [f"R{n:02}" for n in range(1, 22)]
    for check in CHECKS.values():
        assert "Basis" in (check.__doc__ or "")


def test_training_blocks_only_at_high_tiers() -> None:
    owner = who("Ada", trained=False)
    levels = [
        [fault.level for fault in CHECKS["R15"](sheet(FINE, owner=owner, tier=tier))]
        for tier in ("critical", "high", "medium", "unknown")
    ]
    assert levels == [[Level.BLOCK], [Level.BLOCK], [Level.WARN], [Level.WARN]]


def test_only_what_is_new_or_worse_counts() -> None:
    old = Fault("R18", Level.BLOCK, "t", "r", "", "finance", 2)
    assert added([old], [old]) == []
    assert added([old], [replace(old, measure=1)]) == []
    assert added([old], [replace(old, measure=3)]) == [replace(old, measure=3)]
    assert added([old], [replace(old, about="ciso")]) == [replace(old, about="ciso")]


@pytest.fixture
def seated(cast: Cast) -> Cast:
    """Every seat has somebody else, each with a deputy of their own."""
    for number, code in enumerate(FUNCTIONS):
        if code in {"platform", "ciso", "legal"}:
            continue
        name = f"Seat {code}"
        holder = people.provision_person(email=f"seat{number}@example.org", display_name=name, actor=cast.mara, now=NOW)
        people.seat_person(code, holder, actor=cast.mara, now=NOW)
    Person.objects.filter(seats__isnull=False).update(deputy=cast.nils)
    return cast


def told(checks: str, now: datetime = LATER) -> list[Breach]:
    """The night's breaches of some checks."""
    return [one for one in breaches(now) if one.check in checks.split()]


def test_the_default_matrix_blocks_nothing(seated: Cast) -> None:
    sheet = Facts(NOW).sheet("organisation", own_rows(Scope()))
    assert len(sheet.lines) == GovernanceDomain.objects.count()
    assert [fault.text for fault in faults(sheet) if fault.level is Level.BLOCK] == []
    assert [one.title for one in breaches(NOW) if one.level is Level.BLOCK] == []


class TestAtNight:
    """One cause, one breach, with somebody who puts it right."""

    def test_a_vacant_seat_is_told_once(self, cast: Cast) -> None:
        for _ in range(3):
            a_system(cast, owner=cast.ada)
        finance = [one for one in told("R02 R18") if "Finance" in one.title]
        assert [one.title for one in finance] == [
            "The seat Head of Finance has been vacant for 14 days; it has the A of Cost attribution and "
            "Budget, quotas, caps."
        ]
        assert (finance[0].person_id, finance[0].system_id, finance[0].path) == (
            cast.mara.pk, None, "/ownership/matrix/",
        )  # fmt: skip

    def test_a_unit_and_a_system_are_told_what_is_not_wrong_above(self, seated: Cast) -> None:
        system = a_system(seated, owner=seated.ada)
        set_letters("stop", {"owner": "AR"}, unit=seated.claims)
        set_letters("restart", {"owner": "AR"}, system=system)
        rows = [(one.title, one.unit_id, one.system_id, one.person_id) for one in told("R12") if "hears" in one.title]
        assert rows == [
            ("Stop has no C and no I: nobody else hears of it.", seated.claims.pk, None, seated.una.pk),
            ("Restart after stop has no C and no I: nobody else hears of it.", None, system.pk, seated.ada.pk),
        ]

    def test_an_owner_is_told_once_for_all_systems(self, seated: Cast) -> None:
        for _ in range(3):
            a_system(seated, owner=seated.cleo)
        mine = [one for one in told("R07") if one.subject == f"person:{seated.cleo.pk}"]
        assert [one.title for one in mine] == [
            "Cleo Marchetti reviews independently and owns the system. It concerns 3 systems."
        ]
        assert mine[0].person_id == seated.mara.pk

    def test_training(self, seated: Cast) -> None:
        a_system(seated, owner=seated.ada)
        assert [one.title for one in told("R15") if "Ada" in one.title] == [
            "Ada Nwosu operates and has no valid training on record."
        ]
        training = people.record_training(
            seated.ada, course="AI oversight", completed_on=date(2026, 11, 2), actor=seated.mara, now=NOW
        )
        assert not [one for one in told("R15") if "Ada" in one.title]
        people.revoke_training(training, actor=seated.mara, now=LATER)
        assert [one for one in told("R15") if "Ada" in one.title]

    def test_overdue_acceptance(self, seated: Cast) -> None:
        system = a_system(seated, owner=seated.ada)
        raci.apply_to_systems({"drills": {str(seated.ben.pk): "A"}}, [system], actor=seated.mara, now=NOW)
        assert told("R16", NOW + timedelta(days=7)) == []
        late = told("R16", NOW + timedelta(days=8))
        assert [(one.title, one.person_id, one.system_id) for one in late] == [
            ("Ben Ortega has not accepted the A of Drill programme, due 23 Nov 2026.", seated.ben.pk, system.pk)
        ]

    def test_a_letter_that_no_version_tells_of(self, seated: Cast) -> None:
        system = a_system(seated, owner=seated.ada)
        version = set_letters("stop", {"owner": "AR", "ciso": "C"}, system=system)
        assert told("R21") == []
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO registry_raciassignment (domain_id, system_id, letter, function_id, is_owner, valid_from, "
                "version_id) VALUES ('stop', %s, 'I', 'legal', false, now(), %s)",
                [system.pk, version.pk],
            )
        assert [(one.title, one.system_id) for one in told("R21")] == [
            ("Stop was changed outside the portal: its version does not tell of it.", system.pk)
        ]

    def test_subjects_are_the_same_every_night_and_never_twice(self, cast: Cast) -> None:
        a_system(cast, owner=cast.ada)
        first = [(one.check, one.subject) for one in breaches(LATER)]
        assert len(set(first)) == len(first)
        assert first == [(one.check, one.subject) for one in breaches(LATER + timedelta(days=1))]

    def test_the_number_of_queries_is_fixed(self, seated: Cast) -> None:
        systems = [a_system(seated, owner=seated.ada) for _ in range(6)]
        set_letters("stop", {"owner": "AR"}, system=systems[0])
        with CaptureQueriesContext(connection) as few:
            breaches(LATER)
        for system in systems[1:]:
            set_letters("stop", {str(seated.ben.pk): "AR"}, system=system)
        with CaptureQueriesContext(connection) as many:
            breaches(LATER)
        assert len(few) == len(many)


@pytest.mark.committed
def test_nobody_is_told_before_the_first_start(bare_db: str) -> None:
    assert breaches(NOW) == []

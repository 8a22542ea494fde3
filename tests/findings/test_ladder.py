"""Overdue findings go up, one digest a person; who is away has somebody who acts."""

from datetime import date, timedelta

import pytest

from apps.audit.models import AuditEvent
from apps.findings import actions
from apps.findings.models import Finding
from apps.findings.queries import findings_for, late_on_the_board
from apps.notify.models import Message
from apps.people import actions as people
from apps.people.models import Absence
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.findings.world import a_finding

# Medium, raised on 16 Nov 2026: due on 30 Nov.
DUE = NOW + timedelta(days=14)


def told(*, after: int = 0) -> list[tuple[str, str]]:
    """Who has a digest, and its subject; `after` which message."""
    rows = Message.objects.filter(key__startswith="findings:overdue:", pk__gt=after).order_by("pk")
    return list(rows.values_list("recipient__display_name", "subject"))


@pytest.mark.parametrize(
    ("days", "step"), [(-1, 0), (0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (9, 4), (10, 5), (400, 5)]
)
def test_the_steps(cast: Cast, days: int, step: int) -> None:
    finding = a_finding(cast, system=a_system(cast, owner=cast.ada))
    actions.remind_overdue(now=DUE + timedelta(days=days))
    finding.refresh_from_db()
    assert finding.step == step


def test_each_step_is_told_once_to_who_comes_next(cast: Cast) -> None:
    finding = a_finding(cast, system=a_system(cast, owner=cast.ada))
    heard = {}
    for day in range(-1, 12):
        before = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        for _ in range(2):
            actions.remind_overdue(now=DUE + timedelta(days=day))
        heard[day] = [name for name, _ in told(after=before)]
    assert {day: names for day, names in heard.items() if names} == {
        0: ["Ada Nwosu"],
        1: ["Una Brandt"],
        3: ["Una Brandt"],
        5: ["Mara Lindt"],
    }
    finding.refresh_from_db()
    assert finding.step == 5
    assert AuditEvent.objects.filter(kind="findings.reminded").count() == 5


def test_before_office_hours_nothing_is_said(cast: Cast) -> None:
    a_finding(cast)
    early = DUE.replace(hour=7, minute=59)
    assert actions.remind_overdue(now=early) == 0
    assert Finding.objects.get().step == 0
    assert actions.remind_overdue(now=early.replace(hour=8, minute=0)) == 1


def test_one_digest_for_many(cast: Cast) -> None:
    for number in range(25):
        a_finding(cast, title=f"Number {number}")
    assert actions.remind_overdue(now=DUE) == 1
    mail = Message.objects.get(key__startswith="findings:overdue:")
    assert (mail.recipient, mail.subject, mail.path) == (cast.ada, "25 findings are due", "/findings/?tab=overdue")
    assert mail.body.count("\n- ") == 20
    assert "and 5 more" in mail.body


def test_after_days_without_a_sweep_everybody_hears_at_once(cast: Cast) -> None:
    a_finding(cast, unit=cast.claims)
    actions.remind_overdue(now=DUE + timedelta(days=20))
    assert sorted(told()) == [(name, "1 finding is due") for name in ("Ada Nwosu", "Mara Lindt", "Una Brandt")]
    assert Finding.objects.get().step == 5


def test_who_acts_hears_for_who_is_away(cast: Cast) -> None:
    finding = a_finding(cast)
    Absence.objects.create(
        person=cast.ada, starts_on=DUE.date(), ends_on=DUE.date() + timedelta(days=9), created_at=NOW
    )
    actions.remind_overdue(now=DUE)
    mail = Message.objects.get(key__startswith="findings:overdue:")
    assert mail.recipient == cast.ben
    assert "because you act for Ada Nwosu" in mail.body
    assert list(findings_for(cast.ben)) == []
    assert list(findings_for(cast.ben, DUE)) == [finding]


def test_without_a_line_manager_the_next_step_hears(cast: Cast) -> None:
    a_finding(cast, person=cast.dov, unit=cast.devtools)
    actions.remind_overdue(now=DUE + timedelta(days=1))
    assert sorted(name for name, _ in told()) == ["Dov Watanabe", "Mara Lindt"]


def test_a_closed_or_accepted_finding_goes_nowhere(cast: Cast) -> None:
    actions.accept_risk(a_finding(cast), reason="Small", until=date(2027, 1, 4), actor=cast.mara, now=NOW)
    assert actions.remind_overdue(now=DUE + timedelta(days=20)) == 0
    assert told() == []


def test_a_new_person_is_told_anew(cast: Cast) -> None:
    finding = a_finding(cast)
    actions.remind_overdue(now=DUE)
    actions.assign(finding, cast.nils, actor=cast.mara, now=DUE)
    actions.remind_overdue(now=DUE + timedelta(hours=1))
    assert [name for name, _ in told()] == ["Ada Nwosu", "Nils Okafor"]


def test_the_board_reads_of_it_after_ten_days(cast: Cast) -> None:
    open_system, closed_one = a_system(cast, owner=cast.ada), a_system(cast, owner=cast.ada, restricted=True)
    late = a_finding(cast, system=open_system)
    a_finding(cast, system=closed_one)
    named = System.objects.filter(restricted=False)
    assert list(late_on_the_board(named, date(2026, 12, 10))) == []
    assert list(late_on_the_board(named, date(2026, 12, 11))) == [late]


def test_nobody_who_left_is_written_to(cast: Cast) -> None:
    a_finding(cast, person=cast.ada)
    people.deactivate_person(cast.ben, actor=cast.mara, now=NOW)
    Absence.objects.create(person=cast.ada, starts_on=DUE.date(), ends_on=DUE.date(), created_at=NOW)
    actions.remind_overdue(now=DUE)
    assert [name for name, _ in told()] == ["Una Brandt"]

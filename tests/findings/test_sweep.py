"""The nightly check: raises once, refreshes, closes what is gone, never what it could not see."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import AuditEvent
from apps.findings import actions
from apps.findings.models import CorrectiveAction, Finding, RiskAcceptance
from apps.findings.rules import Swept
from apps.notify.models import Message
from apps.registry.rules.breaches import Breach, Severity
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.findings.world import LATER, an_action, breach


def source(*breaches: Breach) -> dict[str, Callable[[datetime], list[Breach]]]:
    return {"matrix": lambda now: list(breaches)}


def kinds() -> list[str]:
    """Sorted: "findings.swept" comes after the others."""
    return sorted(AuditEvent.objects.filter(kind__startswith="finding").values_list("kind", flat=True))


def test_it_raises_what_is_new(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    found = [
        breach(cast.una, "unit", unit_id=cast.claims.pk, domain="residual-risk", severity=Severity.CRITICAL),
        breach(cast.ada, "system", system_id=system.pk, path=f"/systems/{system.key}/ownership/"),
        breach(cast.mara, "all", severity=Severity.LOW, domain="no-such-domain"),
    ]
    assert actions.sweep_registry(now=NOW, sources=source(*found)) == Swept(raised=3)
    rows = {one.subject: one for one in Finding.objects.all()}
    # NOW is Monday 16 Nov 2026; 18 Nov is a working day in Germany as a whole.
    assert {name: (row.scope, row.unit_id, row.system_id, row.domain_id, row.due_on) for name, row in rows.items()} == {
        "unit": ("unit", cast.claims.pk, None, "residual-risk", date(2026, 11, 18)),
        "system": ("system", None, system.pk, None, date(2026, 11, 23)),
        "all": ("organisation", None, None, None, date(2026, 12, 14)),
    }
    assert {(row.state, row.source, row.origin, row.code, row.level) for row in rows.values()} == {
        ("open", "sweep", "matrix", "R01", "block")
    }
    assert kinds() == 3 * ["finding.raised"] + ["findings.swept"]
    primary = AuditEvent.objects.get(kind="findings.swept")
    assert set(AuditEvent.objects.filter(kind="finding.raised").values_list("cause", flat=True)) == {primary.id}
    told = Message.objects.filter(key__startswith="findings:new:")
    assert sorted(told.values_list("recipient__display_name", "subject")) == [
        ("Ada Nwosu", "1 new finding for you"),
        ("Mara Lindt", "1 new finding for you"),
        ("Una Brandt", "1 new finding for you"),
    ]


def test_twice_is_once(cast: Cast) -> None:
    found = source(breach(cast.ada), breach(cast.ada))
    assert actions.sweep_registry(now=NOW, sources=found) == Swept(raised=1)
    events, mails = AuditEvent.objects.count(), Message.objects.count()
    assert actions.sweep_registry(now=LATER, sources=found) == Swept()
    assert (Finding.objects.count(), AuditEvent.objects.count(), Message.objects.count()) == (1, events, mails)


def test_what_says_the_same_is_not_even_locked(cast: Cast) -> None:
    """A lock leaves its transaction in the row."""
    found = [breach(cast.ada, name) for name in ("one", "two", "three")]
    actions.sweep_registry(now=NOW, sources=source(*found))
    found[2] = breach(cast.ada, "three", title="Nobody is accountable any more.")
    assert actions.sweep_registry(now=LATER, sources=source(*found)) == Swept(changed=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT subject FROM findings_finding WHERE xmax <> 0")
        assert cursor.fetchall() == [("three",)]


def test_words_and_person_follow_what_is_found(cast: Cast) -> None:
    actions.sweep_registry(now=NOW, sources=source(breach(cast.ada)))
    again = breach(cast.ben, title="Still nobody.", severity=Severity.CRITICAL)
    assert actions.sweep_registry(now=LATER, sources=source(again)) == Swept(changed=1)
    row = Finding.objects.get()
    assert (row.title, row.person, row.severity, row.due_on) == (
        "Still nobody.", cast.ben, "critical", date(2026, 11, 18),
    )  # fmt: skip
    milder = breach(cast.ben, title="Still nobody.", severity=Severity.LOW)
    assert actions.sweep_registry(now=LATER, sources=source(milder)).changed == 1
    row.refresh_from_db()
    assert (row.severity, row.due_on) == ("low", date(2026, 11, 18)), "a due date only moves nearer"


def test_who_was_chosen_stays(cast: Cast) -> None:
    actions.sweep_registry(now=NOW, sources=source(breach(cast.ada)))
    actions.assign(Finding.objects.get(), cast.nils, actor=cast.mara, now=NOW)
    assert actions.sweep_registry(now=LATER, sources=source(breach(cast.ben))) == Swept()
    assert Finding.objects.get().person == cast.nils


def test_what_is_gone_is_closed_with_all_that_hangs_on_it(cast: Cast) -> None:
    actions.sweep_registry(now=NOW, sources=source(breach(cast.ada, "a"), breach(cast.ada, "b")))
    gone = Finding.objects.get(subject="a")
    an_action(cast, gone)
    assert actions.sweep_registry(now=LATER, sources=source(breach(cast.ada, "b"))) == Swept(closed=1)
    gone.refresh_from_db()
    assert (gone.state, gone.closed_at, gone.closed_because) == ("closed", LATER, "gone")
    assert gone.actions.get().state == "dropped"
    assert actions.sweep_registry(now=LATER, sources=source(breach(cast.ada, "a"), breach(cast.ada, "b"))).raised == 1
    assert Finding.objects.filter(subject="a").count() == 2, "what comes back is another finding"


def test_a_source_that_fails_closes_nothing(cast: Cast) -> None:
    actions.sweep_registry(now=NOW, sources=source(breach(cast.ada)))

    def broken(now: datetime) -> list[Breach]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
        return []

    sources = {"matrix": broken, "cover": lambda now: [breach(cast.ben, "two")]}
    assert actions.sweep_registry(now=LATER, sources=sources) == Swept(raised=1, failed=("matrix",))
    assert Finding.objects.filter(state="open").count() == 2
    assert actions.sweep_registry(now=LATER, sources={"cover": sources["cover"]}).closed == 1, "its check is no more"


def test_what_a_person_reported_is_not_the_sweeps_to_close(cast: Cast) -> None:
    from tests.findings.world import a_finding

    a_finding(cast)
    assert actions.sweep_registry(now=LATER, sources={}) == Swept()
    assert Finding.objects.get().state == "open"


def test_somebody_who_cannot_be_asked_is_never_asked(cast: Cast) -> None:
    found = source(breach(cast.ivan, "left"), breach(cast.robot, "service"))
    assert actions.sweep_registry(now=NOW, sources=found).raised == 2
    assert {one.person for one in Finding.objects.all()} == {cast.mara}


def test_an_accepted_risk_waits_again_when_it_expires(cast: Cast) -> None:
    found = source(breach(cast.ada, severity=Severity.LOW))
    actions.sweep_registry(now=NOW, sources=found)
    row = Finding.objects.get()
    actions.accept_risk(row, reason="Replaced in March", until=date(2026, 11, 20), actor=cast.mara, now=NOW)
    on_the_day = NOW + timedelta(days=4)
    assert actions.sweep_registry(now=on_the_day, sources=found) == Swept()
    assert actions.sweep_registry(now=NOW + timedelta(days=5), sources=found) == Swept(reopened=1)
    row.refresh_from_db()
    # 21 Nov is a Saturday: twenty working days later is 18 Dec.
    assert (row.state, row.accepted_until, row.due_on, row.step) == ("open", None, date(2026, 12, 18), 0)
    assert RiskAcceptance.objects.get().ended_because == "expired"


def test_a_finding_that_becomes_graver_is_not_accepted_any_more(cast: Cast) -> None:
    actions.sweep_registry(now=NOW, sources=source(breach(cast.ada, severity=Severity.MEDIUM)))
    row = Finding.objects.get()
    actions.accept_risk(row, reason="Small", until=date(2026, 12, 1), actor=cast.mara, now=NOW)
    worse = source(breach(cast.ada, severity=Severity.CRITICAL))
    assert actions.sweep_registry(now=LATER, sources=worse) == Swept(changed=1, reopened=1)
    row.refresh_from_db()
    assert (row.state, RiskAcceptance.objects.get().ended_because) == ("open", "worse")


def test_a_long_subject_and_title_fit(cast: Cast) -> None:
    long = breach(cast.ada, "s" * 400, title="t" * 900, path="/" + "p" * 400)
    assert actions.sweep_registry(now=NOW, sources=source(long)).raised == 1
    assert actions.sweep_registry(now=LATER, sources=source(long)) == Swept()


@pytest.mark.committed
def test_two_sweeps_at_once_raise_once(committed_db: str, fresh_connection: None) -> None:
    people = Cast()
    found = source(*(breach(people.ada, str(number)) for number in range(200)))
    done: list[Any] = []
    together = threading.Barrier(2)

    def run() -> None:
        try:
            together.wait(10)
            done.append(actions.sweep_registry(now=NOW, sources=found))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(one.raised for one in done) == [0, 200]
    assert Finding.objects.count() == 200
    assert CorrectiveAction.objects.count() == 0
    assert AuditEvent.objects.filter(kind="findings.swept").count() == 1


def test_the_task_fails_where_a_check_cannot_be_read(cast: Cast, settings: Any) -> None:
    from apps.findings.tasks import sweep

    settings.FINDING_SOURCES = {"lost": "apps.findings.queries.delivery.not_there", "delivery": "x.y"}
    with pytest.raises(RuntimeError, match=r"Checks that could not be read: lost, delivery$"):
        sweep()


def test_each_source_of_the_settings_is_a_function_that_looks(cast: Cast, settings: Any) -> None:
    from apps.findings.sources import all_sources

    assert sorted(all_sources()) == [
        "attestations",
        "charter",
        "cover",
        "delivery",
        "drills",
        "ownership",
        "preflight",
        "raci",
        "response",
        "runbooks",
        "watch",
    ]
    for source in all_sources().values():
        assert all(isinstance(one, Breach) for one in source(NOW))


def test_only_what_was_asked_is_closed(cast: Cast) -> None:
    both = {"a": lambda now: [breach(cast.ada, "one")], "b": lambda now: [breach(cast.ben, "two")]}
    assert actions.sweep_registry(now=NOW, sources=both).raised == 2
    none: dict[str, Callable[[datetime], list[Breach]]] = {"a": lambda now: [], "b": lambda now: []}
    assert actions.sweep_registry(now=LATER, sources=none, only=["a"]) == Swept(closed=1)
    assert Finding.objects.get(state="open").subject == "two"

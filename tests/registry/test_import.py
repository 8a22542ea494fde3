"""Imports as verbs: all or nothing, everything accounted for, nobody appointed, undone while untouched."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people.actions import deactivate_person, provision_person
from apps.registry import actions
from apps.registry.actions.imports import EffectChanged, ImportRefused
from apps.registry.models import (
    ImportRun,
    Nomination,
    OwnershipTerm,
    System,
    SystemIdentity,
    SystemUserPermission,
    Unit,
)
from apps.registry.rules.imports import OWN_COLUMNS
from tests.cast import Cast
from tests.factories import NOW, a_system

INVENTORY = Path("examples/2025_individually_reported_AI_use_cases.csv")
LATER = NOW + timedelta(hours=1)


def own(*rows: dict[str, str]) -> bytes:
    lines = [",".join(OWN_COLUMNS)]
    for number, values in enumerate(rows, start=1):
        cells = {"key": f"K-{number}", "name": f"System {number}", "unit": "claims", "stage": "production", **values}
        lines.append(",".join(f'"{cells.get(column, "")}"' for column in OWN_COLUMNS))
    return "\n".join(lines).encode()


def receive(cast: Cast, content: bytes, now: Any = NOW) -> ImportRun:
    return actions.receive_import(file_name="systems.csv", content=content, actor=cast.mara, now=now)


def run_import(cast: Cast, content: bytes, now: Any = NOW) -> ImportRun:
    return actions.apply_import(receive(cast, content, now), actor=cast.mara, now=now)


def counts(run: ImportRun) -> tuple[int, ...]:
    report = run.report
    found = (report["created"], report["updated"], report["unchanged"], len(report["skipped"]))
    assert sum(found) == report["rows_read"]
    return found


def test_receiving_registers_nothing(cast: Cast) -> None:
    run = receive(cast, own({}))
    assert (run.state, counts(run)) == ("received", (1, 0, 0, 0))
    assert not System.objects.exists()
    assert AuditEvent.objects.get(kind="import.received").subject_id == str(run.pk)


def test_a_new_system_has_an_interim_owner_a_term_and_an_event_below_the_import(cast: Cast) -> None:
    run = run_import(cast, own({"identities": "agent_id:x1|namespace:n1", "owner_email": "ghost@example.org"}))
    system = System.objects.get(key="K-1")
    assert (system.owner, system.owner_basis, system.import_run) == (cast.una, "interim", run)
    assert OwnershipTerm.objects.get(system=system).derivation[-1]["source"] == "unit_head"
    assert set(system.identities.values_list("kind", "value")) == {("agent_id", "x1"), ("namespace", "n1")}
    assert set(SystemUserPermission.objects.filter(content_object=system).values_list("user", flat=True)) == {
        cast.una.pk
    }
    primary = AuditEvent.objects.get(kind="import.applied")
    assert AuditEvent.objects.get(kind="system.registered").cause == primary.id
    assert system.contact_given == "ghost@example.org"
    assert "x1" in System.objects.values_list("search_text", flat=True).get(pk=system.pk)


def test_the_real_inventory_and_the_same_file_again(cast: Cast) -> None:
    run = run_import(cast, INVENTORY.read_bytes())
    report = run.report
    assert (report["rows_read"], counts(run)) == (3611, (3610, 0, 0, 1))
    assert report["contacts"] == {
        "none": 1115, "not_an_address": 168, "several": 10, "shared": 2082, "unknown": 236, "person": 0,
    }  # fmt: skip
    assert report["shared_addresses"][0] == {"address": "hhs.caio@hhs.gov", "systems": 447, "role": True}
    assert report["systems_live"] == 3296 == System.objects.exclude(stage__in=["proposed", "retired"]).count()
    assert (Unit.objects.filter(parent=None).count(), report["units_created"]) == (43, 449)
    assert not Message.objects.filter(key__startswith="import:").exists()
    events = AuditEvent.objects.count()
    again = run_import(cast, INVENTORY.read_bytes(), LATER)
    assert counts(again) == (0, 0, 3610, 1)
    assert (again.report["nominations"], again.report["units_created"]) == (0, 0)
    assert AuditEvent.objects.count() == events + 2


def test_a_known_person_is_asked_once_and_told_once(cast: Cast) -> None:
    rows = (
        {"owner_email": "Ada@Example.org"},
        {"owner_email": "ada@example.org,"},
        {"owner_email": "ada@example.org", "stage": "retired"},
    )
    run = run_import(cast, own(*rows))
    assert run.report["contacts"]["person"] == 3
    asked = Nomination.objects.order_by("system__key")
    assert [(n.system.key, n.nominee, n.source, n.nominated_by) for n in asked] == [
        ("K-1", cast.ada, "import", cast.mara),
        ("K-2", cast.ada, "import", cast.mara),
    ]
    assert System.objects.get(key="K-1").owner == cast.una
    message = Message.objects.get(recipient=cast.ada)
    assert message.key == f"import:{run.pk}:{cast.ada.pk}"
    assert "System 1 (K-1)" in message.body
    assert run_import(cast, own(*rows), LATER).report["nominations"] == 0
    assert Nomination.objects.count() == 2


def test_a_declined_nomination_is_not_repeated(cast: Cast) -> None:
    content = own({"owner_email": "ada@example.org"})
    run_import(cast, content)
    actions.decline_ownership(Nomination.objects.get(), actor=cast.ada, now=LATER, reason="Not mine.")
    again = run_import(cast, content, LATER + timedelta(hours=1))
    assert (counts(again), again.report["nominations"]) == ((0, 0, 1, 0), 0)


def test_nobody_is_asked_where_somebody_has_accepted(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ben)
    row = {"key": system.key, "name": system.name, "tier": "high", "owner_email": "ada@example.org"}
    assert run_import(cast, own(row)).report["nominations"] == 0


@pytest.mark.parametrize("address", ["ivan@example.org", "robot@example.org", "ghost@example.org", "caio@example.org"])
def test_who_is_no_active_person_is_never_asked_and_gets_no_mail(cast: Cast, address: str) -> None:
    before = Message.objects.count()
    run = run_import(cast, own({"owner_email": address}))
    assert run.report["contacts"]["person"] == 0
    assert not Nomination.objects.exists()
    assert Message.objects.count() == before


def test_a_shared_address_is_nobody_even_if_the_portal_knows_it(cast: Cast, settings: Any) -> None:
    settings.SHARED_ADDRESS_THRESHOLD = 2
    rows = [{"owner_email": "ada@example.org"}] * 3
    report = run_import(cast, own(*rows)).report
    assert (report["contacts"]["shared"], report["nominations"]) == (3, 0)
    assert report["shared_addresses"] == [{"address": "ada@example.org", "systems": 3, "role": False}]


def test_changes_from_the_file_stand_and_what_it_does_not_say_stays(cast: Cast) -> None:
    run_import(cast, own({"vendor": "Old"}))
    system = System.objects.get()
    actions.change_system(system, actor=cast.mara, now=NOW + timedelta(minutes=5), vendor="By hand", restricted=True)
    run = run_import(cast, own({"vendor": "New", "unit": "devtools", "identities": "agent_id:y"}), LATER)
    system.refresh_from_db()
    assert counts(run) == (0, 1, 0, 0)
    assert (system.vendor, system.unit, system.restricted, system.updated_at) == ("New", cast.devtools, True, LATER)
    assert run.report["updates"] == [{"row": 2, "key": "K-1", "changed": ["vendor", "unit", "identities"]}]
    event = AuditEvent.objects.filter(kind="system.changed").latest("ts_us")
    assert event.cause == AuditEvent.objects.filter(kind="import.applied").latest("ts_us").id


def test_identities_move_between_two_systems_of_the_file(cast: Cast) -> None:
    run_import(cast, own({"identities": "agent_id:x"}, {"identities": "agent_id:y"}))
    run_import(cast, own({"identities": "agent_id:y"}, {"identities": "agent_id:x"}), LATER)
    assert dict(SystemIdentity.objects.values_list("system__key", "value")) == {"K-1": "y", "K-2": "x"}


def test_an_identity_of_another_system_is_a_problem(cast: Cast) -> None:
    other = a_system(cast, identities=[("agent_id", "x")])
    with pytest.raises(ImportRefused, match=f"Row 2, column identities: agent_id:x belongs to {other.key}"):
        receive(cast, own({"identities": "agent_id:x"}))


def test_retiring_by_file_dates_it_and_withdraws_the_nomination(cast: Cast) -> None:
    run_import(cast, own({"owner_email": "ada@example.org"}))
    run_import(cast, own({"owner_email": "ada@example.org", "stage": "retired"}), LATER)
    system = System.objects.get()
    assert (system.stage, system.retired_at) == ("retired", LATER)
    assert Nomination.objects.get().state == "withdrawn"
    assert AuditEvent.objects.filter(kind="system.retired").count() == 1
    run_import(cast, own({"owner_email": "ada@example.org"}), LATER + timedelta(hours=1))
    system.refresh_from_db()
    assert (system.stage, system.retired_at) == ("production", None)


def test_going_live_with_a_deactivated_owner_is_a_row_problem(cast: Cast) -> None:
    system = a_system(cast, owner=cast.nils, stage="proposed")
    deactivate_person(cast.nils, actor=cast.mara, now=LATER)
    with pytest.raises(ImportRefused, match=r"Row 2, column stage: .* can't be live: Nils Okafor"):
        receive(cast, own({"key": system.key, "name": system.name}))


def test_an_unknown_unit_is_a_row_problem(cast: Cast) -> None:
    with pytest.raises(ImportRefused, match="Row 3, column unit: “nowhere” is not the code of a unit"):
        receive(cast, own({}, {"unit": "nowhere"}))
    assert not ImportRun.objects.exists()


def test_a_unit_of_the_same_name_with_another_code_is_a_row_problem(cast: Cast) -> None:
    content = INVENTORY.read_bytes()
    actions.create_unit(name="Department of Energy", code="energy", actor=cast.mara, now=NOW)
    with pytest.raises(ImportRefused, match="Department of Energy is there with the code energy"):
        receive(cast, content)


def test_heads_of_units_that_are_there_are_kept(cast: Cast) -> None:
    actions.create_unit(name="Energy people", code="DOE", head=cast.una, actor=cast.mara, now=NOW)
    run_import(cast, INVENTORY.read_bytes())
    assert Unit.objects.get(code="DOE").head == cast.una
    assert System.objects.filter(unit__parent__code="DOE").first().owner == cast.una


def test_a_changed_register_stops_the_confirmation(cast: Cast) -> None:
    run = receive(cast, own({"owner_email": "new@example.org"}))
    provision_person(email="new@example.org", display_name="New Person", actor=cast.mara, now=NOW)
    with pytest.raises(EffectChanged):
        actions.apply_import(run, actor=cast.mara, now=LATER)
    assert not System.objects.exists()
    run = actions.review_import_again(run, actor=cast.mara, now=LATER)
    assert run.report["nominations"] == 1
    actions.apply_import(run, actor=cast.mara, now=LATER)
    assert Nomination.objects.count() == 1


def test_an_import_is_applied_once(cast: Cast) -> None:
    run = run_import(cast, own({}))
    for verb in (actions.apply_import, actions.discard_import):
        with pytest.raises(Refused, match="not waiting any more"):
            verb(run, actor=cast.mara, now=LATER)


def test_discarding_drops_the_content(cast: Cast) -> None:
    run = actions.discard_import(receive(cast, own({})), actor=cast.mara, now=NOW)
    assert (run.state, run.content) == ("discarded", None)
    assert AuditEvent.objects.filter(kind="import.discarded").count() == 1
    with pytest.raises(Refused):
        actions.apply_import(run, actor=cast.mara, now=NOW)


def test_undo_retires_what_nobody_touched_and_lists_the_rest(cast: Cast) -> None:
    old = a_system(cast)
    answered, changed = {"owner_email": "ada@example.org"}, {"key": old.key, "name": "Renamed"}
    run = run_import(cast, own({}, answered, {}, {"owner_email": "ben@example.org"}, {"stage": "retired"}, changed))
    actions.accept_ownership(Nomination.objects.get(nominee=cast.ada), actor=cast.ada, now=LATER)
    actions.change_system(System.objects.get(key="K-3"), actor=cast.mara, now=LATER, vendor="V")
    run = actions.undo_import(run, actor=cast.mara, now=LATER + timedelta(hours=1))
    stages = dict(System.objects.values_list("key", "stage"))
    assert {key: stages[key] for key in ("K-1", "K-2", "K-3", "K-4", "K-5")} == {
        "K-1": "retired", "K-2": "production", "K-3": "production", "K-4": "retired", "K-5": "retired",
    }  # fmt: skip
    assert Nomination.objects.get(nominee=cast.ben).state == "withdrawn"
    undone = run.report["undone"]
    assert (run.state, undone["retired"], undone["retired_before"]) == ("undone", 2, 1)
    assert [(left["key"], left["reason"]) for left in undone["left_alone"]] == [
        ("K-2", "Another owner answers since"),
        ("K-3", "It was changed since"),
        (old.key, "It was there before; what the import changed stays"),
    ]
    cause = AuditEvent.objects.get(kind="import.undone").id
    assert AuditEvent.objects.filter(kind="system.retired", cause=cause).count() == 2
    with pytest.raises(Refused, match="Only an applied import"):
        actions.undo_import(run, actor=cast.mara, now=LATER)


def test_a_declined_nomination_counts_as_touched(cast: Cast) -> None:
    run = run_import(cast, own({"owner_email": "ada@example.org"}))
    actions.decline_ownership(Nomination.objects.get(), actor=cast.ada, now=LATER, reason="Not mine.")
    undone = actions.undo_import(run, actor=cast.mara, now=LATER).report["undone"]
    assert (undone["retired"], len(undone["left_alone"])) == (0, 1)


def test_only_who_may_import_may(cast: Cast) -> None:
    for person in (cast.dov, cast.eve, cast.bo, cast.cleo, cast.ada):
        with pytest.raises(NotAllowed):
            actions.receive_import(file_name="x.csv", content=own({}), actor=person, now=NOW)
    run = receive(cast, own({}))
    for verb in (actions.apply_import, actions.discard_import, actions.undo_import, actions.review_import_again):
        with pytest.raises(NotAllowed):
            verb(run, actor=cast.eve, now=NOW)


def test_a_formula_is_stored_as_given(cast: Cast) -> None:
    run_import(cast, own({"name": "=HYPERLINK(1)", "vendor": "@x"}))
    assert System.objects.values_list("name", "vendor").get() == ("=HYPERLINK(1)", "@x")


@pytest.mark.committed
def test_before_the_first_start_it_is_refused(bare_db: str, django_db_blocker: Any) -> None:
    from apps.audit.rules import COMMAND

    with django_db_blocker.unblock(), pytest.raises(Refused, match="Nobody holds the governance mandate yet"):
        actions.receive_import(file_name="x.csv", content=own({}), actor=COMMAND, now=NOW)


@pytest.mark.committed
def test_two_imports_at_once_wait_for_each_other(committed_db: str, django_db_blocker: Any) -> None:
    """Both reviewed the same new systems. One registers them, the other is told to look again; none is halved."""
    with django_db_blocker.unblock():
        cast = Cast()
        content = own(*({} for _ in range(60)))
        runs = [receive(cast, content), receive(cast, content)]
        results: list[str] = []

        def confirm(run: ImportRun) -> None:
            try:
                results.append(actions.apply_import(run, actor=cast.mara, now=LATER).state)
            except EffectChanged:
                results.append("changed")
            finally:
                connection.close()

        threads = [threading.Thread(target=confirm, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["applied", "changed"]
        assert System.objects.count() == OwnershipTerm.objects.count() == 60
        assert AuditEvent.objects.filter(kind="import.applied").count() == 1


@pytest.mark.committed
def test_a_failure_in_the_middle_leaves_nothing(committed_db: str, django_db_blocker: Any, monkeypatch: Any) -> None:
    with django_db_blocker.unblock():
        cast = Cast()
        run = receive(cast, own({"owner_email": "ada@example.org"}, {}))
        monkeypatch.setattr("apps.registry.actions.import_apply.enqueue_many", lambda *a, **k: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            actions.apply_import(run, actor=cast.mara, now=LATER)
        assert not System.objects.exists()
        assert not Nomination.objects.exists()
        assert not AuditEvent.objects.filter(kind="import.applied").exists()
        assert ImportRun.objects.get().state == "received"


def test_the_same_file_again_leaves_what_was_changed_by_hand(cast: Cast) -> None:
    run_import(cast, own({"tier": "high"}))
    system = System.objects.get()
    actions.change_system(system, tier="critical", actor=cast.mara, now=LATER)
    assert counts(run_import(cast, own({"tier": "high"}), LATER)) == (0, 0, 1, 0)
    system.refresh_from_db()
    assert system.tier == "critical"


def test_another_file_says_what_it_takes_back(cast: Cast) -> None:
    run_import(cast, own({"tier": "high"}))
    system = System.objects.get()
    actions.change_system(system, tier="critical", actor=cast.mara, now=LATER)
    assert counts(run_import(cast, own({"tier": "high"}, {}), LATER)) == (1, 1, 0, 0)
    system.refresh_from_db()
    assert system.tier == "high"

"""Drafts of the matrix: written, sent, accepted, declined, taken back; what is in force is never wrong."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people import actions as people
from apps.people.models import Person
from apps.registry import actions as registry
from apps.registry.actions import raci
from apps.registry.models import RaciAcceptance, RaciAssignment, RaciDraft, RaciVersion, System, SystemUserPermission
from apps.registry.queries.raci_scope import (
    Scope,
    history,
    letters_at,
    may_change_raci,
    own_rows,
    scope_matrix,
    stored_changes,
)
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters

LATER = NOW + timedelta(hours=2)
ROW = "agent-identity"  # platform AR, engineering R, ciso C, owner I, cto I


def drafted(scope: Scope, author: Person, **cells: str) -> RaciDraft:
    """A draft that sets letters of one row: party=letters."""
    draft = raci.open_draft(scope, actor=author, now=NOW)
    for party, letters in cells.items():
        draft = raci.set_cell(draft, ROW, party, letters, revision=draft.revision, actor=author, now=NOW)
    return draft


def with_person(scope: Scope, author: Person, person: Person) -> RaciDraft:
    """A draft in which a person gets the A of the row from the platform, which keeps the R."""
    draft = drafted(scope, author, platform="R")
    return raci.set_cell(draft, ROW, str(person.pk), "A", revision=draft.revision, actor=author, now=NOW)


def everything() -> tuple[Any, ...]:
    """What a refusal leaves as it is."""
    return (
        list(RaciAssignment.objects.order_by("pk").values_list("pk", "valid_to", "version_id")),
        RaciVersion.objects.count(),
        list(RaciDraft.objects.order_by("pk").values_list("pk", "state", "revision")),
        Message.objects.count(),
        AuditEvent.objects.count(),
    )


def refused(act: Any, words: str, error: type[Exception] = Refused) -> None:
    """The act is refused with these words, and nothing has changed."""
    before = everything()
    with pytest.raises(error) as caught:
        act()
    assert words in str(caught.value)
    assert everything() == before


@pytest.fixture
def system(cast: Cast) -> System:
    return a_system(cast, owner=cast.ada)


def test_a_cell_is_kept_only_while_it_differs(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    draft = drafted(scope, cast.ada, legal="C")
    row = next(row for row in scope_matrix(scope, draft).rows if row.domain.key == ROW)
    assert (row.letters["legal"], row.is_own, row.changed, row.above) == ("C", True, True, "organisation")
    assert row.letters["platform"] == "AR"
    draft = raci.inherit_row(draft, ROW, revision=1, actor=cast.ada, now=NOW)
    assert (draft.revision, draft.rows.count()) == (2, 0)
    assert own_rows(scope) == {}


def test_two_windows_notice_each_other(cast: Cast, system: System) -> None:
    draft = drafted(Scope(system=system), cast.ada, legal="C")
    refused(
        lambda: raci.set_cell(draft, ROW, "board", "I", revision=0, actor=cast.ada, now=NOW),
        "Somebody changed this draft",
        raci.LostUpdate,
    )


@pytest.mark.parametrize(
    ("party", "letters", "words"),
    [
        ("nobody", "A", "Choose a seat, a person or the system's owner."),
        ("ivan", "A", "Ivan Kolar can't hold a letter. Choose an active person."),
        ("robot", "R", "Deployment robot can't hold a letter. Choose an active person."),
        ("ciso", "X", "There is no such row or letter."),
    ],
)
def test_who_cannot_hold_a_letter_gets_none(cast: Cast, system: System, party: str, letters: str, words: str) -> None:
    draft = raci.open_draft(Scope(system=system), actor=cast.ada, now=NOW)
    key = str(getattr(cast, party).pk) if party in {"ivan", "robot"} else party
    refused(lambda: raci.set_cell(draft, ROW, key, letters, revision=0, actor=cast.ada, now=NOW), words)


def test_what_asks_nobody_is_in_force_when_it_is_sent(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    draft = raci.send_draft(drafted(scope, cast.ada, legal="C"), actor=cast.ada, now=LATER)
    assert draft.state == "in_force"
    assert own_rows(scope)[ROW] == {
        "platform": "AR", "engineering": "R", "ciso": "C", "owner": "I", "cto": "I", "legal": "C",
    }  # fmt: skip
    version = history(scope).get()
    assert (version.number, version.applied_by, version.applied_at) == (1, cast.ada, LATER)
    before, after = stored_changes(version)[ROW]
    assert (before, after["legal"]) == ({}, "C")
    assert letters_at(version) == own_rows(scope)
    assert not RaciAcceptance.objects.exists()


def test_who_gets_an_a_is_asked_and_nothing_changes_before(cast: Cast, system: System) -> None:
    people.seat_person("engineering", cast.nils, actor=cast.mara, now=NOW)
    scope = Scope(system=system)
    draft = raci.send_draft(with_person(scope, cast.ada, cast.ben), actor=cast.ada, now=NOW)
    asked = RaciAcceptance.objects.get()
    assert (draft.state, asked.person, asked.domains, asked.due_on) == ("sent", cast.ben, [ROW], date(2026, 11, 23))
    assert own_rows(scope) == {}
    message = Message.objects.get(key=f"raci:{asked.pk}:asked")
    assert message.recipient == cast.ben
    assert message.body.endswith("Until you accept, nothing changes. Accept or decline by 23 Nov 2026.")
    draft = raci.accept_letters(asked, actor=cast.ben, now=LATER)
    assert draft.state == "in_force"
    assert own_rows(scope)[ROW][str(cast.ben.pk)] == "A"
    assert own_rows(scope)[ROW]["platform"] == "R"
    assert SystemUserPermission.objects.filter(user=cast.ben, content_object=system).exists()
    assert history(scope).get().applied_by == cast.ada


def test_the_author_accepts_by_sending(cast: Cast, system: System) -> None:
    draft = raci.send_draft(with_person(Scope(system=system), cast.ada, cast.ada), actor=cast.ada, now=NOW)
    assert draft.state == "in_force"


def test_a_no_needs_a_reason_and_gives_the_author_a_copy(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    sent = raci.send_draft(with_person(scope, cast.ada, cast.ben), actor=cast.ada, now=NOW)
    asked = RaciAcceptance.objects.get()
    refused(lambda: raci.decline_letters(asked, reason=" ", actor=cast.ben, now=LATER), "Say why you decline.")
    refused(lambda: raci.accept_letters(asked, actor=cast.nils, now=LATER), "Only the person who is asked", NotAllowed)
    raci.decline_letters(asked, reason="No time", actor=cast.ben, now=LATER)
    sent.refresh_from_db()
    copy = RaciDraft.objects.get(state="draft")
    assert (sent.state, copy.author, own_rows(scope)) == ("declined", cast.ada, {})
    assert scope_matrix(scope, copy).letters[ROW][str(cast.ben.pk)] == "A"
    assert "Reason: No time" in Message.objects.get(key=f"raci:{asked.pk}:declined").body
    refused(lambda: raci.accept_letters(asked, actor=cast.ben, now=LATER), "answered or taken back already")


def test_taken_back_nobody_is_asked_any_more(cast: Cast, system: System) -> None:
    sent = raci.send_draft(with_person(Scope(system=system), cast.ada, cast.ben), actor=cast.ada, now=NOW)
    draft = raci.withdraw_draft(sent, actor=cast.ada, now=LATER)
    assert (draft.state, RaciAcceptance.objects.get().state) == ("draft", "closed")
    refused(lambda: raci.withdraw_draft(draft, actor=cast.ada, now=LATER), "there is nothing to take back")
    raci.discard_draft(draft, actor=cast.ada, now=LATER)
    draft.refresh_from_db()
    assert draft.state == "discarded"


def test_while_one_waits_there_is_no_other(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    mine, other = with_person(scope, cast.ada, cast.ben), drafted(scope, cast.mara, legal="C")
    raci.send_draft(mine, actor=cast.ada, now=NOW)
    refused(lambda: raci.send_draft(other, actor=cast.mara, now=NOW), "A change by Ada Nwosu waits for acceptance.")
    refused(lambda: raci.open_draft(scope, actor=cast.una, now=NOW), "A change by Ada Nwosu waits for acceptance.")


def test_what_changed_meanwhile_is_said_and_a_rebase_is_offered(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    mine, other = drafted(scope, cast.ada, legal="C"), drafted(scope, cast.mara, board="I")
    raci.send_draft(other, actor=cast.mara, now=NOW)
    refused(
        lambda: raci.send_draft(mine, actor=cast.ada, now=LATER),
        "Mara Lindt changed this matrix since you started: Agent identity (version 1).",
    )
    mine = raci.rebase_draft(mine, actor=cast.ada, now=LATER)
    assert raci.send_draft(mine, actor=cast.ada, now=LATER).state == "in_force"
    assert own_rows(scope)[ROW]["legal"] == "C"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"platform": "R"}, "Agent identity has no A. Give the A to one party."),
        ({"ciso": "A"}, "Agent identity has 2 A: CISO and VP IT and Platform. Choose one; the others can have R."),
        (
            {"platform": "A", "engineering": "I"},
            "Agent identity has no R: nobody does the work. Give an R to one party.",
        ),
        ({"platform": "R", "finance": "A"}, "Nobody answers for Agent identity: the seat Head of Finance is vacant."),
    ],
)
def test_what_would_be_wrong_is_not_sent(cast: Cast, system: System, cells: dict[str, str], words: str) -> None:
    draft = drafted(Scope(system=system), cast.ada, **cells)
    refused(lambda: raci.send_draft(draft, actor=cast.ada, now=NOW), words)


def test_what_was_wrong_already_does_not_stop(cast: Cast, system: System) -> None:
    """The seat of finance is vacant and has the A of a row: another party of that row can change."""
    draft = raci.open_draft(Scope(system=system), actor=cast.ada, now=NOW)
    draft = raci.set_cell(draft, "cost-attribution", "legal", "C", revision=0, actor=cast.ada, now=NOW)
    assert raci.send_draft(draft, actor=cast.ada, now=NOW).state == "in_force"


def test_an_empty_draft_is_not_sent(cast: Cast, system: System) -> None:
    draft = raci.open_draft(Scope(system=system), actor=cast.ada, now=NOW)
    refused(lambda: raci.send_draft(draft, actor=cast.ada, now=NOW), "There is nothing to send")


def test_inherited_again(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    raci.send_draft(drafted(scope, cast.ada, legal="C"), actor=cast.ada, now=NOW)
    draft = raci.open_draft(scope, actor=cast.ada, now=LATER)
    draft = raci.inherit_row(draft, ROW, revision=0, actor=cast.ada, now=LATER)
    raci.send_draft(draft, actor=cast.ada, now=LATER)
    assert own_rows(scope) == {}
    first, second = history(scope).order_by("number")
    assert (letters_at(first)[ROW]["legal"], letters_at(second)) == ("C", {})
    assert stored_changes(second)[ROW][1] == {}
    assert not RaciAssignment.objects.filter(system=system, ended_by=None).exists()


def test_an_older_version_comes_back_as_a_draft(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    set_letters(ROW, {"platform": "AR", "legal": "C"}, system=system)
    set_letters(ROW, {"platform": "AR", "board": "I"}, system=system, now=LATER)
    first = history(scope).get(number=1)
    draft = raci.draft_from_version(first, actor=cast.ada, now=LATER)
    assert scope_matrix(scope, draft).letters[ROW] == {"platform": "AR", "legal": "C"}
    refused(lambda: raci.draft_from_version(first, actor=cast.ada, now=LATER), "You have a draft here already.")
    raci.send_draft(draft, actor=cast.ada, now=LATER + timedelta(hours=1))
    assert own_rows(scope)[ROW] == {"platform": "AR", "legal": "C"}
    assert letters_at(history(scope).get(number=2)) == {ROW: {"platform": "AR", "board": "I"}}


def test_when_it_cannot_come_into_force_any_more_the_author_is_told(cast: Cast, system: System) -> None:
    scope = Scope(system=system)
    sent = raci.send_draft(with_person(scope, cast.ada, cast.ben), actor=cast.ada, now=NOW)
    set_letters(ROW, {"platform": "AR", "board": "I"}, system=system, actor=cast.mara, now=NOW)
    draft = raci.accept_letters(RaciAcceptance.objects.get(), actor=cast.ben, now=LATER)
    assert (draft.pk, draft.state) == (sent.pk, "draft")
    assert own_rows(scope)[ROW] == {"platform": "AR", "board": "I"}
    message = Message.objects.get(recipient=cast.ada, subject__contains="could not come into force")
    assert "changed this matrix since you started: Agent identity (version 1)." in message.body


def test_unanswered_goes_up_once(cast: Cast, system: System) -> None:
    raci.send_draft(with_person(Scope(system=system), cast.ada, cast.ben), actor=cast.ada, now=NOW)
    assert raci.escalate_acceptances(now=NOW + timedelta(days=7)) == 0
    assert raci.escalate_acceptances(now=NOW + timedelta(days=8)) == 1
    assert raci.escalate_acceptances(now=NOW + timedelta(days=9)) == 0
    told = Message.objects.filter(subject__startswith="Not answered").values_list("recipient", flat=True)
    assert set(told) == {cast.ada.pk, cast.una.pk}


def test_who_may_change_what(cast: Cast, system: System) -> None:
    interim = a_system(cast)
    for person, scopes in {
        cast.mara: (True, True, True), cast.una: (False, True, True), cast.ada: (False, False, True),
        cast.ben: (False, False, False), cast.cleo: (False, False, False), cast.eve: (False, False, False),
        cast.ivan: (False, False, False),
    }.items():  # fmt: skip
        where = (Scope(), Scope(unit=cast.claims), Scope(system=system))
        assert tuple(may_change_raci(person, scope) for scope in where) == scopes, person
    assert not may_change_raci(cast.ada, Scope(system=interim))


def test_the_organisation_and_a_unit(cast: Cast, system: System) -> None:
    draft = raci.send_draft(drafted(Scope(unit=cast.claims), cast.una, legal="C"), actor=cast.una, now=NOW)
    assert draft.state == "in_force"
    row = next(row for row in scope_matrix(Scope(system=system)).rows if row.domain.key == ROW)
    assert (row.letters["legal"], row.source, row.above) == ("C", "Claims", "Claims")
    organisation = drafted(Scope(), cast.mara, board="I")
    refused(
        lambda: raci.inherit_row(organisation, ROW, revision=1, actor=cast.mara, now=NOW),
        "The organisation's rows come from nowhere else.",
    )
    assert raci.send_draft(organisation, actor=cast.mara, now=LATER).state == "in_force"
    assert history(Scope()).first().number == 2  # type: ignore[union-attr]


class TestManySystems:
    """All or nothing, one version each, few statements."""

    def test_only_those_that_change(self, cast: Cast, system: System) -> None:
        other = a_system(cast, owner=cast.ada)
        set_letters(ROW, {"platform": "AR", "legal": "C"}, system=other)
        lines = raci.preview_bulk({ROW: {"legal": "C"}}, [system, other], actor=cast.mara, now=NOW)
        assert [bool(line.own) for line in lines] == [True, False]
        drafts = raci.apply_to_systems({ROW: {"legal": "C"}}, [system, other], note="N", actor=cast.mara, now=LATER)
        assert [(draft.system, draft.state) for draft in drafts] == [(system, "in_force")]
        assert history(Scope(system=system)).get().note == "N"

    def test_one_that_is_blocked_stops_all(self, cast: Cast, system: System) -> None:
        other = a_system(cast, owner=cast.ada)
        cells = {ROW: {"finance": "A"}}
        lines = raci.preview_bulk(cells, [system, other], actor=cast.mara, now=NOW)
        assert {line.blocks[0].check for line in lines} == {"R02"}
        refused(
            lambda: raci.apply_to_systems(cells, [system, other], actor=cast.mara, now=NOW),
            "2 of 2 systems can't have this.",
        )

    def test_who_gets_the_a_is_asked_once_for_all(self, cast: Cast, system: System) -> None:
        other = a_system(cast, owner=cast.ada)
        cells = {ROW: {str(cast.ben.pk): "A"}}
        drafts = raci.apply_to_systems(cells, [system, other], actor=cast.mara, now=NOW)
        assert {draft.state for draft in drafts} == {"sent"}
        assert Message.objects.filter(recipient=cast.ben, subject__contains="letters of 2 systems").count() == 1
        for asked in RaciAcceptance.objects.order_by("pk"):
            raci.accept_letters(asked, actor=cast.ben, now=LATER)
        assert own_rows(Scope(system=other))[ROW][str(cast.ben.pk)] == "A"
        assert own_rows(Scope(system=system))[ROW]["platform"] == "R"

    def test_the_number_of_statements_is_fixed(self, cast: Cast) -> None:
        systems = [a_system(cast) for _ in range(12)]
        with CaptureQueriesContext(connection) as few:
            raci.apply_to_systems({ROW: {"legal": "C"}}, systems[:2], actor=cast.mara, now=NOW)
        with CaptureQueriesContext(connection) as many:
            raci.apply_to_systems({ROW: {"legal": "C"}}, systems[2:], actor=cast.mara, now=NOW)
        assert len(few) == len(many)


class TestLeavers:
    """Letters pass on without a gap and without a second A."""

    def test_letters_pass_on(self, cast: Cast, system: System) -> None:
        nils, ben = str(cast.nils.pk), str(cast.ben.pk)
        set_letters(ROW, {nils: "A", ben: "R", "legal": "C"}, system=system)
        set_letters("stop", {nils: "AR", ben: "C"}, unit=cast.claims)
        moved = raci.move_letters(cast.nils, cast.ben, actor=cast.mara, now=LATER, cause=_cause())
        assert moved == 3
        assert own_rows(Scope(system=system))[ROW] == {ben: "AR", "legal": "C"}
        assert own_rows(Scope(unit=cast.claims))["stop"] == {ben: "AR"}
        assert not RaciAssignment.objects.filter(person=cast.nils, valid_to=None).exists()
        assert history(Scope(system=system)).first().number == 2  # type: ignore[union-attr]
        people.deactivate_person(cast.nils, actor=cast.mara, now=LATER)

    def test_nobody_leaves_while_a_letter_names_them(self, cast: Cast, system: System) -> None:
        set_letters(ROW, {str(cast.nils.pk): "AR"}, system=system)
        with pytest.raises(Refused):
            people.deactivate_person(cast.nils, actor=cast.mara, now=LATER)

    def test_their_questions_go_back_to_the_author(self, cast: Cast, system: System) -> None:
        sent = raci.send_draft(with_person(Scope(system=system), cast.ada, cast.ben), actor=cast.ada, now=NOW)
        assert raci.move_letters(cast.ben, cast.una, actor=cast.mara, now=LATER, cause=_cause()) == 0
        sent.refresh_from_db()
        assert (sent.state, RaciAcceptance.objects.get().state) == ("draft", "closed")
        assert "Ben Ortega left" in Message.objects.get(recipient=cast.ada, subject__contains="could not").body

    def test_what_they_sent_is_closed(self, cast: Cast, system: System) -> None:
        sent = raci.send_draft(with_person(Scope(system=system), cast.ada, cast.ben), actor=cast.ada, now=NOW)
        asked, cause = RaciAcceptance.objects.get(), _cause()
        before = own_rows(Scope(system=system))
        raci.move_letters(cast.ada, cast.una, actor=cast.mara, now=LATER, cause=cause)
        sent.refresh_from_db()
        asked.refresh_from_db()
        assert (sent.state, sent.closed_at, asked.state) == ("declined", LATER, "closed")
        event = AuditEvent.objects.get(kind="raci.draft.withdrawn")
        assert (event.cause, event.subject_id) == (cause, str(system.pk))
        told = Message.objects.get(recipient=cast.ben, subject__startswith="Nothing to answer any more")
        assert "Ada Nwosu, who sent it, left." in told.body
        assert own_rows(Scope(system=system)) == before
        refused(lambda: raci.accept_letters(asked, actor=cast.ben, now=LATER), "not needed any more")
        assert raci.open_draft(Scope(system=system), actor=cast.mara, now=LATER).state == "draft"


def _cause() -> Any:
    import uuid

    return uuid.uuid4()


def test_registering_still_works(cast: Cast) -> None:
    assert registry.register_system(
        unit=cast.claims, key="K", name="N", stage="pilot", tier="low", actor=cast.mara, now=NOW
    ).owner == cast.una  # fmt: skip


def test_a_draft_that_names_a_leaver_is_kept_and_not_sent(cast: Cast, system: System) -> None:
    draft = raci.open_draft(Scope(system=system), actor=cast.ada, now=NOW)
    draft = raci.set_cell(draft, ROW, str(cast.dov.pk), "R", revision=0, actor=cast.ada, now=NOW)
    people.deactivate_person(cast.dov, actor=cast.mara, now=NOW)
    refused(
        lambda: raci.send_draft(draft, actor=cast.ada, now=LATER),
        "Dov Watanabe has the R of Agent identity and is no active person. Give it to an active person.",
    )

"""Writing a draft of the matrix: one for each author and scope. A draft may be wrong; what is in force may not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import FUNCTIONS
from apps.registry.actions.ownership import locked
from apps.registry.actions.raci.applying import lock_scopes, matrix_subject
from apps.registry.models import GovernanceDomain, RaciAcceptance, RaciDraft, RaciDraftRow, RaciVersion
from apps.registry.queries.raci_scope import (
    OWNER,
    Cells,
    Rows,
    Scope,
    current_version,
    draft_rows,
    letters_at,
    own_rows,
    scope_matrix,
    scope_of,
)

LETTERS = ("", "A", "R", "AR", "C", "I")


class LostUpdate(Exception):
    """Somebody saved the draft in between. `draft` is what it is now."""

    def __init__(self, draft: RaciDraft) -> None:
        super().__init__("Somebody changed this draft in the meantime. Look at it again, then set the letter.")
        self.draft = draft


def lock_scope(scope: Scope) -> None:
    """Lock a scope's matrix; the system first, as every verb does."""
    if scope.system:
        locked(scope.system)
    lock_scopes([scope])


def locked_draft(draft: RaciDraft) -> RaciDraft:
    """The draft as it is now, locked with its scope."""
    lock_scope(scope_of(draft))
    found = RaciDraft.objects.select_for_update(no_key=True, of=("self",))
    return found.select_related("author", "unit", "system", "based_on").get(pk=draft.pk)


def _writable(draft: RaciDraft, actor: Person) -> RaciDraft:
    draft = locked_draft(draft)
    if draft.author_id != actor.pk:
        raise Refused(f"This is {draft.author.display_name}'s draft. Start your own.")
    if draft.state != RaciDraft.State.DRAFT:
        raise Refused(f"This draft is {draft.get_state_display().lower()}. It can't be changed.")
    return draft


def _save(draft: RaciDraft, now: datetime) -> None:
    draft.revision += 1
    draft.updated_at = now
    draft.save(update_fields=["revision", "updated_at", "note", "based_on"])


@transaction.atomic
def open_draft(scope: Scope, *, actor: Person, now: datetime) -> RaciDraft:
    """The author's draft of a scope, started where there is none.

    Raises Refused while another change of this matrix waits for acceptance.
    """
    lock_scope(scope)
    mine = RaciDraft.objects.filter(**scope.here, author=actor, state=RaciDraft.State.DRAFT).first()
    if mine is not None:
        return mine
    refuse_while_sent(scope)
    draft = RaciDraft.objects.create(
        **scope.here, author=actor, based_on=current_version(scope), created_at=now, updated_at=now
    )
    _record(Kind.RACI_DRAFT_OPENED, draft, actor, now)
    return draft


def refuse_while_sent(scope: Scope) -> None:
    """Raise Refused while a change of a scope waits for acceptance."""
    sent = RaciDraft.objects.filter(**scope.here, state=RaciDraft.State.SENT).select_related("author").first()
    if sent is not None:
        raise Refused(
            f"A change by {sent.author.display_name} waits for acceptance. Wait for it, or ask them to take it back."
        )


def _record(kind: Kind, draft: RaciDraft, actor: Actor, now: datetime, **after: Any) -> None:
    record(kind, actor=actor, subject=matrix_subject(scope_of(draft)), now=now, after={"draft": str(draft.pk), **after})


def check_party(party: str) -> None:
    """Raise Refused for a party that there is not, or that can't hold a letter."""
    if party == OWNER or party in FUNCTIONS:
        return
    try:
        person = Person.objects.filter(pk=UUID(party)).first()
    except ValueError:
        person = None
    if person is None:
        raise Refused("Choose a seat, a person or the system's owner.")
    if not person.is_active or person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} can't hold a letter. Choose an active person.")


@transaction.atomic
def set_cell(
    draft: RaciDraft, domain: str, party: str, letters: str, *, revision: int, actor: Person, now: datetime
) -> RaciDraft:
    """Set the letters of one party in one row; "" clears them.

    Raises LostUpdate where somebody saved after `revision`, Refused for a row, letter or party that there is not and
    for a draft that is not the author's or was sent.
    """
    draft = _writable(draft, actor)
    if draft.revision != revision:
        raise LostUpdate(draft)
    row = GovernanceDomain.objects.filter(pk=domain).first()
    if row is None or letters not in LETTERS:
        raise Refused("There is no such row or letter. A letter is A, R, C or I, or A and R.")
    if letters:
        check_party(party)
    matrix = scope_matrix(scope_of(draft), draft)
    cells = dict(matrix.letters[domain])
    cells.pop(party, None)
    if letters:
        cells[party] = letters
    _keep(draft, domain, cells, own_rows(scope_of(draft)))
    _save(draft, now)
    _record(Kind.RACI_DRAFT_CHANGED, draft, actor, now, row=domain, party=party, letters=letters)
    return draft


def _keep(draft: RaciDraft, domain: str, cells: Cells | None, own: Rows) -> None:
    """Only rows that differ from what is in force are kept."""
    if cells == own.get(domain):
        RaciDraftRow.objects.filter(draft=draft, domain=domain).delete()
    else:
        RaciDraftRow.objects.update_or_create(
            draft=draft, domain_id=domain, defaults={"inherits": cells is None, "cells": cells or {}}
        )


@transaction.atomic
def inherit_row(draft: RaciDraft, domain: str, *, revision: int, actor: Person, now: datetime) -> RaciDraft:
    """Take a row from above again. Raises LostUpdate and Refused; the organisation inherits nothing."""
    draft = _writable(draft, actor)
    if draft.revision != revision:
        raise LostUpdate(draft)
    scope = scope_of(draft)
    if scope.kind == "organisation":
        raise Refused("The organisation's rows come from nowhere else. Set the letters instead.")
    if not GovernanceDomain.objects.filter(pk=domain).exists():
        raise Refused("There is no such row.")
    _keep(draft, domain, None, own_rows(scope))
    _save(draft, now)
    _record(Kind.RACI_DRAFT_CHANGED, draft, actor, now, row=domain, inherits=True)
    return draft


@transaction.atomic
def note_draft(draft: RaciDraft, note: str, *, actor: Person, now: datetime) -> RaciDraft:
    """Say what the change is about. It stays with the version."""
    draft = _writable(draft, actor)
    draft.note = note.strip()[:600]
    draft.updated_at = now
    draft.save(update_fields=["note", "updated_at"])
    _record(Kind.RACI_DRAFT_CHANGED, draft, actor, now)
    return draft


@transaction.atomic
def discard_draft(draft: RaciDraft, *, actor: Person, now: datetime) -> RaciDraft:
    """Drop a draft. What is in force stays."""
    draft = _writable(draft, actor)
    draft.state, draft.closed_at, draft.updated_at = RaciDraft.State.DISCARDED, now, now
    draft.save(update_fields=["state", "closed_at", "updated_at"])
    _record(Kind.RACI_DRAFT_DISCARDED, draft, actor, now)
    return draft


@transaction.atomic
def withdraw_draft(draft: RaciDraft, *, actor: Person, now: datetime) -> RaciDraft:
    """Take a sent change back: nobody is asked any more, the author can go on writing.

    Raises Refused where it is not sent any more.
    """
    draft = locked_draft(draft)
    if draft.state != RaciDraft.State.SENT:
        raise Refused(f"This change is {draft.get_state_display().lower()}: there is nothing to take back.")
    back_to_author(draft, now)
    _record(Kind.RACI_DRAFT_WITHDRAWN, draft, actor, now)
    return draft


def back_to_author(draft: RaciDraft, now: datetime) -> None:
    """A sent change becomes its author's draft again; open questions are closed.

    Where the author started another draft meanwhile, that one stands and this one is discarded.
    """
    others = RaciDraft.objects.filter(unit=draft.unit, system=draft.system, author=draft.author, state="draft")
    draft.acceptances.filter(state="open").update(state=RaciAcceptance.State.CLOSED, answered_at=now)
    draft.state, draft.updated_at = RaciDraft.State.DRAFT, now
    if others.exclude(pk=draft.pk).exists():
        draft.state, draft.closed_at = RaciDraft.State.DECLINED, now
    draft.save(update_fields=["state", "closed_at", "updated_at"])


@transaction.atomic
def rebase_draft(draft: RaciDraft, *, actor: Person, now: datetime) -> RaciDraft:
    """Bring a draft onto the version that is in force now: its own rows stay, rows that say the same go."""
    draft = _writable(draft, actor)
    scope = scope_of(draft)
    draft.based_on = current_version(scope)
    own = own_rows(scope)
    for domain, cells in draft_rows(draft).items():
        _keep(draft, domain, cells, own)
    _save(draft, now)
    _record(Kind.RACI_DRAFT_CHANGED, draft, actor, now, rebased=draft.based_on.number if draft.based_on else 0)
    return draft


@transaction.atomic
def draft_from_version(version: RaciVersion, *, actor: Person, now: datetime) -> RaciDraft:
    """A draft that would bring an older version back. Raises Refused where the author has a draft here already."""
    scope = scope_of(version)
    lock_scope(scope)
    if RaciDraft.objects.filter(**scope.here, author=actor, state=RaciDraft.State.DRAFT).exists():
        raise Refused("You have a draft here already. Send or discard it first.")
    refuse_while_sent(scope)
    draft = RaciDraft.objects.create(
        **scope.here,
        author=actor,
        based_on=current_version(scope),
        note=f"As in version {version.number}",
        created_at=now,
        updated_at=now,
    )
    keep_rows(draft, _back_to(letters_at(version), own_rows(scope)))
    _record(Kind.RACI_DRAFT_OPENED, draft, actor, now, from_version=version.number)
    return draft


def _back_to(then: Rows, own: Rows) -> dict[str, Cells | None]:
    return {key: then.get(key) for key in sorted(set(then) | set(own)) if then.get(key) != own.get(key)}


def keep_rows(draft: RaciDraft, rows: Mapping[str, Cells | None]) -> None:
    """Write the rows of a new draft."""
    RaciDraftRow.objects.bulk_create(
        [
            RaciDraftRow(draft=draft, domain_id=key, inherits=cells is None, cells=cells or {})
            for key, cells in rows.items()
        ]
    )

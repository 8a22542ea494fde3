"""Saved views of the systems list."""

from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.errors import NotAllowed
from apps.common.saving import save_checked
from apps.people.models import Person
from apps.registry.models import SavedView


@transaction.atomic
def save_view(*, name: str, query: str, shared: bool, actor: Person, now: datetime) -> SavedView:
    """Keep a filtered list under a name. Raises ValidationError for no name or one that is taken."""
    view = SavedView(person=actor, name=name.strip(), query=query, shared=shared, created_at=now)
    save_checked(view, force_insert=True)
    subject = Subject("view", str(view.pk), view.name)
    record(Kind.VIEW_SAVED, actor=actor, subject=subject, now=now, after={"query": query, "shared": shared})
    return view


@transaction.atomic
def delete_view(view: SavedView, *, actor: Person, now: datetime) -> None:
    """Remove one's own view. Raises NotAllowed for somebody else's."""
    if view.person_id != actor.pk:
        raise NotAllowed("Only the person who saved a view can delete it.")
    subject = Subject("view", str(view.pk), view.name)
    record(Kind.VIEW_DELETED, actor=actor, subject=subject, now=now, before={"query": view.query})
    view.delete()

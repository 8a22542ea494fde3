"""Two people in one draft of the charter: who saves later is told, and loses nothing of either."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import AuditEvent
from apps.people.models import Function
from apps.registry.actions import charter as verbs
from apps.registry.models import Charter, GovernanceDomain
from apps.registry.queries.charter import revision_of
from tests.cast import Cast
from tests.factories import NOW

PAGE = "/ownership/mandate/draft/"
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def draft(cast: Cast) -> Charter:
    """A draft that Mara started."""
    return verbs.draft_charter(actor=cast.mara, now=NOW)


def change(cast: Cast, charter: Charter, read: str, **said: Any) -> Charter:
    """Somebody else's change."""
    given: dict[str, Any] = {
        "holder": Function.objects.get(code="platform"), "authority": "May stop any system.",
        "enforcement_points": ["Gateway"], "domains": {"stop": True},
    }  # fmt: skip
    return verbs.change_charter(charter, **{**given, **said}, read=read, actor=cast.mara, now=LATER)


def typed(read: str, **said: str) -> dict[str, str]:
    """What the form sends."""
    choices = {f"domain-{key}": "" for key in GovernanceDomain.objects.values_list("key", flat=True)}
    fields = {"holder": "platform", "authority": "May cap spend.", "points": "Gateway", "do": "save", "read": read}
    return {**choices, **fields, **said}


def read_by(client: Client) -> str:
    return str(client.get(PAGE).context["read"])


def test_what_was_read_before_is_refused(cast: Cast, draft: Charter) -> None:
    read = revision_of(draft)
    change(cast, draft, read)
    events = AuditEvent.objects.count()
    with pytest.raises(verbs.DraftChanged, match="Somebody saved this draft after you opened it"):
        change(cast, draft, read, authority="May cap spend.")
    draft.refresh_from_db()
    assert (draft.authority, AuditEvent.objects.count()) == ("May stop any system.", events)


def test_every_part_of_a_draft_counts(cast: Cast, draft: Charter) -> None:
    seen = [revision_of(draft)]
    for said in ({}, {"authority": "May cap spend."}, {"enforcement_points": []}, {"domains": {"stop": False}}):
        draft = change(cast, draft, seen[-1], **said)
        seen.append(revision_of(draft))
    assert len(set(seen)) == 5


def test_the_later_one_sees_both(cast: Cast, draft: Charter, browse: Callable[[Any], Client]) -> None:
    client = browse(cast.mara)
    read = read_by(client)
    change(cast, draft, read)
    answer = client.post(PAGE, typed(read))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Nothing of yours is saved yet. Compare the two where they differ, then save again." in page
    assert "Authority: the saved draft says “May stop any system.”." in page
    assert "Stop: the saved draft says “Covered, may enforce”." in page
    assert page.count("the saved draft says") == 3  # two above, one of them again at its field
    assert answer.context["form"]["authority"].value() == "May cap spend."
    draft.refresh_from_db()
    assert draft.authority == "May stop any system."


def test_who_was_told_saves_again(cast: Cast, draft: Charter, browse: Callable[[Any], Client]) -> None:
    client = browse(cast.mara)
    read = read_by(client)
    change(cast, draft, read)
    told = client.post(PAGE, typed(read)).context["read"]
    assert client.post(PAGE, typed(told)).status_code == 302
    draft.refresh_from_db()
    assert draft.authority == "May cap spend."


def test_a_form_with_a_mistake_keeps_what_was_read(cast: Cast, draft: Charter, browse: Callable[[Any], Client]) -> None:
    client = browse(cast.mara)
    read = read_by(client)
    change(cast, draft, read)
    wrong = client.post(PAGE, typed(read, authority=""))
    assert (wrong.status_code, wrong.context["read"]) == (422, read)
    assert client.post(PAGE, typed(wrong.context["read"])).status_code == 409


def test_what_is_not_put_in_force_is_not_saved(cast: Cast, draft: Charter, browse: Callable[[Any], Client]) -> None:
    client = browse(cast.mara)
    read = read_by(client)
    answer = client.post(PAGE, typed(read, do="force"))
    assert answer.status_code == 422
    assert "choose at least one domain" in answer.content.decode()
    assert (
        client.post(PAGE, typed(answer.context["read"], **{"domain-stop": "enforces"}, do="force")).status_code == 302
    )
    draft.refresh_from_db()
    assert (draft.state, draft.authority) == ("in_force", "May cap spend.")

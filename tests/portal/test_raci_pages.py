"""The matrix through its pages: who may, drafts, what blocks, two windows, acceptance, versions, many systems."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.audit.models import AuditEvent
from apps.notify.models import Message
from apps.registry.models import RaciAcceptance, RaciAssignment, RaciDraft, RaciDraftRow, RaciVersion, System
from tests.cast import Cast
from tests.factories import a_system

Browse = Callable[[Any], Client]
URL = "/systems/SYS-1/ownership/"
FETCH = {"X-Requested-With": "fetch"}


@pytest.fixture
def system(cast: Cast) -> System:
    return a_system(cast, key="SYS-1", name="Claims agent", owner=cast.ada)


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def set_cell(client: Client, domain: str, party: str, letters: str, *, url: str = URL, **more: Any) -> Any:
    """Set a letter as the script does it."""
    draft = RaciDraft.objects.filter(state="draft").first()
    data = {"domain": domain, "party": party, "letters": letters, "revision": draft.revision if draft else 0}
    return client.post(f"{url}cell/", data | more, headers=FETCH)


def letters_in_force(system: System) -> list[tuple[str, str]]:
    found = RaciAssignment.objects.filter(system=system, valid_to=None).order_by("domain_id", "letter")
    return [(one.domain_id, one.letter) for one in found]


# Who may.


@pytest.mark.parametrize(("name", "may"), [("mara", True), ("ada", True), ("cleo", False), ("eve", False)])
def test_those_who_may_get_an_editor_and_others_read(
    name: str, may: bool, cast: Cast, browse: Browse, system: System
) -> None:
    client = browse(getattr(cast, name))
    page = client.get(URL).content.decode()
    assert ('role="grid"' in page) is may
    assert ("The owner, the head of the unit and the person who holds the mandate change it." in page) is not may
    response = set_cell(client, "access-management", "owner", "A")
    assert response.status_code == (200 if may else 403)
    assert RaciDraft.objects.count() == int(may)


def test_the_organisation_is_read_by_everybody_and_changed_by_the_mandate(cast: Cast, browse: Browse) -> None:
    page = browse(cast.dov).get("/ownership/matrix/").content.decode()
    assert "The person who holds the mandate changes it." in page
    assert 'role="grid"' not in page
    assert 'role="grid"' in browse(cast.mara).get("/ownership/matrix/").content.decode()
    assert browse(cast.dov).get("/ownership/matrix/rows/stop/").status_code == 403
    assert browse(cast.dov).get("/ownership/matrix/units/").status_code == 200


def test_a_unit_is_changed_by_its_head(cast: Cast, browse: Browse) -> None:
    url = f"/ownership/matrix/units/{cast.claims.pk}/"
    assert 'role="grid"' in browse(cast.una).get(url).content.decode()
    assert 'role="grid"' not in browse(cast.ada).get(url).content.decode()
    assert browse(cast.una).get("/ownership/matrix/units/999999/").status_code == 404
    assert set_cell(browse(cast.una), "access-management", "legal", "A", url=url).status_code == 200


# Setting letters.


def test_a_letter_is_saved_in_the_draft_and_nothing_is_in_force(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    response = set_cell(client, "access-management", "owner", "A")
    body = response.content.decode()
    assert response["X-Raci"] == "1"
    assert "Two people, choose one" in body
    assert "This cannot be sent yet." in body
    assert "You can send it when nothing above blocks it any more." in body
    assert letters_in_force(system) == []
    assert "Two people, choose one" in client.get(URL).content.decode()
    # Another person sees what is in force.
    assert "Two people, choose one" not in browse(cast.ada).get(URL).content.decode()


@pytest.mark.parametrize(
    ("domain", "party", "letters"),
    [("access-management", "owner", "X"), ("access-management", "nobody", "A"), ("no-such-row", "owner", "A")],
)
def test_what_is_no_letter_no_party_no_row(
    domain: str, party: str, letters: str, cast: Cast, browse: Browse, system: System
) -> None:
    response = set_cell(browse(cast.mara), domain, party, letters)
    assert response.status_code in {404, 422}
    assert RaciDraftRow.objects.count() == 0


def test_a_second_window_sees_what_the_first_did_and_loses_nothing(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    set_cell(client, "cost-attribution", "ciso", "C", revision=0)
    response = set_cell(client, "cost-attribution", "legal", "I", revision=0)
    body = response.content.decode()
    assert response.status_code == 409
    assert "is not saved yet" in body
    assert "C, Consulted: Cost attribution, Cleo Marchetti" in body
    row = RaciDraftRow.objects.get()
    assert (row.cells["ciso"], row.cells.get("legal")) == ("C", None)


# A row without script.


def test_a_row_as_a_plain_form(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    url = f"{URL}rows/access-management/"
    page = client.get(url).content.decode()
    assert 'name="ciso"' in page
    assert "Letter of Ada Nwosu, Owner" in page
    data = {"revision": "0", "ciso": "C", "owner": "A", "engineering": "R", "platform": "R", "legal": "C"}
    response = client.post(url, data)
    assert (response.status_code, response["Location"]) == (302, f"{URL}#row-access-management")
    cells = RaciDraftRow.objects.get().cells
    assert (cells["ciso"], cells["owner"]) == ("C", "A")
    assert "set here" in client.get(url).content.decode().lower()


def test_a_row_form_with_what_is_no_letter(cast: Cast, browse: Browse, system: System) -> None:
    response = browse(cast.mara).post(f"{URL}rows/access-management/", {"revision": "0", "ciso": "Z"})
    assert response.status_code == 422
    assert "There is a problem" in response.content.decode()
    assert RaciDraft.objects.count() == 0


def test_a_row_is_taken_from_above_again(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    set_cell(client, "access-management", "owner", "A")
    assert "Take from the organisation again" in client.get(URL).content.decode()
    response = client.post(f"{URL}cell/", {"inherit": "access-management", "revision": "1"})
    assert (response.status_code, response["Location"]) == (302, f"{URL}#row-access-management")
    assert "Take from the organisation again" not in client.get(URL).content.decode()


def test_the_rows_own_form_never_empties_it(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    set_cell(client, "access-management", "owner", "A")
    before = list(RaciDraft.objects.values("revision", "rows__cells"))
    form = client.get(f"{URL}rows/access-management/").content.decode()
    assert f'action="{URL}cell/"' in form
    assert 'name="inherit" value="access-management"' in form
    refused = client.post(f"{URL}rows/access-management/", {"inherit": "1", "revision": "1"})
    assert refused.status_code == 422
    assert list(RaciDraft.objects.values("revision", "rows__cells")) == before


# The draft.


def test_note_person_discard(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    set_cell(client, "access-management", "owner", "A")
    assert said(client.post(f"{URL}draft/", {"do": "note", "note": "After the audit"})) == "The note is saved."
    assert RaciDraft.objects.get().note == "After the audit"
    refused = client.post(f"{URL}draft/", {"do": "person", "person": "claims-team@example.org"})
    assert refused.status_code == 422
    assert "is a mailbox. Choose a person." in refused.content.decode()
    added = client.post(f"{URL}draft/", {"do": "person", "person": "nils@example.org"})
    assert f"with={cast.nils.pk}" in added["Location"]
    assert "Nils Okafor" in client.get(added["Location"]).content.decode()
    assert "1 change" in client.get(f"{URL}draft/").content.decode()
    client.post(f"{URL}draft/", {"do": "discard"})
    assert RaciDraft.objects.get().state == "discarded"
    assert "Two people" not in client.get(URL).content.decode()
    assert client.post(f"{URL}draft/", {"do": "discard"}).status_code == 422


def make_it_right(client: Client) -> None:
    """Access management: the A from the CISO to the owner."""
    set_cell(client, "access-management", "owner", "A")
    set_cell(client, "access-management", "ciso", "C")


def test_send_accept_in_force(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    set_cell(client, "access-management", "owner", "A")
    assert client.post(f"{URL}draft/", {"do": "send"}).status_code == 422
    assert Message.objects.filter(key__startswith="raci:").count() == 0
    make_it_right(client)
    assert "Ada Nwosu" in said(client.post(f"{URL}draft/", {"do": "send"}))
    page = client.get(URL).content.decode()
    assert "Sent for acceptance" in page
    assert 'role="grid"' not in page
    asked = RaciAcceptance.objects.get()
    assert (asked.person, asked.domains) == (cast.ada, ["access-management"])
    assert letters_in_force(system) == []
    assert browse(cast.cleo).get(f"/ownership/acceptances/{asked.pk}/").status_code == 404

    other = browse(cast.ada)
    assert "Access management" in other.get("/").content.decode()
    page = other.get(f"/ownership/acceptances/{asked.pk}/").content.decode()
    assert "Do you answer for Access management?" in page
    assert "Cleo Marchetti" in page
    events = AuditEvent.objects.count()
    response = other.post(f"/ownership/acceptances/{asked.pk}/", {"answer": "accept"})
    assert response.status_code == 302
    assert AuditEvent.objects.count() > events
    assert ("access-management", "A") in letters_in_force(system)
    assert RaciVersion.objects.filter(system=system).count() == 1


def test_decline_needs_a_reason_and_changes_nothing(cast: Cast, browse: Browse, system: System) -> None:
    client, other = browse(cast.mara), browse(cast.ada)
    make_it_right(client)
    client.post(f"{URL}draft/", {"do": "send"})
    url = f"/ownership/acceptances/{RaciAcceptance.objects.get().pk}/"
    assert other.post(url, {"answer": "decline", "reason": ""}).status_code == 422
    assert RaciAcceptance.objects.get().state == "open"
    assert other.post(url, {"answer": "maybe"}).status_code == 422
    assert other.post(url, {"answer": "decline", "reason": "Not my platform"}).status_code == 302
    assert letters_in_force(system) == []
    assert "Not my platform" in client.get(URL).content.decode()
    assert other.post(url, {"answer": "accept"}).status_code == 422


def test_take_it_back(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    make_it_right(client)
    client.post(f"{URL}draft/", {"do": "send"})
    client.post(f"{URL}draft/", {"do": "withdraw"})
    assert RaciDraft.objects.get().state == "draft"
    assert 'role="grid"' in client.get(URL).content.decode()
    assert "Access management" not in browse(cast.ada).get("/").content.decode()


# Versions.


def test_versions_compare_and_back(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.ada)
    for letters in ("C", "I"):
        set_cell(client, "cost-attribution", "legal", letters)
        client.post(f"{URL}draft/", {"do": "send"})
    page = client.get(f"{URL}history/").content.decode()
    assert "General Counsel from C to I" in page
    assert "set here: A Head of Finance; " in page
    compared = client.get(f"{URL}history/?from=2&to=1").content.decode()
    assert "From version 1 to version 2" in compared
    assert "Choose two different versions." in client.get(f"{URL}history/?from=1&to=1").content.decode()
    assert "is not there" in client.get(f"{URL}history/?from=1&to=99").content.decode()
    assert client.post(f"{URL}history/", {"version": "1"}).status_code == 302
    assert (
        "General Counsel from I to C" in client.get(URL).content.decode()
        or "from I to C" in client.get(URL).content.decode()
    )
    assert browse(cast.eve).post(f"{URL}history/", {"version": "1"}).status_code == 403
    assert client.post(f"{URL}history/", {"version": "77"}).status_code == 422


# Many systems.


def test_many_systems_preview_and_apply(cast: Cast, browse: Browse, system: System) -> None:
    a_system(cast, key="SYS-2", name="Second agent", owner=cast.ada)
    client = browse(cast.mara)
    data: dict[str, Any] = {"system": ["SYS-1", "SYS-2"]}
    assert "Selected systems" in client.post("/systems/responsibilities/", data).content.decode()
    nothing = client.post("/systems/responsibilities/", data | {"step": "preview"})
    assert nothing.status_code == 422
    assert "Choose at least one row." in nothing.content.decode()
    data |= {"domain0": "cost-attribution", "party0": "legal", "letters0": "C"}
    page = client.post("/systems/responsibilities/", data | {"step": "preview"}).content.decode()
    assert "C added for" in page
    assert RaciVersion.objects.filter(system__isnull=False).count() == 0
    response = client.post("/systems/responsibilities/", data | {"step": "apply"})
    assert response.status_code == 302
    assert RaciVersion.objects.filter(system__isnull=False).count() == 2
    assert ("cost-attribution", "C") in letters_in_force(system)


def test_many_systems_only_where_one_may(cast: Cast, browse: Browse, system: System) -> None:
    data = {"system": ["SYS-1"]}
    assert browse(cast.cleo).post("/systems/responsibilities/", data).status_code == 403
    assert browse(cast.dov).post("/systems/responsibilities/", data).status_code == 404
    assert browse(cast.mara).post("/systems/responsibilities/", {}).status_code == 422

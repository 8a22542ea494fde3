"""What nobody means well, at each newer act about an incident: never our fault, said in words, and nothing changed."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.directory.actions import offboard
from apps.incidents.actions.declare import declare
from apps.incidents.actions.drills import make_ready, start_exercise
from apps.incidents.actions.paging import acknowledge
from apps.incidents.models import Escalation, Exercise, Incident, IncidentTask, LeadTerm, Page, Review
from apps.notify.models import Message
from tests.factories import a_system
from tests.incidents.learning_world import NOW, resolved
from tests.incidents.test_drills import AT, planned
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
MUCH = "x" * 1_000_000
WORDS = ("", " ", "\0", "Come\0", MUCH)
PEOPLE = ("", " ", "\0", "ada@example.org\0", MUCH, "nobody@example.org", "ivan@example.org", "-1", "9" * 20,
          "\u00b2", "[]", "ada@example.org, ben@example.org", "%", "'; --")  # fmt: skip
VERSIONS = ("-1", "2147483648", "9" * 30, "x", "1.5", "\0", MUCH, "\u00b2", "0x1", "1 2")
MOMENTS = ("\0", MUCH, "25:00", "09:60", "31 Feb 2026, 09:00", "9999-12-31, 23:59", "31 Dec 9999, 09:14",
           "1 Jan 0001, 00:00", "0001-01-01, 00:00", "x 09:14", "17 Nov 2999, 09:14", "-1")  # fmt: skip


def live(cast: Any, *, taken: bool = True, **more: Any) -> Incident:
    """Declared by Dov about a system of Ada's, and taken by her."""
    system, now = a_system(cast, owner=cast.ada), clock.now() - timedelta(minutes=1)
    settle()
    incident = declare(title="It read letters", system=system, actor=cast.dov, now=now, **more)
    return acknowledge(incident, actor=cast.ada, now=now) if taken else incident


def everything() -> tuple[object, ...]:
    """What a refusal leaves as it is."""
    tables = (Incident, Escalation, LeadTerm, Page, IncidentTask, Review, Exercise)
    rows = tuple(list(table.objects.order_by("pk").values()) for table in tables)
    lines = list(Incident.objects.order_by("pk").values_list("timeline", flat=True))
    return (*rows, sorted(map(str, lines)), AuditEvent.objects.count(), Message.objects.count())


def none_does(
    client: Client, path: str, forms: Iterable[Mapping[str, Any]], *, codes: tuple[int, ...] = (422,)
) -> None:
    """Each of these is answered with what is wrong, and changes nothing."""
    before = everything()
    for form in forms:
        answer = client.post(path, form)
        about = (path, {name: str(value)[:30] for name, value in form.items()}, answer.status_code)
        assert answer.status_code in codes, about
        assert answer.status_code != 422 or "error" in answer.content.decode(), about
        assert everything() == before, about


def test_somebody_else_takes_it(cast: Any, browse: Any) -> None:
    incident = live(cast, taken=False)
    client, path = browse(cast.mara), f"{incident.path}do/take-for/"
    none_does(client, path, [{"person": said} for said in (*PEOPLE, cast.robot.email, str(cast.ben.pk))])
    none_does(client, path, [{"person": cast.ben.email, "version": said} for said in VERSIONS])
    none_does(client, path, [{"person": cast.ben.email, "version": incident.version + 7}], codes=(409,))
    sent = {"person": cast.ben.email, "version": incident.version}
    none_does(browse(cast.eve), path, [sent], codes=(403, 404))
    assert client.post(path, sent).status_code == 302
    none_does(client, path, [sent], codes=(409,))
    none_does(client, path, [{"person": cast.ada.email}])  # Ben has it
    none_does(client, "/incidents/INC-999999999/do/take-for/", [sent], codes=(404,))


def test_somebody_is_brought_in(cast: Any, browse: Any) -> None:
    incident = live(cast)
    client, path = browse(cast.ada), f"{incident.path}do/bring-in/"
    none_does(client, path, [{"person": said, "why": "Logs"} for said in (*PEOPLE, cast.robot.email, cast.ada.email)])
    none_does(client, path, [{"person": cast.nils.email, "why": said} for said in (*WORDS, "x" * 501)])
    sent = {"person": cast.nils.email, "why": "Logs"}
    assert client.post(path, sent).status_code == 302
    none_does(client, path, [sent])
    assert IncidentTask.objects.filter(incident=incident).count() == 1


def test_the_next_question_is_put_off(cast: Any, browse: Any) -> None:
    incident = live(cast)
    client, path = browse(cast.ada), f"{incident.path}do/snooze/"
    wrong = ("", "0", "-30", "241", "1e2", "60.0", "NaN", "\0", "60\0", MUCH, "9" * 30, "\u00b2", "\u0666\u0660")
    none_does(client, path, [{"minutes": said, "reason": "Restore"} for said in wrong])
    none_does(client, path, [{"minutes": "120", "reason": said} for said in (*WORDS, "x" * 601)])
    none_does(client, path, [{"minutes": "120", "reason": "Restore", "version": said} for said in VERSIONS])
    none_does(browse(cast.ben), path, [{"minutes": "120", "reason": "Restore"}], codes=(403,))
    sent = {"minutes": "120", "reason": "Restore"}
    assert client.post(path, sent).status_code == 302
    none_does(client, path, [sent | {"minutes": "60"}])  # nobody asks before then anyway


@pytest.mark.parametrize("said", MOMENTS, ids=lambda said: ascii(said[:12]))
def test_when_it_happened(cast: Any, browse: Any, said: str) -> None:
    incident = live(cast)
    before, client = everything(), browse(cast.ada)
    answer = client.post(f"{incident.path}do/note/", {"text": "It was noticed", "at": said})
    type(cast.ada).objects.update(time_zone="America/New_York")
    assert client.get(incident.path).status_code == 200
    assert answer.status_code == 422, answer.status_code
    assert everything() == before


def test_declared_with_a_severity(cast: Any, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    client, path = browse(cast.dov), f"/incidents/declare/what/?system={system.key}"
    wrong = ("sev9", "SEV1", "\0", "sev1\0", MUCH, "1", "[]", " sev1")
    none_does(client, path, [{"title": "It leaks", "severity": said} for said in wrong])
    none_does(client, path, [{"title": said, "severity": "sev1"} for said in (*WORDS, "x" * 201)])
    none_does(client, path, [{"title": "It leaks", "form_token": said} for said in ("x", "\0", MUCH, "-1")])
    none_does(client, path, [{"title": "It leaks", "description": said} for said in ("\0", MUCH)])
    shown = client.get(path).content.decode()
    token = re.search(r'name="form_token" value="([^"]+)"', shown)
    assert token
    sent = {"title": "It leaks", "severity": "sev1", "form_token": token[1]}
    for _ in range(2):
        assert client.post(path, sent).status_code == 302
    assert Incident.objects.filter(title="It leaks").count() == 1
    before = everything()
    for odd in ("\ufffd", "\0", "x" * 4000, "99999", "-1"):
        for name in ("system", "about", "scenario", "q"):
            assert client.get("/incidents/declare/what/", {name: odd}).status_code in {200, 302, 400}, (name, odd)
            answer = client.post(f"/incidents/declare/what/?{name}=%00", {"title": "It leaks"})
            assert answer.status_code in {302, 400, 422}, (name, odd)
    assert everything() == before


def test_who_facilitates_the_review(cast: Any, browse: Any) -> None:
    incident = resolved(cast)
    client, path = browse(cast.mara), f"{incident.path}review/"
    wrong = (*PEOPLE, cast.robot.email, incident.lead.email, incident.review.facilitator.email, str(cast.cleo.pk))
    none_does(client, path, [{"do": "facilitator", "person": said} for said in wrong])
    other = next(one for one in (cast.cleo, cast.nils) if one.pk != incident.review.facilitator_id)
    sent = {"do": "facilitator", "person": other.email}
    assert client.post(path, sent).status_code == 302
    none_does(client, path, [sent])


def test_who_facilitates_a_drill(cast: Any, browse: Any) -> None:
    exercise = make_ready(planned(cast, facilitator=cast.nils), actor=cast.mara, now=NOW)
    start_exercise(exercise, actor=cast.nils, now=AT)
    offboard(cast.nils, actor=cast.mara, now=AT)
    client = browse(cast.mara)
    wrong = (*PEOPLE, cast.robot.email, cast.nils.email, str(cast.dov.pk))
    none_does(client, exercise.path, [{"do": "facilitator", "person": said} for said in wrong])
    sent = {"do": "facilitator", "person": cast.dov.email}
    none_does(browse(cast.dov), exercise.path, [sent], codes=(403, 404))
    assert client.post(exercise.path, sent).status_code == 302
    none_does(client, exercise.path, [sent], codes=(302, 403, 409, 422))


# -- by API

NO_OBJECTS = (b"{", b"[]", b"null", b"1", b'"x"', b"\xff", b"\0", b"[" * 100_000, b'{"a":' * 50_000, b"NaN")
WRONG_VERSIONS: tuple[object, ...] = (-1, 2**31, 10**30, 1.5, "x", "\0", "", None, [], {}, [1], {"a": 1}, MUCH)


def by_token(person: Any, *scopes: str) -> Client:
    """A client with a token of theirs."""
    _, secret = issue_token(person, name="T", scopes=list(scopes or ("write",)), actor=person, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


def refuses(client: Client, path: str, bodies: Iterable[bytes], codes: tuple[int, ...] = (400, 422)) -> None:
    """Each is answered as a problem in JSON, and changes nothing."""
    before = everything()
    for body in bodies:
        answer = client.post(path, body, content_type="application/json")
        assert answer.status_code in codes, (body[:60], answer.status_code, answer.content[:200])
        assert json.loads(answer.content), body[:60]
        assert everything() == before, body[:60]


def test_taken_by_api(cast: Any) -> None:
    incident = live(cast, taken=False)
    hidden = live(cast, taken=False, visibility="privileged")
    path, client = f"/api/v1/incidents/{incident.code}/acknowledge/", by_token(cast.ada)
    refuses(client, path, NO_OBJECTS)
    refuses(client, path, [json.dumps({"version": said}).encode() for said in WRONG_VERSIONS])
    refuses(client, path, [b'{"person": "x"}', b'{"version": NaN}', b'{"version": ' + b"9" * 5000 + b"}"])
    refuses(client, path, [b'{"version": 2000000000}'], (409,))
    refuses(by_token(cast.nils), path, [b"{}"], (403, 404))
    refuses(by_token(cast.ada, "read"), path, [b"{}"], (403,))
    for code in (hidden.code, "INC-999999999", "x", "%00", "INC-0001%00", "x" * 3000, "-1"):
        codes = (400,) if "%00" in code else (404,)
        refuses(by_token(cast.nils), f"/api/v1/incidents/{code}/acknowledge/", [b"{}"], codes)
    sent = json.dumps({"version": incident.version}).encode()
    assert client.post(path, sent, content_type="application/json").status_code == 200
    refuses(client, path, [sent], (409,))  # sent twice
    refuses(by_token(cast.ben), path, [b"{}"], (409, 422))  # Ada has it
    incident.refresh_from_db()
    assert (incident.lead, Escalation.objects.get(incident=incident).acked_by) == (cast.ada, cast.ada)


def test_declared_by_api(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    path, client = "/api/v1/incidents/", by_token(cast.dov)
    good = {"title": "It leaks", "system": system.key, "severity": "sev1"}
    odd: tuple[object, ...] = ("\0", "It\0", MUCH, None, [], {}, ["x"], {"a": 1})
    refuses(client, path, NO_OBJECTS)
    for name in ("title", "system", "about", "scenario", "severity", "visibility", "mode", "form_token", "description"):
        refuses(client, path, [json.dumps(good | {name: said}).encode() for said in odd])
    refuses(client, path, [json.dumps(good | more).encode() for more in (
        {"severity": "sev9"}, {"severity": 1}, {"severity": True}, {"title": ""}, {"title": " "}, {"mode": "drill"},
        {"declared_at": "2020-01-01T00:00:00Z"}, {"system": "SYS-NONE"}, {"form_token": "x"}, {"title": "\ud800"},
        {"lead": str(cast.una.pk)},
    )])  # fmt: skip
    again = json.dumps(good | {"form_token": "0b8d2f34-5a1e-4a3c-9d5e-3f0f8e1f7c11"}).encode()
    codes = [client.post(path, again, content_type="application/json").json()["code"] for _ in range(2)]
    assert codes[0] == codes[1]
    assert Incident.objects.count() == 1

"""Taking the response for somebody, by a program, again, or not yet; and calling one more person to it."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.states import classify, dismiss, resolve
from apps.incidents.actions.timeline import bring_in, finish_task, set_task
from apps.incidents.models import Incident, IncidentTask, LeadTerm, Page
from apps.notify.models import Delivery, Message
from tests.incidents.paging_world import NOW, contained, declared, minutes, pages, texts, timer
from tests.notify.webhooks_world import a_channel, an_endpoint

pytestmark = pytest.mark.django_db


def taken(cast: Any, **more: Any) -> Incident:
    """Ada has it, and it is severe."""
    now = more.pop("now", NOW)
    incident = acknowledge(declared(cast, now=now, **more), actor=cast.ada, now=now)
    return classify(incident, "sev1", reason="Many", actor=cast.ada, now=now)


def until(incident: Incident) -> datetime:
    """How long the acknowledgement holds."""
    found = timer(incident).ack_until
    assert found is not None
    return found


def program(person: Any, *scopes: str) -> Client:
    """A program with a token of somebody."""
    _, secret = issue_token(person, name="P", scopes=list(scopes), actor=person, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {secret}"})


def posts(client: Client, incident: Incident, **sent: Any) -> Any:
    return client.post(f"/api/v1/incidents/{incident.code}/acknowledge/", sent, content_type="application/json")


def everything(incident: Incident) -> list[Any]:
    """What a refusal leaves as it is."""
    incident.refresh_from_db()
    counts = [one.objects.count() for one in (AuditEvent, Message, Delivery, IncidentTask, LeadTerm)]
    return [incident.version, incident.timeline.count(), pages(incident), *counts]


def test_a_program_takes_it_for_its_person(cast: Any) -> None:
    incident = declared(cast, now=clock.now())

    answer = posts(program(cast.ada, "write"), incident, version=incident.version)

    assert (answer.status_code, answer.json()["lead"]["name"]) == (200, "Ada Nwosu")
    assert answer.json()["version"] == incident.version + 1
    assert answer.json()["lead_accepted_at"] is not None
    page = Page.objects.get()
    assert (page.state, page.answered_by_way, page.answered_by) == ("acked", "api", cast.ada)
    assert timer(incident).state == "acked"
    assert posts(program(cast.ada, "write"), incident).status_code == 200, "said again"


def test_a_program_is_refused(cast: Any) -> None:
    incident = declared(cast, now=clock.now())
    wrong = [
        (posts(Client(), incident), 401),
        (program(cast.ada, "read", "write").get(f"/api/v1/incidents/{incident.code}/acknowledge/"), 405),
        (posts(program(cast.ada, "read"), incident), 403),
        (posts(program(cast.eve, "write"), incident), 403),
        (posts(program(cast.bo, "write"), incident), 403),
        (posts(program(cast.nils, "write"), incident), 404),
        (posts(program(cast.ada, "write"), incident, version=99), 409),
        (posts(program(cast.ada, "write"), incident, version="x"), 400),
        (posts(program(cast.ada, "write"), incident, person="ben"), 400),
    ]
    assert [answer.status_code for answer, _ in wrong] == [status for _, status in wrong]
    assert (timer(incident).state, incident.leads.get().accepted_at) == ("running", None)

    acknowledge(incident, actor=cast.ada, now=clock.now())
    mara = program(cast.mara, "write")
    before = everything(incident)
    answer = posts(mara, incident)
    assert (answer.status_code, answer.json()["detail"]) == (
        422, "Ada Nwosu has it already. Ask them to hand it over.",
    )  # fmt: skip
    assert everything(incident) == before


def test_somebody_says_that_another_takes_it(cast: Any, browse: Any) -> None:
    incident = declared(cast, now=clock.now())
    client = browse(cast.mara)
    assert "Somebody else takes it" in client.get(incident.path).content.decode()

    answer = client.post(f"{incident.path}do/take-for/", {"person": "ben@example.org", "version": incident.version})

    assert (answer.status_code, answer["Location"]) == (302, incident.path)
    incident.refresh_from_db()
    assert incident.lead == cast.ben
    assert texts(incident)[-1] == "Ben Ortega took the response, said by Mara Lindt."
    assert incident.leads.get(ended_at=None).accepted_by == cast.mara
    assert Page.objects.get(person=cast.ada).state == "cancelled"
    assert "do/take-for/" not in client.get(incident.path).content.decode(), "somebody has it"
    other = browse(cast.eve).post(f"{incident.path}do/take-for/", {"person": "ben@example.org"})
    assert other.status_code == 403


def test_whoever_has_it_says_so_again_or_puts_that_off(cast: Any, browse: Any) -> None:
    incident = taken(cast, now=clock.now())
    client = browse(cast.ada)
    shown = client.get(incident.path).content.decode()
    assert "You have it. Say again by" in shown
    before = until(incident)
    assert "that they still have it" in browse(cast.mara).get(incident.path).content.decode()

    assert client.post(f"{incident.path}do/renew/", {"version": incident.version}).status_code == 302
    assert until(incident) > before
    assert texts(incident)[-1] == "Ada Nwosu still has it."
    asked = timezone.localtime(until(incident), ZoneInfo(cast.ada.time_zone))
    assert f"you are asked at {asked:%H:%M}." in client.get(f"{incident.path}do/snooze/").content.decode()
    off = client.post(f"{incident.path}do/snooze/", {"minutes": "120", "reason": "I restore", "version": ""})
    assert off.status_code == 302
    assert texts(incident)[-1] == "Ada Nwosu need not renew for 120 min: I restore"
    assert until(incident) >= clock.now() + timedelta(minutes=119)
    put_off = until(incident)
    # Sooner than it is asked anyway would put nothing off, and say that it did.
    for wrong in (
        {"minutes": "300", "reason": "x"},
        {"minutes": "60", "reason": " "},
        {"minutes": "60", "reason": "x"},
    ):
        assert client.post(f"{incident.path}do/snooze/", wrong).status_code == 422
    assert until(incident) == put_off
    assert browse(cast.mara).post(f"{incident.path}do/snooze/", {"minutes": "60", "reason": "x"}).status_code == 403


def test_one_more_person_is_called_at_once(cast: Any) -> None:
    gateway = an_endpoint(cast.mara, "https://93.184.215.14/in").endpoint
    a_channel(cast.nils, gateway, kind="sms", address="+49 30 5550142")
    incident = taken(cast)
    calls = pages(incident)

    task = bring_in(incident, cast.nils, why="You know the index", actor=cast.ada, now=minutes(3))

    assert (task.what, task.person) == ("Join the response: You know the index", cast.nils)
    key = f"brought:{incident.pk}:{task.pk}"
    sent = Delivery.objects.get(key__startswith=key)
    assert sent.urgent
    assert sent.content["title"] == f"{incident.code}: you are needed: {incident.title}"
    assert sent.content["text"] == "Ada Nwosu asks you to come. You know the index"
    assert texts(incident)[-1].startswith(f"{cast.nils.display_name} is called by text message")
    assert pages(incident) == calls, "nobody is asked to lead"
    assert timer(incident).state == "acked"
    assert incident.user_grants.filter(user=cast.nils).exists()
    assert AuditEvent.objects.filter(kind="incident.task_set").count() == 1

    before = everything(incident)
    with pytest.raises(Refused, match="was called already"):
        bring_in(incident, cast.nils, why="Now", actor=cast.ada, now=minutes(4))
    for person, why in ((cast.ada, "x"), (cast.ben, " "), (cast.ivan, "x"), (cast.robot, "x")):
        with pytest.raises(Refused):
            bring_in(incident, person, why=why, actor=cast.ada, now=minutes(4))
    assert everything(incident) == before
    finish_task(task, outcome="Here", actor=cast.nils, now=minutes(5))
    bring_in(incident, cast.nils, why="Again", actor=cast.ada, now=minutes(6))
    assert Delivery.objects.filter(key__startswith=f"brought:{incident.pk}:").count() == 2


def test_a_task_that_reads_like_a_call_calls_nobody_and_keeps_nobody_from_being_called(cast: Any) -> None:
    incident = taken(cast)
    set_task(incident, what="Join the response: by hand", person=cast.ben, actor=cast.ada, now=minutes(1))
    assert not Message.objects.filter(key__startswith="brought:").exists()
    task = bring_in(incident, cast.ben, why="You know the index", actor=cast.ada, now=minutes(2))
    assert [one.called for one in incident.tasks.order_by("pk")] == [False, True]
    assert Message.objects.filter(key=f"brought:{incident.pk}:{task.pk}").count() == 1


def test_of_a_restricted_incident_only_the_code_leaves(cast: Any) -> None:
    incident = taken(cast, visibility="restricted")
    bring_in(incident, cast.ben, why="The letters of Jane Roe", actor=cast.ada, now=minutes(1))
    mail = Message.objects.get(key__startswith=f"brought:{incident.pk}:")
    assert mail.subject == f"{incident.code}: you are needed"
    assert mail.body == f"{incident.code}: you are needed\nAda Nwosu asks you to come."
    assert mail.urgent


def test_who_is_needed_no_more_is_not_called(cast: Any) -> None:
    incident = taken(cast)
    bring_in(incident, cast.ben, why="x", actor=cast.ada, now=minutes(1))
    resolve(contained(incident, cast.ada, minutes(2)), resolution="Narrowed", actor=cast.ada, now=minutes(3))
    assert Message.objects.get(key__startswith=f"brought:{incident.pk}:").state == "withdrawn"
    over = dismiss(declared(cast), because="benign", note="No", actor=cast.mara, now=minutes(1))
    with pytest.raises(Refused, match="is over"):
        bring_in(over, cast.ben, why="x", actor=cast.ada, now=minutes(2))

"""Two that arrive at once, an incident that ends meanwhile, and a portal without its broker: nothing is lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from apps.audit.models import AuditEvent
from apps.incidents.actions.inbound import Received, receive, receive_mail
from apps.incidents.actions.states import dismiss
from apps.incidents.models import InboundSource, Incident, LeadTerm
from apps.incidents.rules.inbound import Report, Status
from apps.incidents.rules.inbound_mail import read_mail
from apps.people.models import Person
from tests.cast import Cast
from tests.incidents.inbound_world import NOW, a_source, mail, sample, send

FIRING = Report(Status.FIRING, "It leaks", dedup_key="k")


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run each in a thread and a connection of its own, all from the same moment; what each gave or raised."""
    gate, found = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        gate.wait(10)
        try:
            found[place] = act()
        except Exception as error:
            found[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@contextmanager
def without_cards() -> Iterator[None]:
    """No response card on record, as before the first was worked out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM incidents_responsecard")
        assert cursor.fetchone()[0] == 0
    yield


@pytest.mark.usefixtures("committed_db")
def test_the_same_alert_at_once_is_one_incident() -> None:
    source, _ = a_source(Cast())

    got = at_once(*[lambda: receive(source, FIRING, now=NOW)] * 4)

    assert all(isinstance(one, Received) for one in got), got
    assert sum(one.is_new for one in got) >= 1
    incident = Incident.objects.get()
    assert {one.incident for one in got} == {incident}
    assert incident.timeline.filter(text="Reported again: It leaks").count() == 3
    assert LeadTerm.objects.filter(ended_at=None).count() == 1
    kinds = AuditEvent.objects.filter(subject_id=incident.code).values_list("kind", flat=True)
    assert sorted(kinds).count("incident.declared") == 1
    assert sorted(kinds).count("incident.noted") == 3


@pytest.mark.usefixtures("committed_db")
def test_the_same_over_http_at_once() -> None:
    _, token = a_source(Cast())

    got = at_once(*[lambda: send("alertmanager", sample("alertmanager_firing"), token)] * 3)

    assert sorted(response.status_code for response in got) == [200, 200, 201]
    assert Incident.objects.count() == 1


@pytest.mark.usefixtures("committed_db")
def test_the_same_mail_at_once_is_answered_once() -> None:
    source, token = a_source(Cast(), kind="email")
    found = read_mail(mail("mail_html", token), own_domain="x")

    got = at_once(*[lambda: receive_mail(source, found, now=NOW)] * 3)

    assert all(isinstance(one, Received) for one in got), got
    assert Incident.objects.count() == 1


@pytest.mark.usefixtures("committed_db")
def test_an_alert_while_it_is_dismissed_is_never_lost() -> None:
    cast = Cast()
    source, _ = a_source(cast)
    first = receive(source, FIRING, now=NOW).incident
    assert first is not None

    got = at_once(
        lambda: dismiss(first, because="benign", note="A load test", actor=cast.mara, now=NOW),
        lambda: receive(source, FIRING, now=NOW),
    )

    assert not [one for one in got if isinstance(one, Exception)]
    heard = got[1].incident
    assert heard.timeline.filter(text__in=["Reported again: It leaks", f"Declared by {source.name}: It leaks"]).exists()


@pytest.mark.usefixtures("committed_db")
def test_another_key_at_once_is_another_incident() -> None:
    source, _ = a_source(Cast())
    reports = [Report(Status.FIRING, "It leaks", dedup_key=str(number)) for number in range(4)]

    got = at_once(*[lambda report=report: receive(source, report, now=NOW) for report in reports])  # type: ignore[misc]

    assert all(isinstance(one, Received) for one in got), got
    assert Incident.objects.values("code").distinct().count() == 4


PROGRAM = """
import django
django.setup()
from tests.incidents.inbound_world import send, sample
response = send("alertmanager", sample("alertmanager_firing"), "{token}")
print(response.status_code)
"""


@pytest.mark.usefixtures("committed_db")
def test_without_cards_and_without_redis(committed_db: str) -> None:
    _, token = a_source(Cast())
    with without_cards():
        environment = dict(os.environ) | {"REDIS_URL": "redis://127.0.0.1:1/0"}
        database = environment["DATABASE_URL"].rpartition("/")[0]
        environment["DATABASE_URL"] = f"{database}/{committed_db}"
        environment["ALLOWED_HOSTS"] = "testserver,localhost"
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(token=token)], env=environment, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    assert run.stdout.strip() == "201", run.stderr[-2000:]
    incident = Incident.objects.get()
    assert (incident.is_fallback, incident.lead) == (True, Person.objects.get(email="mara@example.org"))
    assert InboundSource.objects.get().last_used_at is not None

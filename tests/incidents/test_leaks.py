"""What is restricted or privileged is read nowhere by those who may not see it: every page, the API, files, mails."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from apps.access.actions import issue_token
from apps.assurance.queries import find_row, page_of
from apps.audit.models import AuditEvent, AuditPrivate
from apps.audit.queries import Filters
from apps.common import clock as wall
from apps.findings.models import Finding
from apps.incidents.actions.clocks import decide_not_reportable
from apps.incidents.actions.declare import declare
from apps.incidents.actions.drills import Plan, make_ready, plan_exercise
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.inbound import receive_mail
from apps.incidents.actions.leads import answer_handover, ask_handover, relieve_lead, take_lead
from apps.incidents.actions.states import classify, resolve
from apps.incidents.actions.timeline import add_note, send_update, set_task
from apps.incidents.models import Incident, IncidentUserPermission
from apps.incidents.queries.ack_links import ack_path
from apps.incidents.queries.incidents import hidden_incidents, told_of, visible_incidents
from apps.incidents.queries.learning_findings import REVIEW_LATE, learning_breaches
from apps.incidents.rules.inbound_mail import read_mail
from apps.notify.models import Delivery, Endpoint, Message
from apps.people.models import Person
from tests.cast import NAMES
from tests.factories import a_system
from tests.incidents.clock_world import signed
from tests.incidents.inbound_world import a_source
from tests.incidents.learning_world import contained
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
TITLE, WORDS = "Nightjar talks to strangers", "Kestrel was told too"
SECRET = (TITLE, WORDS, TITLE.lower(), "Nightjar talks")
# Answers others than pages of words: a stream, a sign-in elsewhere, what ends the session.
PASSED_OVER = ("sessions_end", "logout", "schema")


@pytest.fixture(params=["restricted", "privileged"])
def incident(request: pytest.FixtureRequest, cast: Any) -> Incident:
    """One that goes on at a system that everybody may open, with something of everything in it."""
    now = wall.now() - timedelta(hours=2)
    system = a_system(cast, key="SYS-OPEN", name="Letter sorter", owner=cast.ada, now=now - timedelta(days=1))
    Endpoint.objects.create(
        name="Room", kind="generic", url="https://hooks.example.org/", announces=True, created_by=cast.mara,
        created_at=now,
    )  # fmt: skip
    settle()
    found = declare(
        title=TITLE, description=WORDS, system=system, scenario="data-access", visibility=request.param,
        actor=cast.una, now=now,
    )  # fmt: skip
    ben = {"actor": cast.ben, "now": now + timedelta(minutes=3)}
    found = take_lead(found, cast.ben, **ben)
    found = classify(found, "sev1", reason=WORDS, **ben)
    add_note(found, text=WORDS, **ben)
    send_update(found, text=WORDS, next_in=timedelta(hours=1), **ben)
    set_task(found, what=WORDS, person=cast.una, **ben)
    found = relieve_lead(found, cast.una, reason=WORDS, **ben)
    found = take_lead(found, cast.ben, **ben)
    asked = ask_handover(found, cast.una, briefing=WORDS, **ben)
    answer_handover(asked, takes=False, reason=WORDS, actor=cast.una, now=now + timedelta(minutes=4))
    decide_not_reportable(list(found.clocks.all()), reason=WORDS, **signed(cast, cast.lea, now + timedelta(minutes=5)))
    settle()
    found.refresh_from_db()
    return found


def outsiders(incident: Incident, cast: Any) -> list[Person]:
    """Everybody of the cast who may not open it; at least an employee, an owner's colleague and the board."""
    people = [getattr(cast, name) for name in NAMES if name != "ivan"]
    outside = [one for one in people if not visible_incidents(one).filter(pk=incident.pk).exists()]
    assert {cast.dov.pk, cast.nils.pk, cast.bo.pk} <= {one.pk for one in outside}
    return outside


def test_what_is_hidden_is_what_is_not_seen(incident: Incident, cast: Any) -> None:
    for person in (getattr(cast, name) for name in NAMES):
        hidden = set(hidden_incidents(person))
        assert hidden == set(Incident.objects.exclude(pk__in=visible_incidents(person).values("pk"))), person
    assert list(hidden_incidents(cast.dov)) == [incident]


def every_plain_page() -> Iterator[str]:
    """Each address of the portal that takes no argument."""

    def walk(patterns: Any, names: tuple[str, ...]) -> Iterator[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, (*names, one.namespace) if one.namespace else names)
            elif isinstance(one, URLPattern) and one.name and not any(word in one.name for word in PASSED_OVER):
                try:
                    yield reverse(":".join((*names, one.name)))
                except NoReverseMatch:
                    continue

    yield from dict.fromkeys(walk(get_resolver().url_patterns, ()))


def read(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode(errors="replace"))


def test_no_page_tells_who_may_not_see_it(incident: Incident, cast: Any, browse: Callable[[Any], Any]) -> None:
    system, code = incident.system, incident.code
    assert system is not None
    plain = [path for path in every_plain_page() if not path.startswith("/accounts/")]
    assert len(plain) > 60
    about = [
        f"/systems/{system.key}/", f"/systems/{system.key}/trail/", f"/incidents/systems/{system.key}/",
        f"/people/{cast.ben.pk}/", f"/people/{cast.una.pk}/", "/incidents/?q=nightj", "/incidents/?q=kestr",
        f"/incidents/?q={code}", f"/incidents/?system={system.key}", "/trail/?q=nightj", f"/trail/?q={code}",
        "/incidents/export.csv?q=nightj", f"/menu/?q={code}", "/menu/?q=nightj", "/who/?q=letter",
        f"/who/suggest/?q={code}", f"/who/?system={system.key}&scenario=data-access", "/incidents/metrics.json",
    ]  # fmt: skip
    own = [f"{incident.path}{end}" for end in ("", "summary.txt", "clocks/", "review/", "files/1/", "do/note/",
                                                "do/merge/", "evidence-waiver/", "steps/1/")]  # fmt: skip
    told = []
    for person in outsiders(incident, cast):
        client = browse(person)
        for path in [*plain, *about]:
            for headers in ({}, {"HX-Request": "true"}):
                response = client.get(path, headers=headers)
                if response.status_code in (200, 422):
                    text = read(response)
                    told += [(person.display_name, path, word) for word in (*SECRET, code) if word in _said(text, path)]
        told += [(person.display_name, path, "is there") for path in own if client.get(path).status_code != 404]
    assert not told


def _said(text: str, path: str) -> str:
    """Without the question itself, which a page of search says back."""
    asked = path.partition("q=")[2]
    return text.replace(asked, "") if asked else text


def test_the_api_tells_nobody_who_may_not_see_it(incident: Incident, cast: Any, client: Any) -> None:
    assert incident.system is not None
    key = incident.system.key
    paths = ("incidents/", f"incidents/?system={key}", f"incidents/{incident.code}/", "findings/", "status/",
             f"systems/{key}/", f"systems/{key}/card/", f"systems/{key}/ownership-facts/", "who-answers/?q=letter",
             "who/?q=letter", "readiness/")  # fmt: skip
    for person in outsiders(incident, cast):
        _, secret = issue_token(person, name="T", scopes=["read", "write"], actor=person, now=wall.now())
        sent = {"Authorization": f"Bearer {secret}"}
        for path in paths:
            response = client.get(f"/api/v1/{path}", headers=sent)
            text = read(response)
            assert not [word for word in (*SECRET, incident.code) if word in text], (person, path)
        there, nowhere = (
            client.post(f"/api/v1/incidents/{code}/acknowledge/", {}, content_type="application/json", headers=sent)
            for code in (incident.code, "INC-9999")
        )
        assert there.status_code == 404
        assert there.json() | {"instance": ""} == nowhere.json() | {"instance": ""}


def test_the_trail_hides_it_in_lists_searches_and_addresses(incident: Incident, cast: Any) -> None:
    events = list(AuditEvent.objects.filter(subject_kind="incident", subject_id=incident.code))
    assert len(events) > 8
    for person in outsiders(incident, cast):
        for filters in (Filters(), Filters(text="nightjar"), Filters(subject_kind="incident"), Filters(text="Kestrel")):
            rows = page_of(person, filters).rows
            assert not [row for row in rows if row.subject_id == incident.code], (person, filters)
        for event in events:
            with pytest.raises(AuditEvent.DoesNotExist):
                find_row(person, event.id)
    # Who takes part reads it where they read the trail at all, and no body has a name or a word in it.
    assert page_of(cast.lea, Filters(subject_kind="incident")).rows
    for event in events:
        assert not [name for name in (*NAMES.values(), *SECRET) if name in event.body], event.kind
    assert AuditPrivate.objects.filter(event_id=events[0].id, field="subject_label").exists()


def test_no_mail_and_no_webhook_says_what_it_is_about(incident: Incident, cast: Any) -> None:
    now = wall.now()
    incident = contained(incident, cast.ben, now)
    resolve(incident, resolution=WORDS, actor=cast.ben, now=now)
    mails = [(mail.key, mail.subject, mail.body) for mail in Message.objects.filter(path__startswith=incident.path)]
    assert any(key.startswith("update:") for key, *_ in mails)
    assert any(key.startswith("review:") for key, *_ in mails)
    for key, subject, body in mails:
        assert not [word for word in (*SECRET, "Letter sorter") if word in subject + body], key
    told = [delivery.content for delivery in Delivery.objects.all()]
    assert bool(told) is (incident.visibility == "restricted")
    for content in told:
        assert not [word for word in (*SECRET, "Letter sorter", *NAMES.values()) if word in str(content)]


def test_what_is_learnt_from_it_is_read_by_who_does_it(incident: Incident, cast: Any) -> None:
    now = wall.now()
    resolve(contained(incident, cast.ben, now), resolution=WORDS, actor=cast.ben, now=now)
    due = wall.local_date(now) + timedelta(days=9)
    learnt = add_action(incident, Improvement("fix", "Close the door", cast.ben, due), actor=cast.una, now=now)
    gap = add_action(incident, Improvement("ownership", "Name who leads", cast.ben, due, gap="wrong_lead"),
                     actor=cast.una, now=now)  # fmt: skip
    assert (learnt.finding.title, learnt.finding.system) == ("A review showed what to do.", None)
    # Who answers was wrong: that is put right at the system, and says nothing of what happened.
    assert gap.finding.title == "A review showed for Letter sorter: the wrong person was called."
    assert gap.finding.system == incident.system
    assert not Finding.objects.filter(title__contains=incident.code).exists()


def test_a_review_that_is_late_names_no_system(incident: Incident, cast: Any) -> None:
    now = wall.now()
    resolve(contained(incident, cast.ben, now), resolution=WORDS, actor=cast.ben, now=now)
    (late,) = [one for one in learning_breaches(now + timedelta(days=30)) if one.check == REVIEW_LATE]
    assert late.system_id is None
    assert (incident.code in f"{late.title} {late.path}") is (incident.visibility == "restricted")
    assert not [word for word in (*SECRET, "Letter sorter") if word in f"{late.title} {late.remedy}"]


def test_who_takes_over_hears_of_no_privileged_one(incident: Incident) -> None:
    assert incident.system is not None
    told = told_of(incident.system)
    if incident.visibility == "privileged":
        assert told == []
    else:
        assert [one["title"] for one in told] == ["Restricted"]


def test_a_sender_who_may_be_forged_reads_no_title_of_it(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada, restricted=True)
    source, _ = a_source(cast, kind="email", system=system)
    raw = f"From: dov@example.org\nSubject: {TITLE}\nMessage-ID: <1@x>\n\n{WORDS}"
    mail = read_mail(raw.encode(), own_domain="portal")
    received = receive_mail(source, mail, now=wall.now())
    assert received.incident is not None
    answered = Message.objects.get(key=f"declared-by-mail:{received.incident.pk}")
    assert answered.subject == f"{received.incident.code} is declared"
    assert not [word for word in SECRET if word in answered.body]


def test_who_hears_of_a_drill_reads_no_name_of_a_restricted_system(cast: Any) -> None:
    now = wall.now()
    open_, secret = a_system(cast, owner=cast.ada), a_system(cast, name="Nightjar", owner=cast.nils, restricted=True)
    settle()
    plan = Plan("call_tree", "Who answers", "data-access", (open_, secret), ("All answer",), cast.mara,
                now + timedelta(days=1))  # fmt: skip
    make_ready(plan_exercise(plan, actor=cast.mara, now=now), actor=cast.mara, now=now)
    bodies = [mail.body for mail in Message.objects.filter(key__startswith="drill:")]
    assert bodies
    assert not [body for body in bodies if "Nightjar" in body]


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_the_link_of_a_call_does_nothing_and_tells_nothing(
    incident: Incident, cast: Any, client: Any, method: str
) -> None:
    """Scanners of mails open links."""
    call = incident.pages.order_by("pk")[0]
    before = list(incident.pages.values_list("state", "answered_at")), incident.version, AuditEvent.objects.count()
    text = getattr(client, method)(ack_path(call.pk, wall.now())).content.decode()
    incident.refresh_from_db()
    assert before == (
        list(incident.pages.values_list("state", "answered_at")), incident.version, AuditEvent.objects.count()
    )  # fmt: skip
    assert not [word for word in (*SECRET, "Letter sorter") if word in text]
    assert not IncidentUserPermission.objects.filter(content_object=incident, user=cast.dov).exists()

"""Two acts about one incident at the same moment, each on a connection of its own: both orders end as one of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.directory.actions import offboard
from apps.incidents.actions.declare import declare
from apps.incidents.actions.drill_facilitator import replace_facilitator
from apps.incidents.actions.drills import make_ready, start_exercise
from apps.incidents.actions.leads import answer_handover, ask_handover, decline_lead, take_lead
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.rules import set_response_rule
from apps.incidents.actions.states import classify, dismiss, reopen, resolve
from apps.incidents.actions.timeline import bring_in
from apps.incidents.models import Incident, LeadHandover, LeadTerm, Page
from apps.incidents.queries.rules import RuleText
from apps.notify.models import Message
from apps.people.models import Person
from tests.cast import Cast
from tests.factories import a_system
from tests.hostile.races import at_once, sentence, while_open
from tests.incidents.paging_world import NOW, contained, declared, minutes, timer
from tests.incidents.test_drills import AT, planned
from tests.incidents.test_paging_races import one_lead

pytestmark = pytest.mark.committed
Act = Callable[[], Any]


def now_so(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)


def in_order(acts: dict[str, Act], first: str) -> dict[str, Any]:
    """The first has not committed when the second begins; what became of each."""
    [second] = acts.keys() - {first}
    found = while_open(acts[first], acts[second])
    return dict(zip((first, second), found, strict=True))


@pytest.mark.parametrize("first", ["classify", "take"])
def test_said_how_bad_it_is_while_somebody_takes_it(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = declared(cast)
    in_order({
        "classify": lambda: classify(incident, "sev1", reason="Many", actor=now_so(cast.mara), now=minutes(1)),
        "take": lambda: acknowledge(incident, actor=now_so(cast.ben), now=minutes(1)),
    }, first)  # fmt: skip
    assert one_lead(incident) == cast.ben
    assert (incident.state, incident.severity, timer(incident).state) == ("active", "sev1", "acked")
    assert timer(incident).ack_until == minutes(61)


@pytest.mark.parametrize("first", ["classify", "decline"])
def test_said_how_bad_it_is_while_the_lead_declines(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = declared(cast)
    in_order({
        "classify": lambda: classify(incident, "sev2", reason="Some", actor=now_so(cast.mara), now=minutes(1)),
        "decline": lambda: decline_lead(incident, reason="On a train", actor=now_so(cast.ada), now=minutes(1)),
    }, first)  # fmt: skip
    assert one_lead(incident) == cast.ben
    assert (incident.state, incident.severity, timer(incident).state) == ("triage", "sev2", "running")
    assert Page.objects.filter(incident=incident, person=cast.ben, state="queued").count() == 1


@pytest.mark.parametrize("first", ["rule", "yes"])
def test_a_rule_names_another_while_somebody_takes_over(committed_db: str, first: str) -> None:
    """Whom the lead asked leads; whom the rule names is asked after that, and leads when they say yes."""
    cast = Cast()
    incident = led_by_rule(cast, cast.una)
    acknowledge(incident, actor=cast.ada, now=minutes(1))
    asked = ask_handover(incident, cast.ben, briefing="All", actor=cast.ada, now=minutes(2))
    in_order({
        "rule": lambda: classify(incident, "sev1", reason="Many", actor=now_so(cast.mara), now=minutes(3)),
        "yes": lambda: answer_handover(asked, takes=True, actor=now_so(cast.ben), now=minutes(3)),
    }, first)  # fmt: skip
    assert one_lead(incident) == cast.ben
    assert timer(incident).acked_by == cast.ben
    asks = LeadHandover.objects.filter(incident=incident, state="asked")
    assert [one.incoming for one in asks] == ([] if first == "rule" else [cast.una])


def led_by_rule(cast: Cast, person: Person) -> Incident:
    """An incident of Ada's system, which this person leads from severity 2 on."""
    system = a_system(cast, owner=cast.ada)
    text = RuleText(reason="Grave ones", min_severity="sev2")
    set_response_rule(replace(text, system=system, lead_person=person), actor=cast.mara, now=NOW)
    return declared(cast, system=system)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("first", ["leave", "classify"])
def test_whom_a_rule_names_leaves_as_it_fires(committed_db: str, first: str, taken: bool) -> None:
    cast = Cast()
    incident = led_by_rule(cast, cast.nils)
    if taken:
        acknowledge(incident, actor=cast.ada, now=minutes(1))
    found = in_order({
        "leave": lambda: offboard(now_so(cast.nils), actor=cast.mara, now=minutes(2)),
        "classify": lambda: classify(incident, "sev1", reason="Many", actor=now_so(cast.mara), now=minutes(2)),
    }, first)  # fmt: skip
    assert not any(isinstance(one, Exception) for one in found.values()), found
    assert one_lead(incident) == cast.ada
    assert timer(incident).state == ("acked" if taken else "running")
    assert not LeadHandover.objects.filter(incident=incident, state="asked").exists(), "nobody answers that any more"
    if taken:
        ask_handover(incident, cast.ben, briefing="All", actor=cast.ada, now=minutes(3))


@pytest.mark.parametrize("first", ["bring", "resolve"])
def test_one_more_is_called_while_it_is_resolved(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = acknowledge(declared(cast, severity="sev2"), actor=cast.ada, now=minutes(1))
    incident = contained(incident, cast.ada, minutes(2))
    found = in_order({
        "bring": lambda: bring_in(incident, cast.nils, why="The index", actor=now_so(cast.ben), now=minutes(3)),
        "resolve": lambda: resolve(incident, resolution="Narrowed", actor=now_so(cast.ada), now=minutes(3)),
    }, first)  # fmt: skip
    assert not isinstance(found["resolve"], Exception)
    assert one_lead(incident) == cast.ada
    assert timer(incident).state == "stopped"
    waits = Message.objects.filter(key__startswith=f"brought:{incident.pk}:", state="queued").count()
    assert waits == (0 if first == "bring" else 1)  # after it, somebody asked on purpose


def about_something(cast: Cast) -> Incident:
    return declare(title="Somebody reads along", about="A chatbot", actor=cast.dov, now=NOW)


def takes(incident: Incident, person: Person) -> Incident:
    return acknowledge(incident, actor=person, now=minutes(1), way="api", version=incident.version)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("who", ["same", "two"])
def test_two_programs_take_what_both_saw(committed_db: str, who: str, known: bool) -> None:
    """Also where nobody knows which system it is: no lock of a system brings them into an order then."""
    cast = Cast()
    for _ in range(4):
        incident = declared(cast) if known else about_something(cast)
        people = (cast.ada, cast.ada if who == "same" else cast.ben)
        found = at_once(*(partial(takes, incident, now_so(one)) for one in people))
        assert sorted(isinstance(one, Refused) for one in found) == [False, True], found
        one_lead(incident)
        assert LeadTerm.objects.filter(incident=incident, accepted_at__isnull=False).count() == 1
    assert AuditEvent.objects.filter(kind="incident.acknowledged").count() == 4


@pytest.mark.parametrize("first", ["replace", "take"])
def test_nobody_facilitates_the_drill_that_they_take(committed_db: str, first: str) -> None:
    cast = Cast()
    exercise = make_ready(planned(cast, facilitator=cast.nils), actor=cast.mara, now=NOW)
    incident = start_exercise(exercise, actor=cast.nils, now=AT)[0]
    led = incident.lead
    offboard(cast.nils, actor=cast.mara, now=AT)
    found = in_order({
        "replace": lambda: replace_facilitator(exercise, now_so(cast.dov), actor=cast.mara, now=AT),
        "take": lambda: take_lead(incident, now_so(cast.dov), actor=now_so(cast.dov), now=AT),
    }, first)  # fmt: skip
    second = found["take" if first == "replace" else "replace"]
    assert isinstance(second, Refused), second
    exercise.refresh_from_db()
    assert exercise.facilitator == (cast.dov if first == "replace" else cast.nils)
    assert one_lead(incident) == (led if first == "replace" else cast.dov)


@pytest.mark.parametrize("first", ["replace", "start"])
def test_a_drill_starts_while_its_facilitator_is_replaced(committed_db: str, first: str) -> None:
    cast = Cast()
    exercise = make_ready(planned(cast, facilitator=cast.nils), actor=cast.mara, now=NOW)
    offboard(cast.nils, actor=cast.mara, now=NOW)
    acts: dict[str, Act] = {
        "replace": lambda: replace_facilitator(exercise, now_so(cast.dov), actor=now_so(cast.mara), now=AT),
        "start": lambda: refusal(lambda: start_exercise(exercise, actor=now_so(cast.mara), now=AT)),
    }
    found = in_order(acts, first)
    assert not isinstance(found["replace"], Exception)
    assert sentence(found["start"]), found
    exercise.refresh_from_db()
    assert (exercise.facilitator, exercise.state) == (cast.dov, "ready")
    assert not Incident.objects.filter(mode="drill").exists()


def refusal(act: Act) -> Any:
    try:
        return act()
    except Refused as error:
        return error


def test_what_was_asked_ends_with_the_incident(committed_db: str) -> None:
    cast = Cast()
    incident = declared(cast)
    take_lead(incident, cast.ada, actor=cast.ada, now=minutes(1))
    asked = ask_handover(incident, cast.ben, briefing="All", actor=cast.ada, now=minutes(2))
    dismiss(incident, because="benign", note="None", actor=cast.mara, now=minutes(3))
    asked.refresh_from_db()
    assert (asked.state, asked.answered_at) == ("withdrawn", minutes(3))
    assert not Message.objects.filter(key=f"lead-handover:{asked.pk}", state="queued").exists()
    reopen(incident, reason="After all", actor=cast.mara, now=minutes(4))
    with pytest.raises(Refused, match="answered or withdrawn already"):
        answer_handover(asked, takes=True, actor=cast.ben, now=minutes(5))
    assert one_lead(incident) == cast.ada


@pytest.mark.parametrize("first", ["ben", "mara"])
def test_two_take_what_nobody_knows_the_system_of(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = about_something(cast)
    found = in_order({
        "ben": lambda: acknowledge(incident, actor=now_so(cast.ben), now=minutes(1)),
        "mara": lambda: acknowledge(incident, actor=now_so(cast.mara), now=minutes(1)),
    }, first)  # fmt: skip
    assert {name for name, one in found.items() if isinstance(one, Refused)} == {"ben", "mara"} - {first}, found
    assert one_lead(incident) == {"ben": cast.ben, "mara": cast.mara}[first]

"""Trying to break the states of an incident: by every verb, and by raw SQL as the application and as the owner."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.incidents.actions import states
from apps.incidents.actions.declare import declare
from apps.incidents.actions.inbound import receive
from apps.incidents.actions.leads import take_lead
from apps.incidents.actions.reviews import skip_review
from apps.incidents.actions.states import change_incident, classify_overdue, close, dismiss, merge, reopen
from apps.incidents.models import Incident, LeadTerm
from apps.incidents.rules import TRANSITIONS, State
from apps.incidents.rules.inbound import Report, Status
from apps.registry.models import System
from tests import databases
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.clock_world import sign_off
from tests.incidents.inbound_world import a_source
from tests.incidents.learning_world import LATER, NOW, active, contained, resolved, signing
from tests.incidents.world import settle

# What a row needs so that no constraint but the states themselves stands in the way.
IS_ACTIVE = ", active_at = declared_at"
IS_CONTAINED = f"{IS_ACTIVE}, contained_at = declared_at"
IS_RESOLVED = f"{IS_CONTAINED}, resolved_at = declared_at, resolution = 'x'"
FITS = {
    State.REPORTED: "", State.TRIAGE: "", State.ACTIVE: IS_ACTIVE, State.CONTAINED: IS_CONTAINED,
    State.RESOLVED: IS_RESOLVED, State.IN_REVIEW: IS_RESOLVED, State.CLOSED: IS_RESOLVED, State.DISMISSED: "",
    State.MERGED: "",
}  # fmt: skip
FORBIDDEN = [(old, new) for old in State for new in State if old != new and new not in TRANSITIONS[old]]
FIRING = Report(Status.FIRING, "It leaks", dedup_key="k")


def reported(cast: Any) -> Incident:
    system = a_system(cast, owner=cast.ada)
    settle()
    return declare(title="It read letters", system=system, actor=cast.dov, now=NOW)


def in_triage(cast: Any) -> Incident:
    incident = reported(cast)
    return take_lead(incident, cast.ada, actor=cast.ada, now=NOW)


def is_closed(cast: Any) -> Incident:
    incident = resolved(cast, severity="sev4")
    skip_review(incident.review, reason="Small", signing=signing(cast.mara), actor=cast.mara, now=LATER)
    incident.refresh_from_db()
    sign_off(incident, cast, LATER)
    return close(incident, actor=cast.mara, now=LATER)


def merged(cast: Any) -> Incident:
    return merge(reported(cast), reported(cast), actor=cast.mara, now=NOW)


def only_resolved(cast: Any) -> Incident:
    """Resolved while nobody is left who could facilitate: the one way in which a real one stays so."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("apps.incidents.actions.reviews.suggested_facilitator", lambda *_: None)
        return resolved(cast)


IN_STATE: dict[State, Callable[[Any], Incident]] = {
    State.REPORTED: reported,
    State.TRIAGE: in_triage,
    State.ACTIVE: active,
    State.CONTAINED: lambda cast: contained(active(cast), cast.ada, NOW + timedelta(hours=1)),
    State.RESOLVED: only_resolved,
    State.IN_REVIEW: resolved,
    State.CLOSED: is_closed,
    State.DISMISSED: lambda cast: dismiss(reported(cast), because="benign", note="None", actor=cast.mara, now=NOW),
    State.MERGED: merged,
}


def refreshed(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def facts(incident: Incident) -> tuple[Any, ...]:
    """Everything that a refused act may not touch."""
    row = Incident.objects.filter(pk=incident.pk).values().get()
    terms = list(LeadTerm.objects.filter(incident=incident).order_by("pk").values_list("person", "ended_at"))
    return (row, terms, incident.timeline.count(), AuditEvent.objects.count())


@pytest.mark.django_db
@pytest.mark.parametrize("state", State)
def test_each_state_is_reached(cast: Any, state: State) -> None:
    incident = refreshed(IN_STATE[state](cast))

    assert incident.state == state
    assert LeadTerm.objects.filter(incident=incident, ended_at=None).count() == (1 if incident.is_open else 0)


def _verbs(cast: Any, other: Incident) -> dict[State, Callable[[Incident], Any]]:
    by: dict[str, Any] = {"actor": cast.mara, "now": LATER}
    return {
        State.CONTAINED: lambda one: states.contain(one, note="x", **by),
        State.RESOLVED: lambda one: states.resolve(one, resolution="x", **by),
        State.CLOSED: lambda one: close(one, **by),
        State.DISMISSED: lambda one: dismiss(one, because="benign", note="x", **by),
        State.MERGED: lambda one: merge(one, other, **by),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("state", State)
def test_no_verb_takes_a_way_that_there_is_not(cast: Any, state: State) -> None:
    other = reported(cast)
    incident = refreshed(IN_STATE[state](cast))
    before = facts(incident)

    for new, act in _verbs(cast, other).items():
        if new not in TRANSITIONS[state]:
            with pytest.raises(Refused):
                act(refreshed(incident))
            assert facts(incident) == before, new
    if state in (State.REPORTED, State.TRIAGE, State.ACTIVE, State.MERGED):
        with pytest.raises(Refused):
            reopen(incident, reason="x", actor=cast.mara, now=LATER)
    if state in (State.CLOSED, State.DISMISSED, State.MERGED):
        with pytest.raises(Refused):
            take_lead(incident, cast.ben, actor=cast.ben, now=LATER)
        with pytest.raises(Refused):
            states.classify(incident, "sev1", reason="x", actor=cast.mara, now=LATER)
        with pytest.raises(Refused):
            change_incident(incident, title="Another", actor=cast.mara, now=LATER)
    assert facts(incident) == before


@pytest.fixture(params=["application", "owner"])
def shell(rules_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(rules_db), autocommit=True) as connection:
        yield connection


def _moved(new: State, other: Incident) -> str:
    """A change of every column that says in which state a row is, so that it fits the new one."""
    closed = "declared_at" if new == State.CLOSED else "NULL"
    dismissed = ("declared_at", "'benign'") if new == State.DISMISSED else ("NULL", "''")
    into = (str(other.pk), "declared_at") if new == State.MERGED else ("NULL", "NULL")
    return (
        f"state = '{new.value}', version = version + 1, severity = 'sev2', lead_accepted_at = declared_at, "
        f"classified_at = declared_at, closed_at = {closed}, dismissed_at = {dismissed[0]}, "
        f"dismissed_because = {dismissed[1]}, merged_into_id = {into[0]}, merged_at = {into[1]}{FITS[new]}"
    )


@pytest.mark.committed
@pytest.mark.parametrize("old", State)
def test_no_sql_takes_a_way_that_there_is_not(shell: psycopg.Connection[Any], old: State) -> None:
    cast = Cast()
    incident, other = IN_STATE[old](cast), reported(cast)
    before = facts(incident)

    for new in (new for from_, new in FORBIDDEN if from_ == old):
        changes = _moved(new, other)
        with pytest.raises(psycopg.Error) as refused:
            shell.execute(f"UPDATE incidents_incident SET {changes} WHERE id = %s", [incident.pk])  # type: ignore[arg-type]
        assert not isinstance(refused.value, psycopg.errors.SyntaxError), str(refused.value)
        assert facts(incident) == before, new


FROZEN = (
    "number = number + 1000", "mode = 'test'", "code = 'INC-9999'", "declared_by_id = NULL", "declared_as = 'x'",
    "declared_at = declared_at - interval '1 day'", "via = 'api'", "card = '{}'", "plan = '[1]'",
)  # fmt: skip


@pytest.mark.committed
def test_what_it_began_with_stays(shell: psycopg.Connection[Any]) -> None:
    incident = active(Cast())
    before = facts(incident)

    for change in FROZEN:
        with pytest.raises(psycopg.errors.RestrictViolation):
            shell.execute(
                f"UPDATE incidents_incident SET {change}, version = version + 1 WHERE id = %s",
                [incident.pk],  # type: ignore[arg-type]
            )
    with pytest.raises(psycopg.errors.RestrictViolation):
        shell.execute("UPDATE incidents_incident SET title = 'x' WHERE id = %s", [incident.pk])
    with pytest.raises(psycopg.errors.RestrictViolation):
        shell.execute("UPDATE incidents_incident SET title = 'x', version = version - 1 WHERE id = %s", [incident.pk])
    assert facts(incident) == before


KEPT = ("incident", "leadterm", "timelineentry", "severitychange", "escalation", "inboundsource")


@pytest.mark.committed
def test_nothing_is_removed(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident = active(cast)
    receive(a_source(cast, name=f"Source {incident.code}")[0], FIRING, now=NOW)

    for table in KEPT:
        for statement in (f"DELETE FROM incidents_{table}", f"TRUNCATE incidents_{table} CASCADE"):
            with pytest.raises(psycopg.Error) as refused:
                shell.execute(statement)  # type: ignore[arg-type]
            assert not isinstance(refused.value, psycopg.errors.UndefinedTable)
    for table in ("timelineentry", "severitychange"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            shell.execute(f"UPDATE incidents_{table} SET incident_id = incident_id")  # type: ignore[arg-type]
    assert refreshed(incident).state == "active"


@pytest.mark.committed
def test_an_open_incident_keeps_one_active_lead(shell: psycopg.Connection[Any]) -> None:
    cast = Cast()
    incident = active(cast)

    leads = "UPDATE incidents_incident SET lead_id = %s, version = version + 1 WHERE id = %s"
    for statement, values in (
        *((leads, [person.pk, incident.pk]) for person in (cast.ivan, cast.robot, cast.ben)),
        ("UPDATE incidents_leadterm SET ended_at = proposed_at, ended_because = 'over' WHERE incident_id = %s",
         [incident.pk]),
        ("INSERT INTO incidents_leadterm (incident_id, person_id, basis, proposed_at, ended_because, reason) "
         "VALUES (%s, %s, 'x', now(), '', '')", [incident.pk, cast.ben.pk]),
        ("UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s", [cast.ada.pk]),
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.IntegrityError):
            shell.execute(statement, values)  # type: ignore[arg-type]
    assert refreshed(incident).lead == cast.ada


@pytest.mark.django_db
def test_what_is_opened_again_has_its_thirty_minutes(cast: Any) -> None:
    incident = dismiss(reported(cast), because="benign", note="None", actor=cast.mara, now=NOW)

    reopen(incident, reason="It is one", actor=cast.mara, now=NOW + timedelta(hours=5))

    assert classify_overdue(now=NOW + timedelta(hours=5, minutes=29)) == 0
    assert classify_overdue(now=NOW + timedelta(hours=5, minutes=30)) == 1


@pytest.mark.django_db
def test_what_goes_on_under_another_name_is_not_opened_again(cast: Any) -> None:
    source, _ = a_source(cast)
    first = receive(source, FIRING, now=NOW).incident
    assert first is not None
    dismiss(first, because="benign", note="None", actor=cast.mara, now=NOW)
    second = receive(source, FIRING, now=LATER).incident
    assert second is not None
    before = facts(first)

    with pytest.raises(Refused, match=f"{second.code} goes on for the same alert"):
        reopen(first, reason="It is one", actor=cast.mara, now=LATER)
    assert facts(first) == before


@pytest.mark.django_db
def test_merging_names_nothing_that_is_restricted(cast: Any) -> None:
    secret = a_system(cast, owner=cast.ada, restricted=True)
    hidden = declare(title="Nightjar leaks", system=secret, actor=cast.mara, now=NOW)
    into = reported(cast)

    merge(hidden, into, actor=cast.mara, now=NOW)

    last = into.timeline.order_by("pk").last()
    assert last is not None
    assert last.text == f"{hidden.code} is the same and was merged into this."


@pytest.mark.django_db
def test_a_system_that_is_restricted_stays_so(cast: Any) -> None:
    secret = a_system(cast, owner=cast.ada, restricted=True)
    incident = declare(title="Nightjar leaks", system=secret, actor=cast.mara, now=NOW)

    with pytest.raises(Refused):
        change_incident(incident, visibility="open", actor=cast.mara, now=NOW)
    incident = change_incident(reported(cast), system=System.objects.get(pk=secret.pk), actor=cast.mara, now=NOW)
    assert incident.visibility == "restricted"
    [said] = incident.timeline.filter(text__contains="changed it").values_list("text", flat=True)
    assert said == (
        f"{cast.mara.display_name} changed it. Which system: {secret.name} ({secret.key}); "
        "Who may see it: Only those who take part, the mandate holder and auditors."
    )

"""Runbooks in the database: which one stands, who writes, publishes and reviews, what is refused by raw SQL."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions import runbooks as verbs
from apps.incidents.models import Runbook, RunbookStep, RunbookVersion
from apps.incidents.queries.runbooks import (
    draft_of,
    effective_runbook,
    effective_versions,
    last_drilled,
    organisation_version,
    published,
    runbook_breaches,
    steps_of,
    visible_runbooks,
)
from apps.incidents.rules.runbooks import WITHOUT_RUNBOOK, Candidate, StepText, most_specific
from apps.notify.models import Message
from apps.people import actions as people
from apps.registry.actions import change_system, retire_system
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.steps_world import (
    CONTAIN,
    FREEZE,
    LATER,
    RESTART,
    STEPS,
    TELL,
    a_draft,
    a_runbook,
    an_incident,
    change,
    publish,
)

pytestmark = pytest.mark.django_db
DATA = "data-access"


def refused(sql: str, *values: Any) -> str:
    """What the database says to a statement of the application's role."""
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(error.value).splitlines()[0]


def the(key: str) -> Runbook:
    return Runbook.objects.get(key=key)


# -- what comes with the portal


def test_it_comes_with_one_for_each_scenario(cast: Cast) -> None:
    rows = Runbook.objects.order_by("pk").values_list("key", "scenario", "owner")
    assert list(rows) == [
        (DATA, DATA, None), ("harmful-decision", "harmful-decision", None), ("cost-spike", "cost-spike", None),
        ("unsafe-action", "unsafe-action", None), ("quality-regression", "quality-regression", None),
        ("provider-outage", "provider-outage", None), ("complaint", "complaint", None), ("not-sure", "", None),
    ]  # fmt: skip
    for runbook in Runbook.objects.all():
        version = published(runbook)
        assert version is not None
        assert (version.number, version.written_by, version.published_by) == (1, None, None)
        assert runbook.review_due == (runbook.created_at + timedelta(days=90)).date()
        assert runbook.reviewed_at is None


# -- which one stands


def test_the_most_specific_one_stands(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, operating_model="iaas")
    other = a_system(cast, owner=cast.ada, unit=cast.devtools)

    def stands(one: Any, scenario: str = DATA) -> str:
        found = effective_runbook(one, scenario)
        return found.runbook.title if found else ""

    assert stands(system) == "It accessed data that it should not"
    a_runbook("Of the unit", unit=cast.claims)
    assert (stands(system), stands(other)) == ("Of the unit", "It accessed data that it should not")
    a_runbook("Of the model", operating_model="iaas")
    assert stands(system) == "Of the model"
    own = a_runbook("Of the system", system=system)
    assert stands(system) == "Of the system"
    Runbook.objects.filter(pk=own.pk).update(retired_at=NOW)
    assert stands(system) == "Of the model"
    assert stands(None) == "It accessed data that it should not"


def test_one_for_the_scenario_goes_before_one_for_not_sure(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    a_runbook("Loose", scenario="", system=system)
    found = effective_versions([system.pk], ["", DATA, "complaint"])
    titles = {scenario: RunbookVersion.objects.get(pk=pk).runbook.title for (_, scenario), pk in found.items()}
    assert titles == {
        "": "Loose", DATA: "It accessed data that it should not",
        "complaint": "Somebody complains or takes legal action",
    }  # fmt: skip
    Runbook.objects.filter(key="complaint").update(retired_at=NOW)
    pk = effective_versions([system.pk], ["complaint"])[system.pk, "complaint"]
    assert RunbookVersion.objects.get(pk=pk).runbook.title == "Loose"
    assert organisation_version("complaint") == published(the("not-sure")).pk  # type: ignore[union-attr]


def test_many_are_one_statement_and_say_what_python_says(cast: Cast) -> None:
    models = ("iaas", "unknown", "vendor_saas")
    systems = [
        a_system(cast, unit=unit, operating_model=model) for unit in (cast.claims, cast.devtools) for model in models
    ]
    a_runbook("Unit", unit=cast.claims)
    a_runbook("Model", operating_model="iaas")
    a_runbook("System", system=systems[1])
    with CaptureQueriesContext(connection) as captured:
        found = effective_versions([system.pk for system in systems], [DATA])
    assert len(captured) == 1
    used = RunbookVersion.objects.filter(state="published", runbook__scenario=DATA).select_related("runbook")
    candidates = [
        Candidate(one.pk, one.runbook.system_id, one.runbook.operating_model, one.runbook.unit_id) for one in used
    ]
    for system in systems:
        said = most_specific(
            candidates, system_id=system.pk, operating_model=system.operating_model, units=[system.unit_id]
        )
        assert found[system.pk, DATA] == said


def test_the_runbook_of_a_system_is_read_by_who_sees_the_system(cast: Cast) -> None:
    a_runbook("Of the system", system=a_system(cast, owner=cast.ada))
    seen = {person: visible_runbooks(person).filter(title="Of the system").exists()
            for person in (cast.ada, cast.dov, cast.mara, cast.eve, cast.ivan)}  # fmt: skip
    assert seen == {cast.ada: True, cast.dov: False, cast.mara: True, cast.eve: True, cast.ivan: False}
    assert visible_runbooks(cast.dov).count() == 8


# -- pinning


def test_declaring_pins_the_version_that_stands(cast: Cast) -> None:
    incident = an_incident(cast, steps=None, scenario="cost-spike")
    version = published(the("cost-spike"))
    assert version is not None
    pinned = list(incident.steps.values_list("order", "title", "state", "version"))
    assert pinned == [(step.order, step.title, "todo", version.pk) for step in version.steps.all()]
    assert incident.timeline.filter(text="Runbook: It cost too much, version 1, 9 steps.").count() == 1
    draft = a_draft(cast, "cost-spike", STEPS)
    publish(draft, cast.mara)
    assert incident.steps.count() == 9, "what runs keeps its steps"


def test_an_incident_without_a_scenario_begins_with_not_sure(cast: Cast) -> None:
    incident = an_incident(cast, steps=None)
    assert incident.steps.first().version.runbook.key == "not-sure"  # type: ignore[union-attr]


def test_a_runbook_that_cannot_be_read_does_not_stand_in_the_way(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(verbs, "effective_runbook", fails)
    incident = an_incident(cast, steps=None)
    assert list(incident.steps.values_list("title", flat=True)) == [step.title for step in WITHOUT_RUNBOOK]
    assert incident.timeline.filter(kind="alarm", text__startswith="No runbook was found.").exists()


def test_steps_of_the_scenario_are_added_once_it_is_known(cast: Cast) -> None:
    incident = an_incident(cast, steps=None)
    before = incident.version
    count = verbs.add_runbook_steps(incident, scenario=DATA, actor=cast.ada, now=LATER)
    titles = list(incident.steps.values_list("title", flat=True))
    assert (count, titles[10:]) == (1, ["Establish what was read, and whose it is"])
    assert len(titles) == len(set(titles))
    incident.refresh_from_db()
    assert incident.version == before + 1
    with pytest.raises(Refused, match="nothing to add"):
        verbs.add_runbook_steps(incident, scenario=DATA, actor=cast.ada, now=LATER)
    with pytest.raises(NotAllowed):
        verbs.add_runbook_steps(incident, scenario="complaint", actor=cast.bo, now=LATER)


# -- writing


def test_a_version_is_drafted_changed_and_published(cast: Cast) -> None:
    draft = a_draft(cast)
    assert (draft.number, draft.state, draft.written_by) == (2, "draft", cast.mara)
    assert steps_of(draft) == steps_of(published(the(DATA)))  # type: ignore[arg-type]
    change(draft, cast.mara, STEPS)
    made = publish(draft, cast.mara, now=LATER)
    assert (made.number, made.state, made.published_by, made.note) == (2, "published", cast.mara, "Shorter")
    assert RunbookVersion.objects.get(runbook=the(DATA), number=1).state == "replaced"
    runbook = the(DATA)
    assert (runbook.reviewed_by, runbook.reviewed_at, runbook.review_due) == (cast.mara, LATER, date(2027, 2, 14))
    kinds = AuditEvent.objects.filter(subject_kind="runbook").order_by("ts_us").values_list("kind", flat=True)
    assert list(kinds) == ["runbook.drafted", "runbook.changed", "runbook.published"]


def test_a_draft_with_faults_is_saved_and_not_published(cast: Cast) -> None:
    draft = a_draft(cast, steps=[CONTAIN, RESTART, FREEZE])
    with pytest.raises(verbs.Faulty) as error:
        publish(draft, cast.mara)
    assert [(fault.step, fault.text) for fault in error.value.faults] == [
        (2, "It changes the system before the evidence is frozen.")
    ]
    assert published(the(DATA)).number == 1  # type: ignore[union-attr]
    with pytest.raises(Refused, match="Step 2 says nothing"):
        change(draft, cast.mara, [CONTAIN, StepText(" ", "x")])


def test_who_saves_without_having_seen_is_told(cast: Cast) -> None:
    draft = a_draft(cast)
    change(draft, cast.mara, STEPS)
    with pytest.raises(verbs.DraftChanged):
        verbs.change_runbook_draft(draft, steps=[CONTAIN], note="", read="x", actor=cast.cleo, now=NOW)
    with pytest.raises(verbs.DraftChanged):
        verbs.publish_runbook(draft, read="x", actor=cast.cleo, now=NOW)
    assert draft.steps.count() == 6


def test_there_is_one_draft(cast: Cast) -> None:
    a_draft(cast)
    with pytest.raises(ValidationError, match="There is a draft already"):
        a_draft(cast)


def test_a_draft_is_given_up(cast: Cast) -> None:
    verbs.discard_runbook_draft(a_draft(cast), actor=cast.mara, now=LATER)
    assert (draft_of(the(DATA)), the(DATA).retired_at) == (None, None)
    new = verbs.begin_runbook(title="Mine", scenario=DATA, unit=cast.claims, actor=cast.mara, now=NOW)
    verbs.discard_runbook_draft(draft_of(new), actor=cast.mara, now=LATER)  # type: ignore[arg-type]
    assert the("mine").retired_at == LATER
    with pytest.raises(Refused, match="not a draft any more"):
        verbs.discard_runbook_draft(published(the(DATA)), actor=cast.mara, now=LATER)  # type: ignore[arg-type]


def test_a_new_one_begins_with_what_stands_there(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    made = verbs.begin_runbook(title="Claims: data", scenario=DATA, system=system, actor=cast.ada, now=NOW)
    assert (made.key, made.owner, made.review_due) == ("claims-data", cast.ada, None)
    assert steps_of(draft_of(made)) == steps_of(published(the(DATA)))  # type: ignore[arg-type]
    again = verbs.begin_runbook(title="Claims: data", scenario="complaint", system=system, actor=cast.ada, now=NOW)
    assert again.key == "claims-data-2"
    with pytest.raises(ValidationError, match="There is a runbook for this scenario and scope already"):
        verbs.begin_runbook(title="Third", scenario=DATA, system=system, actor=cast.ada, now=NOW)
    publish(draft_of(made), cast.ada)  # type: ignore[arg-type]
    assert effective_runbook(system, DATA).runbook == made  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "may"),
    [("mara", True), ("cleo", True), ("nils", True), ("ada", True), ("ben", False), ("dov", False), ("eve", False),
     ("bo", False), ("ivan", False)],
)  # fmt: skip
def test_who_changes_the_runbook_of_a_system(cast: Cast, name: str, may: bool) -> None:
    """Nils keeps it, Ada answers for the system, Mara and Cleo manage incidents."""
    runbook = a_runbook("Of the system", system=a_system(cast, owner=cast.ada), owner=cast.nils)
    actor, before = getattr(cast, name), AuditEvent.objects.count()
    acts: list[Any] = [
        lambda: verbs.draft_runbook(runbook, actor=actor, now=NOW),
        lambda: verbs.discard_runbook_draft(draft_of(runbook), actor=actor, now=NOW),  # type: ignore[arg-type]
        lambda: verbs.confirm_runbook(runbook, note="Links", actor=actor, now=NOW),
        lambda: verbs.set_runbook_owner(runbook, cast.una, actor=actor, now=NOW),
    ]
    if may:
        for act in acts:
            act()
        assert AuditEvent.objects.count() == before + 4
        return
    verbs.draft_runbook(runbook, actor=cast.mara, now=NOW)
    before = AuditEvent.objects.count()
    for act in [*acts, lambda: verbs.retire_runbook(runbook, reason="x", actor=actor, now=NOW)]:
        with pytest.raises(NotAllowed):
            act()
    assert AuditEvent.objects.count() == before
    assert Message.objects.filter(subject__startswith="You keep").count() == 0


def test_who_begins_one(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    for actor, scope in ((cast.ada, {}), (cast.ada, {"unit": cast.claims}), (cast.dov, {"system": system}),
                         (cast.ben, {"system": system}), (cast.eve, {})):  # fmt: skip
        with pytest.raises(NotAllowed):
            verbs.begin_runbook(title="X", scenario=DATA, operating_model="", actor=actor, now=NOW, **scope)
    with pytest.raises(Refused, match="active person"):
        verbs.begin_runbook(title="X", scenario=DATA, system=system, owner=cast.ivan, actor=cast.mara, now=NOW)
    assert Runbook.objects.count() == 8


# -- reviews


def test_only_an_answer_moves_the_date(cast: Cast) -> None:
    runbook = the(DATA)
    due = runbook.review_due
    with pytest.raises(Refused, match="Say what you looked at"):
        verbs.confirm_runbook(runbook, note=" ", actor=cast.mara, now=LATER)
    verbs.confirm_runbook(runbook, note="All links", actor=cast.mara, now=LATER)
    runbook.refresh_from_db()
    assert (runbook.reviewed_by, runbook.review_due) == (cast.mara, date(2027, 2, 14))
    assert runbook.review_due != due
    event = AuditEvent.objects.get(kind="runbook.reviewed")
    assert event.subject_id == DATA
    said = refused("UPDATE incidents_runbook SET review_due = review_due + 90 WHERE key = 'complaint'")
    assert said == "Only the answer of a person moves the date of the next review."
    said = refused(
        "UPDATE incidents_runbook SET review_due = review_due + 90, reviewed_at = now() WHERE key = 'complaint'"
    )
    assert said == "Only the answer of a person moves the date of the next review."


def test_the_owner_is_told_and_named(cast: Cast) -> None:
    verbs.set_runbook_owner(the(DATA), cast.nils, actor=cast.mara, now=NOW)
    assert the(DATA).owner == cast.nils
    message = Message.objects.get(recipient=cast.nils)
    assert message.subject == "You keep a runbook: It accessed data that it should not"
    with pytest.raises(Refused, match="keeps it already"):
        verbs.set_runbook_owner(the(DATA), cast.nils, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="active person"):
        verbs.set_runbook_owner(the(DATA), cast.ivan, actor=cast.mara, now=NOW)
    verbs.set_runbook_owner(the("complaint"), cast.mara, actor=cast.mara, now=NOW)
    assert Message.objects.filter(recipient=cast.mara, subject__startswith="You keep").count() == 0


def test_overdue_reviews_are_findings_of_who_keeps_them(cast: Cast) -> None:
    due = the(DATA).review_due
    assert due is not None
    now = NOW.replace(year=due.year, month=due.month, day=due.day)
    assert runbook_breaches(now) == []
    verbs.set_runbook_owner(the(DATA), cast.nils, actor=cast.mara, now=NOW)
    found = runbook_breaches(now + timedelta(days=1))
    assert {(one.check, one.subject, one.person_id) for one in found} == {
        ("runbook.review_overdue", f"runbook:{one.pk}", cast.nils.pk if one.key == DATA else cast.mara.pk)
        for one in Runbook.objects.all()
    }
    mine = next(one for one in found if one.person_id == cast.nils.pk)
    assert mine.path == "/incidents/runbooks/data-access/"
    assert mine.title.startswith("The runbook “It accessed data that it should not” was to be reviewed by ")
    with CaptureQueriesContext(connection) as captured:
        runbook_breaches(now + timedelta(days=1))
    assert len(captured) == 4


def test_the_runbook_of_a_retired_system_is_no_duty(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    runbook = a_runbook("Own", system=system, owner=cast.ada, review_due=NOW.date())
    found = [one.subject for one in runbook_breaches(NOW + timedelta(days=2))]
    assert found == [f"runbook:{runbook.pk}"]
    retire_system(system, reason="Gone", actor=cast.mara, now=NOW)
    assert runbook_breaches(NOW + timedelta(days=2)) == []


def test_an_owner_who_left_and_a_scenario_without_one_are_findings(cast: Cast) -> None:
    verbs.set_runbook_owner(the(DATA), cast.nils, actor=cast.mara, now=NOW)
    people.deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    Runbook.objects.filter(key="cost-spike").update(retired_at=NOW)
    found = [(one.check, one.subject, one.person_id) for one in runbook_breaches(NOW)]
    assert found == [
        ("runbook.owner_left", f"runbook:{the(DATA).pk}", cast.mara.pk),
        ("runbook.missing", "scenario:cost-spike", cast.mara.pk),
    ]


def test_the_last_drill_counts(cast: Cast) -> None:
    assert last_drilled([the(DATA).pk]) == {}
    incident = an_incident(cast, steps=None, scenario=DATA)
    assert last_drilled([the(DATA).pk]) == {}, "a real one is no drill"
    pk = the(DATA).pk
    with CaptureQueriesContext(connection) as captured:
        last_drilled([pk])
    assert len(captured) == 1
    assert incident.mode == "real"


# -- retiring


def test_the_more_general_one_stands_after_retiring(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    runbook = a_runbook("Of the system", system=system)
    with pytest.raises(Refused, match="Say why"):
        verbs.retire_runbook(runbook, reason="", actor=cast.mara, now=NOW)
    draft = verbs.draft_runbook(runbook, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="There is a draft"):
        verbs.retire_runbook(runbook, reason="x", actor=cast.mara, now=NOW)
    verbs.discard_runbook_draft(draft, actor=cast.mara, now=NOW)
    verbs.retire_runbook(runbook, reason="Same as all", actor=cast.mara, now=NOW)
    assert effective_runbook(system, DATA).runbook.key == DATA  # type: ignore[union-attr]
    with pytest.raises(Refused, match="is retired"):
        verbs.draft_runbook(runbook, actor=cast.mara, now=NOW)


@pytest.mark.parametrize("key", ["data-access", "harmful-decision", "cost-spike", "not-sure"])
def test_there_is_always_one_for_what_is_mandatory(cast: Cast, key: str) -> None:
    with pytest.raises(Refused, match="There is always one for this"):
        verbs.retire_runbook(the(key), reason="x", actor=cast.mara, now=NOW)
    assert the(key).retired_at is None


def test_an_optional_one_of_the_organisation_is_retired(cast: Cast) -> None:
    verbs.retire_runbook(the("complaint"), reason="As not sure", actor=cast.mara, now=NOW)
    assert effective_runbook(None, "complaint").runbook.key == "not-sure"  # type: ignore[union-attr]


def test_a_class_of_operating_counts_at_once(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    a_runbook("Of the model", operating_model="vendor_saas")
    change_system(system, operating_model="vendor_saas", actor=cast.mara, now=NOW)
    assert effective_runbook(system, DATA).runbook.title == "Of the model"  # type: ignore[union-attr]


# -- the database by itself


def test_what_was_published_stays(cast: Cast) -> None:
    version = published(the(DATA))
    assert version is not None
    never = "A published runbook does not change. Write a new version."
    step = version.steps.first()
    assert step is not None
    assert refused("UPDATE incidents_runbookstep SET title = 'x' WHERE id = %s", step.pk) == never
    assert refused("DELETE FROM incidents_runbookstep WHERE id = %s", step.pk) == never
    draft = a_draft(cast, steps=[CONTAIN])
    assert (
        refused('UPDATE incidents_runbookstep SET version_id = %s, "order" = 9 WHERE id = %s', draft.pk, step.pk)
        == never
    )
    mine = draft.steps.get()
    assert (
        refused('UPDATE incidents_runbookstep SET version_id = %s, "order" = 99 WHERE id = %s', version.pk, mine.pk)
        == never
    )
    assert refused("UPDATE incidents_runbookversion SET note = 'x' WHERE id = %s", version.pk) == never
    assert refused("UPDATE incidents_runbookversion SET number = 9 WHERE id = %s", version.pk) == never
    gone = refused("DELETE FROM incidents_runbookversion WHERE id = %s", version.pk)
    assert gone == "A version that was published stays on record."
    assert "transition" in refused(
        "UPDATE incidents_runbookversion SET state = 'draft', published_at = NULL WHERE id = %s", version.pk
    )
    assert RunbookStep.objects.filter(version=version).count() == 10


def test_a_version_begins_as_a_draft(cast: Cast) -> None:
    sql = """INSERT INTO incidents_runbookversion (runbook_id, number, state, note, written_at, published_at)
             VALUES (%s, 9, 'published', '', now(), now())"""
    assert refused(sql, the(DATA).pk) == "A version begins as a draft."


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([TELL], "A runbook has a required step that contains and one that freezes the evidence."),
        ([CONTAIN], "A runbook has a required step that contains and one that freezes the evidence."),
        (
            [CONTAIN, RESTART, FREEZE],
            "A runbook freezes the evidence before it changes the system (AI Act Art. 73(6)).",
        ),
    ],
)  # fmt: skip
def test_the_database_publishes_nothing_that_lacks_the_first_things(cast: Cast, steps: Any, says: str) -> None:
    draft = a_draft(cast, steps=steps)
    RunbookVersion.objects.filter(runbook=the(DATA), state="published").update(state="replaced")
    sql = "UPDATE incidents_runbookversion SET state = 'published', published_at = now() WHERE id = %s"
    assert refused(sql, draft.pk) == says


def test_what_a_runbook_is_for_stays(cast: Cast) -> None:
    says = "What a runbook is for does not change. Write another one."
    assert refused("UPDATE incidents_runbook SET scenario = 'complaint' WHERE key = 'data-access'") == says
    assert refused("UPDATE incidents_runbook SET unit_id = %s WHERE key = 'data-access'", cast.claims.pk) == says
    Runbook.objects.filter(key="complaint").update(retired_at=NOW)
    again = refused("UPDATE incidents_runbook SET retired_at = NULL WHERE key = 'complaint'")
    assert again == "A runbook that was retired stays so. Write another one."
    assert refused("DELETE FROM incidents_runbook") == "A runbook is retired, never deleted."


def test_words_that_the_rules_do_not_know_are_refused(cast: Cast) -> None:
    draft = a_draft(cast)
    assert "runbook_step_known_words" in refused(
        "UPDATE incidents_runbookstep SET does = 'containmnt' WHERE version_id = %s", draft.pk
    )
    assert "runbook_known_scenario" in refused(
        """INSERT INTO incidents_runbook (key, title, scenario, operating_model, created_at)
           VALUES ('x', 'X', 'fire', '', now())"""
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Runbook.objects.create(key="second", title="Second", scenario=DATA, created_at=NOW)

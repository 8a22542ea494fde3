"""Campaigns that come again: templates, scopes, periods of every length, and from when on they open by themselves."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.attestations import actions, queries
from apps.attestations.models import Campaign, CampaignTemplate, QuestionSet, QuestionSetVersion
from apps.attestations.queries.calendar import began, due_openings, upcoming
from apps.attestations.queries.scope import covered, normal_scope
from apps.attestations.rules import Given, Period
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.registry.models import Mandate
from tests.attestations.world import NOW, PERIOD, register
from tests.factories import hand_over

MONTHLY = {
    "name": "Critical systems", "cadence": "month", "scope": {"tier": ["critical"]}, "opens_days_before": 7,
    "closes_days_after": 3, "sampling_percent": 10, "consequence": "readiness", "top_seats": ["ciso"],
    "items_per_person": 10,
}  # fmt: skip


def monthly(cast: Any, **changed: Any) -> CampaignTemplate:
    sets = list(QuestionSet.objects.filter(key__in=["base", "grave"]))
    return actions.create_template(
        key="critical", values={**MONTHLY, **changed}, question_sets=sets, actor=cast.mara, now=NOW
    )


def test_a_month_opens_for_what_is_in_its_scope(cast: Any) -> None:
    register(cast, "one", tier="critical")
    register(cast, "two", tier="low")
    template = monthly(cast)
    assert AuditEvent.objects.filter(kind="campaign_template.changed").count() == 1
    dates = queries.dates_of(Period.parse("2026-11"), template)
    assert (dates.opens_on, dates.due_on, dates.closes_on) == (
        date(2026, 11, 23),
        date(2026, 11, 30),
        date(2026, 12, 3),
    )
    assert actions.open_due(now=datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) == [PERIOD, "2026-11-critical"]
    campaign = Campaign.objects.get(code="2026-11-critical")
    assert campaign.label == "Nov 2026, Critical systems"
    assert [row.system.key for row in campaign.assignments.select_related("system")] == ["one"]
    assert [part["key"] for part in campaign.question_set["sets"]] == ["base", "grave"]
    assert actions.open_due(now=datetime(2026, 11, 23, 8, 5, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("cadence", "period", "due"),
    [("month", "2028-02", date(2028, 2, 29)), ("half_year", "2026H2", date(2026, 8, 31)),
     ("year", "2027", date(2027, 2, 26)), ("quarter", "2026Q4", date(2026, 11, 30)),
     ("month", "2026-12", date(2026, 12, 31))],
)  # fmt: skip
def test_dates_of_every_length(cast: Any, cadence: str, period: str, due: date) -> None:
    template = CampaignTemplate(key="x", cadence=cadence)
    assert queries.dates_of(Period.parse(period), template).due_on == due


def test_a_campaign_opens_at_nine_on_both_sides_of_the_change_of_the_clocks(cast: Any) -> None:
    """Berlin goes from summer to winter time on 25 Oct 2026."""
    template = CampaignTemplate(key="x", cadence="month", opens_days_before=7)
    october = queries.opening_moment(queries.dates_of(Period.parse("2026-10"), template))
    assert october.astimezone(UTC) == datetime(2026, 10, 23, 7, 0, tzinfo=UTC)
    november = queries.opening_moment(queries.dates_of(Period.parse("2026-11"), template))
    assert november.astimezone(UTC) == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_a_new_organisation_is_not_asked_for_what_was_under_way_before(cast: Any) -> None:
    assert began() is None
    late = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    register(cast, "one", now=late)
    assert began() == late
    assert actions.open_due(now=late + timedelta(minutes=5)) == []
    # By hand it stays possible.
    assert actions.open_campaign(PERIOD, actor=COMMAND, now=late)[1]


def test_before_anybody_held_the_mandate_nothing_opens(cast: Any) -> None:
    register(cast, "one")
    Mandate.objects.update(since=datetime(2026, 11, 12, 9, 0, tzinfo=UTC))
    assert actions.open_due(now=datetime(2026, 11, 13, 9, 0, tzinfo=UTC)) == []


def test_what_is_planned_is_listed_and_opens_on_its_day(cast: Any) -> None:
    register(cast, "one", tier="critical")
    template = monthly(cast)
    campaign = actions.schedule_campaign(template, "2026-11", actor=cast.mara, now=NOW)
    assert (campaign.state, campaign.due_on) == ("scheduled", date(2026, 11, 30))
    with pytest.raises(Refused, match="already"):
        actions.schedule_campaign(template, "2026-11", actor=cast.mara, now=NOW)
    with pytest.raises(ValueError, match="no month"):
        actions.schedule_campaign(template, "2026Q4", actor=cast.mara, now=NOW)
    assert [(t.key, str(p)) for t, p in upcoming(NOW)] == [("quarterly", "2026Q4"), ("critical", "2026-11")]
    assert "2026-11-critical" in actions.open_due(now=datetime(2026, 11, 23, 8, 0, tzinfo=UTC))


def test_what_was_cancelled_does_not_open_by_itself(cast: Any) -> None:
    register(cast, "one", tier="critical")
    campaign = actions.schedule_campaign(monthly(cast), "2026-11", actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="Say why"):
        actions.cancel_campaign(campaign, reason=" ", actor=cast.mara, now=NOW)
    actions.cancel_campaign(campaign, reason="The quarter asks the same", actor=cast.mara, now=NOW)
    at = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert [template.key for template, _ in due_openings(at)] == ["quarterly"]


def test_a_cancelled_campaign_takes_nothing_and_stops_nothing(cast: Any, browse: Any) -> None:
    system = register(cast, "one", owner=cast.ada)
    campaign, _ = actions.open_campaign("2026Q4", actor=cast.mara, now=NOW)
    assignment = campaign.assignments.get()
    actions.cancel_campaign(campaign, reason="Wrong questions.", actor=cast.mara, now=NOW)
    assert set(Message.objects.filter(key__startswith="campaign:2026Q4:").values_list("state", flat=True)) == {
        "withdrawn"
    }
    with pytest.raises(Refused, match="was cancelled"):
        actions.save_answers(
            assignment, "response", {"drills": Given("yes")}, version=0, actor=cast.ada, now=NOW + timedelta(hours=1)
        )
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        page = browse(cast.ada).get("/attestations/2026Q4/one/").content.decode()
    assert "was cancelled on 10 Nov 2026: Wrong questions." in page
    # An owner who changes meanwhile leaves it alone, and the sweep goes on to others.
    hand_over(cast, system, cast.ben, now=NOW + timedelta(hours=2))
    assert actions.follow_owners(now=NOW + timedelta(hours=3)) == 0
    assignment.refresh_from_db()
    assert (assignment.state, assignment.version) == ("pending", 0)


def test_a_scope_counts_what_the_list_counts(cast: Any) -> None:
    register(cast, "one", tier="critical", regulatory_class="high_risk", owner=cast.ada)
    register(cast, "two", tier="high", unit=cast.devtools)
    register(cast, "three", tier="high", stage="proposed")
    assert covered({}) == 2
    assert covered({"tier": ["high", "critical"]}) == 2
    assert covered({"regulatory_class": ["high_risk"]}) == 1
    assert covered({"basis": ["accepted"], "tier": ["critical"]}) == 1
    assert covered({"unit": [cast.claims.code]}) == 1
    assert covered({"tier": ["low"]}) == 0
    assert normal_scope({"tier": ["high", "critical", "high"], "stage": []}) == {"tier": ["critical", "high"]}
    for scope, words in (
        ({"colour": ["red"]}, "no filter"),
        ({"tier": ["grave"]}, "no tier"),
        ({"unit": ["x"]}, "no unit"),
    ):
        with pytest.raises(ValueError, match=words):
            normal_scope(scope)


def test_who_runs_campaigns_changes_templates_and_nobody_else(cast: Any) -> None:
    template = monthly(cast)
    sets = list(template.question_sets.all())
    for person in (cast.cleo, cast.eve, cast.ada, cast.dov):
        with pytest.raises(NotAllowed):
            actions.change_template(template, values={"name": "X"}, question_sets=sets, actor=person, now=NOW)
    with pytest.raises(Refused, match="cadence of a template stays"):
        actions.change_template(template, values={"cadence": "year"}, question_sets=sets, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="at least 5 percent"):
        actions.change_template(template, values={"sampling_percent": 4}, question_sets=sets, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="Choose the questions"):
        actions.change_template(template, values={}, question_sets=[], actor=cast.mara, now=NOW)
    template.refresh_from_db()
    assert (template.name, template.sampling_percent) == ("Critical systems", 10)
    changed = actions.change_template(
        template, values={"name": "Gravest"}, question_sets=sets, actor=cast.mara, now=NOW
    )
    assert changed.name == "Gravest"
    bodies = [json.loads(one.body) for one in AuditEvent.objects.filter(kind="campaign_template.changed")]
    (body,) = [one for one in bodies if one["before"]]
    assert (body["before"], body["after"]) == ({"name": "Critical systems"}, {"name": "Gravest"})
    with pytest.raises(Refused, match="critical is taken"):
        monthly(cast)
    resting = actions.set_template_active(template, False, reason="Enough", actor=cast.mara, now=NOW)
    assert not resting.is_active


def test_the_campaign_of_all_covers_all(cast: Any) -> None:
    quarterly = CampaignTemplate.objects.get(key="quarterly")
    sets = list(quarterly.question_sets.all())
    with pytest.raises(Refused, match="covers every live system"):
        actions.change_template(
            quarterly, values={"scope": {"tier": ["high"]}}, question_sets=sets, actor=cast.mara, now=NOW
        )


def test_questions_are_drafted_checked_and_published(cast: Any) -> None:
    base = QuestionSet.objects.get(key="vendor")
    draft = actions.draft_version(base, actor=cast.mara, now=NOW)
    assert (draft.number, draft.published_at) == (2, None)
    with pytest.raises(Refused, match="a draft of Vendor services already"):
        actions.draft_version(base, actor=cast.mara, now=NOW)
    with pytest.raises(Refused, match="says the same"):
        actions.publish_version(draft, actor=cast.mara, now=NOW)
    sections = draft.sections
    sections[0]["questions"][1]["text"] = "Is there a contract?"
    sections[0]["questions"][2]["key"] = "kill_switch"
    with pytest.raises(Refused, match="question kill_switch, key: kill_switch is taken"):
        actions.change_draft(draft, sections=sections, note="", actor=cast.mara, now=NOW)
    sections[0]["questions"][2]["key"] = "vendor_reviewed_on"
    draft = actions.change_draft(draft, sections=sections, note="Plainer", actor=cast.mara, now=NOW)
    published = actions.publish_version(draft, actor=cast.mara, now=NOW)
    assert published.published_at == NOW
    with pytest.raises(Refused, match="is published"):
        actions.change_draft(draft, sections=sections, note="", actor=cast.mara, now=NOW)
    with pytest.raises(NotAllowed):
        actions.draft_version(base, actor=cast.cleo, now=NOW)
    kinds = sorted(AuditEvent.objects.filter(kind__startswith="questions.").values_list("kind", flat=True))
    assert kinds == ["questions.drafted", "questions.drafted", "questions.published"]


def test_an_open_campaign_keeps_its_questions(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]
    base = QuestionSet.objects.get(key="base")
    draft = actions.draft_version(base, actor=cast.mara, now=NOW)
    sections = draft.sections
    sections[0]["title"] = "Who answers"
    actions.publish_version(
        actions.change_draft(draft, sections=sections, note="", actor=cast.mara, now=NOW), actor=cast.mara, now=NOW
    )
    campaign.refresh_from_db()
    assert campaign.question_set["sets"][0]["version"] == 1
    later = actions.open_campaign("2027Q1", actor=COMMAND, now=NOW)[0]
    assert later.question_set["sets"][0]["version"] == 2
    assert later.question_set["sets"][0]["sections"][0]["title"] == "Who answers"


def test_the_database_keeps_what_was_published(cast: Any) -> None:
    from django.db import DatabaseError, transaction

    version = QuestionSetVersion.objects.get(question_set__key="base", number=1)
    for change in (lambda: QuestionSetVersion.objects.filter(pk=version.pk).update(sections=[]), version.delete):
        with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
            change()


def test_a_system_is_asked_what_fits_it(cast: Any) -> None:
    from apps.attestations.questions import thawed

    register(cast, "plain", owner=cast.ada)
    register(cast, "all", owner=cast.ada, tier="critical", regulatory_class="high_risk", operating_model="vendor_saas")
    campaign = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]
    asked = {
        row.system.key: [part.slug for part in thawed(campaign.question_set, json.loads(row.snapshot.facts))]
        for row in campaign.assignments.select_related("system", "snapshot")
    }
    assert asked["plain"] == ["ownership", "purpose", "oversight", "response", "changes", "exceptions"]
    assert asked["all"] == [*asked["plain"], "grave", "high-risk", "vendor"]

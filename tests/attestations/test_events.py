"""Between the campaigns: what changed makes the last attestation stale and is asked again, once."""

from datetime import date, timedelta
from typing import Any

from apps.attestations import actions
from apps.attestations.models import Assignment, Campaign
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.notify.models import Message
from apps.people.rules import Confirmation
from apps.registry import actions as registry
from tests.attestations.world import NOW, PERIOD, answer_all, register
from tests.factories import hand_over

SIGNED = NOW + timedelta(hours=2)
LATER = NOW + timedelta(days=1)


def attested(cast: Any, key: str = "one", **fields: Any) -> Assignment:
    register(cast, key, owner=cast.ada, **fields)
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    return sign(Assignment.objects.select_related("campaign", "system", "snapshot").get(system__key=key), cast.ada)


def sign(assignment: Assignment, person: Any, at: Any = SIGNED) -> Assignment:
    assignment = answer_all(assignment, person, now=at)
    actions.sign(
        assignment, version=assignment.version, declared_true=True, typed_name=person.display_name,
        confirmation=Confirmation("password", at), actor=person, now=at,
    )  # fmt: skip
    assignment.refresh_from_db()
    return assignment


def events(kind: str) -> int:
    return AuditEvent.objects.filter(kind=kind).count()


def test_nothing_changed_asks_nothing(cast: Any) -> None:
    attested(cast)
    assert actions.raise_events(now=LATER) == 0
    assert not Campaign.objects.filter(is_event=True).exists()


def test_a_change_is_asked_once_with_ten_working_days(cast: Any) -> None:
    first = attested(cast, vendor="Initech")
    registry.change_system(first.system, actor=cast.mara, now=LATER, vendor="Umbrella", model="Example 3")
    assert actions.raise_events(now=LATER) == 1
    assert actions.raise_events(now=LATER + timedelta(hours=1)) == 0
    first.refresh_from_db()
    assert (first.stale_at, first.stale_because) == (LATER, ["model", "vendor"])
    campaign = Campaign.objects.get(is_event=True)
    assert (campaign.code, campaign.title) == ("2026Q4-changes", "Q4 2026, After a change")
    second = campaign.assignments.select_related("snapshot").get()
    assert (second.person, second.due_on, second.delta) == (cast.ada, date(2026, 11, 25), "changed")
    assert second.snapshot.is_supplement
    assert second.snapshot.changes == ["model", "vendor"]
    (mail,) = Message.objects.filter(key__contains=":event:")
    assert mail.subject == "ONE changed: state and sign what is true now"
    assert "- ONE (one), by 25 Nov 2026: model and vendor" in mail.body
    assert (events("attestation.event_raised"), events("attestation.became_stale")) == (1, 1)


def test_once_signed_it_is_in_order_until_the_next_change(cast: Any) -> None:
    first = attested(cast, vendor="Initech")
    registry.change_system(first.system, actor=cast.mara, now=LATER, vendor="Umbrella")
    actions.raise_events(now=LATER)
    second = Assignment.objects.select_related("campaign", "system", "snapshot").get(campaign__is_event=True)
    sections = [part["slug"] for part in second.campaign.question_set["sets"][0]["sections"]]
    assert sections == ["what-changed"]
    sign(second, cast.ada, LATER + timedelta(hours=1))
    assert actions.raise_events(now=LATER + timedelta(hours=2)) == 0
    registry.change_system(first.system, actor=cast.mara, now=LATER + timedelta(hours=3), tier="high")
    assert actions.raise_events(now=LATER + timedelta(hours=4)) == 1
    rows = Assignment.objects.filter(campaign__is_event=True).order_by("pk")
    assert [row.snapshot.number for row in rows] == [1, 2]
    assert rows[0].stale_because == ["tier"]


def test_while_a_campaign_asks_anyway_nothing_new_is_asked(cast: Any) -> None:
    system = register(cast, "one", owner=cast.ada, vendor="Initech")
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    registry.change_system(system, actor=cast.mara, now=LATER, vendor="Umbrella")
    assert actions.raise_events(now=LATER) == 0


def test_a_new_owner_is_asked_and_who_signed_as_the_new_owner_is_not(cast: Any) -> None:
    first = attested(cast)
    hand_over(cast, first.system, cast.nils, now=LATER)
    assert actions.raise_events(now=LATER + timedelta(hours=1)) == 1
    second = Assignment.objects.get(campaign__is_event=True)
    assert (second.person, second.snapshot.changes) == (cast.nils, ["deputy", "owner"])


def test_who_took_over_in_mid_campaign_and_signed_is_not_asked_again(cast: Any) -> None:
    system = register(cast, "one", owner=cast.ada)
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    hand_over(cast, system, cast.nils, now=NOW + timedelta(hours=1))
    actions.follow_owners(now=NOW + timedelta(hours=2))
    row = Assignment.objects.select_related("campaign", "system", "snapshot").get(person=cast.nils)
    sign(row, cast.nils, LATER)
    assert actions.raise_events(now=LATER + timedelta(hours=1)) == 0


def test_what_is_no_such_fact_asks_nothing(cast: Any) -> None:
    first = attested(cast)
    registry.change_system(first.system, actor=cast.mara, now=LATER, purpose="Sorts more letters", chat_channel="#one")
    assert actions.raise_events(now=LATER) == 0


def test_a_template_that_rests_asks_nothing(cast: Any) -> None:
    from apps.attestations.models import CampaignTemplate

    first = attested(cast)
    registry.change_system(first.system, actor=cast.mara, now=LATER, tier="high")
    CampaignTemplate.objects.filter(key="changes").update(is_active=False)
    assert actions.raise_events(now=LATER) == 0


def test_the_number_of_queries_does_not_grow(cast: Any, django_assert_max_num_queries: Any) -> None:
    from apps.attestations.actions.events import changed_systems

    attested(cast)
    with django_assert_max_num_queries(1):
        assert changed_systems() == []

"""A call is answered by its link on a phone, without signing in; a plan is seen in words before it is set."""

from typing import Any

import pytest

from apps.common import clock
from apps.incidents.actions.declare import declare
from apps.incidents.models import EscalationPlan, Page
from apps.incidents.queries.ack_links import ack_path
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import a_system

pytestmark = pytest.mark.journey
PHONE = {"viewport": {"width": 390, "height": 844}}


def test_a_call_is_answered_by_its_link_on_a_phone(site: Any, visit: Any) -> None:
    cast, now = Cast(), clock.now()
    system = a_system(cast, owner=cast.ada)
    incident = declare(title="It mails customers", system=system, severity="sev2", actor=cast.dov, now=now)
    called = Page.objects.get(incident=incident)
    phone = visit(**PHONE)

    page = phone.go(ack_path(called.pk, now))
    assert page.get_by_text("Ada Nwosu is asked to take the response.").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="I take it", exact=True).click()
    page.get_by_text("You have it.").wait_for()
    called.refresh_from_db()
    assert (called.state, called.answered_by_way) == ("acked", "link")
    # Somebody else opens theirs later: who has it stands there, and nothing to press.
    page = phone.go(ack_path(called.pk, now))
    assert page.get_by_role("button", name="I take it").count() == 0
    assert not phone.reports()


def test_a_plan_is_seen_in_words_before_it_is_set(site: Any, visit: Any) -> None:
    cast = Cast()
    a_system(cast, key="SYS-ADA", owner=cast.ada)
    browser = visit()
    browser.sign_in("cleo")

    page = browser.go("/incidents/plans/")
    page.get_by_role("link", name="Set a plan").click()
    page.get_by_label("Name", exact=True).fill("Claims at night")
    page.get_by_label("Or for one unit").select_option(label="Claims")
    second = page.get_by_role("group", name="Step 2", exact=True)
    second.get_by_label("After how many minutes?").fill("10")
    second.get_by_label("Whom?").select_option(label="Seat: General Counsel")
    page.get_by_label("Show who that is today for this system").fill("SYS-ADA")
    page.get_by_label("Why?", exact=True).fill("They asked for it")
    page.get_by_role("button", name="See it in words").click()
    page.get_by_text("Today Lea Abelmann by e-mail.").wait_for()
    assert not EscalationPlan.objects.filter(name="Claims at night").exists()
    page.get_by_role("button", name="Set the plan").click()
    page.get_by_role("heading", name="Claims at night").wait_for()
    assert EscalationPlan.objects.get(name="Claims at night").unit == cast.claims
    assert System.objects.get().key == "SYS-ADA"
    assert not browser.reports()

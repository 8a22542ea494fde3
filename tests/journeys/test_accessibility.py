"""axe finds nothing on any page, light, dark and at 390 px; no page breaks the content security policy."""

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from apps.access.actions import issue_token
from apps.attestations.actions import open_campaign
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.directory.actions import issue_scim_token, receive_people_file
from apps.directory.rules.people_file import template_csv as people_csv
from apps.findings.actions import accept_risk
from apps.registry import actions as registry
from apps.registry.actions.imports import receive_import
from apps.registry.models import System
from apps.registry.rules.imports import template_csv
from tests.cast import Cast
from tests.factories import a_system
from tests.factories.matrices import asked_for_an_a
from tests.findings.world import a_finding, done
from tests.handovers import begin, sign_out
from tests.journeys.conftest import Site
from tests.journeys.looks import AXE

pytestmark = [pytest.mark.journey, pytest.mark.committed]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "390": {"viewport": {"width": 390, "height": 844}},
}


@pytest.fixture
def pages(site: Site) -> dict[str, list[str]]:
    """Every page, by who reads it."""
    cast, now = Cast(), clock.now() - timedelta(days=2)
    a_system(cast, key="SYS-ADA", name="Claims Adjudication Agent", owner=cast.ada, tier="critical", now=now)
    open_to_ada = a_system(cast, key="SYS-OPEN", name="Software Approval Agent " + "with a long name " * 20, now=now)
    nomination = registry.nominate_owner(open_to_ada, cast.ada, actor=cast.mara, now=now)
    handed = a_system(cast, key="SYS-HAND", owner=cast.ada, vendor="Initech", now=now)
    handover = begin(cast, handed, cast.nils, now=now + timedelta(hours=1))
    taken = begin(cast, a_system(cast, key="SYS-TAKEN", owner=cast.nils, now=now), cast.ada, now=now)
    sign_out(taken, now=now + timedelta(hours=2))
    view = registry.save_view(name="Critical", query="tier=critical", shared=True, actor=cast.mara, now=now)
    open_campaign("2026Q4", actor=COMMAND, now=now + timedelta(hours=1))
    issue_token(cast.ada, name="Gateway", scopes=["read"], actor=cast.ada, now=now)
    content = template_csv().encode()
    run = receive_import(file_name="x.csv", content=content, format_name="csv", actor=cast.mara, now=now)
    finding = a_finding(cast, system=open_to_ada, severity="critical", now=now)
    done(cast, finding, now=now)
    for mild in (a_finding(cast, title="Nobody drilled. " * 20, now=now), a_finding(cast, unit=cast.claims, now=now)):
        accept_risk(mild, reason="Small", until=mild.due_on, actor=cast.mara, now=now)
    issue_scim_token(name="Okta", actor=cast.mara, now=now)
    people = receive_people_file(
        file_name="p.csv", content=people_csv().encode(), complete=True, actor=cast.mara, now=now
    )
    asked = asked_for_an_a(System.objects.get(key="SYS-ADA"), actor=cast.mara, now=now + timedelta(hours=2))
    event = AuditEvent.objects.filter(kind="system.registered").latest("ts_us")
    return {
        "": ["/accounts/login/", "/accounts/password/reset/"],
        "mara": [
            "/", "/menu/", "/keys/", "/who/", "/who/?q=claims", "/who/?q=software", "/who/?q=agent", "/who/?q=zzz",
            "/systems/", "/systems/?basis=interim&tier=high", "/systems/?q=nothing-there", "/systems/register/",
            f"/systems/views/{view.pk}/delete/", "/systems/import/", f"/systems/import/{run.pk}/",
            "/systems/SYS-ADA/", "/systems/SYS-OPEN/", "/systems/SYS-ADA/ownership/", "/systems/SYS-ADA/trail/",
            "/systems/SYS-HAND/ownership/", "/systems/SYS-HAND/ownership/?view=grid",
            "/systems/SYS-HAND/ownership/rows/access-management/", "/systems/SYS-HAND/ownership/draft/",
            "/ownership/matrix/", "/ownership/matrix/history/", "/ownership/matrix/units/",
            f"/ownership/matrix/units/{cast.claims.pk}/",
            "/systems/SYS-ADA/history/", "/systems/SYS-ADA/history/?on=2026-11-20", "/systems/SYS-ADA/history/?on=x",
            "/systems/SYS-ADA/authority/", "/systems/SYS-HAND/", f"/handovers/{handover.pk}/",
            f"/handovers/{handover.pk}/cancel/", "/systems/SYS-ADA/edit/", "/systems/SYS-ADA/retire/",
            "/systems/SYS-ADA/nominate/",
            f"/nominations/{nomination.pk}/withdraw/", "/ownership/", "/ownership/?domains=all",
            "/ownership/?view=list", f"/ownership/?unit={cast.devtools.pk}", "/people/", "/people/new/",
            "/people/seats/", f"/people/{cast.ada.pk}/", "/units/", "/units/new/", f"/units/{cast.claims.pk}/",
            "/profile/", "/profile/availability/", f"/people/{cast.ada.pk}/availability/", "/ownership/people/",
            "/ownership/people/?show=no_deputy",
            "/directory/leavers/", "/directory/import/", f"/directory/import/{people.pk}/", "/directory/tokens/",
            "/trail/", f"/trail/{event.pk}/", "/readiness/", "/attestations/", "/attestations/2026Q4/",
            "/attestations/2026Q4/remind/", "/mail/", "/findings/?tab=all", "/findings/?tab=accepted",
            "/findings/?tab=closed",
            "/findings/report/", f"/findings/{finding.pk}/", f"/findings/{mild.pk}/", "/not/there/",
        ],
        "ada": [
            "/", "/findings/", f"/findings/{finding.pk}/", f"/nominations/{nomination.pk}/",
            f"/ownership/acceptances/{asked.pk}/",
            f"/handovers/{handover.pk}/", f"/handovers/{taken.pk}/", "/attestations/",
            "/attestations/2026Q4/SYS-ADA/ownership/",
            "/attestations/2026Q4/SYS-ADA/check/", "/profile/", "/readiness/", "/accounts/password/change/",
        ],
        "dov": ["/findings/", "/", "/systems/", "/ownership/", "/attestations/"],
    }  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_every_page(look: str, pages: dict[str, list[str]], visit: Any) -> None:
    axe, wrong = Axe(), []
    for reader, paths in pages.items():
        window = visit(**LOOKS[look])
        if reader:
            window.sign_in(reader)
        for path in paths:
            page = window.go(path)
            # Before axe: what the policy refuses while axe works in the page is axe's own doing.
            wrong += window.reports()
            found = axe.run(page, options=AXE).response["violations"]
            wrong += [f"{path}: {v['id']} {v['nodes'][0]['target']}" for v in found]
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                wrong.append(f"{path}: {wide} px too wide")
        wrong += [f"{reader}: {text}" for text in window.complaints if "Content Security Policy" not in text]
    assert wrong == []


def test_the_palette(pages: dict[str, list[str]], visit: Any) -> None:
    window = visit()
    page = window.sign_in("mara")
    page.keyboard.press("/")
    page.keyboard.type("claims")
    page.get_by_role("option").first.wait_for()
    assert window.complaints == []
    assert Axe().run(page, options=AXE).response["violations"] == []
    page.keyboard.press("Escape")
    assert not page.locator("dialog[open]").count()

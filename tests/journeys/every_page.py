"""Something of everything that the portal shows, and every page of it by who reads it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.directory.actions import issue_scim_token, offboard, receive_people_file
from apps.directory.rules.people_file import template_csv as people_csv
from apps.findings.actions import accept_risk
from apps.incidents.actions.declare import declare
from apps.incidents.actions.inbound import add_source, receive, revoke_source
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.plans import set_plan
from apps.incidents.actions.preflight import run_preflight
from apps.incidents.models import EscalationPlan, InboundSource, Page
from apps.incidents.queries.ack_links import ack_path
from apps.incidents.rules.inbound import Report, Status
from apps.incidents.rules.plans import BUILT_IN, Plan
from apps.notify.actions.channels import add_channel
from apps.notify.models import Endpoint
from apps.people.actions import provision_person
from apps.people.rules import Confirmation
from apps.registry import actions as registry
from apps.registry.actions import charter as charters
from apps.registry.actions import raci
from apps.registry.actions.imports import receive_import
from apps.registry.models import System
from apps.registry.queries.raci_scope import Scope
from apps.registry.rules.imports import template_csv
from tests.cast import Cast
from tests.factories import a_system, set_letters
from tests.factories.matrices import asked_for_an_a
from tests.findings.world import a_finding, done
from tests.handovers import begin, sign_out
from tests.incidents.card_pages import card_pages
from tests.incidents.clock_pages import clock_pages
from tests.incidents.learning_pages import learning_pages
from tests.incidents.live_pages import live_pages
from tests.incidents.runbook_pages import runbook_pages
from tests.journeys.campaign_pages import campaign_pages
from tests.notify.webhooks_world import a_channel, an_endpoint
from tests.registry.test_charter import in_force, signed

Pages = dict[str, list[str]]


@dataclass(frozen=True)
class World:
    """The cast, and since when everything is there."""

    cast: Cast
    now: datetime

    def later(self, hours: float) -> datetime:
        """So many hours after the beginning."""
        return self.now + timedelta(hours=hours)


def every_page() -> Pages:
    """Every page, by who reads it."""
    world = World(Cast(), clock.now() - timedelta(days=2))
    parts = [
        _systems, _ownership, _matrix, _mandate, _people, _directory, _findings, _attestations, _channels, _clocks,
        _calling, _live,
    ]  # fmt: skip
    parts.append(_cards)
    parts.append(_runbooks)
    parts.append(_learning)
    parts.append(_sources)
    pages: Pages = {
        "": ["/accounts/login/", "/accounts/password/reset/"],
        "mara": ["/", "/menu/", "/keys/", "/mail/", "/status/", "/readiness/", "/not/there/"],
        "ada": ["/", "/profile/", "/readiness/", "/accounts/password/change/"],
        "dov": ["/", "/systems/", "/ownership/", "/attestations/"],
        "cleo": [],
        "lea": [],
        "una": [],
    }
    for part in parts:
        for reader, paths in part(world).items():
            pages[reader] += paths
    event = AuditEvent.objects.filter(kind="system.registered").latest("ts_us")
    pages["mara"] += ["/trail/", f"/trail/{event.pk}/"]
    return pages


def _systems(w: World) -> Pages:
    cast, now = w.cast, w.now
    a_system(cast, key="SYS-ADA", name="Claims Adjudication Agent", owner=cast.ada, tier="critical", now=now)
    named = "Software Approval Agent " + "with a long name " * 20
    waiting = a_system(cast, key="SYS-OPEN", name=named, now=now)
    nomination = registry.nominate_owner(waiting, cast.ada, actor=cast.mara, now=now)
    view = registry.save_view(name="Critical", query="tier=critical", shared=True, actor=cast.mara, now=now)
    content = template_csv().encode()
    run = receive_import(file_name="x.csv", content=content, format_name="csv", actor=cast.mara, now=now)
    return {
        "mara": [
            "/who/", "/who/?q=claims", "/who/?q=software", "/who/?q=agent", "/who/?q=zzz",
            "/systems/", "/systems/?basis=interim&tier=high", "/systems/?q=nothing-there", "/systems/register/",
            f"/systems/views/{view.pk}/delete/", "/systems/import/", f"/systems/import/{run.pk}/",
            "/systems/SYS-ADA/", "/systems/SYS-OPEN/", "/systems/SYS-ADA/trail/", "/systems/SYS-ADA/edit/",
            "/systems/SYS-ADA/retire/", "/systems/SYS-ADA/history/", "/systems/SYS-ADA/history/?on=2026-11-20",
            "/systems/SYS-ADA/history/?on=x", "/systems/SYS-ADA/authority/", "/systems/SYS-ADA/nominate/",
            "/systems/SYS-OPEN/nominate/", f"/nominations/{nomination.pk}/withdraw/",
        ],
        "ada": [f"/nominations/{nomination.pk}/"],
    }  # fmt: skip


def _channels(w: World) -> Pages:
    """A gateway that Ada is reached by, one whose test failed, and a code that waits to be entered."""
    cast = w.cast
    gateway = an_endpoint(cast.mara, "https://93.184.215.14/in", now=w.now).endpoint
    failed = an_endpoint(cast.mara, "https://93.184.215.14/in", kind="slack", name="Chat", now=w.now).endpoint
    Endpoint.objects.filter(pk=failed.pk).update(tested_at=w.now, test_error="The other side answered 404")
    a_channel(cast.ada, gateway)
    add_channel(cast.ada, kind="chat", address="#claims-duty", endpoint=failed, actor=cast.ada, now=clock.now())
    return {
        "mara": ["/endpoints/", "/endpoints/new/", f"/endpoints/{gateway.pk}/", f"/endpoints/{failed.pk}/?do=end",
                 "/mail/?show=webhooks", "/profile/channels/"],
        "ada": ["/profile/channels/"],
    }  # fmt: skip


def _clocks(w: World) -> Pages:
    """Legal clocks in every state, and their registers."""
    return clock_pages(w.cast, w.now)


def _learning(w: World) -> Pages:
    """Reviews, drills and numbers."""
    return learning_pages(w.cast, w.now)


def _ownership(w: World) -> Pages:
    """Two hand-overs: one that nobody signed, one that waits for Ada; Nils, who hands over, is away."""
    cast, now = w.cast, w.now
    handed = a_system(cast, key="SYS-HAND", owner=cast.ada, vendor="Initech", now=now)
    handover = begin(cast, handed, cast.nils, now=w.later(1))
    taken = begin(cast, a_system(cast, key="SYS-TAKEN", owner=cast.nils, now=now), cast.ada, now=now)
    sign_out(taken, now=w.later(2))
    day = clock.local_date(clock.now())
    days: dict[str, Any] = {"starts_on": day, "ends_on": day + timedelta(days=20)}
    registry.record_absence(cast.nils, delegate=cast.ben, actor=cast.nils, now=w.later(3), **days)
    return {
        "mara": [
            "/systems/SYS-HAND/", "/systems/SYS-HAND/nominate/", f"/handovers/{handover.pk}/",
            f"/handovers/{handover.pk}/cancel/", "/who/?system=SYS-TAKEN", "/ownership/", "/ownership/?domains=all",
            "/ownership/?view=list", f"/ownership/?unit={cast.devtools.pk}", "/ownership/people/",
            "/ownership/people/?show=no_deputy", f"/people/{cast.nils.pk}/availability/",
            f"/people/{cast.nils.pk}/", "/profile/availability/",
        ],
        "ada": [f"/handovers/{handover.pk}/", f"/handovers/{taken.pk}/"],
    }  # fmt: skip


def _matrix(w: World) -> Pages:
    """A draft with a mistake in it, a change that waits for Ada, and matrices with a history."""
    cast = w.cast
    asked = asked_for_an_a(System.objects.get(key="SYS-ADA"), actor=cast.mara, now=w.later(2))
    draft = raci.open_draft(Scope(system=System.objects.get(key="SYS-HAND")), actor=cast.mara, now=w.later(2))
    raci.set_cell(
        draft, "access-management", "owner", "A", revision=draft.revision, actor=cast.mara, now=w.later(2)
    )  # fmt: skip
    taken = System.objects.get(key="SYS-TAKEN")
    for where in ({"unit": cast.claims}, {"system": taken}):
        cells = {"platform": "A", "engineering": "R"}
        set_letters("cost-attribution", cells, actor=cast.mara, now=w.later(3), **where)
    unit, row = f"/ownership/matrix/units/{cast.claims.pk}/", "rows/access-management/"
    return {
        "mara": [
            "/systems/SYS-ADA/ownership/", "/systems/SYS-HAND/ownership/", "/systems/SYS-HAND/ownership/?view=grid",
            f"/systems/SYS-HAND/ownership/{row}", "/systems/SYS-HAND/ownership/draft/",
            "/systems/SYS-TAKEN/ownership/history/", "/ownership/matrix/", "/ownership/matrix/history/",
            "/ownership/matrix/draft/", f"/ownership/matrix/{row}", "/ownership/matrix/units/", unit,
            f"{unit}history/", f"{unit}draft/", f"{unit}{row}",
        ],
        "ada": [f"/ownership/acceptances/{asked.pk}/"],
    }  # fmt: skip


def _mandate(w: World) -> Pages:
    """Two versions: of the one in force Cleo signed, Lea withdrew; a third is being written."""
    cast = w.cast
    in_force(cast, domains={"stop": False}, now=w.now)
    charter = in_force(cast, now=w.later(1))
    proof = Confirmation("password", w.later(2))
    signature = signed(cast, charter, now=w.later(2), confirmation=proof)
    legal = charters.sign_charter(
        charter, "legal", declared=True, typed_name="Lea Abelmann", confirmation=proof, actor=cast.lea, now=w.later(2)
    )
    charters.withdraw_charter_signature(legal, reason="Duties are not named", actor=cast.lea, now=w.later(3))
    charters.draft_charter(actor=cast.mara, now=w.later(4))
    page = "/ownership/mandate/"
    return {
        "mara": [page, f"{page}draft/", f"{page}versions/1/", f"{page}versions/2/"],
        "cleo": [page, f"{page}signatures/{signature.pk}/withdraw/"],
        "lea": [f"{page}sign/legal/"],
    }


def _people(w: World) -> Pages:
    cast = w.cast
    issue_token(cast.ada, name="Gateway", scopes=["read"], actor=cast.ada, now=w.now)
    return {
        "mara": [
            "/people/", "/people/?state=deactivated", "/people/new/", "/people/seats/", "/people/seats/?seat=finance",
            "/people/seats/?seat=platform", f"/people/{cast.ada.pk}/", f"/people/{cast.ada.pk}/?do=edit",
            f"/people/{cast.ada.pk}/?do=deactivate", f"/people/{cast.mara.pk}/?do=deactivate",
            f"/people/{cast.ivan.pk}/", f"/people/{cast.ada.pk}/availability/", "/units/", "/units/new/",
            f"/units/{cast.claims.pk}/", "/profile/", "/profile/sessions/",
        ],
    }  # fmt: skip


def _directory(w: World) -> Pages:
    """Somebody left a system; a file and a token of the directory."""
    cast = w.cast
    gone = provision_person(email="gil@example.org", display_name="Gil Duarte", actor=cast.mara, now=w.now)
    a_system(cast, key="SYS-LEFT", name="Letters " * 12, owner=gone, now=w.now)
    case = offboard(gone, actor=cast.mara, now=w.later(1), reason="Left")
    issue_scim_token(name="Okta", actor=cast.mara, now=w.now)
    content = people_csv().encode()
    file = receive_people_file(file_name="p.csv", content=content, complete=True, actor=cast.mara, now=w.now)
    return {
        "mara": [
            "/directory/leavers/", f"/directory/leavers/{case.pk}/", f"/people/{gone.pk}/", "/who/?system=SYS-LEFT",
            "/systems/SYS-LEFT/history/", "/directory/import/", f"/directory/import/{file.pk}/", "/directory/tokens/",
        ],
    }  # fmt: skip


def _findings(w: World) -> Pages:
    cast, now = w.cast, w.now
    finding = a_finding(cast, system=System.objects.get(key="SYS-OPEN"), severity="critical", now=now)
    done(cast, finding, now=now)
    for mild in (a_finding(cast, title="Nobody drilled. " * 20, now=now), a_finding(cast, unit=cast.claims, now=now)):
        accept_risk(mild, reason="Small", until=mild.due_on, actor=cast.mara, now=now)
    late = a_finding(cast, title="Nobody looked", severity="high", now=now - timedelta(days=14))
    tabs = [f"/findings/?tab={tab}" for tab in ("all", "overdue", "accepted", "closed")]
    return {
        "mara": [*tabs, "/findings/report/", *(f"/findings/{one.pk}/" for one in (finding, mild, late))],
        "ada": ["/findings/", f"/findings/{finding.pk}/", f"/findings/{late.pk}/"],
        "dov": ["/findings/"],
    }


def _cards(w: World) -> Pages:
    return card_pages(w.cast, w.now)


def _runbooks(w: World) -> Pages:
    return runbook_pages(w.cast, w.now)


def _attestations(w: World) -> Pages:
    return campaign_pages(w.cast, w.now)


def _sources(w: World) -> Pages:
    """Sources of incidents, one of them used and one revoked."""
    system = System.objects.get(key="SYS-ADA")
    values: dict[str, Any] = {"actor": w.cast.mara, "now": w.now}
    ids = []
    for kind in InboundSource.Kind.values:
        source, _ = add_source(name=f"{kind} " + "of production " * 6, kind=kind, system=system, **values)
        ids.append(source.pk)
    gone, _ = add_source(name="Old", kind="webhook", mode="test", **values)
    revoke_source(gone, actor=w.cast.mara, now=w.later(1))
    receive(source, Report(Status.FIRING, "It reads letters", dedup_key="k"), now=w.later(1))
    page = "/incidents/sources/"
    return {
        "mara": [page, f"{page}?show=revoked", *(f"{page}{pk}/" for pk in ids), f"{page}{gone.pk}/",
                 f"{page}{gone.pk}/revoke/", f"{page}{ids[0]}/revoke/"],
    }  # fmt: skip


def _calling(w: World) -> Pages:
    """Plans of calling, whether it would work, and links that answer: one that waits, of one that somebody has."""
    cast, now = w.cast, w.now
    plan = Plan(BUILT_IN.steps, 0, "Claims, " + "at night and on Sundays " * 3)
    own = set_plan(plan, unit=cast.claims, reason="They asked for it " * 20, actor=cast.mara, now=now)
    whole = EscalationPlan.objects.get(valid_to=None, unit=None, system=None, scenario="")
    system = System.objects.get(key="SYS-ADA")
    waits = declare(title="It mails customers", system=system, actor=cast.dov, now=now)
    taken = declare(title="It reads letters of others " * 6, system=system, actor=cast.dov, now=now, mode="test")
    acknowledge(taken, actor=cast.ada, now=w.later(0.1))
    run_preflight(now=w.later(1))
    links = [ack_path(Page.objects.filter(incident=one).earliest("pk").pk, clock.now()) for one in (waits, taken)]
    page = "/incidents/plans/"
    return {
        "": [*links, ack_path(1, now - timedelta(days=2))],
        "mara": [page, f"{page}new/", f"{page}{whole.pk}/", f"{page}{own.pk}/?system=SYS-ADA",
                 f"{page}{own.pk}/edit/", f"{page}{own.pk}/end/", "/incidents/preflight/"],
        "dov": [page, f"{page}{whole.pk}/"],
    }  # fmt: skip


def _live(w: World) -> Pages:
    return live_pages(w.cast, w.now)

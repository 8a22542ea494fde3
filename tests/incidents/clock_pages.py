"""Every page of legal clocks, for the tests that look at all pages: each state, and who signs."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.incidents.actions.clock_rules import add_contract_rule, set_authority, set_rule_applies
from apps.incidents.actions.clock_watch import mark_missed
from apps.incidents.actions.clocks import decide_not_reportable, note_submission, start_clock
from tests.factories import a_system
from tests.incidents.clock_world import clock, rule, signed, with_clocks


def clock_pages(cast: Any, now: datetime) -> dict[str, list[str]]:
    """An incident of Ada's system two days ago in which everything was decided, is late, runs, or waits."""
    lea = {"actor": cast.lea, "now": now}
    set_rule_applies(rule("GDPR-33"), True, reason="Controller of the claims", **lea)
    set_rule_applies(rule("SEC-105"), False, reason="Not listed in the United States", **lea)
    set_authority(rule("GDPR-33"), name="BfDI", portal="https://example.org/report", contact="+49 228 1", **lea)
    add_contract_rule(
        counterparty="Nordlicht Re", clause="§ 12.3", trigger="Were their data read?", amount=24, unit="h",
        contact="security@example.org", **lea,
    )  # fmt: skip
    system = a_system(cast, key="SYS-CLK", owner=cast.ada, regulatory_class="high_risk", now=now)
    with transaction.atomic():
        incident = with_clocks(cast, system=system, now=now)
    at = {"anchor_at": now, "reason": "Una Brandt saw letters of other people.", "actor": cast.lea, "now": now}
    running = start_clock(clock(incident, "GDPR-33"), **at)
    late = start_clock(clock(incident, "NIS2-24"), **at)
    sent = start_clock(clock(incident, "NIS2-72"), **at)
    mark_missed(now=now + timedelta(hours=25))
    note_submission(sent, reference="CSIRT-2026-17", at=now, **lea)
    not_told = clock(incident, "HIPAA")
    decide_not_reportable([not_told], reason="No health information.", **signed(cast, cast.lea, now))
    waits = clock(incident, "AIA-73-GEN")
    of = f"/incidents/{incident.code}/clocks/"
    rules = ["", "?status=proposed", "?status=none", "GDPR-33/", "AIA-73-INIT/", "GDPR-33/edit/", "contracts/new/"]
    each = [f"{of}{one.pk}/" for one in (running, late, sent, not_told, waits)]
    register = ["register/", "register/?state=open", "register/?state=all"]
    return {
        "lea": [of, *each, *(f"/incidents/clocks/{path}" for path in [*rules, *register])],
        "dov": [
            of,
            each[0],
            each[4],
            "/incidents/clocks/",
            "/incidents/clocks/GDPR-33/",
            "/incidents/clocks/register/",
        ],
    }

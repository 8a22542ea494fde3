"""Every page of who responds, for the tests that look at all pages."""

from datetime import datetime
from typing import Any

from apps.incidents.actions.profiles import set_response_profile
from apps.incidents.actions.rules import end_response_rule, set_response_rule
from apps.incidents.queries.rules import RuleText
from apps.people.models import Function
from tests.factories import a_system


def card_pages(cast: Any, now: datetime) -> dict[str, list[str]]:
    """A system with rules in force and ended, a profile, and the answer to each scenario of it."""
    system = a_system(cast, key="SYS-CRD", owner=cast.ada, now=now, vendor="Acme AI", operating_model="vendor_saas")
    by: dict[str, Any] = {"actor": cast.mara, "now": now}
    rule = set_response_rule(
        RuleText("Agreed with the works council. " * 8, scenario="complaint", system=system, lead_person=cast.lea), **by
    )
    seat = Function.objects.get(pk="finance")
    set_response_rule(RuleText("They pay.", scenario="cost-spike", unit=cast.devtools, lead_function=seat), **by)
    ended = set_response_rule(RuleText("For now", scenario="unsafe-action", lead_person=cast.nils), **by)
    end_response_rule(ended, reason="Over", **by)
    values = {
        "stop_how": "Set the flag off.\nTell the floor.", "stop_link": "https://flags.example.org/crd",
        "stop_tested_on": now.date(), "stop_holder": cast.ben, "vendor_channel": "soc@acme.example",
        "vendor_reference": "C-17", "evidence_how": "Logs of 30 days.", "vendor_must": "Logs within four hours.",
    }  # fmt: skip
    set_response_profile(system, values, actor=cast.ada, now=now)
    who = "/who/?system=SYS-CRD"
    return {
        "mara": [
            "/incidents/rules/", "/incidents/rules/?ended=1", "/incidents/rules/new/?system=SYS-CRD",
            f"/incidents/rules/{rule.pk}/end/", "/incidents/rules/offline/", "/incidents/systems/SYS-CRD/",
        ],
        "ada": ["/incidents/systems/SYS-CRD/", "/incidents/systems/SYS-CRD/profile/"],
        "dov": ["/incidents/rules/", who, f"{who}&scenario=data-access", f"{who}&scenario=complaint"],
    }  # fmt: skip

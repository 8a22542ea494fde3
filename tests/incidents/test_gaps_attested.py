"""What a review found about who answers is asked in the next attestation."""

import json
from datetime import date
from typing import Any

import pytest

from apps.attestations.actions import open_campaign
from apps.attestations.facts import facts_of
from apps.attestations.models import ScopeSnapshot
from apps.attestations.questions import DEFAULT_SET
from apps.attestations.rules.contradictions import Against, contradiction
from apps.incidents.actions.improvements import Improvement, add_action
from apps.registry.models import System
from tests.factories import NOW
from tests.incidents.learning_world import LATER, resolved
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def test_a_gap_is_asked_in_the_next_campaign(cast: Any) -> None:
    incident = resolved(cast)
    assert isinstance(incident.system, System)
    item = Improvement("ownership", "Name a deputy.", cast.ben, date(2030, 1, 4), "high", "unreachable")
    add_action(incident, item, actor=cast.una, now=LATER)
    settle()
    open_campaign("2026Q4", actor=cast.mara, now=LATER)

    facts = json.loads(ScopeSnapshot.objects.get(system=incident.system).facts)

    gap = f"{incident.code} showed for {incident.system.name}: nobody could be reached."
    assert facts["gaps"] == [gap]
    assert (facts_of("leads", facts)[-1].term, facts_of("leads", facts)[-1].value) == ("Gap that a review found", gap)
    questions = {one.key: one for section in DEFAULT_SET for one in section.questions}
    against = Against(facts, NOW.date(), NOW.date())
    said = contradiction(questions["response_card"], "yes", "", against)
    assert said == f"A review found a gap that is not put right. {gap}"

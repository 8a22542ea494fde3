"""Which of the six patterns: exact cosines, ties by name, the same whatever the order."""

import math
import random

import pytest

from apps.people.rules import FUNCTIONS
from apps.readiness.rules import SEATS
from apps.registry.models import GovernanceDomain
from apps.registry.rules.patterns import BLIND_SPOTS_OF, PATTERNS, Pattern, cosine, explanation, likenesses, resembled

NAMES = {
    "ai-strategy": "AI strategy and roadmap",
    "model-selection": "Model selection and evaluation",
    "architecture-standards": "Architecture standards",
    "security-posture": "Security posture",
    "runtime-enforcement": "Runtime enforcement",
    "agent-permissions": "Agent permissions",
    "operate-monitor": "Operate and monitor",
    "stop": "Stop",
}


def pattern(name: str) -> frozenset[str]:
    return next(one.governed for one in PATTERNS if one.name == name)


@pytest.mark.django_db
def test_every_word_is_a_row_of_the_matrix() -> None:
    known = set(GovernanceDomain.objects.values_list("pk", flat=True))
    assert len(known) == 38
    assert len(PATTERNS) == 6
    for one in PATTERNS:
        assert one.governed <= known
        assert set(one.missed) <= known
        assert not one.governed & set(one.missed), one.name
        assert set(one.functions) <= set(FUNCTIONS)


def test_the_boards_page_says_the_same_of_each_seat() -> None:
    for seat in SEATS:
        for function in seat.functions:
            assert set(seat.domains) <= BLIND_SPOTS_OF[function]


def test_a_cosine_by_hand() -> None:
    shares = {"ai-strategy": 1.0, "model-selection": 0.5, "stop": 0.5}
    assert cosine(shares, pattern("CTO")) == pytest.approx(1.5 / (math.sqrt(1.5) * math.sqrt(3)))
    assert cosine({}, pattern("CTO")) == 0
    assert cosine({"stop": 0.0}, pattern("CTO")) == 0
    assert cosine(shares, frozenset()) == 0


@pytest.mark.parametrize("one", PATTERNS, ids=lambda one: one.name)
def test_a_pattern_resembles_itself(one: Pattern) -> None:
    shares = dict.fromkeys(one.governed, 1.0)
    found = resembled(shares)
    assert found is not None
    assert found.pattern is one
    assert found.cosine == pytest.approx(1)


def test_nothing_resembles_none() -> None:
    assert resembled({}) is None
    assert resembled({"stop": 0.0}) is None
    assert resembled({"stop": 1.0}) is None  # nobody governs it in the field either
    assert [one.pattern.name for one in likenesses({})] == sorted(one.name for one in PATTERNS)
    assert explanation({}, NAMES) == (
        "The organisation looks like none of the six patterns: nobody is accountable for what any of them governs."
    )


def test_ties_go_by_name() -> None:
    shares = {"ai-strategy": 1.0, "model-selection": 1.0, "infrastructure-procurement": 1.0}
    order = [one.pattern.name for one in likenesses(shares)]
    alike = dict.fromkeys(pattern("CTO") | pattern("VP IT and Platform"), 1.0)
    first, second = likenesses(alike)[:2]
    assert (first.pattern.name, second.pattern.name) == ("CTO", "VP IT and Platform")
    assert first.cosine == pytest.approx(second.cosine)
    assert order[0] == "CTO"


def test_the_same_in_any_order() -> None:
    chance = random.Random(3)  # noqa: S311
    domains = sorted({domain for one in PATTERNS for domain in (*one.governed, *one.missed)})
    shares = {domain: chance.random() for domain in domains}
    expected = [(one.pattern.name, one.cosine) for one in likenesses(shares)]
    for _ in range(20):
        chance.shuffle(domains)
        assert [(one.pattern.name, one.cosine) for one in likenesses({d: shares[d] for d in domains})] == expected


def test_the_sentence_says_what_is_and_what_is_not() -> None:
    shares = {"ai-strategy": 1.0, "model-selection": 1.0, "architecture-standards": 0.9, "security-posture": 0.2}
    assert explanation(shares, NAMES) == (
        "The organisation looks most like one that a CTO governs (0.99): AI strategy and roadmap, model selection and "
        "evaluation, and architecture standards are answered for; runtime enforcement, agent permissions, operate and "
        "monitor, and 1 more are not."
    )
    covered = shares | dict.fromkeys(["runtime-enforcement", "agent-permissions", "operate-monitor", "stop"], 0.5)
    assert explanation(covered, NAMES, "Claims").endswith("and so is what that pattern usually misses.")
    assert explanation({"model-selection": 0.1}, NAMES, "Claims").startswith("Claims looks most like one that a CTO")

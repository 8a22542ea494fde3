"""Searching the register: by words, parts of words, key, vendor, unit and identity; from indexes."""

import pytest
from django.db import connection
from django.db.models import QuerySet

from apps.registry import actions as registry
from apps.registry.models import System
from apps.registry.queries import live, search
from apps.registry.queries.systems import by_tier
from tests.cast import Cast
from tests.factories import NOW, a_system


@pytest.fixture
def systems(cast: Cast) -> dict[str, System]:
    """Two systems that differ in everything that is searched."""
    motor = registry.create_unit(name="Motor hull", code="MH-7", parent=cast.claims, actor=cast.mara, now=NOW)
    return {
        "fraud": a_system(
            cast, key="PRF-33", name="Payment Redirect Fraud Model", vendor="Óptima Labs", unit=motor,
            identities=[("service_account", "svc-redirect@prod"), ("spiffe_id", "spiffe://corp/pay/fraud")],
        ),
        "chat": a_system(cast, key="CHAT-1", name="Claims status chatbot", vendor="Norwood", unit=cast.devtools),
    }  # fmt: skip


def found(text: str) -> set[str]:
    return set(search(System.objects.all(), text).values_list("key", flat=True))


@pytest.mark.parametrize(
    "text",
    [
        "fraud", "FRAUD", "payment fraud", "fraud payment", "redir", "edirec", "PRF-33", "prf", "Motor", "MH-7",
        "optima", "Óptima", "ÓPTIMA labs", "svc-redirect@prod", "spiffe://corp/pay", "motor fraud", "hull optima",
    ],
)  # fmt: skip
def test_each_of_its_words_finds_it(systems: dict[str, System], text: str) -> None:
    assert found(text) == {"PRF-33"}


@pytest.mark.parametrize("text", ["fraud chatbot", "zzz", "%%%", "___", "'; DROP TABLE x; --", "!!!", "a & | b", ":*"])
def test_what_fits_nothing_finds_nothing(systems: dict[str, System], text: str) -> None:
    assert found(text) == set()


def test_no_words_find_everything(systems: dict[str, System]) -> None:
    assert found("  ") == {"PRF-33", "CHAT-1"}


def test_all_levels_of_the_unit_count(systems: dict[str, System]) -> None:
    assert found("claims") == {"PRF-33", "CHAT-1"}
    registry.change_unit(systems["chat"].unit, actor=systems["chat"].owner, now=NOW, name="Workbench")
    assert found("developer") == set()
    assert found("workbench") == {"CHAT-1"}


def test_a_search_follows_changes(cast: Cast, systems: dict[str, System]) -> None:
    registry.change_system(
        systems["fraud"], actor=cast.mara, now=NOW, name="Payee check", identities=[("agent_id", "payee-01")]
    )
    assert found("redirect") == set()
    assert found("payee-01") == {"PRF-33"}


def test_the_narrowing_of_the_caller_stands(systems: dict[str, System]) -> None:
    mine = System.objects.filter(key="CHAT-1")
    assert set(search(mine, "claims").values_list("key", flat=True)) == {"CHAT-1"}
    assert not search(System.objects.none(), "claims").exists()


def test_tiers_in_their_order_and_back(cast: Cast) -> None:
    for tier in ("low", "unknown", "critical", "medium", "high"):
        a_system(cast, tier=tier)
    tiers = [system.tier for system in by_tier(System.objects.all())]
    assert tiers == ["critical", "high", "medium", "low", "unknown"]
    assert [system.tier for system in by_tier(System.objects.all(), descending=True)] == tiers[::-1]


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: search(System.objects.all(), "fraud"), "system_search_words"),
        (lambda: search(System.objects.all(), "fraud"), "system_search_trigrams"),
        (lambda: live(System.objects.order_by("name", "id")).values_list("pk"), "system_by_name"),
        (lambda: by_tier(live(System.objects.all())).values_list("pk"), "system_by_tier"),
        (lambda: by_tier(live(System.objects.all()), descending=True).values_list("pk"), "system_by_tier"),
    ],
)
def test_an_index_can_answer(cast: Cast, rows: "object", index: str) -> None:
    """The query's expressions are those of the index: with few rows the planner is told to look there."""
    assert callable(rows)
    queryset: QuerySet[System] = rows()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    assert index in queryset[:25].explain()

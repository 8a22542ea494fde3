"""Pages from both ends hold what pages from the front hold."""

import pytest
from django.core.paginator import Paginator

from apps.common.pages import page_from_nearer_end
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import a_system


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 12])
def test_every_page_is_the_same_from_either_end(cast: Cast, size: int) -> None:
    for number in range(11):
        a_system(cast, name=f"System {number % 4}")
    for order in (("name", "id"), ("-name", "id"), ("tier", "-name", "id")):
        ids = System.objects.order_by(*order).values_list("pk", flat=True)
        usual = Paginator(ids, size)
        for number in usual.page_range:
            page = page_from_nearer_end(ids, str(number), size)
            assert list(page) == list(usual.page(number))
            assert (page.start_index(), page.end_index()) == (size * (number - 1) + 1, min(size * number, 11))


def test_an_empty_list_has_one_empty_page(cast: Cast) -> None:
    page = page_from_nearer_end(System.objects.none().order_by("pk").values_list("pk", flat=True), "7", 25)
    assert (page.number, list(page)) == (1, [])

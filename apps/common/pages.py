"""A page of a long list whose matches are costly to find."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet, Window

# Nobody pages further by hand; a larger number would overflow the database's OFFSET.
LAST_NUMBER = 10_000_000


def page_in_one_pass(ids: QuerySet[Any, int], wanted: str | None, size: int) -> Page[int]:
    """A page of primary keys and the exact count of all of them from one statement, where two would search twice.

    As Paginator.get_page: no number is the first page, a number beyond the end is the last page.
    """
    number = min(max(int(wanted), 1), LAST_NUMBER) if wanted and wanted.isascii() and wanted.isdigit() else 1
    start = (number - 1) * size
    rows = list(ids.annotate(of=Window(Count("*"))).values_list("pk", "of")[start : start + size])
    paginator: Paginator[int] = Paginator(ids, size)
    if start and not rows:
        return paginator.get_page(number)
    vars(paginator)["count"] = rows[0][1] if rows else 0
    return Page([pk for pk, _ in rows], number, paginator)


def page_from_nearer_end(ids: QuerySet[Any, int], wanted: str | None, size: int) -> Page[int]:
    """A page of primary keys of an ordered query set; one of the second half is read from its end.

    Rows that a page skips still cost time, so that the dearest page is the middle one, not the last.
    As Paginator.get_page: no number is the first page, a number beyond the end is the last page.
    """
    paginator: Paginator[int] = Paginator(ids, size)
    page = paginator.get_page(wanted)
    count, first = paginator.count, (page.number - 1) * size
    if first <= count // 2:
        return page
    after = min(first + size, count)
    backwards = ids.reverse()[count - after : count - first]
    return Page(list(backwards)[::-1], page.number, paginator)

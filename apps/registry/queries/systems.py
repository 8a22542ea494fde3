"""Reading systems."""

import re

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db.models import BooleanField, F, Func, Q, QuerySet, TextField, Value

from apps.access.queries import visible
from apps.people.models import Person
from apps.registry.models import System, SystemUserPermission
from apps.registry.models.systems import TIER_RANK
from apps.registry.rules import NOT_LIVE


def visible_systems(actor: Person) -> QuerySet[System]:
    """Every system that a person may open: by grant, or all by role. The one start of every read."""
    return visible(actor, System.objects.all(), grants=SystemUserPermission)


def who_answers_systems(actor: Person) -> QuerySet[System]:
    """Live systems whose answer (name, title, deputy, channel) a person may have.

    Open to each signed-in person unless the system is restricted; a restricted one only to those who see it.
    """
    if not actor.is_active:
        return System.objects.none()
    return live(System.objects.filter(Q(restricted=False) | Q(pk__in=visible_systems(actor).filter(restricted=True))))


def live(systems: QuerySet[System]) -> QuerySet[System]:
    """Systems that are neither proposed nor retired."""
    return systems.exclude(stage__in=NOT_LIVE)


def on_record(systems: QuerySet[System]) -> QuerySet[System]:
    """With what a page about systems shows of each: owner, the owner's deputy, unit."""
    return systems.select_related("owner", "owner__deputy", "owner__line_manager", "unit")


def find_system(actor: Person, key: str) -> System:
    """One visible system by key. Raises System.DoesNotExist for not there and for not yours alike."""
    return on_record(visible_systems(actor)).get(key=key)


# The very expression of the index: SearchVector would wrap the column in COALESCE, which no index is on.
_INDEXED_WORDS = Func(
    F("search_text"),
    template="to_tsvector('simple'::regconfig, %(expressions)s)",
    output_field=SearchVectorField(),
)


def _plain(text: str) -> Func:
    """Without accents, by the very function that made the search text."""
    return Func(Value(text), function="unaccent", output_field=TextField())


class _Prefixes(Func):
    """The words as a text query, each from its beginning.

    What unaccent makes of a letter can be one of the query's own signs (⑴ becomes "(1)", ŉ becomes "'n"), so
    that the signs are taken out after it and the query is put together last.
    """

    template = (
        "regexp_replace(NULLIF(btrim(translate(%(expressions)s, E'&|!():*<>''\\\\', repeat(' ', 11))), ''), "
        "' +', ':* & ', 'g') || ':*'"
    )
    output_field = TextField()


class _IsOneOf(Func):
    """id = ANY (ARRAY(SELECT …)): the matches are found by the search's own indexes, once.

    As a plain condition the planner would rather walk the register in the order of the list and test each row,
    which is slow wherever the matches come late.
    """

    template = "(%(expressions)s))"
    arg_joiner = " = ANY ("
    output_field = BooleanField()


def search(systems: QuerySet[System], text: str) -> QuerySet[System]:
    """Systems whose key, name, vendor, unit or identity has all these words, or the text itself.

    Words match from their beginning (full text); three characters and more also match anywhere (trigrams).
    """
    words = re.findall(r"\w+", text.lower())
    if not words:
        return systems.none() if text.strip() else systems
    prefix = SearchQuery(_Prefixes(_plain(" ".join(words))), search_type="raw", config="simple")
    condition = Q(words=prefix)
    if len(text.strip()) >= 3:
        # First, because it is the cheaper one to check again row by row.
        condition = Q(search_text__contains=_plain(text.strip().lower())) | condition
    matching = System.objects.alias(words=_INDEXED_WORDS).filter(condition).values("pk")
    return systems.filter(_IsOneOf(F("pk"), ArraySubquery(matching)))


def by_tier(systems: QuerySet[System], *, descending: bool = False) -> QuerySet[System]:
    """Critical first, unknown last; descending is the exact reverse, so that one index serves both."""
    ranked = systems.alias(tier_rank=TIER_RANK)
    return ranked.order_by("-tier_rank", "-name", "-id") if descending else ranked.order_by("tier_rank", "name", "id")

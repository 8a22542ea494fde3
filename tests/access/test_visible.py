"""The one door: who sees which systems, one by one and as a set."""

import pytest

from apps.access.actions import issue_token, revoke_token
from apps.access.queries import standings_of
from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry import actions
from apps.registry.models import System, SystemUserPermission
from apps.registry.queries import visible_systems, who_answers_systems
from tests.cast import Cast
from tests.factories import NOW, a_system, hand_over


def seen(person: Person) -> set[str]:
    return set(visible_systems(Person.objects.get(pk=person.pk)).values_list("name", flat=True))


@pytest.fixture
def systems(cast: Cast) -> dict[str, System]:
    return {
        "ada": a_system(cast, name="Of Ada", owner=cast.ada),
        "una": a_system(cast, name="Interim Una"),
        "secret": a_system(cast, name="Secret", owner=cast.ada, restricted=True),
    }


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("mara", {"Of Ada", "Interim Una", "Secret"}),
        ("eve", {"Of Ada", "Interim Una", "Secret"}),
        ("cleo", {"Of Ada", "Interim Una"}),
        ("bo", {"Of Ada", "Interim Una"}),
        ("ada", {"Of Ada", "Secret"}),
        ("ben", {"Of Ada", "Secret"}),
        ("una", {"Interim Una"}),
        ("dov", set()),
        ("ivan", set()),
    ],
)
def test_who_sees_what(cast: Cast, systems: dict[str, System], who: str, names: set[str]) -> None:
    assert seen(getattr(cast, who)) == names


def test_everybody_may_ask_who_answers_but_not_about_restricted_ones(cast: Cast, systems: dict[str, System]) -> None:
    def askable(person: Person) -> set[str]:
        return set(who_answers_systems(person).values_list("name", flat=True))

    assert askable(cast.dov) == {"Of Ada", "Interim Una"}
    assert askable(cast.ben) == {"Of Ada", "Interim Una", "Secret"}
    assert askable(cast.ivan) == set()


def test_a_nominee_sees_the_system_until_it_is_declined(cast: Cast, systems: dict[str, System]) -> None:
    nomination = actions.nominate_owner(systems["una"], cast.dov, actor=cast.mara, now=NOW)
    assert seen(cast.dov) == {"Interim Una"}
    actions.decline_ownership(nomination, actor=cast.dov, now=NOW, reason="Not my field")
    assert seen(cast.dov) == set()


def test_grants_follow_the_owner_and_the_deputy(cast: Cast, systems: dict[str, System]) -> None:
    hand_over(cast, systems["ada"], cast.nils, now=NOW.replace(hour=12))
    assert (seen(cast.nils), seen(cast.ben)) == ({"Of Ada"}, {"Secret"})
    actions.change_person(cast.nils, deputy=cast.dov, actor=cast.mara, now=NOW)
    assert seen(cast.dov) == {"Of Ada"}
    assert SystemUserPermission.objects.filter(user=cast.dov).count() == 1


def test_standings(cast: Cast) -> None:
    expected = {"mara": {"mandate_holder", "seat_holder"}, "cleo": {"seat_holder"}, "eve": {"auditor"}, "bo": {"board"}}
    for name, standings in expected.items():
        assert standings_of(getattr(cast, name)) == standings | {"employee"}


def test_a_token_is_kept_as_a_digest_and_dies_at_once(cast: Cast, client: object) -> None:
    token, secret = issue_token(cast.mara, name="Gateway", scopes=["read"], actor=cast.mara, now=NOW)
    assert secret not in str(vars(token))
    assert secret.startswith(token.prefix)
    revoke_token(token, actor=cast.mara, now=NOW)
    with pytest.raises(Refused):
        revoke_token(token, actor=cast.mara, now=NOW)

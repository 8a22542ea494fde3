"""The directory's verbs for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from typing import Any

from apps.directory import actions as directory
from apps.people import actions as people
from tests.directory.provider import a_user

DISABLED = {"active": False}
FILE = b"email,name,title\nzoe@example.org,Zoe,\nada@example.org,,Director of Claims\n"


def _user(w: Any) -> str:
    made = directory.create_user(a_user("zoe@example.org"), actor=w.cast.mara, now=w.by["now"])
    return str(made.scim_id)


def _group(w: Any) -> str:
    body = {"displayName": "Team", "members": [{"value": _user(w)}]}
    return str(directory.create_group(body, actor=w.cast.mara, now=w.by["now"]).scim_id)


def _token(w: Any) -> Any:
    return directory.issue_scim_token(name="Okta", **w.by)[0]


def _file(w: Any) -> Any:
    return directory.receive_people_file(file_name="people.csv", content=FILE, complete=False, **w.by)


def _nothing(_: Any) -> None:
    return None


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


def _then_leaves(w: Any) -> Callable[[], Any]:
    w.nominated()
    return lambda: directory.offboard(w.cast.nils, **w.by)


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "change_email": (
        lambda w: lambda: people.change_email(w.cast.dov, "dov.new@example.org", **w.by), {"person.changed": 1},
    ),
    "create_user": (
        lambda w: lambda: directory.create_user(a_user("zoe@example.org"), **w.by),
        {"directory.user.synced": 1, "caused person.provisioned": 1},
    ),
    "change_user": (
        _made(_user, lambda w, one: directory.change_user(one, lambda _, old: old | {"title": "Head"}, **w.by)),
        {"directory.user.synced": 1, "caused person.changed": 1},
    ),
    "remove_user": (
        # Off-boarding is a verb of its own, with a line of its own.
        _made(_user, lambda w, one: directory.remove_user(one, _nothing, **w.by)),
        {"directory.user.deleted": 1, "person.offboarded": 1, "caused person.deactivated": 1},
    ),
    "create_group": (
        lambda w: lambda: directory.create_group({"displayName": "Team"}, **w.by), {"directory.group.synced": 1},
    ),
    "change_group": (
        _made(_group, lambda w, one: directory.change_group(one, lambda _, old: old | {"members": []}, **w.by)),
        {"directory.group.synced": 1},
    ),
    "remove_group": (
        _made(_group, lambda w, one: directory.remove_group(one, _nothing, **w.by)), {"directory.group.deleted": 1},
    ),
    "issue_scim_token": (lambda w: lambda: _token(w), {"directory.token.issued": 1}),
    "revoke_scim_token": (
        _made(_token, lambda w, one: directory.revoke_scim_token(one, **w.by)), {"directory.token.revoked": 1},
    ),
    "receive_people_file": (lambda w: lambda: _file(w), {"people.file.received": 1}),
    "review_people_file_again": (
        _made(_file, lambda w, one: directory.review_people_file_again(one, **w.by)), {"people.file.received": 1},
    ),
    "apply_people_file": (
        _made(_file, lambda w, one: directory.apply_people_file(one, **w.by)),
        {"people.file.applied": 1, "caused person.provisioned": 1, "caused person.changed": 1},
    ),
    "offboard": (
        _then_leaves,
        {
            "person.offboarded": 1,
            "caused system.owner.withdrawn": 1,
            "caused person.deactivated": 1,
        },
    ),
    "bring_back": (
        _made(
            lambda w: directory.offboard(w.cast.nils, **w.by),
            lambda w, case: directory.bring_back(case.person, **w.by),
        ),
        {"person.reactivated": 1},
    ),
    "discard_people_file": (
        _made(_file, lambda w, one: directory.discard_people_file(one, **w.by)), {"people.file.discarded": 1},
    ),
}  # fmt: skip
# Parts of verbs, the review that writes nothing, and the sweep that calls the leaver's verb for each.
NO_VERBS = {
    "offboard_due", "review_people", "sync_roles", "watch_cases", "close_done_cases",
    "succeed_seats", "unlink_leaver", "revoke_roles_of",
    "hand_over_systems", "succession_of", "vacate_units", "withdraw_nominations",
}  # fmt: skip

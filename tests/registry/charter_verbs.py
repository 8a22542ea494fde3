"""The charter's verbs for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from typing import Any

from apps.people.models import Function
from apps.people.rules import Confirmation
from apps.registry.actions import charter as verbs
from apps.registry.queries.charter import revision_of


def _drafted(w: Any) -> Any:
    return verbs.draft_charter(**w.by)


def _changed(w: Any, charter: Any) -> Any:
    return verbs.change_charter(
        charter, holder=Function.objects.get(code="platform"), authority="May stop any system.",
        enforcement_points=[], domains={"stop": True}, read=revision_of(charter), **w.by,
    )  # fmt: skip


def _in_force(w: Any) -> Any:
    return verbs.put_charter_in_force(_changed(w, _drafted(w)), **w.by)


def _sign(w: Any, charter: Any) -> Any:
    return verbs.sign_charter(
        charter, "ciso", declared=True, typed_name="Cleo Marchetti",
        confirmation=Confirmation("password", w.by["now"]), actor=w.cast.cleo, now=w.by["now"],
    )  # fmt: skip


def _withdraw(w: Any, signature: Any) -> None:
    verbs.withdraw_charter_signature(signature, reason="No budget", actor=w.cast.cleo, now=w.by["now"])


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "draft_charter": (lambda w: lambda: _drafted(w), {"charter.drafted": 1}),
    "change_charter": (_made(_drafted, _changed), {"charter.changed": 1}),
    "discard_charter": (
        _made(_drafted, lambda w, charter: verbs.discard_charter(charter, **w.by)), {"charter.discarded": 1},
    ),
    "put_charter_in_force": (
        _made(lambda w: _changed(w, _drafted(w)), lambda w, charter: verbs.put_charter_in_force(charter, **w.by)),
        {"charter.in_force": 1},
    ),
    "sign_charter": (_made(_in_force, _sign), {"charter.signed": 1}),
    "withdraw_charter_signature": (
        _made(lambda w: _sign(w, _in_force(w)), _withdraw), {"charter.withdrawn": 1},
    ),
}  # fmt: skip

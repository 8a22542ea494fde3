"""The ladder's verbs for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.attestations import actions as attestations
from apps.audit.rules import COMMAND

# Parts of verbs.
NO_VERBS = {"take_back", "tell_silence", "withdraw", "withdraw_reminders"}


def _later(w: Any, days: int) -> Any:
    """A working morning so many days after the opening."""
    return (w.by["now"] + timedelta(days=days)).replace(hour=11)


def _escalated(w: Any) -> Callable[[], Any]:
    row = w.assignment()
    overdue = row.due_on - w.by["now"].date()
    return lambda: attestations.escalate_item(row, actor=w.cast.mara, now=_later(w, overdue.days + 1))


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "remind_due": (
        _made(lambda w: w.campaign(), lambda w, _: attestations.remind_due(actor=COMMAND, now=_later(w, 8))),
        {"campaign.reminded": 1},
    ),
    "remind_open": (
        _made(lambda w: w.campaign(), lambda w, made: attestations.remind_open(made, **w.by)), {"campaign.reminded": 1},
    ),
    "remind_item": (
        _made(lambda w: w.assignment(), lambda w, made: attestations.remind_item(made, **w.by)),
        {"campaign.reminded": 1},
    ),
    "escalate_item": (_escalated, {"campaign.escalated": 1}),
    "snooze": (
        _made(
            lambda w: w.campaign(),
            lambda w, made: attestations.snooze(made, days=1, actor=w.cast.ada, now=w.by["now"]),
        ),
        {"campaign.snoozed": 1},
    ),
}  # fmt: skip

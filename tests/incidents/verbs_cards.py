"""The verbs of who responds for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.test import override_settings

from apps.incidents.actions import card_export, profiles, rules
from apps.incidents.queries.rules import RuleText
from tests.factories import NOW, a_system

# Cards are derived, nobody's act.
NO_VERBS = {"settle_cards", "recompute_cards"}


def _exports(act: Callable[[Any, Path], Any]) -> Callable[[Any], Callable[[], Any]]:
    def prepare(w: Any) -> Callable[[], Any]:
        def exported() -> None:
            with TemporaryDirectory() as place, override_settings(CARDS_DIR=Path(place)):
                act(w, Path(place) / "out")

        return exported

    return prepare


def _ends(w: Any) -> Callable[[], Any]:
    rule = rules.set_response_rule(RuleText("Agreed.", lead_person=w.cast.nils), actor=w.cast.mara, now=NOW)
    return lambda: rules.end_response_rule(rule, reason="Over.", **w.by)


def _profile(w: Any) -> Callable[[], Any]:
    system = a_system(w.cast, owner=w.cast.ada)
    return lambda: profiles.set_response_profile(system, {"stop_how": "Off"}, **w.by)


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "set_response_rule": (
        lambda w: lambda: rules.set_response_rule(RuleText("Agreed.", lead_person=w.cast.nils), **w.by),
        {"response_rule.set": 1},
    ),
    "end_response_rule": (_ends, {"response_rule.ended": 1}),
    "set_response_profile": (_profile, {"response_profile.changed": 1}),
    "export_cards": (_exports(lambda w, to: card_export.export_cards(to, **w.by)), {"card.exported": 1}),
    "export_nightly": (_exports(lambda w, _: card_export.export_nightly(now=NOW)), {"card.exported": 1}),
}

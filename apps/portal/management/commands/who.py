"""`manage.py who "TEXT"`: the one person who answers, on the command line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.people.models import Person
from apps.portal.queries.who import Many, Nothing, Result, as_json, resolve
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules import Scenario


class Command(BaseCommand):
    help = "Who answers for a system: one active person, with deputy, channel and the steps that led there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text", help="Key, name, identity, vendor, unit or a person's name.")
        parser.add_argument("--scenario", choices=[scenario.value for scenario in Scenario])
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        parser.add_argument(
            "--as", dest="email", help="Ask as this person; otherwise as the mandate holder, who sees all."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 0 for one answer, 1 for several, 2 for none. Raises CommandError for an unknown person."""
        scenario = Scenario(options["scenario"]) if options["scenario"] else None
        result = resolve(_actor(options["email"]), options["text"], scenario)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(result, scenario), indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(_lines(result)))
        if isinstance(result, Many):
            raise SystemExit(1)
        if isinstance(result, Nothing):
            raise SystemExit(2)


def _actor(email: str | None) -> Person:
    actor = Person.objects.filter(email=email.lower(), is_active=True).first() if email else mandate_holder()
    if actor is None:
        raise CommandError(
            f"Nobody active has the address {email}." if email else "Run the first start: manage.py setup."
        )
    return actor


def _lines(result: Result) -> list[str]:
    if isinstance(result, Nothing):
        return [f"Nothing called “{result.text}”. If it is not in the register, nobody answers for it yet."]
    if isinstance(result, Many):
        more = ["More match. Say more of the name."] if result.more else []
        rows = [f"{a.system.key}\t{a.system.name}\t{a.person.display_name}\t{a.role}" for a in result.answers]
        people = [f"{person.display_name}\t{person.title}" for person in result.people]
        return [f"Several match “{result.text}”. Each has its own person:", *rows, *people, *more]
    answer = result.answer
    lines = [f"{answer.system.name} ({answer.system.key})", f"{answer.person.display_name}, {answer.role}"]
    lines += [f"  {channel.kind}: {channel.value}" for channel in answer.channels]
    lines += [f"  then {n.person.display_name} ({n.word}) {n.person.phone}".rstrip() for n in answer.then]
    lines += [f"  {'+' if step.chosen else '-'} {step}" for step in answer.derivation]
    return lines + [f"  ! {problem}" for problem in answer.problems]

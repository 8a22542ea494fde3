"""Read who owns code (CODEOWNERS) or a catalogue's entities (Backstage) and note it; nothing changes hands."""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Upper

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.models import OwnershipFact, System, SystemIdentity
from apps.registry.rules.facts import catalogue, codeowners, owners_of

LARGEST = 5 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """One line of a file: how the system may be known here, and its owner as the file writes it."""

    names: tuple[str, ...]
    kind: str
    value: str
    source: str


class Command(BaseCommand):
    """`import_ownership_facts FILE` for a catalogue; a CODEOWNERS file says with --system what it is of."""

    help = "Note who owns code or a catalogue's entities. Systems keep their owners."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--system", default="", help="key or identity of the system whose code a CODEOWNERS is of")
        parser.add_argument("--path", default="", help="the folder of that system in the repository; else all of it")
        parser.add_argument("--source", default="", help="the repository's name; else the file's")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        text, seen_at = _read(file)
        try:
            found = list(_found(file, text, options))
        except yaml.YAMLError as error:
            raise CommandError(f"{file.name} is no YAML: {str(error).splitlines()[0]}") from error
        noted = left = 0
        for one in found:
            system = _system(one.names)
            if system is None or not one.value:
                left += 1
                self.stdout.write(f"left out: {one.names[0] if one.names else one.source}: {_why(system, one)}")
                continue
            noted += self._note(system, one, seen_at)
        self.stdout.write(f"{noted} noted, {left} left out")

    def _note(self, system: System, found: Found, seen_at: datetime) -> int:
        try:
            fact = note_ownership_fact(
                system, kind=found.kind, value=found.value[:1000], source=found.source[:300],
                seen_at=seen_at, actor=COMMAND, now=clock.now(),
            )  # fmt: skip
        except Refused as error:
            raise CommandError(str(error)) from error
        named = fact.person.display_name if fact.person else fact.get_reading_display().lower()
        self.stdout.write(f"{system.key}: {named}")
        return 1


def _why(system: System | None, found: Found) -> str:
    return "no such system" if system is None else "the file names nobody"


def _read(file: Path) -> tuple[str, datetime]:
    """The text, and when the file was last written: never later than now."""
    try:
        if file.stat().st_size > LARGEST:
            raise CommandError(f"{file.name} is larger than 5 MiB.")
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return file.read_text(encoding="utf-8"), min(written, clock.now())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} can't be read: {error}") from error


def _found(file: Path, text: str, options: dict[str, Any]) -> Iterator[Found]:
    source = options["source"] or file.stem
    if file.suffix.lower() in {".yaml", ".yml"}:
        for entry in catalogue(yaml.safe_load_all(text)):
            yield Found(entry.names, OwnershipFact.Kind.BACKSTAGE_OWNER, entry.owner, entry.names[-1])
        return
    if not options["system"]:
        raise CommandError("Say with --system which system's code this file is of.")
    owners = owners_of(codeowners(text), options["path"])
    yield Found((options["system"],), OwnershipFact.Kind.CODE_OWNER, " ".join(owners), source)


def _system(names: tuple[str, ...]) -> System | None:
    """The first of the names that is a key, or an identity, of a system, in any case of letters."""
    for name in names:
        found = System.objects.filter(key__iexact=name).first()
        if found is None:
            found = System.objects.filter(identities__in=_identities(name)).first()
        if found is not None:
            return found
    return None


def _identities(name: str) -> Any:
    return SystemIdentity.objects.alias(upper=Upper("value")).filter(upper=name.upper()).values("pk")

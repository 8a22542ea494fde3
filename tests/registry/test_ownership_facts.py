"""What a file or a tool says about who a system belongs to, and whom it predicts."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.common.errors import Refused
from apps.people import actions as people
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.models import OwnershipFact
from apps.registry.queries.prediction import predictions
from apps.registry.rules.facts import Reading, Rule, codeowners, owners_of, read_owner
from tests.cast import Cast
from tests.factories import NOW, a_system


@pytest.mark.parametrize(
    ("value", "reading", "name"),
    [
        ("@nils", Reading.PERSON, "nils"),
        ("@acme/claims", Reading.TEAM, ""),
        ("Nils@Example.org", Reading.PERSON, "nils@example.org"),
        ("ai-team@example.org", Reading.MAILBOX, ""),
        ("@nils @ada", Reading.SEVERAL, ""),
        ("@nils @Nils", Reading.PERSON, "nils"),
        ("user:default/nils", Reading.PERSON, "nils"),
        ("user:nils", Reading.PERSON, "nils"),
        ("group:default/claims", Reading.TEAM, ""),
        ("claims", Reading.UNKNOWN, ""),
        ("", Reading.UNKNOWN, ""),
    ],
)
def test_what_an_owner_names(value: str, reading: Reading, name: str) -> None:
    found = read_owner(value)
    assert (found.reading, found.name) == (reading, name)


RULES = codeowners("# all\n*  @acme/all\n*.py @py\n/agents/claims/ @nils # ours\nagents/claims/docs/\napi/ @api\n")


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("", ("@acme/all",)),
        ("README.md", ("@acme/all",)),
        ("agents/claims/run.sh", ("@nils",)),
        ("agents/claims", ("@nils",)),
        ("agents/claims/docs/a.md", ()),
        ("deep/down/x.py", ("@py",)),
        ("deep/api/y.go", ("@api",)),
    ],
)
def test_the_last_rule_that_matches(path: str, owners: tuple[str, ...]) -> None:
    assert owners_of(RULES, path) == owners


def test_without_a_rule_for_everything_all_are_named() -> None:
    assert owners_of([Rule("/a/", ("@x",)), Rule("/b/", ("@y", "@x"))], "") == ("@x", "@y")


def predicted(system: Any) -> tuple[str | None, str]:
    found = predictions([system])[system.pk]
    return (found.person.display_name if found.person else None, found.why_not)


def note(cast: Cast, system: Any, kind: str, value: str, **changes: Any) -> OwnershipFact:
    given = {"source": "claims", "seen_at": NOW, "actor": cast.mara, "now": NOW} | changes
    return note_ownership_fact(system, kind=kind, value=value, **given)


def test_one_person_or_none_and_why(cast: Cast) -> None:
    system = a_system(cast)
    assert predictions([system]) == {}
    note(cast, system, "code_owner", "@nils")
    assert predicted(system) == ("Nils Okafor", "")
    note(cast, system, "deployer", "nils@example.org")
    assert predicted(system) == ("Nils Okafor", "")
    note(cast, system, "backstage_owner", "group:claims")
    assert predicted(system) == (None, "the owner in the catalogue entry claims names a team")
    note(cast, system, "backstage_owner", "user:dov")
    assert predicted(system) == (None, "the facts name 2 people")


@pytest.mark.parametrize(
    ("value", "reading"),
    [("robot@example.org", "service"), ("@robot", "service"), ("who@example.org", "unknown"), ("a b", "several")],
)
def test_who_is_no_person_is_not_predicted(cast: Cast, value: str, reading: str) -> None:
    system = a_system(cast)
    fact = note(cast, system, "deployer", value)
    assert (fact.reading, fact.person) == (reading, None)
    assert predicted(system)[0] is None


def test_who_left_is_not_predicted(cast: Cast) -> None:
    system = a_system(cast)
    note(cast, system, "deployer", "ivan@example.org")
    assert predicted(system) == (None, "Ivan Kolar is deactivated")


def test_a_handle_that_two_have_names_nobody(cast: Cast) -> None:
    people.provision_person(email="nils@other.example", display_name="Nils Two", actor=cast.mara, now=NOW)
    system = a_system(cast)
    assert note(cast, system, "code_owner", "@nils").reading == "unknown"


def test_the_later_sighting_stands(cast: Cast) -> None:
    system = a_system(cast)
    note(cast, system, "code_owner", "@nils")
    note(cast, system, "code_owner", "@dov", seen_at=NOW - timedelta(days=1))
    assert predicted(system)[0] == "Nils Okafor"
    with pytest.raises(Refused, match="future"):
        note(cast, system, "code_owner", "@dov", seen_at=NOW + timedelta(days=1))
    with pytest.raises(Refused, match="names nobody"):
        note(cast, system, "code_owner", " ")
    assert OwnershipFact.objects.count() == 1


CATALOGUE = """
kind: Component
metadata: {name: claims-agent, annotations: {govportal/system-key: SYS-CLAIMS}}
spec: {owner: 'user:default/no.kafor'}
---
kind: User
metadata: {name: no.kafor}
spec: {profile: {email: nils@example.org}}
---
kind: API
metadata: {name: pricing}
spec: {owner: team-a}
---
kind: Component
metadata: {name: unheard-of}
spec: {owner: 'user:dov'}
"""


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("import_ownership_facts", *arguments, stdout=out)
    return out.getvalue()


def test_a_catalogue(cast: Cast, tmp_path: Path) -> None:
    claims = a_system(cast, key="SYS-CLAIMS")
    pricing = a_system(cast, identities=[("agent_id", "Pricing")])
    file = tmp_path / "catalog-info.yaml"
    file.write_text(CATALOGUE)
    said = run(str(file))
    assert "2 noted, 1 left out" in said
    assert "left out: unheard-of: no such system" in said
    assert predicted(claims)[0] == "Nils Okafor"
    assert predicted(pricing)[1].endswith("names a team")


def test_a_codeowners_file(cast: Cast, tmp_path: Path) -> None:
    system = a_system(cast, key="SYS-CLAIMS")
    file = tmp_path / "CODEOWNERS"
    file.write_text("* @acme/all\n/agents/claims/ @nils\n")
    with pytest.raises(CommandError, match="--system"):
        run(str(file))
    assert "1 noted" in run(str(file), "--system", "sys-claims", "--path", "agents/claims", "--source", "acme/agents")
    assert predicted(system)[0] == "Nils Okafor"
    assert OwnershipFact.objects.get().source == "acme/agents"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [b"])
def test_a_file_that_is_none(cast: Cast, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(CommandError):
        run(str(file))

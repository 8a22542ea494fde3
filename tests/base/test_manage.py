"""manage.py: which commands start servers, and as whom they connect."""

import os
from pathlib import Path

import pytest

import manage


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What manage.py asks of the embedded servers, in place of starting them."""
    calls: list[str] = []
    for name in ("provide", "describe"):
        monkeypatch.setattr(
            manage.embedded, name, lambda environ, purpose, name=name: calls.append(f"{name} {purpose}")
        )
    for name in (
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "DATABASE_OWNER_URL",
        "DATABASE_OWNER_URL_FILE",
        "GOVPORTAL_DATA",
    ):
        monkeypatch.delenv(name, raising=False)
    return calls


@pytest.mark.parametrize("command", ["runserver", "migrate", "shell", "import_systems"])
def test_a_command_starts_the_servers_of_the_demo(asked: list[str], command: str) -> None:
    manage._prepare(command)
    assert asked == ["provide demo"]


@pytest.mark.parametrize("command", ["help", "--version", "collectstatic", "spectacular"])
def test_some_commands_need_no_server(asked: list[str], command: str) -> None:
    manage._prepare(command)
    assert asked == ["describe demo"]


def test_other_data_can_be_named(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVPORTAL_DATA", "bench")
    manage._prepare("shell")
    assert asked == ["provide bench"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_URL_FILE"])
def test_a_given_database_is_used_as_it_is(asked: list[str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "given")
    manage._prepare("shell")
    assert asked == []
    assert os.environ[name] == "given"


def test_migrations_connect_as_the_owner(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://web@h/d")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://owner@h/d")
    manage._prepare("migrate")
    assert os.environ["DATABASE_URL"] == "postgres://owner@h/d"


def test_the_owners_address_may_be_in_a_file(asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "owner").write_text("postgres://owner@h/d\n")
    monkeypatch.setenv("DATABASE_URL_FILE", "/run/secrets/web")
    monkeypatch.setenv("DATABASE_OWNER_URL_FILE", str(tmp_path / "owner"))
    manage._prepare("migrate")
    assert os.environ["DATABASE_URL"] == "postgres://owner@h/d"
    assert "DATABASE_URL_FILE" not in os.environ
    monkeypatch.delenv("DATABASE_URL")


def test_other_commands_stay_the_application(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://web@h/d")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://owner@h/d")
    manage._prepare("shell")
    assert os.environ["DATABASE_URL"] == "postgres://web@h/d"

"""The embedded PostgreSQL and Redis: started once, shared, stopped by the last one out, right after any crash."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from govportal import embedded
from govportal.embedded.folders import home, make_own
from govportal.embedded.processes import command_line, wait_until

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from govportal import embedded
environ = {}
embedded.provide(environ, purpose="trial", project=Path(sys.argv[1]))
print(environ["DATABASE_URL"], flush=True)
time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project folder of its own, in a folder that nobody else can enter."""
    tmp_path.chmod(0o700)
    yield tmp_path
    if os.geteuid() == 0:
        shutil.rmtree(home(tmp_path), ignore_errors=True)


def provide(project: Path, environ: dict[str, str] | None = None) -> tuple[embedded.Handle, dict[str, str]]:
    values = {} if environ is None else environ
    return embedded.provide(values, purpose="trial", project=project, durable=False), values


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def hold(project: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that uses the same servers, and the address it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(project)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": ""},
    )
    assert process.stdout
    with process.stdout as output:
        return process, output.readline().strip()


def postmaster(handle: embedded.Handle) -> int:
    return int((handle.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_starts_both_and_stops_both(project: Path) -> None:
    handle, environ = provide(project)

    assert answers(environ["DATABASE_URL"])
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.set("kept", "yes")
    handle.close()
    assert not answers(environ["DATABASE_URL"])

    again, same = provide(project)
    with redis.Redis.from_url(same["REDIS_URL"]) as client:
        assert client.get("kept") == b"yes"
    again.close()
    assert same == environ


def test_the_owner_is_no_superuser_and_makes_the_extensions(project: Path) -> None:
    handle, environ = provide(project)
    with psycopg.connect(environ["DATABASE_OWNER_URL"]) as connection:
        for name in ("btree_gist", "pg_trgm", "unaccent"):
            connection.execute(f"CREATE EXTENSION {name}".encode())
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, pg_has_role('govportal_web', 'govportal_app', 'USAGE'),"
            " pg_has_role(current_user, 'govportal_app', 'USAGE'), lower('É'), show_trgm('É') <> show_trgm('-'),"
            " current_setting('server_version_num')::int / 10000, getdatabaseencoding()"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    handle.close()

    assert row == (False, True, True, False, "é", True, 18, "UTF8")


def test_a_wrong_password_is_refused(project: Path) -> None:
    handle, environ = provide(project)
    refused = not answers(environ["DATABASE_URL"].replace("govportal_web:", "govportal_web:x"))
    handle.close()
    assert refused


def test_secrets_are_private(project: Path) -> None:
    handle, environ = provide(project)
    mode = stat.S_IMODE((handle.folder / "state.json").stat().st_mode)
    listed = [command_line(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    handle.close()

    password = environ["DATABASE_URL"].split(":")[2].split("@")[0]
    assert mode == 0o600
    assert not any(password in line for line in listed)
    assert stat.S_IMODE(project.stat().st_mode) == 0o700


def test_what_is_set_stays(project: Path) -> None:
    given = {"REDIS_URL": "redis://elsewhere/1", "SECRET_KEY_FILE": "/run/secrets/key", "DEMO": "false"}
    handle, environ = provide(project, dict(given))
    handle.close()

    assert given.items() <= environ.items()
    assert "SECRET_KEY" not in environ
    assert not (handle.folder / "redis").exists()


def test_a_given_database_starts_no_postgres(project: Path) -> None:
    handle, environ = provide(project, {"DATABASE_URL": "postgres://a@b/c", "REDIS_URL": "redis://d"})
    handle.close()

    assert "DATABASE_OWNER_URL" not in environ
    assert not (handle.folder / "postgres").exists()


def test_the_last_one_out_stops_them(project: Path) -> None:
    handle, environ = provide(project)
    other, address = hold(project)

    assert address == environ["DATABASE_URL"]
    handle.close()
    assert answers(address)
    other.terminate()
    assert other.wait(20) == 128 + signal.SIGTERM
    assert not answers(address)


def test_two_at_once_start_one_pair(project: Path) -> None:
    holders = [hold(project) for _ in range(3)]
    addresses = {address for _process, address in holders}

    assert len(addresses) == 1
    for process, _address in holders:
        process.terminate()
    assert [process.wait(20) for process, _address in holders] == [143] * 3
    assert not answers(addresses.pop())


def test_a_killed_user_leaves_servers_that_the_next_one_takes_over(project: Path) -> None:
    other, address = hold(project)
    other.kill()
    other.wait()
    assert answers(address)

    handle, environ = provide(project)
    assert environ["DATABASE_URL"] == address
    handle.close()
    assert not answers(address)


def test_killed_servers_start_again(project: Path) -> None:
    handle, environ = provide(project)
    pid = postmaster(handle)
    os.kill(pid, signal.SIGKILL)
    os.kill(int((handle.folder / "redis" / "redis.pid").read_text()), signal.SIGKILL)
    assert wait_until(lambda: not command_line(pid), 5)
    handle.close()

    again, same = provide(project)
    assert answers(same["DATABASE_URL"])
    again.close()
    assert not answers(environ["DATABASE_URL"])


def test_a_process_number_given_to_another_program_is_not_taken_for_ours(project: Path) -> None:
    handle, _environ = provide(project)
    handle.close()
    stale = handle.folder / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n0\n1\n\n127.0.0.1\n")
    (handle.folder / "redis" / "redis.pid").write_text(f"{os.getpid()}\n")

    again, same = provide(project)
    assert answers(same["DATABASE_URL"])
    again.close()


def test_a_taken_port_is_replaced(project: Path) -> None:
    handle, environ = provide(project)
    handle.close()
    with socket.create_server(("127.0.0.1", urlsplit(environ["DATABASE_URL"]).port or 0)):
        again, other = provide(project)
        assert other["DATABASE_URL"] != environ["DATABASE_URL"]
        assert answers(other["DATABASE_URL"])
        again.close()


def test_a_broken_off_first_start_is_begun_anew(project: Path) -> None:
    handle, _environ = provide(project, {"DATABASE_URL": "postgres://a@b/c", "REDIS_URL": "redis://d"})
    half = handle.folder / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    again, environ = provide(project)
    assert answers(environ["DATABASE_URL"])
    again.close()


def test_unreadable_state_says_what_to_do(project: Path) -> None:
    handle, _environ = provide(project, {"DATABASE_URL": "postgres://a@b/c", "REDIS_URL": "redis://d"})
    (handle.folder / "state.json").write_text("{")

    with pytest.raises(embedded.EmbeddedError, match="Remove the folder"):
        provide(project)


def test_a_folder_that_others_can_write_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(embedded.EmbeddedError, match="Others can write"):
        make_own(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(embedded.EmbeddedError, match="is not a folder"):
        make_own(tmp_path / "link")


@pytest.mark.parametrize("purpose", ["", "../x", "Demo", "a/b"])
def test_a_purpose_is_a_plain_word(project: Path, purpose: str) -> None:
    with pytest.raises(embedded.EmbeddedError):
        embedded.provide({}, purpose=purpose, project=project)


def test_describe_starts_nothing(project: Path) -> None:
    environ: dict[str, str] = {}
    embedded.describe(environ, purpose="trial", project=project)
    assert environ["DATABASE_URL"].startswith("postgres://govportal_web:")
    assert not answers(environ["DATABASE_URL"])


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.2])
def test_a_first_start_killed_at_any_moment_is_repaired(project: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(project)], cwd=ROOT, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()

    handle, environ = provide(project)
    assert answers(environ["DATABASE_URL"])
    handle.close()
    assert not answers(environ["DATABASE_URL"])

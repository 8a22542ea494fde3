"""The settings of production under gunicorn, against a PostgreSQL and a Redis that are given by their addresses."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from govportal import embedded
from govportal.embedded.processes import wait_until
from govportal.embedded.state import free_port

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = (
    "SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "SITE_URL",
    "ORGANISATION_NAME",
    "EMAIL_URL",
    "DEFAULT_FROM_EMAIL",
)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """Servers of this test's own, which stand for those of an operator."""
    environ: dict[str, str] = {}
    handle = embedded.provide(environ, purpose="production-test", durable=False)
    with psycopg.connect(environ["DATABASE_OWNER_URL"], dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE govportal")
        connection.execute("CREATE DATABASE govportal")
    yield environ
    handle.close()


@pytest.fixture(scope="module")
def production(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of docker-compose.yml: secrets in files, TLS in front, no demo."""
    folder = tmp_path_factory.mktemp("secrets")
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    for name in ("SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "EMAIL_URL"):
        (folder / name).write_text(servers[name] + "\n")
        environ[f"{name}_FILE"] = str(folder / name)
    return environ | {
        "SITE_URL": "https://govportal.example",
        "ALLOWED_HOSTS": "govportal.example",
        "SECURE": "true",
        "TRUSTED_PROXY_COUNT": "1",
        "ORGANISATION_NAME": "Example Organisation",
        "DEFAULT_FROM_EMAIL": "Govportal <govportal@govportal.example>",
        "WEB_CONCURRENCY": "1",
    }


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module")
def site(production: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """gunicorn as the container starts it, on migrated data. Yields its port."""
    migrated = run(["manage.py", "migrate", "--no-input"], production)
    assert migrated.returncode == 0, migrated.stderr
    # In the image static files are collected while it is built; here they may not be.
    environ = production | {"STATIC_MANIFEST": "false"}
    port, log = free_port(set()), tmp_path_factory.mktemp("log") / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "govportal.wsgi"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environ | {"BIND": f"127.0.0.1:{port}"}, stderr=file)
        try:
            assert wait_until(lambda: answers(port), 60), log.read_text()
            yield port
        finally:
            process.terminate()
            process.wait(30)


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz").status == 200
    except OSError:
        return False


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": "govportal.example"} | headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_it_is_healthy(site: int) -> None:
    assert get(site, "/healthz").status == 200


def test_the_containers_health_check_says_so_too(site: int, production: dict[str, str]) -> None:
    command = ["deploy/healthcheck.py", "web"]
    assert run(command, production | {"BIND": f"0.0.0.0:{site}"}).returncode == 0
    assert run(command, production | {"BIND": f"0.0.0.0:{free_port({site})}"}).returncode == 1


def test_the_workers_health_check_asks_through_the_queue(site: int, production: dict[str, str]) -> None:
    check = ["deploy/healthcheck.py", "worker"]
    assert run(check, production).returncode == 1
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "govportal.celery", "worker", "--pool", "solo", "--loglevel", "error"],
        cwd=ROOT,
        env=production,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: run(check, production).returncode == 0, 60)
    finally:
        worker.terminate()
        worker.wait(30)


def test_plain_http_is_sent_to_https(site: int) -> None:
    response = get(site, "/accounts/login/")
    assert response.status == 301
    assert response.headers["Location"] == "https://govportal.example/accounts/login/"


def test_behind_the_proxy_pages_are_served_and_kept_to_https(site: int) -> None:
    response = get(site, "/accounts/login/", **{"X-Forwarded-Proto": "https"})

    assert response.status in (200, 302)
    assert "max-age=31536000" in response.headers["Strict-Transport-Security"]
    for cookie in response.headers.get_all("Set-Cookie") or []:
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie


def test_another_host_name_is_refused(site: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site, timeout=10)
    connection.request("GET", "/accounts/login/", headers={"Host": "elsewhere.example"})
    assert connection.getresponse().status == 400
    connection.close()


def test_the_demos_pages_are_not_there(site: int) -> None:
    assert get(site, "/demo/mail", **{"X-Forwarded-Proto": "https"}).status in (302, 404)


def test_the_web_connects_as_the_application(site: int, servers: dict[str, str]) -> None:
    with psycopg.connect(servers["DATABASE_OWNER_URL"]) as connection:
        row = connection.execute(
            "SELECT bool_and(pg_get_userbyid(relowner) = 'govportal_owner') FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchone()
    assert row == (True,)


STARTS = {
    "manage.py": ["manage.py", "who", "x"],
    "gunicorn": ["-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "govportal.wsgi"],
    "worker": ["-m", "celery", "-A", "govportal.celery", "worker"],
    "beat": ["-m", "celery", "-A", "govportal.celery", "beat"],
}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_value_stops_the_start_with_a_sentence(production: dict[str, str], name: str) -> None:
    environ = {key: value for key, value in production.items() if key not in {name, f"{name}_FILE"}}
    done = run(["-c", "import govportal.wsgi"], environ)

    assert done.returncode != 0
    assert done.stderr.strip() == f"govportal: {name} is not set. Set it, or set {name}_FILE to a file that holds it."
    assert run(["-c", "import govportal.wsgi"], environ | {name: ""}).stderr == done.stderr


@pytest.mark.parametrize("program", STARTS)
def test_no_program_shows_a_traceback_for_it(production: dict[str, str], program: str) -> None:
    environ = {key: value for key, value in production.items() if key != "SECRET_KEY_FILE"}
    done = run(STARTS[program], environ)

    assert done.returncode != 0
    assert "SECRET_KEY is not set." in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY_FILE", "/not/there", "SECRET_KEY_FILE points to /not/there, which can't be read"),
        ("SITE_URL", "govportal.example", "It has to look like https://govportal.example.org."),
        ("ORGANISATION_TIME_ZONE", "Mars/Olympus", "Use the name of a time zone"),
        ("HOLIDAY_COUNTRY", "XX", "Use the two letters of a country"),
        ("CAMPAIGN_DUE_MONTH", "7", "Use 1 to 3."),
        ("TRUSTED_PROXY_COUNT", "-1", "Use 0 or more."),
        ("SECURE", "perhaps", "Use true or false."),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence(
    production: dict[str, str], name: str, value: str, said: str
) -> None:
    done = run(["-c", "import govportal.wsgi"], production | {name: value})

    assert done.returncode != 0
    assert done.stderr.startswith("govportal: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_list_the_sites_own_name_is_the_one_host(production: dict[str, str]) -> None:
    environ = {key: value for key, value in production.items() if key != "ALLOWED_HOSTS"}
    done = run(["-c", "from govportal import settings; print(settings.ALLOWED_HOSTS)"], environ)

    assert done.stdout.strip() == "['govportal.example']"


def test_a_database_that_is_down_or_empty_is_told_in_a_sentence(
    production: dict[str, str], servers: dict[str, str]
) -> None:
    environ = {key: value for key, value in production.items() if not key.startswith("DATABASE_")}
    web, owner = servers["DATABASE_URL"], servers["DATABASE_OWNER_URL"]
    with psycopg.connect(owner, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS nothing_yet WITH (FORCE)")
        connection.execute("CREATE DATABASE nothing_yet")
    empty = web.rpartition("/")[0] + "/nothing_yet"
    away = f"postgres://web:x@127.0.0.1:{free_port(set())}/govportal"
    for command, url, said in (
        (["manage.py", "who", "x"], away, "The database can't be reached"),
        (["manage.py", "who", "x"], empty, "Run manage.py migrate first."),
        (["manage.py", "migrate"], empty, "Set DATABASE_OWNER_URL to migrate as the owner."),
    ):
        done = run(command, environ | {"DATABASE_URL": url})
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr

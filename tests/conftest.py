"""Fixtures: embedded servers of the tests' own, cloned databases, the cast."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Django reads its settings from the environment, so the servers come first.
from govportal.embedded import provide

provide(os.environ, purpose="test")
os.environ["DJANGO_SETTINGS_MODULE"] = "govportal.settings"
os.environ["ORGANISATION_NAME"] = "Aldermoor Mutual"
os.environ["ORGANISATION_TIME_ZONE"] = "Europe/Berlin"
os.environ["HOLIDAY_COUNTRY"] = "DE"
os.environ["DEMO"] = "false"

import django  # noqa: E402
import pytest  # noqa: E402

django.setup()

from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from tests import databases  # noqa: E402
from tests.cast import Cast  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine: a connection to any other address is an error."""
    usual = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise RuntimeError(f"a test tried to reach {address}")
        usual(self, address)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", connect)
        yield


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


@pytest.fixture(autouse=True)
def organisation_time_zone() -> None:
    """Each test begins in the organisation's zone: a request leaves its reader's behind in the thread."""
    timezone.deactivate()


@pytest.fixture(scope="session", autouse=True)
def static_files_read_once() -> Iterator[None]:
    """WhiteNoise looks at each static file when a server starts. Each test client is one: they share a look."""
    server = import_string("whitenoise.middleware.WhiteNoiseMiddleware")
    looked: dict[Any, dict[str, Any]] = {}

    def once(look: Callable[..., None]) -> Callable[..., None]:
        def shared(self: Any, *place: Any, **options: Any) -> None:
            key = (look.__name__, self.static_prefix, *map(str, place), *sorted(options.items()))
            if key not in looked:
                others, self.files = self.files, {}
                look(self, *place, **options)
                looked[key], self.files = self.files, others
            self.files.update(looked[key])

        return shared

    with pytest.MonkeyPatch.context() as patched:
        for name in ("add_files", "add_files_from_finders"):
            patched.setattr(server, name, once(getattr(server, name)))
        yield


@pytest.fixture(scope="session")
def worker() -> str:
    """This test process's name; it ends in the process id, so that leftovers can be told from databases in use."""
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"


@pytest.fixture(scope="session")
def template_names() -> tuple[str, str]:
    """The migrated template and the one with the cast."""
    return databases.templates()


@pytest.fixture(scope="session")
def django_db_setup(worker: str, template_names: tuple[str, str], django_db_blocker: Any) -> Iterator[None]:
    """In place of pytest-django's own: connect, as the application's role, to a clone with the cast in it."""
    name = f"test_{worker}"
    databases.create(name, template_names[1])
    connections["default"].settings_dict["NAME"] = name
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    databases.drop(name)


@contextmanager
def inside(name: str, blocker: Any) -> Iterator[None]:
    """Until the end, this process works in another database."""
    settings = connections["default"].settings_dict
    with blocker.unblock():
        connections.close_all()
        databases.forget_months()
        usual, settings["NAME"] = settings["NAME"], name
        try:
            yield
        finally:
            connections.close_all()
            databases.forget_months()
            settings["NAME"] = usual


def own_database(name: str, template: str, blocker: Any) -> Iterator[str]:
    databases.create(name, template)
    with inside(name, blocker):
        yield name
    databases.drop(name)


@pytest.fixture
def committed_db(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """A database of this test's own, with the cast, in which transactions commit. Yields its name."""
    yield from own_database(f"committed_{worker}", template_names[1], django_db_blocker)


@pytest.fixture(scope="module")
def module_db(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """Like committed_db, one for the tests of a module; see rules_db."""
    yield from own_database(f"module_{worker}", template_names[1], django_db_blocker)


@pytest.fixture
def rules_db(request: pytest.FixtureRequest) -> str:
    """The module's database, for tests that bring rows of their own and then are refused; a clone for each would cost
    most of their time. A test that is marked `alone`, because of what others leave there, gets its own."""
    name: str = request.getfixturevalue("committed_db" if request.node.get_closest_marker("alone") else "module_db")
    return name


@pytest.fixture
def bare_db(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """Like committed_db, but nobody has started the portal."""
    yield from own_database(f"bare_{worker}", template_names[0], django_db_blocker)


@pytest.fixture(scope="session")
def world_database(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """A database with one of each thing that a URL can name, and what they are called there. Building them takes longer
    than what many tests do with them."""
    from tests.access.test_permission_matrix import one_of_each

    name = f"world_{worker}"
    databases.create(name, template_names[1])
    with inside(name, django_db_blocker):
        things = one_of_each(Cast())
    yield name, things
    databases.drop(name)


@pytest.fixture
def in_the_world(world_database: tuple[str, dict[str, dict[str, Any]]], django_db_blocker: Any) -> Iterator[None]:
    """The test works in that database. Asked for with usefixtures, which comes before the transaction begins."""
    with inside(world_database[0], django_db_blocker):
        yield


@pytest.fixture
def world(
    in_the_world: None, db: None, world_database: tuple[str, dict[str, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """One of each thing that a URL can name."""
    assert connection.settings_dict["NAME"] == world_database[0]
    assert connection.get_connection_params()["dbname"] == world_database[0]
    return world_database[1]


@pytest.fixture
def as_owner() -> Callable[[str], Any]:
    """Connect to a database as its owner, to try what even the owner can't do. Close what you open."""
    import psycopg

    return lambda name: psycopg.connect(databases.owner_url(name), autocommit=True)


@pytest.fixture
def cast(db: None) -> Cast:
    """The cast in the test's transaction."""
    return Cast()


@pytest.fixture
def browse() -> Callable[[Any], Client]:
    """A signed-in HTTP client for a person."""

    def signed_in(person: Any) -> Client:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return signed_in


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all journeys of this process: a second driver can't run beside the first."""
    from tests.browsers import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def fresh_connection() -> Iterator[None]:
    """Close this thread's connection when the test ends, for tests with threads."""
    yield
    connection.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures that tests measured are printed at the end, also where several processes ran them."""
    ended = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    found = [(report.nodeid, value) for report in ended for name, value in report.user_properties if name == "figures"]
    for test, figures in found:
        terminalreporter.write_line(f"{test}: {figures}")

"""A campaign while everything breaks: real workers and beats, Redis, PostgreSQL and a mail server that counts.

After every fault, and two more sweeps, everything in `faults/invariants.py` has to hold. Small by default;
GOVPORTAL_FAULT_SYSTEMS=20000 and GOVPORTAL_FAULT_SEEDS=100 make it large. The figures are printed as a line of JSON.
"""

import fcntl
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from django.db import connections

from apps.directory.actions.offboard import offboard
from apps.people.models import Person
from govportal.environment import database_from_url
from tests import databases
from tests.attestations import world
from tests.attestations.faults import moved
from tests.attestations.faults.crew import BEATS, WORKERS, Crew, MailServer
from tests.attestations.faults.invariants import Watch
from tests.attestations.faults.owners import Owners
from tests.attestations.faults.servers import Servers
from tests.cast import PASSWORD, Cast
from tests.notify.server import free_port

SYSTEMS = int(os.environ.get("GOVPORTAL_FAULT_SYSTEMS", "600"))
SEEDS = int(os.environ.get("GOVPORTAL_FAULT_SEEDS", "1"))
PEOPLE = max(4, SYSTEMS // 4)
PATIENCE = 150 + SYSTEMS / 20
# Every sweep of these has to come round after a fault.
SWEEPS = ("open_due", "remind_due", "move_on_due", "follow_owners")

pytestmark = [pytest.mark.committed, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def servers(worker: str, template_names: tuple[str, str], django_db_setup: None) -> Iterator[Servers]:
    """Servers of these tests alone, one pair for each test process."""
    name = worker.split("_", maxsplit=1)[0]
    lock = databases.ROOT / "var" / f"faults-{name}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        own = Servers(name)
        own.load(template_names[1], worker)
        yield own
        own.handle.close()


@pytest.fixture
def database(servers: Servers, template_names: tuple[str, str], django_db_blocker: Any) -> Iterator[str]:
    """A database there, which Django in this process uses too."""
    settings = connections["default"].settings_dict
    with django_db_blocker.unblock(), servers.database("faults", template_names[1]) as name:
        connections.close_all()
        usual = dict(settings)
        settings.update(database_from_url(servers.app_url(name), "DATABASE_URL"))
        try:
            yield name
        finally:
            connections.close_all()
            settings.update(usual)


def at(day: int, hour: int = 10, month: int = 11, minute: int = 0) -> datetime:
    """A moment of 2026 in UTC, where the owners are."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


class Play:
    """One campaign and everything that happens to it."""

    def __init__(self, servers: Servers, database: str, folder: Path, seed: int) -> None:
        self.servers, self.dice, self.seed = servers, random.Random(seed), seed  # noqa: S311
        self.clock = moved.Clock(folder / "clock.json")
        self.clock.set(at(9, 7))
        self.mail = MailServer()
        self.environ = servers.environ | {
            "DATABASE_URL": servers.app_url(database), "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "LOG_LEVEL": "WARNING", moved.VARIABLE: str(self.clock.path), "WEB_PORT": str(free_port()),
            "DJANGO_SETTINGS_MODULE": "govportal.settings",
        }  # fmt: skip
        self.environ["SITE_URL"] = f"http://localhost:{self.environ['WEB_PORT']}"
        self.database, self.crew = database, Crew(self.environ, folder)
        self.owner = servers.owner(database)
        self.watch = Watch(self.owner, self.mail, self.clock)
        keys = [f"bulk-{number}" for number in self.dice.sample(range(1, SYSTEMS + 1), min(SYSTEMS, 120))]
        self.people = Owners(self.clock, keys, self.dice)
        self.figures: Counter[str] = Counter()
        self.waited: list[float] = []

    def reconnect(self) -> None:
        """After the database was gone."""
        connections.close_all()
        self.owner.close()
        self.owner = self.watch.owner = self.servers.owner(self.database)

    def close(self) -> None:
        """Stop everything."""
        self.crew.stop()
        self.mail.down()
        self.owner.close()

    # Faults.

    def kill(self, *names: str) -> None:
        """-9 while they work, and start anew."""
        for name in names:
            if name in WORKERS:
                self.figures["killed at work"] += self.crew.kill_at_work(name, self.owner, self.dice)
            else:
                time.sleep(self.dice.uniform(0, 0.5))
                self.crew.kill(name)
            self.crew.start(name)

    def shuffle(self) -> None:
        """What waits in the queue is delivered twice, in another order."""
        with self.servers.queue as queue, queue.pipeline() as pipe:
            pipe.multi()
            pipe.lrange("celery", 0, -1)
            pipe.delete("celery")
            waiting: list[bytes] = pipe.execute()[0]
            doubled = waiting * 2
            self.dice.shuffle(doubled)
            if doubled:
                queue.lpush("celery", *doubled)
            self.figures["duplicates"] += len(waiting)

    def restart_postgres(self) -> None:
        """Stop it while a worker is in a transaction."""
        end = time.monotonic() + 10
        while not self.watch.one(IN_TRANSACTION) and time.monotonic() < end:
            time.sleep(0.002)
        self.figures["in transaction at the restart"] += self.watch.one(IN_TRANSACTION)
        self.servers.stop_postgres_at_once()
        time.sleep(self.dice.uniform(0, 1))
        self.servers.start_postgres()
        self.reconnect()
        self.figures["restarts of PostgreSQL"] += 1

    # Waiting.

    def until(self, what: str, holds: Callable[[], Any]) -> None:
        """Ask until it holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            self.figures["ended by itself"] += self.crew.revive()
            assert time.monotonic() < end, f"{what}, seed {self.seed}: {self.state()}"
            time.sleep(0.1)

    def settle(self) -> None:
        """Two further sweeps of each kind, and nothing waits in the outbox; then everything has to hold."""
        started = time.monotonic()
        runs = self._ended()
        # Four begun by two beats: with three workers at least two of them began and ended after now.
        self.until("two more sweeps", lambda: all(ended >= runs[name] + 4 for name, ended in self._ended().items()))
        self.until("an empty outbox", lambda: not self.watch.one(WAITING, self.clock.now()))
        self.waited.append(time.monotonic() - started)
        self.watch.look(self.people)

    def _ended(self) -> dict[str, int]:
        rows = self.owner.execute("SELECT name, runs - failures FROM audit_sweeprun").fetchall()
        ended = dict(rows)
        return {name: ended.get(f"attestations.{name}", 0) for name in SWEEPS}

    def state(self) -> dict[str, Any]:
        """For whoever reads a failure."""
        sweeps = self.owner.execute("SELECT name, runs, failures, last_error FROM audit_sweeprun WHERE runs > 0")
        outbox = self.owner.execute("SELECT state, count(*), max(error) FROM notify_message GROUP BY 1")
        return {"sweeps": sweeps.fetchall(), "outbox": outbox.fetchall(), "seen": dict(self.people.seen)}


IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'faults-%%' AND application_name <> 'faults-test'
    AND datname = current_database() AND xact_start IS NOT NULL AND state <> 'idle' AND backend_xid IS NOT NULL
"""
WAITING = "SELECT count(*) FROM notify_message WHERE state = 'queued' AND not_before <= %s"


@contextmanager
def playing(servers: Servers, database: str, folder: Path, seed: int) -> Iterator[Play]:
    """Everything runs; nothing is left of it."""
    play = Play(servers, database, folder, seed)
    try:
        play.mail.up()
        play.crew.start(*WORKERS, *BEATS, "web")
        play.people.start()
        yield play
        play.people.stop()
    finally:
        play.people.may.clear()
        play.close()


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_campaign_while_everything_breaks(
    servers: Servers, database: str, tmp_path: Path, seed: int, record_property: Any
) -> None:
    started = time.monotonic()
    cast = Cast()
    world.register(cast, "ada-one", owner=cast.ada)
    world.many(SYSTEMS, PEOPLE)
    with playing(servers, database, tmp_path, seed) as play:
        leaver = killed_while_opening(play)
        killed_while_reminding(play)
        flushed(play)
        without_redis(play)
        database_restarted(play)
        mail_down_for_an_hour(play)
        somebody_leaves(play, leaver)
        at_the_end(play)
        figures = told(play, time.monotonic() - started)
    record_property("figures", json.dumps(figures))
    assert figures["signatures"] > 0
    assert figures["kills"] >= 12


def killed_while_opening(play: Play) -> Person:
    """Two workers and two beats are killed while the campaign opens and its mails leave."""
    play.clock.set(at(9))
    play.kill("worker", "sweeper")
    play.until("the opening", lambda: play.watch.one("SELECT count(*) FROM attestations_campaign"))
    play.kill("beat", play.dice.choice(WORKERS))
    play.settle()
    play.people.may.set()
    assert play.watch.one("SELECT count(*) FROM attestations_assignment") == SYSTEMS + 1
    return Person.objects.get(email="bulk2@example.org")


def killed_while_reminding(play: Play) -> None:
    """On the day of a step, with every message doubled and in another order."""
    play.clock.set(at(16))
    for _ in range(2):
        play.shuffle()
        play.kill(play.dice.choice(WORKERS), play.dice.choice(BEATS))
    play.settle()


def flushed(play: Play) -> None:
    """The queue is emptied three times while the sweeps of a step run."""
    play.clock.set(at(23))
    for _ in range(3):
        time.sleep(play.dice.uniform(0.2, 1.5))
        with play.servers.queue as queue:
            play.figures["flushed"] += bool(queue.flushall())
    play.settle()


def without_redis(play: Play) -> None:
    """Redis is gone: people sign in and save all the same. It comes back empty."""
    play.clock.set(at(27))
    play.servers.kill_redis()
    with pytest.raises(redis.ConnectionError), play.servers.queue as queue:
        queue.ping()
    saved = play.people.seen["saved"]
    visit(play)
    play.until("somebody saves", lambda: play.people.seen["saved"] > saved or not play.people.left)
    play.watch.look(play.people)
    play.servers.start_redis()
    play.figures["restarts of Redis"] += 1
    play.settle()


def visit(play: Play) -> None:
    """Somebody signs in on the page and answers, as a browser does."""
    site = play.environ["SITE_URL"]
    browser = requests.Session()

    def page(path: str, data: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        how, sent = ("POST", {"Referer": site + path, **headers}) if data else ("GET", headers)
        answer = browser.request(how, site + path, data=data, headers=sent, timeout=30)
        return answer.status_code, answer.text

    _, text = page("/accounts/login/")
    sign_in = {"login": "ada@example.org", "password": PASSWORD, "csrfmiddlewaretoken": token(text)}
    assert page("/accounts/login/", sign_in)[0] == 200
    section = f"/attestations/{world.PERIOD}/ada-one/response/"
    _, text = page(section)
    answers = {"drills": "yes", "version": version(text), "csrfmiddlewaretoken": token(text)}
    status, saved = page(section, answers, **{"X-Autosave": "1"})
    assert (status, json.loads(saved)["version"]) == (200, int(answers["version"]) + 1)
    play.people.given["ada-one", "drills"] = "yes||"
    play.figures["saved over the web without Redis"] += 1


def token(text: str) -> str:
    """The form's token against foreign forms."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    assert found
    return found[1]


def version(text: str) -> str:
    """The version that a page was made from."""
    found = re.search(r'name="version" value="(\d+)"', text)
    assert found
    return found[1]


def database_restarted(play: Play) -> None:
    """PostgreSQL is stopped at once, twice, in the middle of what the sweeps of the last day write."""
    play.clock.set(at(30))
    for _ in range(2):
        play.restart_postgres()
    play.settle()


def mail_down_for_an_hour(play: Play) -> None:
    """The mail server refuses for an hour, on the day on which the grace period begins. Then it takes all, once."""
    play.settle()
    play.mail.down()
    play.clock.set(at(1, month=12))
    sent = "SELECT count(*) FROM notify_message WHERE state = 'sent'"
    before = play.watch.one(sent)
    waiting = "SELECT count(*) > 0 FROM notify_message WHERE key LIKE 'campaign-digest:%%:2026-12-01'"
    play.until("digests", lambda: play.watch.one(waiting))
    # Where nobody answers, a sweep ends after its first try.
    tried = "SELECT COALESCE(sum(attempts), 0) FROM notify_message WHERE state = 'queued'"
    for minute in (1, 7, 38, 60):
        tries = play.watch.one(tried)
        play.until("a try", lambda tries=tries: play.watch.one(tried) > tries)
        play.clock.set(at(1, 10, 12) + timedelta(minutes=minute))
    play.figures["tried while down"] = play.watch.one(tried)
    play.figures["waited for the mail server"] = play.watch.one(
        "SELECT count(*) FROM notify_message WHERE state = 'queued'"
    )
    assert play.watch.one(sent) == before
    play.mail.up()
    # The last try waits for two hours at most.
    play.clock.set(at(1, 14, 12))
    play.settle()
    assert play.watch.one("SELECT state FROM attestations_campaign WHERE NOT is_event") == "grace"
    assert play.watch.one("SELECT count(*) FROM notify_message WHERE state = 'queued'") == 0


def somebody_leaves(play: Play, leaver: Person) -> None:
    """Somebody with open systems is deactivated while a worker is killed: all passes on, and no mail comes any more."""
    case = offboard(leaver, actor=Cast().mara, now=play.clock.now(), reason="Left.")
    heard = play.mail.to[leaver.email]
    play.clock.set(at(2, month=12))
    play.kill("worker", "beat-2")
    play.settle()
    play.clock.set(at(3, month=12))
    play.kill(play.dice.choice(WORKERS))
    play.settle()
    passed = play.watch.one(
        "SELECT count(*) FROM attestations_assignment WHERE state = 'reassigned' AND person_id = %s", leaver.pk
    )
    play.figures["passed on from a leaver"] = passed
    assert case.counts["attestations"] == passed > 0
    assert play.mail.to[leaver.email] == heard
    assert play.watch.one(LEFT_OPEN, leaver.pk) == 0


LEFT_OPEN = """
SELECT count(*) FROM attestations_assignment WHERE person_id = %s
    AND state IN ('pending', 'in_progress', 'changes_requested')
"""


def at_the_end(play: Play) -> None:
    """The last owners stop, the campaign's time ends, and whoever makes it end is killed twice."""
    play.people.stop()
    play.clock.set(at(10, 23, 12, 10))
    play.kill("worker", "sweeper")
    play.shuffle()
    play.until(
        "the roll-up",
        lambda: play.watch.one("SELECT state IN ('rollup', 'pending_actions') FROM attestations_campaign"
                               " WHERE NOT is_event"),
    )  # fmt: skip
    play.kill(play.dice.choice(BEATS), "sweeper")
    play.settle()
    # Silence is told in office hours, and a claim that nobody confirmed is in doubt by then.
    play.clock.set(at(11, 10, 12))
    play.settle()
    play.until("claims", lambda: not play.watch.one("SELECT count(*) FROM notify_message WHERE state = 'claimed'"))
    play.watch.look(play.people)
    assert play.watch.one(STILL_OPEN) == 0


STILL_OPEN = """
SELECT count(*) FROM attestations_assignment a JOIN attestations_campaign c ON c.id = a.campaign_id
WHERE NOT c.is_event AND a.state IN ('pending', 'in_progress', 'changes_requested')
"""


def told(play: Play, seconds: float) -> dict[str, Any]:
    """What happened, as numbers."""
    mails = play.watch.mails()
    return {
        "seed": play.seed, "systems": SYSTEMS, "owners": PEOPLE,
        "campaigns": play.watch.one("SELECT count(*) FROM attestations_campaign"),
        "kills": sum(play.crew.kills.values()), "kills_by_process": dict(play.crew.kills),
        **{name.replace(" ", "_"): count for name, count in play.figures.items()},
        "sweeps_run": play.watch.one("SELECT sum(runs)::int FROM audit_sweeprun"),
        "sweeps_failed_or_cut": play.watch.one("SELECT sum(failures)::int FROM audit_sweeprun"),
        "mails": dict(mails), "mails_taken": play.mail.ids.total(),
        "mails_taken_twice": sum(count > 1 for count in play.mail.ids.values()),
        "answers_saved": play.people.seen["saved"], "saves_broken_off": play.people.seen["broken off"],
        "answers_lost": len(play.people.lost(play.owner)),
        "signatures": play.watch.one("SELECT count(*) FROM attestations_signature"),
        "not_attested": play.watch.one("SELECT count(*) FROM attestations_assignment WHERE state = 'not_attested'"),
        "events": play.watch.one("SELECT count(*) FROM audit_event"), "looks": play.watch.looks,
        "longest_recovery_s": round(max(play.waited), 1), "seconds": round(seconds, 1),
    }  # fmt: skip

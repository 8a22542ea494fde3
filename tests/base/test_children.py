"""The demo's programs: watched while they run, ended in order, and never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from govportal import children, supervisor
from govportal.children import ChildError, Children
from govportal.embedded.processes import command_line, wait_until
from govportal.embedded.state import free_port, port_is_free

ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    monkeypatch.setattr(children, "GRACE_SECONDS", 0.5)
    made = Children(tmp_path, tmp_path / "logs", dict(os.environ))
    yield made
    made.stop()


def test_a_program_that_ends_is_named_with_its_log(family: Children) -> None:
    family.start("steady", SLEEP)
    family.start("brittle", [sys.executable, "-c", "import sys; print('no disk left'); sys.exit(3)"])

    with pytest.raises(ChildError, match=r"brittle ended with 3(.|\n)*no disk left"):
        family.watch()


def test_a_program_that_is_killed_is_named_with_the_signal(family: Children) -> None:
    child = family.start("steady", SLEEP)
    child.process.kill()
    with pytest.raises(ChildError, match="steady was ended by SIGKILL"):
        family.watch()


def test_all_are_ended_the_youngest_first_and_the_deaf_ones_too(family: Children) -> None:
    ended: list[str] = []
    programs = [family.start("first", SLEEP), family.start("deaf", DEAF)]
    assert wait_until(lambda: "deaf" in programs[1].log.read_text(), 10)

    family.stop()
    ended = [signal.Signals(-program.process.returncode).name for program in programs]
    assert ended == ["SIGTERM", "SIGKILL"]


def test_what_a_program_started_ends_with_it(family: Children) -> None:
    script = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    child = family.start("parent", [sys.executable, "-c", script, *DEAF])
    assert wait_until(lambda: "deaf" in child.log.read_text(), 10)
    grandchild = int(child.log.read_text().splitlines()[0])

    family.stop()
    assert wait_until(lambda: not command_line(grandchild), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_programs_end_when_the_one_that_watches_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from govportal.children import Children
        folder = Path(sys.argv[1])
        child = Children(folder, folder / "logs", {}).start("steady", sys.argv[2:])
        print(child.process.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), *SLEEP], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout
        pid = int(watcher.stdout.readline())
        assert command_line(pid)
        watcher.kill()
    assert wait_until(lambda: not command_line(pid), 5)


def test_run_returns_what_was_printed(family: Children) -> None:
    assert family.run("say", [sys.executable, "-c", "print('said')"]) == "said\n"
    with pytest.raises(ChildError, match="fail ended with 1"):
        family.run("fail", [sys.executable, "-c", "raise SystemExit('no')"])


def test_not_ready_in_time(family: Children) -> None:
    family.start("slow", SLEEP)
    with pytest.raises(ChildError, match="slow was not ready within 0 s"):
        family.wait_for("slow", lambda: False, 0.2)


def test_the_last_json_object_is_found() -> None:
    assert supervisor._last_json('loading\n{"rows": 1}\n{"rows": 2}\n') == {"rows": 2}
    assert supervisor._last_json('{\n "rows": 3\n}\n') == {"rows": 3}
    with pytest.raises(ChildError):
        supervisor._last_json("nothing\n")


def test_sign_ins_are_aligned() -> None:
    rows = [{"role": "owner", "email": "a@b.example"}, {"role": "auditor", "email": "c@d.example"}]
    assert supervisor._table(rows) == ["owner    a@b.example", "auditor  c@d.example"]


def test_a_free_port_is_free() -> None:
    assert port_is_free(free_port({1, 2, 3}))

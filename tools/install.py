#!/usr/bin/env python3
"""Make .venv hold what a lock file names, and fetch the fonts where npm is. Does nothing where all is there.

Usage: python3 tools/install.py demo|development
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
PYTHON = VENV / "bin" / "python"
# A larger set of packages satisfies the smaller one.
SATISFIED_BY = {"demo": ("demo", "development"), "development": ("development",)}


def main(kind: str) -> None:
    """Install the packages of `kind` and the fonts."""
    if any(_stamp(each).is_file() and _stamp(each).read_text() == _digest(_lock(each)) for each in SATISFIED_BY[kind]):
        _say(f"packages for {kind} are installed")
    else:
        _make_venv()
        _say(f"installing {_lock(kind).relative_to(ROOT)}")
        _run(
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            _lock(kind),
        )
        _stamp(kind).write_text(_digest(_lock(kind)))
    _install_fonts()


def _make_venv() -> None:
    if sys.version_info[:2] < OLDEST:
        sys.exit("Python 3.11 or newer is needed. Name it: make PYTHON=python3.11 ...")
    if (VENV / "bin" / "pip").exists():
        return
    _say("making .venv")
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        sys.exit("Python could not make a virtual environment. On Debian and Ubuntu install python3-venv.")


def _install_fonts() -> None:
    """Fonts are an extra: whatever goes wrong, the interface falls back to the system's."""
    lock, stamp = ROOT / "package-lock.json", ROOT / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_text() == _digest(lock):
        return
    npm = shutil.which("npm")
    if npm is None:
        _say("npm is not installed: the interface uses the system's fonts")
        return
    try:
        done = subprocess.run([npm, "ci", "--silent"], cwd=ROOT, timeout=120, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        _say("npm ci did not succeed: the interface uses the system's fonts")
        return
    stamp.write_text(_digest(lock))
    _say("fonts are installed")


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"This did not succeed: {' '.join(str(part) for part in command)}")


def _lock(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind}.txt"


def _stamp(kind: str) -> Path:
    return VENV / f".installed-{kind}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() + sys.version.encode()).hexdigest()


def _say(text: str) -> None:
    print(f"install: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] not in (["demo"], ["development"]):
        sys.exit(__doc__)
    main(sys.argv[1])

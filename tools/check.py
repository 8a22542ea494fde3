"""Everything `make check` looks at. Each step runs, whatever became of those before; faults are shown at the end.

Usage: .venv/bin/python -m tools.check
"""

import difflib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from govportal import embedded
from tools import locks

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCHEMA = ROOT / "docs" / "openapi.yaml"
LIKE_PRODUCTION = {
    "SECURE": "true",
    "DEMO": "false",
    "DEBUG": "false",
    "SITE_URL": "https://govportal.example",
    "ALLOWED_HOSTS": "govportal.example",
    "TRUSTED_PROXY_COUNT": "1",
}


def main() -> int:
    """Run all steps. Returns 1 if one found a fault."""
    environ = dict(os.environ)
    handle = embedded.provide(environ, purpose="test")
    try:
        failed = [name for name, step in _steps(environ).items() if not _passes(name, step)]
    finally:
        handle.close()
    print(f"\ncheck: {'faults in ' + ', '.join(failed) if failed else 'no faults'}", flush=True)
    return 1 if failed else 0


def _steps(environ: dict[str, str]) -> dict[str, Callable[[], str]]:
    """Each step returns what it found, or nothing."""
    manage = [sys.executable, "manage.py"]
    deploy = [*manage, "check", "--deploy", "--fail-level", "WARNING"]
    return {
        "ruff": lambda: _run([BIN / "ruff", "check", "."], environ),
        "format": lambda: _run([BIN / "ruff", "format", "--check", "."], environ),
        "imports": lambda: _run([BIN / "lint-imports"], environ),
        "types": lambda: _run([BIN / "mypy"], environ),
        "settings": lambda: _run(deploy, environ | LIKE_PRODUCTION),
        "migrations": lambda: _run([*manage, "makemigrations", "--check", "--dry-run"], environ),
        "schema": lambda: _schema(manage, environ),
        "locks": lambda: "\n".join(locks.faults(ROOT)),
        "architecture": lambda: _run([BIN / "pytest", "-q", "tests/architecture/test_house_rules.py"], environ),
    }


def _passes(name: str, step: Callable[[], str]) -> bool:
    begun = time.monotonic()
    found = step()
    verdict = "FAULT" if found else "ok"
    print(f"{name:14} {verdict:6} {time.monotonic() - begun:5.1f} s", flush=True)
    if found:
        print(found, flush=True)
    return not found


def _run(command: Sequence[str | Path], environ: dict[str, str]) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    if not done.returncode:
        return ""
    return f"{done.stdout}{done.stderr}".strip() or f"ended with {done.returncode}"


def _schema(manage: list[str], environ: dict[str, str]) -> str:
    """The committed description of the API is the one that the code gives."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.yaml"
        fault = _run([*manage, "spectacular", "--validate", "--fail-on-warn", "--file", fresh], environ)
        if fault:
            return fault
        if not SCHEMA.is_file():
            return "docs/openapi.yaml is missing. Write it: make schema"
        committed, given = SCHEMA.read_text(encoding="utf-8"), fresh.read_text(encoding="utf-8")
    names = ("docs/openapi.yaml", "the code (make schema writes it)")
    return "\n".join(difflib.unified_diff(committed.splitlines(), given.splitlines(), *names, lineterm=""))


if __name__ == "__main__":
    sys.exit(main())

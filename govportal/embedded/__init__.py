"""PostgreSQL and Redis for a machine that has neither: used when DATABASE_URL or REDIS_URL is not set.

The package only provides environment variables, before Django loads; settings read nothing but the environment.
Whoever calls `provide` holds a shared lock until its process ends. The last one out stops the servers.
"""

import atexit
from collections.abc import MutableMapping
from pathlib import Path

from govportal.embedded.errors import EmbeddedError
from govportal.embedded.handle import Handle, exit_on_signals
from govportal.embedded.state import State, open_state

__all__ = ["PROJECT", "EmbeddedError", "Handle", "describe", "is_set", "open_state", "provide"]

PROJECT = Path(__file__).resolve().parent.parent.parent


def provide(
    environ: MutableMapping[str, str],
    *,
    purpose: str = "demo",
    project: Path = PROJECT,
    durable: bool | None = None,
) -> Handle:
    """Start what `environ` does not name, and write the addresses into it. Values that are set stay as they are.

    `purpose` names the data ("demo", "test", "bench"); `durable=False` (the default for all but the demo) trades
    safety at power loss for speed. The servers stop when the last process that called this ends or calls
    `Handle.close`. Raises EmbeddedError with a sentence for the person at the keyboard.
    """
    state = open_state(purpose, project)
    handle = Handle(
        state,
        durable=purpose == "demo" if durable is None else durable,
        with_postgres=not is_set(environ, "DATABASE_URL"),
        with_redis=not is_set(environ, "REDIS_URL"),
    )
    exit_on_signals()
    handle.open()
    atexit.register(handle.close)
    _fill(environ, state)
    return handle


def describe(environ: MutableMapping[str, str], *, purpose: str = "demo", project: Path = PROJECT) -> None:
    """Write the same variables as `provide` without starting anything: for commands that need no server."""
    _fill(environ, open_state(purpose, project))


def is_set(environ: MutableMapping[str, str], name: str) -> bool:
    """Whether NAME or NAME_FILE is given."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _fill(environ: MutableMapping[str, str], state: State) -> None:
    """Set what is not set. An owner's address is ours only where the database is."""
    values = _defaults(state)
    if is_set(environ, "DATABASE_URL"):
        del values["DATABASE_URL"], values["DATABASE_OWNER_URL"]
    for name, value in values.items():
        if not is_set(environ, name):
            environ[name] = value


def _defaults(state: State) -> dict[str, str]:
    postgres, redis = state.ports["postgres"], state.ports["redis"]
    secrets = state.secrets
    return {
        "DATABASE_URL": f"postgres://govportal_web:{secrets['web']}@127.0.0.1:{postgres}/govportal",
        "DATABASE_OWNER_URL": f"postgres://govportal_owner:{secrets['owner']}@127.0.0.1:{postgres}/govportal",
        "REDIS_URL": f"redis://:{secrets['redis']}@127.0.0.1:{redis}/0",
        "SECRET_KEY": secrets["django"],
        "SITE_URL": f"http://localhost:{state.ports.get('web', 8000)}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "SECURE": "false",
        "DEMO": "true",
        "EMAIL_URL": f"smtp://127.0.0.1:{state.ports['mail']}",
        "DEFAULT_FROM_EMAIL": "Govportal <govportal@localhost>",
        "ORGANISATION_NAME": "Demonstration agencies",
        "ORGANISATION_TIME_ZONE": "America/New_York",
        "HOLIDAY_COUNTRY": "US",
        "EVIDENCE_DIR": str(state.folder / "evidence"),
    }

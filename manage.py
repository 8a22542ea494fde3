#!/usr/bin/env python
"""The command line. Without DATABASE_URL it starts the embedded servers, and stops them when it ends."""

import os
import sys
from pathlib import Path

from govportal import embedded

# These change the schema or look at it, as the owner of the database and not as the application.
OWNER_COMMANDS = {
    "migrate",
    "makemigrations",
    "sqlmigrate",
    "showmigrations",
    "pgtrigger",
    "createcachetable",
}
# These load the settings and ask no server.
SERVERLESS_COMMANDS = {"help", "version", "collectstatic", "findstatic", "diffsettings", "spectacular"}


def main() -> None:
    """Provide the environment, then hand over to Django."""
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    try:
        _prepare(command)
    except embedded.EmbeddedError as error:
        sys.exit(f"manage.py: {error}")
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    from govportal.environment import load_settings

    load_settings()  # from what was prepared
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        if not (sentence := _sentence(error)):
            raise
        sys.exit(f"manage.py: {sentence}")


def _sentence(error: Exception) -> str:
    """What an operator can put right; "" for every other error, which keeps its traceback."""
    from django.db import OperationalError
    from django.db.migrations.exceptions import MigrationSchemaMissing

    # SQLSTATE: none where there was no conversation; 42P01 for a table that is not there.
    state = getattr(error.__cause__, "sqlstate", "unknown")
    if isinstance(error, MigrationSchemaMissing):
        return "This role may not change the schema. Set DATABASE_OWNER_URL to migrate as the owner."
    if isinstance(error, OperationalError) and state is None:
        return f"The database can't be reached: {str(error).splitlines()[0]}"
    if state == "42P01":
        return "A table is not there. Run manage.py migrate first."
    return ""


def _prepare(command: str) -> None:
    if not embedded.is_set(os.environ, "DATABASE_URL"):
        purpose = os.environ.get("GOVPORTAL_DATA", "demo")
        if command in SERVERLESS_COMMANDS or command.startswith("-") or "--help" in sys.argv:
            embedded.describe(os.environ, purpose=purpose)
        else:
            embedded.provide(os.environ, purpose=purpose)
    if command in OWNER_COMMANDS:
        _become_owner()


def _become_owner() -> None:
    """Only this process connects as the owner."""
    path = os.environ.get("DATABASE_OWNER_URL_FILE")
    url = Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get("DATABASE_OWNER_URL")
    if url:
        os.environ["DATABASE_URL"] = url
        os.environ.pop("DATABASE_URL_FILE", None)


if __name__ == "__main__":
    main()

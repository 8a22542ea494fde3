"""`python -m tests.base.quick_migrate people 0001`: Django's command, quicker where it takes migrations back.

It renders a model and its neighbours anew for each operation on it, and everything here stands beside a person: nearly
all of the time would go there. Here only the model itself is rendered, into a state that Django calls "delayed", in
which neighbours are not up to date: code that a migration runs still gets all of them fresh. What the database is told
is the same: the test compares with a schema that was migrated without this.
"""

import gc
import os
import sys
from typing import Any

import django
from django.core.management import call_command
from django.db.migrations.state import ProjectState

# Classes are freed by the collector alone; looking for some after each few hundred objects takes longer than them.
OBJECTS_BETWEEN_LOOKS = 100_000


def itself(state: Any, app_label: str, model_name: str, delay: bool = False) -> set[tuple[str, str]]:
    """Which models are rendered again where one of them changed."""
    state.is_delayed = True
    return {(app_label, model_name)}


def main() -> None:
    """To the target, or to the newest of all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govportal.settings")
    django.setup()
    setattr(ProjectState, "_find_reload_model", itself)  # noqa: B010
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS, 20, 20)
    call_command("migrate", *sys.argv[1:], verbosity=0)


if __name__ == "__main__":
    main()

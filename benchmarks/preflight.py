"""How long the nightly look takes that asks whether calling would work, and a sweep over many incidents at once.

`python -m benchmarks.preflight` prints one JSON line: the look over 100,000 systems and three scenarios, its findings,
and the sweep that calls the next step of 100 incidents which are due at the same moment.
"""

import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

from benchmarks.pages import as_autovacuum, database, python
from govportal.embedded import provide

SYSTEMS, INCIDENTS = 100_000, 100


def run(systems: int = SYSTEMS) -> dict[str, Any]:
    """Build the register, look, sweep, and take it down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_preflight_{os.getpid()}") as environ:
        python(environ, "-c", f"from benchmarks.data import load; load({systems})")
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        found: dict[str, Any] = json.loads(python(environ, "-m", "benchmarks.preflight", "measure").splitlines()[-1])
    return {"systems": systems, **found}


def measure() -> dict[str, Any]:
    """In the database of the environment: seconds of each, and what came of it."""
    import django

    django.setup()
    from apps.audit.rules import COMMAND
    from apps.common import clock
    from apps.incidents.actions.declare import declare
    from apps.incidents.actions.paging import advance_due
    from apps.incidents.actions.preflight import run_preflight
    from apps.incidents.models import Page, Preflight
    from apps.incidents.queries.preflight import causes, preflight_breaches
    from apps.registry.models import System

    now = clock.now()
    began = time.perf_counter()
    failing = run_preflight(now=now)
    looked = time.perf_counter()
    run_preflight(now=now)
    again = time.perf_counter()
    breaches = preflight_breaches(now)
    told = time.perf_counter()
    some = System.objects.filter(stage="production").select_related("unit").order_by("pk")[:INCIDENTS]
    for system in some:
        declare(title="It reads letters", system=system, actor=COMMAND, now=now)
    due = now + timedelta(minutes=5)
    before, sweep = Page.objects.count(), time.perf_counter()
    done = advance_due(now=due)
    ended = time.perf_counter()
    return {
        "rows": Preflight.objects.count(), "failing": failing, "causes": len(causes()), "findings": len(breaches),
        "first_seconds": round(looked - began, 2), "second_seconds": round(again - looked, 2),
        "findings_seconds": round(told - again, 2), "incidents": done, "calls": Page.objects.count() - before,
        "sweep_seconds": round(ended - sweep, 2),
    }  # fmt: skip


if __name__ == "__main__":
    sizes = [int(one) for one in sys.argv[1:] if one.isdigit()]
    print(json.dumps(measure() if "measure" in sys.argv else run(*sizes)))

"""How long it takes to open a campaign over 100,000 systems of 20,000 owners, and to send everybody's digest.

`python -m benchmarks.opening` prints a table and one JSON line. Everybody has a deputy and a line manager, and every
unit a head. The floor is floors/opening.sql: the same frozen facts, assignments and one mail a person by one bare
statement into tables of the same shape, in the same database and run; its rows have to be the same. Limit: three times
the floor. Digests are written on a day of reminders and on the worst day, with everything overdue; ten minutes later a
sweep finds nothing new. Each shows how many statements it took, which is the same number for a tenth of the people.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.pages import as_autovacuum, database, python
from govportal.embedded import provide

SYSTEMS, PEOPLE = 100_000, 20_000
RATIO_LIMIT = 3.0
PERIOD = "2026Q4"
NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
# A week before the last due date; and the day on which nobody has signed anything and everybody on the ladder hears:
# owners, deputies, line managers, heads and seats. In office hours.
REMINDED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
WORST = datetime(2026, 12, 7, 16, 0, tzinfo=UTC)
FLOOR = Path(__file__).resolve().parent / "floors" / "opening.sql"
OF = {"snapshot": "attestations_scopesnapshot", "assignment": "attestations_assignment", "message": "notify_message"}

_SYSTEMS_SQL = """
INSERT INTO registry_unit (name, code) SELECT 'Unit ' || n, 'unit-' || n FROM generate_series(1, 41) AS n;
INSERT INTO people_person (id, password, is_superuser, kind, email, display_name, title, phone, time_zone, is_active,
    is_invented, theme, shortcuts, created_at, session_round)
SELECT gen_random_uuid(), '!', false, 'human', 'owner' || n || '@example.org', 'Owner ' || n, '', '', 'UTC', true,
    true, '', true, %(now)s, 0 FROM generate_series(1, %(people)s) AS n;
UPDATE people_person p SET deputy_id = d.id, line_manager_id = m.id
FROM people_person d, people_person m, generate_series(1, %(people)s) AS n
WHERE p.email = 'owner' || n || '@example.org' AND d.email = 'owner' || (1 + n %% %(people)s) || '@example.org'
    AND m.email = 'owner' || (1 + (n + 7) / 10) || '@example.org' AND d.id <> p.id AND m.id <> p.id;
UPDATE registry_unit u SET head_id = p.id
FROM people_person p WHERE p.email = 'owner' || (100 + substring(u.name from '[0-9]+')::int) || '@example.org';
INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model, vendor,
    chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at, search_text)
SELECT 'own-' || n, 'System ' || n, 'Sorts letters and answers the simple ones.',
    (SELECT min(id) FROM registry_unit) + n %% (SELECT count(*) FROM registry_unit), 'production',
    (ARRAY['critical', 'high', 'medium', 'low', 'unknown'])[1 + n %% 5], 'unknown', 'unknown', '', '', false, p.id,
    CASE WHEN n %% 4 = 0 THEN 'interim' ELSE 'accepted' END, '', %(now)s, %(now)s, ''
FROM generate_series(1, %(systems)s) AS n
JOIN people_person p ON p.email = 'owner' || (1 + n %% %(people)s) || '@example.org';
INSERT INTO registry_systemidentity (system_id, kind, value)
SELECT id, 'agent_id', 'agent-' || key FROM registry_system WHERE id %% 10 = 1;
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT id, owner_id, owner_basis, tstzrange(created_at, NULL), '[]' FROM registry_system;
"""
_SAME_SQL = {
    "snapshot": "system_id, facts, sha256, material, delta, changes, number, is_supplement, taken_at",
    "assignment": "system_id, person_id, owner_basis, tier, unit_id, due_on, delta, sampled, state, round, opened_at",
    "message": "key, recipient_id, state, path",
}


def run() -> dict[str, Any]:
    """Build the register, write the floor's rows, open the campaign, send the digests, take it down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_opening_{os.getpid()}") as environ:
        loaded = json.loads(python(environ, "-m", "benchmarks.opening", "load"))
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        result = json.loads(python(environ, "-m", "benchmarks.opening", "measure"))
    ratio = round(result["opening_s"] / result["floor_s"], 2)
    within = ratio <= RATIO_LIMIT and result["same_rows"]
    return {
        "bench": "opening", "ratio_limit": RATIO_LIMIT, "ratio": ratio, **loaded, **result,
        "verdict": "within" if within else "OVER",
    }  # fmt: skip


def load() -> dict[str, Any]:
    """Somebody who holds the mandate, units, systems and their owners."""
    import django

    django.setup()
    from django.db import connection, transaction

    from benchmarks.data import start

    systems, people = int(os.environ.get("BENCH_SYSTEMS", SYSTEMS)), int(os.environ.get("BENCH_PEOPLE", PEOPLE))
    start(NOW)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SYSTEMS_SQL, {"systems": systems, "people": people, "now": NOW})
    return {"systems": systems, "people": people}


def measure() -> dict[str, Any]:
    """The floor, the opening, whether both wrote the same, and the digests."""
    import django

    django.setup()
    from apps.attestations import actions
    from apps.audit.rules import COMMAND

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        tables(owner)
        started = time.perf_counter()
        campaign, _ = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
        opening = time.perf_counter() - started
        bare = floor(owner, campaign)
        as_bare = all(same(owner, name) for name in OF)
    days = {"digest": REMINDED, "worst": WORST, "quiet": WORST + timedelta(minutes=10)}
    sent = [(name, *_digests(day)) for name, day in days.items()]
    return {
        "floor_s": round(bare, 2), "opening_s": round(opening, 2), "same_rows": as_bare,
        **{f"{name}_mails": mails for name, mails, _, _ in sent},
        **{f"{name}_s": seconds for name, _, seconds, _ in sent},
        **{f"{name}_statements": statements for name, _, _, statements in sent},
    }  # fmt: skip


def _digests(now: datetime) -> tuple[int, float, int]:
    """One sweep: how many mails, how long, how many statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from apps.attestations import actions

    started = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        mails = actions.remind_all_due(now=now)
    return mails, round(time.perf_counter() - started, 2), len(queries)


def tables(owner: "psycopg.Connection[Any]") -> None:
    """Tables of the same shape for the floor's rows."""
    for name, table in OF.items():
        owner.execute(f"CREATE TABLE floor_{name} (LIKE {table} INCLUDING ALL)")


def floor(owner: "psycopg.Connection[Any]", campaign: Any) -> float:
    """Write the rows of an opened campaign bare; returns the seconds."""
    values = {
        "campaign": campaign.pk, "code": campaign.code, "now": NOW, "at": NOW.isoformat(),
        "critical": campaign.due_critical_on, "high": campaign.due_high_on, "rest": campaign.due_on,
        "seed": campaign.sampling_seed, "percent": campaign.term("sampling_percent"),
    }  # fmt: skip
    started = time.perf_counter()
    owner.execute(FLOOR.read_bytes(), values)
    return time.perf_counter() - started


def same(owner: "psycopg.Connection[Any]", name: str) -> bool:
    """Whether the floor's table and ours hold the same rows, apart from ids and the words of mails."""
    columns = _SAME_SQL[name]
    differ = owner.execute(
        "SELECT count(*) FROM ((TABLE_A EXCEPT TABLE_B) UNION ALL (TABLE_B EXCEPT TABLE_A)) AS d".replace(
            "TABLE_A", f"SELECT {columns} FROM {OF[name]}"
        ).replace("TABLE_B", f"SELECT {columns} FROM floor_{name}")
    ).fetchone()
    return differ == (0,)


def _table(result: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"Opening over {result['systems']:,} systems of {result['people']:,} owners: {result['opening_s']} s; "
            f"bare SQL {result['floor_s']} s; ratio {result['ratio']} (limit {RATIO_LIMIT}), "
            f"{'the same rows' if result['same_rows'] else 'OTHER ROWS'}.",
            *(
                f"{words}: {result[f'{name}_mails']:,} mails in {result[f'{name}_s']} s, "
                f"{result[f'{name}_statements']} statements."
                for name, words in (
                    ("digest", "Digests a week before"),
                    ("worst", "All overdue"),
                    ("quiet", "Nothing new"),
                )
            ),
            f"Opening: {result['verdict']}.",
        ]
    )


def main() -> None:
    """Lines for people, then the same as one JSON line."""
    parts = {"load": load, "measure": measure}
    if sys.argv[1:2] and sys.argv[1] in parts:
        print(json.dumps(parts[sys.argv[1]]()))
        return
    result = run()
    print(_table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""How long it takes to hand over what a leaver answers for: 5,000 systems, by the identity provider's call.

`python -m benchmarks.leavers` prints one JSON line. The number is the HTTP request (PATCH active=false) to a gunicorn
worker, in a register with as many systems of others. The floor does the same to the same number of rows of a twin, in
one transaction of bare statements: end the terms and open the next, point the systems at the person who stands in,
grants, lines of the trail. Both ends are compared: the same systems, with one owner, term and line each.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.pages import as_autovacuum, database, gunicorn, python
from govportal.embedded import provide

SYSTEMS, OTHERS = 5_000, 10_000
LIMIT_SECONDS = 5.0
LEAVER, TWIN = "leaver@example.org", "twin@example.org"
FLOOR = Path(__file__).resolve().parent / "floors" / "leavers.sql"

# Accepted, in production, spread over the units; one in fifty with a matrix of its own that names the leaver.
_SYSTEMS_SQL = """
INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model, vendor,
    chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at, search_text)
SELECT upper(split_part(p.email, '@', 1)) || '-' || n, 'Claims router ' || n, 'Does one thing.',
    (SELECT id FROM registry_unit ORDER BY id OFFSET n %% 41 LIMIT 1), 'production',
    (ARRAY['critical','high','medium','low'])[1 + n %% 4], 'unknown', 'unknown', '', '', false, p.id, 'accepted', '',
    now() - interval '1 day', now() - interval '1 day', ''
FROM generate_series(1, %(systems)s) AS n, people_person p WHERE p.email = %(email)s;
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT s.id, s.owner_id, 'accepted', tstzrange(now() - interval '1 day', NULL),
    jsonb_build_array(jsonb_build_object('source', 'nomination', 'label', 'Accepted', 'person', s.owner_id::text,
    'outcome', 'chosen'))
FROM registry_system s JOIN people_person p ON p.id = s.owner_id WHERE p.email = %(email)s;
INSERT INTO attestations_assignment (campaign_id, system_id, person_id, owner_basis, tier, unit_id, due_on, state,
    version)
SELECT c.id, s.id, s.owner_id, s.owner_basis, s.tier, s.unit_id, current_date + 14, 'pending', 0
FROM registry_system s JOIN people_person p ON p.id = s.owner_id, attestations_campaign c WHERE p.email = %(email)s;
WITH version AS (
    INSERT INTO registry_raciversion (unit_id, system_id, number, applied_at, note, changes)
    SELECT NULL::bigint, s.id, 1, now(), '', '{}'::jsonb
    FROM registry_system s JOIN people_person p ON p.id = s.owner_id
    WHERE p.email = %(email)s AND s.id %% 50 = 0
    RETURNING id, system_id)
INSERT INTO registry_raciassignment (domain_id, system_id, letter, function_id, person_id, is_owner, valid_from,
    version_id)
SELECT d.key, v.system_id, l.letter, CASE l.letter WHEN 'R' THEN 'engineering' END,
    CASE l.letter WHEN 'A' THEN p.id END, false, now(), v.id
FROM version v CROSS JOIN (SELECT key FROM registry_governancedomain ORDER BY position LIMIT 1) d
    CROSS JOIN (VALUES ('A'), ('R')) AS l(letter) JOIN people_person p ON p.email = %(email)s
"""


def run() -> dict[str, Any]:
    """Build the register, let both leave, and take it down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_leavers_{os.getpid()}") as environ:
        python(environ, "-m", "benchmarks.data", str(OTHERS))
        loaded = json.loads(python(environ, "-m", "benchmarks.leavers", "load"))
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        floor = json.loads(python(environ, "-m", "benchmarks.leavers", "floor"))
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        with gunicorn(environ, "govportal.wsgi") as (port, _):
            seconds = _leaves(port, loaded)
        after = json.loads(python(environ, "-m", "benchmarks.leavers", "after"))
    same = after["leaver"] == after["twin"] == {"systems": 0, "taken": SYSTEMS, "lines": SYSTEMS}
    return {
        "bench": "leavers",
        "systems": SYSTEMS,
        "seconds": round(seconds, 2),
        "floor_seconds": floor["seconds"],
        "ratio": round(seconds / floor["seconds"], 2),
        "limit_seconds": LIMIT_SECONDS,
        "same_rows": same,
        "verdict": "within" if same and seconds <= LIMIT_SECONDS else "OVER",
    }


def load() -> dict[str, Any]:
    """Two people with as many systems each, whose deputies stand in; and an identity provider's token."""
    import django

    django.setup()
    from django.db import connection, transaction

    from apps.audit.rules import COMMAND
    from apps.common import clock
    from apps.directory.actions import issue_scim_token
    from apps.people.actions import provision_person
    from apps.people.models import Person
    from apps.registry.actions.grants import sync_grants
    from apps.registry.models import System

    by: dict[str, Any] = {"actor": COMMAND, "now": clock.now()}
    with transaction.atomic():
        for email, deputy in ((LEAVER, "person40@example.org"), (TWIN, "person41@example.org")):
            stands_in = Person.objects.get(email=deputy)
            leaver = provision_person(email=email, display_name=email.split("@")[0].title(), deputy=stands_in, **by)
            with connection.cursor() as cursor:
                for statement in filter(str.strip, _SYSTEMS_SQL.split(";\n")):
                    cursor.execute(statement, {"systems": SYSTEMS, "email": email})
            sync_grants(list(System.objects.filter(owner=leaver).values_list("pk", flat=True)))
        _, secret = issue_scim_token(name="Benchmark", **by)
    return {"secret": secret}


def _leaves(port: int, loaded: dict[str, Any]) -> float:
    """Provision the leaver, then deactivate them; seconds of the second call."""
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": LEAVER,
        "emails": [{"primary": True, "value": LEAVER, "type": "work"}],
        "displayName": "Leaver",
        "active": True,
    }
    created, _ = _call(port, loaded, "POST", "/scim/v2/Users", user)
    deactivate = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": False}}],
    }
    answer, seconds = _call(port, loaded, "PATCH", f"/scim/v2/Users/{created['id']}", deactivate)
    if answer["active"] is not False:
        raise SystemExit("The leaver is still active.")
    return seconds


def _call(
    port: int, loaded: dict[str, Any], method: str, path: str, body: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {loaded['secret']}", "Content-Type": "application/scim+json"}
    started = time.perf_counter()
    connection.request(method, path, json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    seconds = time.perf_counter() - started
    connection.close()
    if response.status not in {200, 201}:
        raise SystemExit(f"{method} {path} answered {response.status}: {content[:300]!r}")
    return json.loads(content), seconds


def floor() -> dict[str, Any]:
    """The twin's systems pass on by bare statements, in one transaction."""
    statements = [one for one in FLOOR.read_text(encoding="utf-8").split(";\n") if one.strip()]
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        started = time.perf_counter()
        for statement in statements:
            connection.execute(statement.encode(), {"email": TWIN})
        connection.commit()
    return {"seconds": round(time.perf_counter() - started, 2)}


def after() -> dict[str, Any]:
    """What each of them left: nothing with them, every system with whoever stands in, a line each in the trail."""
    import django

    django.setup()
    from apps.audit.models import AuditEvent
    from apps.people.models import Person
    from apps.registry.models import OwnershipTerm, System

    told = {}
    for name, email in (("leaver", LEAVER), ("twin", TWIN)):
        keys = System.objects.filter(key__startswith=f"{name.upper()}-")
        person = Person.objects.get(email=email)
        terms = OwnershipTerm.objects.filter(system__in=keys, period__upper_inf=True, basis="interim")
        ids = [str(pk) for pk in keys.values_list("pk", flat=True)]
        told[name] = {
            "systems": keys.filter(owner=person).count(),
            "taken": terms.filter(person__deputy_of=person).count() or terms.exclude(person=person).count(),
            "lines": AuditEvent.objects.filter(kind="system.owner.interim", subject_id__in=ids).count(),
        }
    return told


def main() -> None:
    """One JSON line."""
    parts = {"load": load, "floor": floor, "after": after}
    print(json.dumps(parts.get(sys.argv[1] if len(sys.argv) > 1 else "", run)()))


if __name__ == "__main__":
    main()

"""A register of any size, made by a few statements: 41 units, 500 people, systems with terms, grants and a campaign.

Half of the systems are held as interim by one person, who sees exactly that half, by grant. The other half is spread
over the other people, who have accepted.
"""

import json
import sys
from datetime import timedelta
from typing import Any

UNITS, PEOPLE = 41, 500
HALF = "half@example.org"
READER = "reader@example.org"
NAMES = ("Claims", "Fraud", "Resume", "Contract", "Patient", "Energy", "Traffic", "Grant", "Payment", "Visa")

_PEOPLE_SQL = """
INSERT INTO people_person (id, password, is_superuser, kind, email, display_name, title, phone, time_zone, is_active,
    is_invented, theme, shortcuts, created_at, session_round)
SELECT gen_random_uuid(), '!', false, 'human',
    CASE n WHEN 1 THEN %(half)s ELSE 'person' || n || '@example.org' END,
    (ARRAY['Ada','Ben','Cleo','Dov','Eve','Finn','Gia','Hugo','Ines','Jon'])[1 + n %% 10] || ' '
        || (ARRAY['Abel','Brandt','Costa','Demir','Engel','Fischer','Gallo'])[1 + n %% 7] || ' ' || n,
    'Manager', '', 'UTC', true, false, '', true, %(now)s, 0
FROM generate_series(1, %(people)s) AS n;
UPDATE people_person p SET deputy_id = d.id
FROM people_person d
WHERE p.email LIKE 'person%%' AND d.id <> p.id
    AND d.email = 'person' || (2 + (substring(p.email from '[0-9]+')::int + 7) %% 490) || '@example.org';
INSERT INTO registry_unit (name, code, head_id)
SELECT 'Unit ' || n, 'unit-' || n, p.id
FROM generate_series(1, %(units)s) AS n JOIN people_person p
    ON p.email = CASE WHEN n %% 2 = 0 THEN %(half)s ELSE 'person' || (n + 1) || '@example.org' END;
"""

_SYSTEMS_SQL = """
INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model, vendor,
    chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at, search_text, retired_at)
SELECT 'SYS-' || lpad(n::text, 6, '0'),
    (%(names)s::text[])[1 + n %% 10] || ' '
        || (ARRAY['triage','screening','summary','forecast','matching','review','routing'])[1 + n %% 7] || ' '
        || (ARRAY['assistant','model','agent','chatbot'])[1 + n %% 4] || ' ' || n,
    'Does one thing for one group of people.', u.id,
    CASE WHEN n %% 20 = 0 THEN 'retired' WHEN n %% 7 = 0 THEN 'pilot' ELSE 'production' END,
    (ARRAY['critical','high','medium','low','unknown'])[1 + n %% 5], 'unknown', 'unknown',
    'Vendor ' || n %% 97, '', false, p.id, CASE WHEN n %% 2 = 0 THEN 'interim' ELSE 'accepted' END,
    CASE WHEN n %% 4 = 0 THEN 'ai-team@example.org' ELSE '' END, %(now)s, %(now)s, '',
    CASE WHEN n %% 20 = 0 THEN %(now)s::timestamptz END
FROM generate_series(1, %(systems)s) AS n
JOIN registry_unit u ON u.code = 'unit-' || CASE n %% 2 WHEN 0 THEN 2 + 2 * (n / 2 %% 20) ELSE 1 + 2 * (n / 2 %% 20) END
JOIN people_person p
    ON p.email = CASE n %% 2 WHEN 0 THEN %(half)s ELSE 'person' || (2 + n %% 490) || '@example.org' END;
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT id, owner_id, owner_basis, tstzrange(%(now)s, NULL), jsonb_build_array(jsonb_build_object(
    'source', CASE owner_basis WHEN 'interim' THEN 'unit_head' ELSE 'nomination' END, 'label', 'Head of the unit',
    'person', owner_id::text, 'outcome', 'chosen'))
FROM registry_system;
INSERT INTO registry_systemidentity (system_id, kind, value)
SELECT id, 'agent_id', 'agent-' || lower(key) FROM registry_system WHERE id %% 20 = 1;
INSERT INTO registry_nomination (system_id, nominee_id, source, reason, created_at, due_on, state, answer_reason)
SELECT s.id, p.id, 'person', '', %(now)s, %(now)s::date + 7, 'open', ''
FROM registry_system s JOIN people_person p ON p.email = 'person' || (2 + s.id %% 490) || '@example.org'
WHERE s.owner_basis = 'interim' AND s.id %% 50 = 2 AND s.stage <> 'retired';
"""

_EVENTS_SQL = """
INSERT INTO audit_event (id, month, body)
SELECT made.id, date_trunc('month', %(now)s::timestamptz AT TIME ZONE 'UTC')::date, jsonb_build_object('v', '1',
    'id', made.id::text, 'month', to_char(%(now)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-01'),
    'ts', (extract(epoch FROM %(now)s::timestamptz) * 1000000 + made.system)::bigint::text, 'actor', 's:bench',
    'kind', made.kind, 'subject', jsonb_build_object('kind', 'system', 'id', made.system::text),
    'commitments', '{}'::jsonb, 'request', '')::text
FROM (SELECT gen_random_uuid() AS id, s.id AS system, k.kind
      FROM registry_system s, unnest(ARRAY['system.registered', 'system.changed']) AS k(kind)) AS made;
"""


def load(systems: int) -> dict[str, Any]:
    """Fill an empty, migrated database in one transaction; returns session cookies and some keys."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection, transaction

    from apps.common import clock

    now = clock.now() - timedelta(days=3)
    with transaction.atomic():
        start(now)
        facts: dict[str, Any] = {
            "now": now,
            "half": HALF,
            "people": PEOPLE,
            "units": UNITS,
            "systems": systems,
            "names": list(NAMES),
        }
        with connection.cursor() as cursor:
            for statements in (_PEOPLE_SQL, _SYSTEMS_SQL, _EVENTS_SQL):
                for statement in filter(str.strip, statements.split(";\n")):
                    cursor.execute(statement, facts)
        _grant()
        _campaign(now)
    return {"cookie": settings.SESSION_COOKIE_NAME, "sessions": {who: session(who) for who in (READER, HALF)}}


def start(now: Any) -> None:
    """Somebody who holds the mandate, and an auditor who reads everything."""
    from apps.audit.rules import COMMAND
    from apps.people.actions import grant_role, provision_person
    from apps.people.rules import RoleName
    from apps.registry.actions import start_portal

    start_portal(
        email="mandate@example.org", display_name="Mandate Holder", function="platform", password=None,
        actor=COMMAND, now=now,
    )  # fmt: skip
    reader = provision_person(email=READER, display_name="Reader Auditor", actor=COMMAND, now=now)
    grant_role(reader, RoleName.AUDITOR, actor=COMMAND, now=now)


def _campaign(now: Any) -> None:
    """A campaign over all of them that is open today."""
    from apps.attestations.actions import open_campaign
    from apps.attestations.queries import closing_moment, dates_of
    from apps.attestations.rules import Period
    from apps.audit.rules import COMMAND
    from apps.common.clock import local_date

    period = Period.of(local_date(now))
    while closing_moment(dates_of(period)) <= now + timedelta(days=4):
        period = period.next()
    open_campaign(str(period), actor=COMMAND, now=now)


def _grant() -> None:
    from apps.registry.actions.grants import sync_grants
    from apps.registry.models import System

    sync_grants(list(System.objects.values_list("pk", flat=True)))


def session(email: str) -> str:
    """A signed-in session, as signing in would make it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from apps.people.models import Person

    person = Person.objects.get(email=email)
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    print(json.dumps(load(int(sys.argv[1]))))

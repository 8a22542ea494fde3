"""Systems for the tests of campaigns: by the verbs for a few, by SQL for many."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

# The due date is Monday 30 Nov 2026: open since the 9th, critical due on the 16th, high on the 23rd.
NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
PERIOD = "2026Q4"
REGISTERED = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)


def register(cast: Any, key: str, *, owner: Any = None, now: datetime = REGISTERED, **fields: Any) -> Any:
    """A live system of Claims; with an owner who has accepted where one is given."""
    from apps.registry import actions

    values = {"name": key.upper(), "unit": cast.claims, "stage": "production", "tier": "medium", **fields}
    system = actions.register_system(key=key, actor=cast.mara, now=now, **values)
    if owner is not None:
        nomination = actions.nominate_owner(system, owner, actor=cast.mara, now=now)
        actions.accept_ownership(nomination, actor=owner, now=now + timedelta(hours=1))
        system.refresh_from_db()
    return system


def given_for(question: Any, person: Any, now: datetime = NOW) -> Any:
    """An answer that says that all is in order, of the type asked; explained, in case the facts differ."""
    from apps.attestations.questions import Type
    from apps.attestations.rules import Given

    why = "Seen myself"
    if question.type == Type.PERSON:
        return Given("given", person=str(person.pk), explanation=why)
    if question.type == Type.DATE:
        return Given("given", day=(now - timedelta(days=3)).date().isoformat(), explanation=why)
    if question.type == Type.TEXT:
        return Given("given", text="By telephone", explanation=why)
    return Given("yes", explanation=why) if question.is_chosen else Given()


def answer_all(assignment: Any, person: Any, *, now: datetime = NOW + timedelta(hours=1), **special: Any) -> Any:
    """Everything that is asked about a system, answered: all in order, but for what is given by question."""
    import json

    from apps.attestations import actions
    from apps.attestations.questions import thawed

    for section in thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts)):
        given = {one.key: special.get(one.key) or given_for(one, person, now) for one in section.questions}
        assignment = actions.save_answers(
            assignment, section.slug, given, version=assignment.version, actor=person, now=now
        )
    return assignment


def many(systems: int, people: int, *, prefix: str = "bulk") -> None:
    """Many live systems of many owners, in one transaction; by SQL, because the verbs are not what is measured."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            BEGIN;
            INSERT INTO people_person (id, password, is_superuser, kind, email, display_name, title, phone, time_zone,
                is_active, is_invented, theme, shortcuts, created_at, session_round)
            SELECT gen_random_uuid(), '!', false, 'human', %(prefix)s || n || '@example.org', 'Owner ' || n, '', '',
                'UTC', true, true, '', true, now(), 0 FROM generate_series(1, %(people)s) AS n;
            INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model,
                vendor, chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at,
                search_text)
            SELECT %(prefix)s || '-' || n, 'System ' || n, 'Sorts letters and answers the simple ones.',
                (SELECT min(id) FROM registry_unit) + n %% (SELECT count(*) FROM registry_unit),
                'production', (ARRAY['critical', 'high', 'medium', 'low', 'unknown'])[1 + n %% 5], 'unknown', 'unknown',
                '', '', false, p.id, CASE WHEN n %% 4 = 0 THEN 'interim' ELSE 'accepted' END, '', now(), now(), ''
            FROM generate_series(1, %(systems)s) AS n
            JOIN people_person p ON p.email = %(prefix)s || (1 + n %% %(people)s) || '@example.org';
            INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
            SELECT id, owner_id, owner_basis, tstzrange(created_at, NULL), '[]' FROM registry_system
            WHERE key LIKE %(prefix)s || '-%%';
            COMMIT;
            UPDATE registry_system SET created_at = '2020-01-01' WHERE key LIKE %(prefix)s || '-%%';
            UPDATE registry_mandate SET since = '2020-01-01';
            ANALYZE
            """,
            {"systems": systems, "people": people, "prefix": prefix},
        )

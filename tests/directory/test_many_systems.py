"""Whoever leaves 5,000 systems: each has somebody who answers, and it costs as many statements as for fifty."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent, AuditPrivate
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.directory.actions import offboard
from apps.directory.models import HandedOver, OffboardingCase
from apps.people.models import Person
from apps.people.queries import active_people
from apps.registry.actions.grants import sync_grants
from apps.registry.models import OwnershipTerm, System, SystemUserPermission
from tests.cast import Cast

FLOOR = Path(__file__).resolve().parents[2] / "benchmarks" / "floors" / "leavers.sql"

SYSTEMS_SQL = """
INSERT INTO registry_system (key, name, purpose, unit_id, stage, tier, regulatory_class, operating_model, vendor,
    chat_channel, restricted, owner_id, owner_basis, contact_given, created_at, updated_at, search_text, retired_at)
SELECT %(prefix)s || n, 'Router ' || n, '', (ARRAY[%(claims)s, %(devtools)s])[1 + n %% 2]::bigint,
    CASE WHEN n %% 10 = 0 THEN 'retired' ELSE 'production' END, 'high', 'unknown', 'unknown', '', '', false,
    %(owner)s, CASE WHEN n %% 5 = 1 THEN 'interim' ELSE 'accepted' END, '', %(then)s, %(then)s, '',
    CASE WHEN n %% 10 = 0 THEN %(then)s::timestamptz END
FROM generate_series(1, %(systems)s) AS n;
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT id, owner_id, owner_basis, tstzrange(%(then)s, NULL), '[]' FROM registry_system WHERE owner_id = %(owner)s
"""


def many(cast: Cast, owner: Person, systems: int, prefix: str) -> list[int]:
    """Live and retired systems of one owner, accepted and interim, in two units."""
    with connection.cursor() as cursor:
        for statement in SYSTEMS_SQL.split(";\n"):
            cursor.execute(
                statement,
                {
                    "owner": owner.pk,
                    "systems": systems,
                    "prefix": prefix,
                    "claims": cast.claims.pk,
                    "devtools": cast.devtools.pk,
                    "then": clock.now() - timedelta(days=1),
                },
            )
    ids = list(System.objects.filter(owner=owner).exclude(stage="retired").values_list("pk", flat=True))
    sync_grants(ids)
    return ids


def leaves(person: Person) -> tuple[OffboardingCase, int]:
    """The case, and the statements that it took."""
    with CaptureQueriesContext(connection) as captured:
        case = offboard(person, actor=COMMAND, now=clock.now(), source="scim")
    return case, len(captured)


def test_five_thousand_systems_have_somebody_each(cast: Cast) -> None:
    live = many(cast, cast.ada, 5_000, "MANY-")
    few = many(cast, cast.nils, 50, "FEW-")
    Person.objects.filter(pk=cast.nils.pk).update(deputy=cast.ben, line_manager=cast.una)
    case, statements = leaves(cast.ada)
    _, statements_few = leaves(Person.objects.get(pk=cast.nils.pk))
    assert statements == statements_few
    assert (len(live), len(few), case.counts["systems"], case.counts["accepted"]) == (4_500, 45, 4_500, 3_500)
    assert not System.objects.filter(owner=cast.ada).exclude(stage="retired").exists()
    held = {
        person: System.objects.filter(pk__in=live, owner=person, owner_basis="interim").count()
        for person in (cast.ben, cast.una, cast.mara)
    }
    # Nobody had accepted the interim ones: the unit's head answers, or where it has none the mandate.
    assert held == {cast.ben: 3_500, cast.una: 500, cast.mara: 500}
    _whole(live, cast)
    assert HandedOver.objects.filter(case=case).count() == 4_500
    assert System.objects.filter(stage="retired", owner=cast.ada).count() == 500, "a retired system keeps its history"


def _whole(live: list[int], cast: Cast) -> None:
    """One term in force each, of the owner; one that ended; a grant; a line with the name that was true then."""
    now = OwnershipTerm.objects.filter(system__in=live, period__upper_inf=True)
    assert now.count() == 4_500
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM registry_system s JOIN registry_ownershipterm t ON t.system_id = s.id "
            "AND upper_inf(t.period) WHERE s.id = ANY(%s) AND (t.person_id, t.basis) = (s.owner_id, s.owner_basis)",
            [live],
        )
        assert cursor.fetchone() == (4_500,)
    ended = OwnershipTerm.objects.filter(system__in=live, person=cast.ada, period__upper_inf=False)
    assert ended.count() == 4_500
    assert set(now.values_list("person", flat=True)) <= set(active_people().values_list("pk", flat=True))
    assert not SystemUserPermission.objects.filter(content_object__in=live, user=cast.ada).exists()
    events = AuditEvent.objects.filter(kind="system.owner.interim", subject_id__in=[str(pk) for pk in live])
    assert events.count() == 4_500
    primary = AuditEvent.objects.get(kind="person.offboarded", subject_id=str(cast.ada.pk))
    assert set(events.values_list("cause", flat=True)) == {primary.id}
    names = AuditPrivate.objects.filter(event_id__in=events.values("id"), field="owner_name")
    assert set(names.values_list("value", flat=True)) >= {"Ben Ortega"}
    assert names.count() == 4_500


@pytest.mark.parametrize("systems", [40])
def test_the_floor_of_the_measurement_does_the_same(cast: Cast, systems: int) -> None:
    """Owners, terms, grants and lines of the trail, by the verb and by the bare statements."""
    Person.objects.filter(pk=cast.nils.pk).update(deputy=cast.ben)

    granted = SystemUserPermission.objects.all()

    def state(prefix: str) -> Any:
        found = System.objects.filter(key__startswith=prefix).exclude(stage="retired")
        ids = list(found.order_by("pk").values_list("pk", flat=True))
        terms = OwnershipTerm.objects.filter(system__in=ids).order_by("system", "period")
        return (
            list(found.order_by("pk").values_list("owner", "owner_basis")),
            [(term.person_id == cast.ben.pk, term.basis, term.period.upper is None) for term in terms],
            list(granted.filter(content_object__in=ids).order_by("content_object").values_list("user")),
            AuditEvent.objects.filter(kind="system.owner.interim", subject_id__in=map(str, ids)).count(),
        )

    for person, prefix in ((cast.ada, "A-"), (cast.nils, "B-")):
        _accepted(cast, person, systems, prefix)
    leaves(cast.ada)
    with connection.cursor() as cursor:
        for statement in FLOOR.read_text(encoding="utf-8").split(";\n"):
            cursor.execute(statement, {"email": "nils@example.org"})
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert state("A-") == state("B-")


def _accepted(cast: Cast, person: Person, systems: int, prefix: str) -> None:
    """Only what was accepted and is live: what the floor passes on."""
    sql = SYSTEMS_SQL.replace("n %% 10 = 0", "false").replace("n %% 5 = 1", "false")
    with connection.cursor() as cursor:
        for statement in sql.split(";\n"):
            cursor.execute(
                statement,
                {
                    "owner": person.pk, "systems": systems, "prefix": prefix, "claims": cast.claims.pk,
                    "devtools": cast.devtools.pk, "then": clock.now() - timedelta(days=1),
                },
            )  # fmt: skip
    sync_grants(list(System.objects.filter(owner=person).values_list("pk", flat=True)))

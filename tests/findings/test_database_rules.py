"""The rules of findings hold in the database: raw SQL, as the application's role and as the owner of the tables."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from apps.findings import actions
from apps.findings.models import Finding
from tests import databases
from tests.cast import Cast
from tests.factories import NOW
from tests.findings.world import a_finding, done

pytestmark = pytest.mark.committed


@pytest.fixture(params=["application", "owner"])
def shell(rules_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A live database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(rules_db), autocommit=True) as connection:
        yield connection


@pytest.fixture
def finding(rules_db: str) -> Finding:
    """A finding that waits for Ada."""
    return a_finding(Cast())


TABLES = ("findings_finding", "findings_correctiveaction", "findings_riskacceptance")


def refused(shell: psycopg.Connection[Any], statement: str, *values: Any, by: Any) -> None:
    """The statement is refused, with this error, and every row is as it was."""
    before = [
        shell.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM {name} t").fetchone() for name in TABLES
    ]
    with pytest.raises(by):
        shell.execute(statement, values)
    after = [
        shell.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM {name} t").fetchone() for name in TABLES
    ]
    assert after == before


def change(what: str) -> str:
    return f"UPDATE findings_finding SET {what} WHERE id = %s"


def test_who_puts_it_right_is_an_active_human(shell: Any, finding: Finding) -> None:
    cast = Cast()
    for person, by in ((cast.ivan, errors.ForeignKeyViolation), (cast.robot, errors.ForeignKeyViolation)):
        refused(shell, "UPDATE findings_finding SET person_id = %s WHERE id = %s", person.pk, finding.pk, by=by)
    refused(shell, change("person_id = NULL"), finding.pk, by=errors.NotNullViolation)
    leave = "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s"
    refused(shell, leave, finding.person_id, by=errors.ForeignKeyViolation)


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("scope = 'system'", errors.CheckViolation),
        ("scope = 'galaxy'", errors.CheckViolation),
        ("unit_id = (SELECT min(id) FROM registry_unit)", errors.CheckViolation),
        ("severity = 'enormous'", errors.CheckViolation),
        ("level = 'shrug'", errors.CheckViolation),
        ("state = 'gone'", (errors.CheckViolation, errors.RaiseException)),
        ("title = ''", errors.CheckViolation),
        ("remedy = ''", errors.CheckViolation),
        ("due_on = NULL", errors.NotNullViolation),
        ("step = 6", errors.CheckViolation),
        ("state = 'closed'", errors.CheckViolation),
        ("state = 'closed', closed_at = now(), closed_because = 'bored'", errors.CheckViolation),
        ("state = 'closed', closed_at = now(), closed_because = 'verified'", errors.IntegrityConstraintViolation),
        ("state = 'accepted'", errors.CheckViolation),
        ("state = 'accepted', accepted_until = '2027-01-01'", errors.IntegrityConstraintViolation),
        ("state = 'to_verify'", errors.IntegrityConstraintViolation),
        ("accepted_until = '2027-01-01'", errors.CheckViolation),
        ("closed_at = now()", errors.CheckViolation),
        ("code = 'R99'", errors.RestrictViolation),
        ("subject = 'other'", errors.RestrictViolation),
        ("raised_at = now()", errors.RestrictViolation),
        ("raised_by_id = NULL", (errors.RestrictViolation, errors.CheckViolation)),
        ("origin = 'matrix'", errors.CheckViolation),
    ],
)
def test_a_finding_says_what_is_true(shell: Any, finding: Finding, what: str, by: Any) -> None:
    refused(shell, change(what), finding.pk, by=by)


COPY = """
INSERT INTO findings_finding (code, subject, origin, source, level, severity, scope, title, remedy, path, person_id,
    is_assigned, raised_by_id, raised_at, due_on, step, state, closed_because, closing_reason)
SELECT code, subject, origin, source, level, severity, scope, title, remedy, path, person_id, is_assigned, raised_by_id,
    raised_at, due_on, step, {state}, '', '' FROM findings_finding WHERE id = %s
"""


def test_one_of_a_kind_is_open(shell: Any, finding: Finding) -> None:
    refused(shell, COPY.format(state="state"), finding.pk, by=errors.UniqueViolation)


def test_no_finding_begins_anywhere_but_open(shell: Any, finding: Finding) -> None:
    copy = COPY.replace("SELECT code, subject,", "SELECT code, subject || '2',")
    refused(shell, copy.format(state="'to_verify'"), finding.pk, by=errors.IntegrityConstraintViolation)


def test_nothing_is_removed(shell: Any, finding: Finding) -> None:
    done(Cast(), finding)
    for table in ("findings_finding", "findings_correctiveaction"):
        refused(shell, f"DELETE FROM {table}", by=(errors.RestrictViolation, errors.InsufficientPrivilege))
    truncate = "TRUNCATE findings_finding, findings_correctiveaction, findings_riskacceptance CASCADE"
    refused(shell, truncate, by=(errors.RestrictViolation, errors.InsufficientPrivilege))


def act(what: str) -> str:
    return f"UPDATE findings_correctiveaction SET {what} WHERE id = %(action)s"


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("state = 'verified'", errors.CheckViolation),
        ("state = 'verified', verified_at = now(), verified_by_id = %(ben)s", errors.CheckViolation),
        ("state = 'rejected', verified_at = now(), verified_by_id = %(ada)s", errors.CheckViolation),
        ("state = 'planned'", (errors.CheckViolation, errors.RaiseException)),
        ("verifier_id = %(ben)s", errors.CheckViolation),
        ("verifier_id = %(ivan)s", errors.ForeignKeyViolation),
        ("evidence = 'Something else'", errors.RestrictViolation),
        ("done_by_id = %(ada)s", errors.RestrictViolation),
        ("what = ''", (errors.RestrictViolation, errors.CheckViolation)),
    ],
)
def test_an_action_says_what_is_true(shell: Any, finding: Finding, what: str, by: Any) -> None:
    cast = Cast()
    action = done(cast, finding)
    values = {"action": action.pk, "ben": cast.ben.pk, "ada": cast.ada.pk, "ivan": cast.ivan.pk}
    with pytest.raises(by):
        shell.execute(act(what), values)
    action.refresh_from_db()
    assert (action.state, action.verified_by_id, action.verifier) == ("done", None, cast.ada)


def test_a_verdict_is_for_ever(shell: Any, finding: Finding) -> None:
    cast = Cast()
    action = actions.verify_action(done(cast, finding), actor=cast.ada, now=NOW)
    change_it = "UPDATE findings_correctiveaction SET verdict = 'Other' WHERE id = %s"
    refused(shell, change_it, action.pk, by=errors.RestrictViolation)


def test_a_finding_with_an_open_action_is_not_closed(shell: Any, finding: Finding) -> None:
    done(Cast(), finding)
    close = change("state = 'closed', closed_at = now(), closed_because = 'gone'")
    refused(shell, close, finding.pk, by=errors.IntegrityConstraintViolation)


ACCEPT = """
WITH accepted AS (UPDATE findings_finding SET state = 'accepted', accepted_until = %(until)s WHERE id = %(finding)s)
INSERT INTO findings_riskacceptance (finding_id, severity, person_id, accepted_by_id, accepted_at, accepted_on,
    authority, reason, until, ended_because, ending_reason)
VALUES (%(finding)s, %(severity)s, %(person)s, %(by)s, now(), '2026-11-16', 'Seat', %(reason)s, %(until)s, '', '')
"""


@pytest.mark.alone
@pytest.mark.parametrize(
    ("wrong", "by"),
    [
        ({"until": "2027-05-17"}, errors.CheckViolation),
        ({"until": "2026-11-16"}, errors.CheckViolation),
        ({"reason": ""}, errors.CheckViolation),
        ({"by": "ada"}, errors.CheckViolation),
        ({"severity": "low"}, errors.IntegrityConstraintViolation),
        ({"person": "ben"}, errors.IntegrityConstraintViolation),
    ],
)
def test_a_risk_is_accepted_by_another_for_so_long(
    shell: Any, finding: Finding, wrong: dict[str, str], by: Any
) -> None:
    cast = Cast()
    right = {"until": "2027-05-16", "reason": "Small", "by": "mara", "severity": "medium", "person": "ada"}
    given: dict[str, Any] = right | wrong
    values = given | {"finding": finding.pk} | {name: getattr(cast, given[name]).pk for name in ("by", "person")}
    with pytest.raises(by):
        shell.execute(ACCEPT, values)
    assert shell.execute("SELECT count(*) FROM findings_riskacceptance").fetchone() == (0,)
    values = {**values, **right, "by": cast.mara.pk, "person": cast.ada.pk}
    shell.execute(ACCEPT, values)
    lengthen = "UPDATE findings_riskacceptance SET until = until - 1 WHERE finding_id = %s"
    refused(shell, lengthen, finding.pk, by=errors.RestrictViolation)
    refused(shell, change("state = 'open', accepted_until = NULL"), finding.pk, by=errors.IntegrityConstraintViolation)
    end = "UPDATE findings_riskacceptance SET ended_at = now(), ended_because = 'expired' WHERE finding_id = %s"
    refused(shell, end, finding.pk, by=errors.IntegrityConstraintViolation)


def test_a_reopened_finding_is_verified_anew(shell: Any, finding: Finding) -> None:
    cast = Cast()
    actions.verify_action(done(cast, finding), actor=cast.ada, now=NOW)
    opened = "state = 'open', closed_at = NULL, closed_because = '', reopened_at = "
    for bad in ("reopened_at", "NULL"):
        refused(shell, change(opened + bad), finding.pk, by=errors.RestrictViolation)
    refused(shell, change("reopened_at = now()"), finding.pk, by=errors.RestrictViolation)
    shell.execute(change(opened + "now()"), [finding.pk])
    for bad in ("NULL", "reopened_at - interval '1 year'", "now()"):
        refused(shell, change(f"reopened_at = {bad}"), finding.pk, by=errors.RestrictViolation)
    close = change("state = 'closed', closed_at = now(), closed_because = 'verified'")
    refused(shell, close, finding.pk, by=errors.IntegrityConstraintViolation)
    shell.execute(change("state = 'closed', closed_at = now(), closed_because = 'gone'"), [finding.pk])

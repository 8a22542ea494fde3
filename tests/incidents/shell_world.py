"""What raw SQL is refused, and what it is tried on."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from apps.incidents.actions.reviews import complete_review, save_review
from apps.incidents.actions.states import close
from apps.incidents.models import Incident
from tests.incidents.clock_world import sign_off
from tests.incidents.learning_world import LATER, resolved, signing


def refused(shell: psycopg.Connection[Any], sql: str, said: str, **values: Any) -> None:
    """It is refused with these words by a rule of ours, and nothing is written."""
    with pytest.raises((errors.RestrictViolation, errors.IntegrityError)) as caught:
        shell.execute(sql, values)  # type: ignore[arg-type]
    assert said in str(caught.value), f"{sql}\n{caught.value}"


def all_refused(shell: psycopg.Connection[Any], statements: Sequence[str], said: str, **values: Any) -> None:
    """Together, in one transaction, they are refused with these words, and nothing is written."""

    def together() -> None:
        with shell.transaction():
            for sql in statements:
                shell.execute(sql, values)  # type: ignore[arg-type]

    with pytest.raises((errors.RestrictViolation, errors.IntegrityError), match=said):
        together()


def again(shell: psycopg.Connection[Any], table: str, pk: Any, said: str, *, pk_is: str = "id", **changes: Any) -> None:
    """A second row like one that is there is refused with these words."""
    columns = [
        row[0]
        for row in shell.execute(
            "SELECT quote_ident(column_name) FROM information_schema.columns WHERE table_name = %s "
            "AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position",
            [table],
        )
    ]
    own = ", ".join(column for column in columns)
    sql = (
        f"INSERT INTO {table} ({own}) SELECT {own} FROM jsonb_populate_record(NULL::{table}, (SELECT to_jsonb(t) || "
        f"%(changes)s::jsonb FROM {table} t WHERE {pk_is} = %(pk)s))"
    )
    refused(shell, sql, said, changes=Jsonb(changes), pk=pk)


def closed(cast: Any) -> Incident:
    """Reviewed, decided and closed."""
    incident = resolved(cast)
    review = save_review(
        incident.review, actor=incident.review.facilitator, now=LATER, timeline_ok=True, summary="S", causes="C"
    )
    complete_review(review, signing=signing(review.facilitator), actor=review.facilitator, now=LATER)
    sign_off(incident, cast, LATER)
    return close(Incident.objects.get(pk=incident.pk), actor=cast.mara, now=LATER)

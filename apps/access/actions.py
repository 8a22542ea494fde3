"""Writing object grants and API tokens."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import connection, transaction
from django.db.models import Model

from apps.access.models import ApiToken
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.people.models import Person

TOKEN_PREFIX = "gov"
LONGEST_TOKEN = timedelta(days=365)


def replace_grants(
    grants: type[Model],
    codename: str,
    wanted_sql: str,
    object_ids: Sequence[int],
    params: dict[str, Any] | None = None,
) -> None:
    """Make the grants on these objects exactly what `wanted_sql` says, in two statements.

    `wanted_sql` selects (object id, person id) pairs and may use %(ids)s. Grants are a projection of who
    answers and who has a role; nothing else writes them.
    """
    table = connection.ops.quote_name(grants._meta.db_table)
    values = {"ids": list(object_ids), "codename": codename, **(params or {})}
    permission = (
        "(SELECT p.id FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id "
        "WHERE p.codename = %(codename)s AND c.app_label || '_' || c.model = %(model)s)"
    )
    about = cast(type[Model], grants._meta.get_field("content_object").related_model)
    values["model"] = about._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} g WHERE g.content_object_id = ANY(%(ids)s) "  # noqa: S608  (a quoted table, and SQL of ours)
            f"AND (g.content_object_id, g.user_id) NOT IN ({wanted_sql})",
            values,
        )
        cursor.execute(
            f"INSERT INTO {table} (content_object_id, user_id, permission_id) "  # noqa: S608  (a quoted table, and SQL of ours)
            f"SELECT w.*, {permission} FROM ({wanted_sql}) AS w ON CONFLICT DO NOTHING",
            values,
        )


@transaction.atomic
def issue_token(
    person: Person,
    *,
    name: str,
    scopes: Iterable[str],
    actor: Actor,
    now: datetime,
    lifetime: timedelta = timedelta(days=90),
) -> tuple[ApiToken, str]:
    """Give a program a key that acts as `person`. The secret is returned once and kept only as SHA-256.

    Raises Refused for a lifetime over a year, ValidationError for unknown scopes or no name.
    """
    if not timedelta(0) < lifetime <= LONGEST_TOKEN:
        raise Refused("A token lives a year at most. Choose a shorter time.")
    prefix = f"{TOKEN_PREFIX}_{secrets.token_hex(4)}"
    secret = f"{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken(
        person=person,
        name=name.strip(),
        prefix=prefix,
        digest=digest_of(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=now + lifetime,
    )
    token.full_clean()
    token.save(force_insert=True)
    record(
        Kind.API_TOKEN_ISSUED,
        actor=actor,
        subject=Subject("token", str(token.pk), token.name),
        now=now,
        after={"person": person.audit_id, "scopes": token.scopes, "expires": token.expires_at.isoformat()},
    )
    return token, secret


def digest_of(secret: str) -> bytes:
    """SHA-256 of a token. The secret has 256 random bits, so that a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).digest()


def revoke_tokens_of(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID | None) -> None:
    """End every token of a person, because of another act: whoever comes back issues new ones."""
    live = list(ApiToken.objects.select_for_update(no_key=True).filter(person=person, revoked_at=None).order_by("pk"))
    if live:
        ApiToken.objects.filter(pk__in=[token.pk for token in live]).update(revoked_at=now)
        entries = [Entry(Kind.API_TOKEN_REVOKED, Subject("token", str(token.pk), token.name)) for token in live]
        record_many(entries, actor=actor, now=now, cause=cause)


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: Actor, now: datetime) -> None:
    """End a token at once. Raises Refused for one that is revoked already."""
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    if not changed:
        raise Refused("This token is revoked already.")
    record(Kind.API_TOKEN_REVOKED, actor=actor, subject=Subject("token", str(token.pk), token.name), now=now)

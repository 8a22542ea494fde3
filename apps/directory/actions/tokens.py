"""Tokens with which an identity provider opens /scim/v2/."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.access.queries import require
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.directory.models import ScimToken
from apps.directory.rules.tokens import digest_of, new_secret, prefix_of
from apps.people.models import Person

LONGEST = timedelta(days=730)


def _subject(token: ScimToken) -> Subject:
    return Subject("token", f"scim:{token.pk}", token.name)


def require_runs_directory(actor: Actor) -> None:
    """Raise NotAllowed for a person who may not run the directory."""
    if isinstance(actor, Person):
        require(actor, Permission.DIRECTORY_RUN, "who administers people")


@transaction.atomic
def issue_scim_token(
    *, name: str, actor: Actor, now: datetime, lifetime: timedelta = timedelta(days=365)
) -> tuple[ScimToken, str]:
    """Let an identity provider in. The secret is returned once and kept only as SHA-256.

    Raises NotAllowed for who may not run the directory, Refused for a lifetime over two years, ValidationError for a
    name that a living token has.
    """
    require_runs_directory(actor)
    if not timedelta(0) < lifetime <= LONGEST:
        raise Refused("A token lives two years at most. Choose a shorter time.")
    secret = new_secret()
    token = ScimToken(
        name=" ".join(name.split()),
        prefix=prefix_of(secret),
        digest=digest_of(secret),
        created_by=actor if isinstance(actor, Person) else None,
        created_at=now,
        expires_at=now + lifetime,
    )
    save_checked(token, exclude=["created_by"], force_insert=True)
    record(
        Kind.DIRECTORY_TOKEN_ISSUED,
        actor=actor,
        subject=_subject(token),
        now=now,
        after={"prefix": token.prefix, "expires": token.expires_at.isoformat()},
    )
    return token, secret


@transaction.atomic
def revoke_scim_token(token: ScimToken, *, actor: Actor, now: datetime) -> None:
    """End a token at once. Raises NotAllowed, and Refused for one that is revoked already."""
    require_runs_directory(actor)
    if not ScimToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        raise Refused("This token is revoked already.")
    record(Kind.DIRECTORY_TOKEN_REVOKED, actor=actor, subject=_subject(token), now=now)

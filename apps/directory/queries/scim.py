"""Reading users and groups as resources: one, and pages of them, at a constant number of statements."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from apps.directory.models import ScimGroup, ScimToken, ScimUser
from apps.directory.queries.filters import groups_matching, users_matching
from apps.directory.rules.documents import LARGEST_PAGE
from apps.directory.rules.errors import ScimError
from apps.directory.rules.filters import GROUP, parse_filter
from apps.directory.rules.patch import Document
from apps.directory.rules.tokens import digest_of, prefix_of
from apps.directory.rules.users import schemas_of, with_active

LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
DEEPEST_OFFSET = 10_000_000


def base_address() -> str:
    """Where the server is."""
    return f"{settings.SITE_URL}/scim/v2"


def live_token(secret: str, *, now: datetime) -> ScimToken | None:
    """The token that this is, while it lives. The comparison takes as long for a wrong one."""
    found = ScimToken.objects.filter(prefix=prefix_of(secret), revoked_at=None, expires_at__gt=now).first()
    same = hmac.compare_digest(bytes(found.digest) if found else bytes(32), digest_of(secret))
    return found if found is not None and same else None


@dataclass(frozen=True)
class Wanted:
    """Which attributes of a resource to show (RFC 7644 section 3.9)."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @classmethod
    def asked(cls, only: str, without: str) -> "Wanted":
        """From the two parameters."""
        return cls(_names(only), _names(without))

    def shows(self, name: str) -> bool:
        """Whether a top-level attribute is shown. id and schemas always are."""
        name = name.lower()
        if name in ("id", "schemas"):
            return True
        if self.only:
            return any(asked == name or asked.startswith((f"{name}.", f"{name}:")) for asked in self.only)
        return name not in self.without

    def of(self, resource: Document) -> Document:
        """The resource with what is asked for."""
        return {name: value for name, value in resource.items() if self.shows(name)}


def _names(text: str) -> frozenset[str]:
    core = "urn:ietf:params:scim:schemas:core:2.0:"
    names = (part.strip().lower() for part in text.split(",") if part.strip())
    return frozenset(name.rpartition(":")[2] if name.startswith(core) else name for name in names)


def etag_of(row: ScimUser | ScimGroup) -> str:
    """Changes with the resource, also where somebody deactivates the person in the portal."""
    state = "" if isinstance(row, ScimGroup) or row.person.is_active else "-inactive"
    return f'W/"{row.version}{state}"'


def _meta(row: ScimUser | ScimGroup, name: str) -> Document:
    return {
        "resourceType": name,
        "created": row.created_at.isoformat().replace("+00:00", "Z"),
        "lastModified": row.changed_at.isoformat().replace("+00:00", "Z"),
        "location": f"{base_address()}/{name}s/{row.scim_id}",
        "version": etag_of(row),
    }


def user_resource(user: ScimUser) -> Document:
    """The user as it was sent, with what is ours to say. Reads `user.person`."""
    document = with_active(user.document, user.person.is_active)
    return {
        "schemas": schemas_of(document),
        "id": str(user.scim_id),
        **document,
        "meta": _meta(user, "User"),
    }


def group_resource(group: ScimGroup, members: Iterable[ScimUser] | None) -> Document:
    """The group; `members` None leaves them out."""
    resource: Document = {"schemas": [GROUP], "id": str(group.scim_id), "displayName": group.name}
    if group.external_id:
        resource["externalId"] = group.external_id
    if members is not None:
        base = base_address()
        resource["members"] = [
            {
                "value": str(member.scim_id),
                "$ref": f"{base}/Users/{member.scim_id}",
                "type": "User",
                "display": member.user_name,
            }
            for member in members
        ]
    return resource | {"meta": _meta(group, "Group")}


def find_user(scim_id: str) -> ScimUser:
    """The user of this id, with the person. Raises ScimError 404."""
    found = ScimUser.objects.select_related("person").filter(scim_id=_uuid(scim_id, "User")).first()
    if found is None:
        raise ScimError(404, f"There is no User {scim_id[:64]}.")
    return found


def find_group(scim_id: str) -> ScimGroup:
    """The group of this id. Raises ScimError 404."""
    found = ScimGroup.objects.filter(scim_id=_uuid(scim_id, "Group")).first()
    if found is None:
        raise ScimError(404, f"There is no Group {scim_id[:64]}.")
    return found


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ScimError(404, f"There is no {what} {text[:64]}.") from error


def members_of(group: ScimGroup) -> QuerySet[ScimUser]:
    """The members in a fixed order, only what a resource shows of them."""
    return group.members.only("scim_id", "user_name").order_by("pk")


@dataclass(frozen=True)
class Page:
    """What a list was asked for."""

    filter: str = ""
    start: int = 1
    count: int = LARGEST_PAGE
    wanted: Wanted = field(default_factory=Wanted)


def list_users(page: Page) -> Document:
    """A page of users. Three statements at most. Raises ScimError for a filter that can't be read."""
    rows = ScimUser.objects.select_related("person")
    if page.filter:
        rows = rows.filter(users_matching(parse_filter(page.filter)))
    return _listed(rows, page, lambda user: user_resource(user))


def list_groups(page: Page) -> Document:
    """A page of groups, with their members unless these are excluded. Three statements at most."""
    rows = ScimGroup.objects.all()
    if page.filter:
        found = ScimGroup.objects.filter(groups_matching(parse_filter(page.filter)))
        rows = rows.filter(pk__in=found.values("pk"))
    shown = page.wanted.shows("members")
    if shown:
        members = ScimUser.objects.only("scim_id", "user_name").order_by("pk")
        rows = rows.prefetch_related(Prefetch("members", members))
    return _listed(rows, page, lambda group: group_resource(group, group.members.all() if shown else None))


def _listed(rows: Any, page: Page, made: Any) -> Document:
    first, many = min(max(page.start, 1), DEEPEST_OFFSET), min(max(page.count, 0), LARGEST_PAGE)
    found = [page.wanted.of(made(row)) for row in rows.order_by("pk")[first - 1 : first - 1 + many]] if many else []
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": rows.count(),
        "startIndex": first,
        "itemsPerPage": len(found),
        "Resources": found,
    }


def directory_counts() -> dict[str, int]:
    """How many users and groups identity providers keep here."""
    return {"users": ScimUser.objects.count(), "groups": ScimGroup.objects.count()}

"""SCIM 2.0 at /scim/v2/ (RFC 7644): thin views; every answer, errors too, is application/scim+json."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apps.audit.rules import SystemActor
from apps.common import clock
from apps.common.errors import Refused
from apps.common.saving import is_collision
from apps.directory import actions
from apps.directory.models import ScimGroup, ScimToken, ScimUser
from apps.directory.queries import scim as queries
from apps.directory.rules import documents
from apps.directory.rules.errors import SCIM_TYPE, ScimError, error_body
from apps.directory.rules.patch import Document, apply_patch

logger = logging.getLogger(__name__)

ATTEMPTS = 3
USE_NOTED_EVERY = 300  # seconds
GUESSES_A_MINUTE = 30
View = Callable[..., HttpResponse]
Row = ScimUser | ScimGroup


class Call:
    """One authenticated request."""

    def __init__(self, request: HttpRequest, token: ScimToken) -> None:
        self.request, self.token, self.now = request, token, clock.now()
        self.actor = SystemActor(f"directory ({token.name})")

    @property
    def wanted(self) -> queries.Wanted:
        """Which attributes are asked for."""
        asked = self.request.GET
        return queries.Wanted.asked(asked.get("attributes", ""), asked.get("excludedAttributes", ""))

    @property
    def page(self) -> queries.Page:
        """Which part of a list is asked for. Raises ScimError for a number that is none."""
        text = self.request.GET.get("filter", "").strip()
        if "\0" in text:
            raise ScimError(400, "No text here can hold a NUL character.", "invalidFilter")
        return queries.Page(
            filter=text,
            start=self._number("startIndex", 1),
            count=self._number("count", documents.LARGEST_PAGE),
            wanted=self.wanted,
        )

    def _number(self, name: str, usual: int) -> int:
        text = self.request.GET.get(name, "").strip()
        if not text:
            return usual
        if not text.lstrip("-").isdigit() or not text.isascii() or len(text) > 18:
            raise ScimError(400, f"{name} has to be a whole number.", "invalidValue")
        return int(text)

    def body(self) -> Any:
        """The JSON of the request. Raises ScimError with invalidSyntax, or 413."""
        try:
            sent = self.request.body
            found = json.loads(sent, parse_constant=_no_constant)
            json.dumps(found, ensure_ascii=False).encode()  # a lone half of a character is none
        except RequestDataTooBig as error:
            raise ScimError(413, "The body is too large. Send less at once.", "tooMany") from error
        except (ValueError, RecursionError) as error:
            raise ScimError(400, "The body can't be read as JSON.", "invalidSyntax") from error
        if b"\\u0000" in sent:
            raise ScimError(400, "No text here can hold a NUL character.", "invalidValue")
        return found

    def require_match(self, row: Row) -> None:
        """If-Match: raise ScimError 412 where the resource is another version by now."""
        said = self.request.headers.get("If-Match", "")
        if said and not _names(said, queries.etag_of(row)):
            raise ScimError(412, "The resource was changed meanwhile. Read it again.")

    def answer(self, resource: Document, row: Row, status: int = 200) -> HttpResponse:
        """A resource with its version and place; 304 where the caller has it already."""
        etag, said = queries.etag_of(row), self.request.headers.get("If-None-Match", "")
        if self.request.method in ("GET", "HEAD") and said and _names(said, etag):
            return HttpResponse(status=304, headers={"ETag": etag}, content_type=SCIM_TYPE)
        response = reply(self.wanted.of(resource), status)
        response["ETag"], response["Location"] = etag, resource["meta"]["location"]
        return response


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _names(said: str, etag: str) -> bool:
    """Whether a header names this version; weak and strong are alike."""
    named = {part.strip().removeprefix("W/") for part in said.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def reply(body: Document, status: int = 200, **headers: str) -> HttpResponse:
    """JSON in the type of the protocol."""
    content = json.dumps(body, ensure_ascii=False)
    return HttpResponse(content, status=status, content_type=f"{SCIM_TYPE}; charset=utf-8", headers=headers)


def error_reply(error: ScimError, **headers: str) -> HttpResponse:
    """An error in the words of the protocol."""
    return reply(error_body(error.status, error.detail, error.scim_type), error.status, **headers)


def scim(*methods: str) -> Callable[[Callable[..., HttpResponse]], View]:
    """A view of the protocol: bearer token, allowance, methods; errors as SCIM says them; asked again on collision."""

    def wrap(view: Callable[..., HttpResponse]) -> View:
        @csrf_exempt
        @login_not_required
        @wraps(view)
        def inner(request: HttpRequest, **kwargs: str) -> HttpResponse:
            try:
                call = Call(request, _token(request))
                _allow(f"scim:{call.token.pk}", settings.SCIM_REQUESTS_A_MINUTE)
                if request.method not in methods:
                    return error_reply(
                        ScimError(405, "This address does not take that method."), Allow=", ".join(methods)
                    )
                return _done(view, call, kwargs)
            except ScimError as error:
                return error_reply(error, **_headers(error))
            except Refused as error:
                return error_reply(ScimError(400, str(error), "invalidValue"))
            except Exception:
                logger.exception("unforeseen error in SCIM")
                return error_reply(ScimError(500, "Govportal made a mistake. It is logged."))

        return inner

    return wrap


def _headers(error: ScimError) -> dict[str, str]:
    if error.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="Govportal directory"'}
    return {"Retry-After": "60"} if error.status in (429, 503) else {}


def _done(view: Callable[..., HttpResponse], call: Call, kwargs: dict[str, str]) -> HttpResponse:
    """Who met another transaction asks again; nothing of the first try was kept."""
    for _ in range(ATTEMPTS):
        try:
            return view(call, **kwargs)
        except Exception as error:
            if not is_collision(error):
                raise
            logger.warning("two changes met", exc_info=error)
    raise ScimError(503, "Somebody changes the same thing. Nothing was changed. Ask again.")


def _token(request: HttpRequest) -> ScimToken:
    """The living token of the request. Raises ScimError 401."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    now = clock.now()
    token = queries.live_token(secret.strip(), now=now) if kind.lower() == "bearer" else None
    if token is None:
        _allow(f"scim-guess:{request.META.get('REMOTE_ADDR', '')}", GUESSES_A_MINUTE)
        raise ScimError(401, "The token is missing, unknown, expired or revoked.")
    if token.last_used_at is None or (now - token.last_used_at).total_seconds() > USE_NOTED_EVERY:
        ScimToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _allow(key: str, most: int) -> None:
    """Count a request in its minute. Raises ScimError 429 above the allowance."""
    minute = f"{key}:{int(clock.now().timestamp()) // 60}"
    if cache.add(minute, 1, 120):
        return
    try:
        count = cache.incr(minute)
    except ValueError:  # ended between the two
        return
    if count > most:
        raise ScimError(429, f"More than {most} requests in a minute. Wait a minute.")


@scim("GET", "POST")
def users(call: Call) -> HttpResponse:
    """List, or take one in."""
    if call.request.method == "GET":
        return reply(queries.list_users(call.page))
    user = actions.create_user(call.body(), actor=call.actor, now=call.now)
    return call.answer(queries.user_resource(user), user, 201)


@scim("GET", "PUT", "PATCH", "DELETE")
def user(call: Call, scim_id: str) -> HttpResponse:
    """Read, replace, change or delete one."""
    if call.request.method == "GET":
        found = queries.find_user(scim_id)
    elif call.request.method == "DELETE":
        actions.remove_user(scim_id, call.require_match, actor=call.actor, now=call.now)
        return HttpResponse(status=204, content_type=SCIM_TYPE)
    else:
        found = actions.change_user(scim_id, _change(call), actor=call.actor, now=call.now)
    return call.answer(queries.user_resource(found), found)


def _change(call: Call) -> Callable[[Any, Document], Document]:
    """PUT replaces the resource, PATCH works on it; both only where the version is the caller's."""
    body, replaces = call.body(), call.request.method == "PUT"

    def change(row: Row, held: Document) -> Document:
        call.require_match(row)
        return body if replaces else apply_patch(held, body)

    return change


@scim("GET", "POST")
def groups(call: Call) -> HttpResponse:
    """List, or take one in."""
    if call.request.method == "GET":
        return reply(queries.list_groups(call.page))
    return _group(call, actions.create_group(call.body(), actor=call.actor, now=call.now), 201)


@scim("GET", "PUT", "PATCH", "DELETE")
def group(call: Call, scim_id: str) -> HttpResponse:
    """Read, replace, change or delete one."""
    if call.request.method == "GET":
        return _group(call, queries.find_group(scim_id))
    if call.request.method == "DELETE":
        actions.remove_group(scim_id, call.require_match, actor=call.actor, now=call.now)
        return HttpResponse(status=204, content_type=SCIM_TYPE)
    return _group(call, actions.change_group(scim_id, _change(call), actor=call.actor, now=call.now))


def _group(call: Call, found: ScimGroup, status: int = 200) -> HttpResponse:
    members = queries.members_of(found) if call.wanted.shows("members") else None
    return call.answer(queries.group_resource(found, members), found, status)


@scim("GET")
def provider_config(call: Call) -> HttpResponse:
    """What this server can do."""
    return reply(documents.provider_config(queries.base_address()))


@scim("GET")
def resource_types(call: Call, name: str = "") -> HttpResponse:
    """Users and groups."""
    return _from_list(documents.resource_types(queries.base_address()), name)


@scim("GET")
def schemas(call: Call, name: str = "") -> HttpResponse:
    """The attributes that the portal uses."""
    return _from_list(documents.schemas(queries.base_address()), name)


def _from_list(listed: list[Document], name: str) -> HttpResponse:
    if not name:
        head = {"schemas": [queries.LIST_SCHEMA], "totalResults": len(listed)}
        return reply(head | {"startIndex": 1, "itemsPerPage": len(listed), "Resources": listed})
    found = next((one for one in listed if one["id"].lower() == name.lower()), None)
    if found is None:
        raise ScimError(404, f"There is nothing of the name {name[:100]}.")
    return reply(found)


@scim("GET", "POST", "PUT", "PATCH", "DELETE")
def nothing(call: Call, rest: str = "") -> HttpResponse:
    """Any other address of the protocol."""
    if rest.strip("/").lower() in ("bulk", "me"):
        raise ScimError(501, "This part of SCIM is not offered.")
    raise ScimError(404, "There is nothing here.")

"""How the API lets programs in: one allowance a token, and its description in the schema."""

from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from apps.access.models import ApiToken
from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.api import ApiView
from apps.common.errors import NotAllowed
from apps.people.models import Person


class TokenThrottle(SimpleRateThrottle):
    """So many calls a minute for one token, so that a program in a loop slows nobody else."""

    scope = "user"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """One allowance a token. A request without one got its 401 before this."""
        token = request.auth
        return f"throttle:token:{token.pk}" if isinstance(token, ApiToken) else None


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types here
    """How the schema describes our tokens."""

    target_class = "apps.access.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "A token from your profile, beginning with gov_."}


class TokenView(ApiView):
    """An endpoint that is counted by token."""

    throttle_classes = [TokenThrottle]

    def person(self) -> Person:
        """Who the token acts as."""
        return cast(Person, self.request.user)

    def require(self, permission: Permission, sentence: str) -> None:
        """Raise NotAllowed with a sentence where the token's person may not."""
        if not may(self.person(), permission):
            raise NotAllowed(sentence)

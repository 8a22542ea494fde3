"""Token authentication of the API: Authorization: Bearer gov_…"""

from datetime import timedelta
from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.access.actions import digest_of
from apps.access.models import ApiToken
from apps.common import clock
from apps.people.models import Person

USE_NOTED_EVERY = timedelta(minutes=5)


class TokenAuthentication(BaseAuthentication):
    """A live token of an active person, looked up by its digest."""

    def authenticate(self, request: Request) -> tuple[Person, ApiToken] | None:
        """The person and token of the request; None without one. Raises AuthenticationFailed for a dead one."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("The Authorization header has to be: Bearer, one space, the token.")
        now = clock.now()
        token = (
            ApiToken.objects.select_related("person")
            .filter(digest=digest_of(parts[1].decode("latin-1")), revoked_at=None, expires_at__gt=now)
            .first()
        )
        if token is None or not token.person.is_active:
            raise AuthenticationFailed("This token is unknown, expired or revoked. Issue a new one in your profile.")
        if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Govportal"'


class ScopedTokenPermission(BasePermission):
    """Reading needs the scope `read`, everything else `write`."""

    message = "This token's scopes do not allow that."

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not isinstance(token, ApiToken):
            return False
        needed = ApiToken.Scope.READ if request.method in SAFE_METHODS else ApiToken.Scope.WRITE
        return needed in token.scopes

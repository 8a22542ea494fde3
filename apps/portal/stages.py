"""What is asked between the password and the first page."""

from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from apps.portal.sessions import provider_asked


class SecondFactorStage(AuthenticateStage):
    """Asks for the second factor, unless the identity provider has just done so by itself."""

    def _should_handle(self, request: HttpRequest) -> bool:
        asked = self.login.user is not None and provider_asked(request, self.login.user)
        return not asked and bool(super()._should_handle(request))

"""What the identity provider of the journeys says besides: when it asked the person who they are."""

from typing import Any

from allauth.account.signals import authentication_step_completed
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.contrib.auth import get_user_model
from django.utils import timezone


class Adapter(DefaultOIDCAdapter):
    """The moment of the last question stands in the ID token, as max_age demands."""

    def populate_id_token(self, id_token: dict[str, Any], client: Any, scopes: Any, **kwargs: Any) -> None:
        user = get_user_model().objects.get(pk=id_token["sub"])
        assert user.last_login is not None
        id_token["auth_time"] = int(user.last_login.timestamp())


def note(user: Any, **kwargs: Any) -> None:
    """A password was typed: at the sign-in, or once more."""
    get_user_model().objects.filter(pk=user.pk).update(last_login=timezone.now())


authentication_step_completed.connect(note, dispatch_uid="note")

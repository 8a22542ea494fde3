"""How allauth meets our people: no sign-up, mail through the configured server."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """People are provisioned, they do not sign up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

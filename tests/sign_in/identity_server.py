"""An identity provider of its own, for the journeys: allauth's OpenID Connect server on a small database of its own.

Usage: python -m tests.sign_in.identity_server PORT CALLBACK
"""

import sys
from importlib import import_module
from pathlib import Path
from socketserver import ThreadingMixIn
from tempfile import mkdtemp
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

PASSWORD = "the provider's own password"
SECRET = "known to two servers only"


def private_key() -> str:
    """A key for this run."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def configure(port: int) -> None:
    """Settings of a small Django with nothing in it but people who sign in."""
    settings.configure(
        SECRET_KEY="only for this run",
        DEBUG=True,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.sign_in.identity_urls",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(mkdtemp()) / "identity.sqlite3"}},
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        ACCOUNT_LOGIN_METHODS={"email"},
        ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        SESSION_COOKIE_NAME="identity_session",
        CSRF_COOKIE_NAME="identity_csrf",
        IDP_OIDC_PRIVATE_KEY=private_key(),
        IDP_OIDC_ADAPTER="tests.sign_in.identity_adapter.Adapter",
    )


def fill(callback: str) -> None:
    """One client, and people as the organisation knows them."""
    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name in ("ada", "stranger", "ivan"):
        user: Any = get_user_model().objects.create_user(name, f"{name}@example.org", PASSWORD)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client = Client(id="govportal", name="Govportal", skip_consent=True)
    client.set_secret(SECRET)
    client.set_redirect_uris([callback])
    client.set_scopes(["openid", "email"])
    client.save()


class Threads(ThreadingMixIn, WSGIServer):
    """A browser opens connections ahead of need; each has a thread of its own."""

    daemon_threads = True


def main() -> None:
    """Serve until the process ends."""
    port, callback = int(sys.argv[1]), sys.argv[2]
    configure(port)
    django.setup()
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    fill(callback)
    import_module("tests.sign_in.identity_adapter")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    make_server("127.0.0.1", port, application, server_class=Threads).serve_forever()


if __name__ == "__main__":
    main()

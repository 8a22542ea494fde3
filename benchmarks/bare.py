"""The floor: the least that Django needs for a page with 50 rows of the register. No middleware, no sign-in."""

import os
import secrets

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from govportal.environment import database_from_url

PAGE = """<!doctype html><html lang="en"><head><title>Bare</title></head><body><table>
{% for row in rows %}<tr><th>{{ row.1 }}</th><td>{{ row.0 }}</td><td>{{ row.2 }}</td><td>{{ row.3 }}</td></tr>
{% endfor %}</table></body></html>"""

if not settings.configured:
    settings.configure(
        SECRET_KEY=secrets.token_urlsafe(),
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="benchmarks.bare",
        DATABASES={"default": database_from_url(os.environ["DATABASE_URL"], "DATABASE_URL")},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()

from django.db import connection  # noqa: E402

template = engines["django"].from_string(PAGE)


def page(request: HttpRequest) -> HttpResponse:
    """Fifty rows by name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, name, tier, stage FROM registry_system ORDER BY name, id LIMIT 50")
        return HttpResponse(template.render({"rows": cursor.fetchall()}))


urlpatterns = [path("", page)]
application = get_wsgi_application()

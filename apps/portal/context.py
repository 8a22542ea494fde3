"""What every page shows around its content."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Navigation, duty lead, organisation and theme."""
    return {"shell": {"nav": [], "person": getattr(request, "user", None), "duty_lead": None,
                      "organisation": settings.ORGANISATION_NAME, "demo": settings.DEMO, "theme": ""},
            "FONTS_INSTALLED": settings.FONTS_INSTALLED}

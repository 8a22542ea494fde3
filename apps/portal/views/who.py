"""Who answers?"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def who(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def suggest(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

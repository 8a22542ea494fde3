"""One's own profile."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def profile(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def issue_token(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def revoke_token(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

"""Home, menu and keys."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def menu(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def keys(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

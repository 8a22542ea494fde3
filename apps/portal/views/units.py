"""Business units."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def units(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def unit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

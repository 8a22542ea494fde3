"""People and seats."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def people(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def new(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def seats(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def person(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

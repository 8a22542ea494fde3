"""Imports."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def start(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def template(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def review(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

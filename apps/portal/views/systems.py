"""The systems list and the system page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def systems(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def export(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def save_view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def delete_view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def register(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def system(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def edit(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def retire(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def ownership(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def trail(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

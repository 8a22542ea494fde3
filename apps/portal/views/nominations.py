"""Nominations."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def nominate(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def answer(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")


def withdraw(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

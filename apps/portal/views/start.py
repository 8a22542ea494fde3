"""The first start."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def first_start(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

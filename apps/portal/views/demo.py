"""What the demo's mail catcher holds."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def mail(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return render(request, "base.html")

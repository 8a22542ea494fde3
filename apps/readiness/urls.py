"""URLs of the board page."""

from django.urls import URLPattern

app_name = "readiness"
urlpatterns: list[URLPattern] = []

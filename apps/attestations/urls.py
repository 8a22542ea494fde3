"""URLs of campaigns."""

from django.urls import URLPattern

app_name = "attestations"
urlpatterns: list[URLPattern] = []

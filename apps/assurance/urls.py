"""URLs of the trail."""

from django.urls import URLPattern

app_name = "assurance"
urlpatterns: list[URLPattern] = []

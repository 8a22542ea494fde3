"""URLs of incidents, runbooks, drills and legal clocks. One list; a topic keeps its lines together."""

from django.urls import URLPattern, URLResolver

app_name = "incidents"
urlpatterns: list[URLPattern | URLResolver] = []

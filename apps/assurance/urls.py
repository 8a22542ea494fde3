"""URLs of the trail."""

from django.urls import path

from apps.assurance import views

app_name = "assurance"

urlpatterns = [
    path("", views.trail, name="trail"),
    path("export.csv", views.trail_csv, name="trail_csv"),
    path("<uuid:event_id>/", views.trail_event, name="trail_event"),
]

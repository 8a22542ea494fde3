"""URLs of the board's page."""

from django.urls import path

from apps.readiness import views

app_name = "readiness"

urlpatterns = [path("", views.board, name="board")]

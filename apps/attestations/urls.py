"""URLs of campaigns."""

from django.urls import path, register_converter

from apps.attestations import views


class PeriodConverter:
    """A quarter, such as 2026Q4."""

    regex = r"\d{4}Q[1-4]"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PeriodConverter, "period")

app_name = "attestations"
urlpatterns = [
    path("", views.campaigns, name="campaigns"),
    path("<period:period>/", views.campaign, name="campaign"),
    path("<period:period>/export.csv", views.export, name="export"),
    path("<period:period>/remind/", views.remind, name="remind"),
    path("<period:period>/<str:key>/", views.assignment, name="assignment"),
    path("<period:period>/<str:key>/check/", views.check, name="check"),
    path("<period:period>/<str:key>/receipt/", views.receipt, name="receipt"),
    path("<period:period>/<str:key>/<slug:slug>/", views.section, name="section"),
]

"""URLs of campaigns."""

from django.urls import path, register_converter

from apps.attestations import views


class CodeConverter:
    """A campaign: 2026Q4, or 2026-11-critical where it is of another template."""

    regex = r"\d{4}(?:Q[1-4]|H[12]|-\d{2})?(?:-[a-z0-9-]+)?"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CodeConverter, "campaign")

app_name = "attestations"
urlpatterns = [
    path("", views.campaigns, name="campaigns"),
    path("<campaign:code>/", views.campaign, name="campaign"),
    path("<campaign:code>/export.csv", views.export, name="export"),
    path("<campaign:code>/remind/", views.remind, name="remind"),
    path("<campaign:code>/<str:key>/", views.assignment, name="assignment"),
    path("<campaign:code>/<str:key>/check/", views.check, name="check"),
    path("<campaign:code>/<str:key>/receipt/", views.receipt, name="receipt"),
    path("<campaign:code>/<str:key>/<slug:slug>/", views.section, name="section"),
]

"""The matrix: the same pages for the organisation, for a unit and for a system."""

from django.urls import URLPattern, path

from apps.portal.views import raci, raci_answers, raci_bulk, raci_history


def _parts(prefix: str, name: str) -> list[URLPattern]:
    """What every scope has below its own page."""
    return [
        path(f"{prefix}cell/", raci.cell, name=f"{name}_cell"),
        path(f"{prefix}draft/", raci.draft, name=f"{name}_draft"),
        path(f"{prefix}history/", raci_history.history, name=f"{name}_history"),
        path(f"{prefix}rows/<slug:domain>/", raci.row, name=f"{name}_row"),
    ]


urlpatterns = [
    path("ownership/matrix/", raci.matrix, name="raci"),
    path("ownership/matrix/units/", raci.units, name="raci_units"),
    path("ownership/matrix/units/<int:unit_id>/", raci.matrix, name="raci_unit"),
    path("ownership/acceptances/<int:acceptance_id>/", raci_answers.answer, name="raci_acceptance"),
    path("systems/responsibilities/", raci_bulk.bulk, name="systems_raci"),
    path("systems/<str:key>/ownership/", raci.system_matrix, name="system_ownership"),
    *_parts("ownership/matrix/", "raci"),
    *_parts("ownership/matrix/units/<int:unit_id>/", "raci_unit"),
    *_parts("systems/<str:key>/ownership/", "system_ownership"),
]

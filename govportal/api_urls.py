"""URLs of the API."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from apps.access.api import TokenView
from apps.attestations.api import CampaignsView, CampaignView, ReportView
from apps.findings.api import FindingsView, FindingView
from apps.incidents import api_inbound
from apps.incidents.api import AcknowledgeView, IncidentsView, IncidentView
from apps.incidents.api_cards import CardView
from apps.portal.api import WhoTextView, WhoView
from apps.portal.api_absences import AbsencesView, AbsenceView
from apps.portal.api_status import StatusView
from apps.portal.ownership_api import BlindSpotsView
from apps.readiness.api import ReadinessView
from apps.registry.api import SystemsView, SystemView
from apps.registry.api_ownership import AnsweredView, FactsView
from govportal.api import fallback


class SchemaView(TokenView, SpectacularAPIView):
    """The schema of this version, for whoever has a token."""

    permission_classes = TokenView.permission_classes


api: list[URLPattern | URLResolver] = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("systems/", SystemsView.as_view(), name="systems"),
    path("systems/<str:key>/", SystemView.as_view(), name="system"),
    path("systems/<str:key>/answered/", AnsweredView.as_view(), name="system_answered"),
    path("systems/<str:key>/ownership-facts/", FactsView.as_view(), name="ownership_facts"),
    path("absences/", AbsencesView.as_view(), name="absences"),
    path("absences/<int:absence_id>/", AbsenceView.as_view(), name="absence"),
    path("systems/<str:key>/card/", CardView.as_view(), name="system_card"),
    path("who/", WhoTextView.as_view(), name="who"),
    path("who-answers/", WhoView.as_view(), name="who_answers"),
    path("ownership/blind-spots/", BlindSpotsView.as_view(), name="blind_spots"),
    path("campaigns/", CampaignsView.as_view(), name="campaigns"),
    path("campaigns/<str:code>/", CampaignView.as_view(), name="campaign"),
    path("campaigns/<str:code>/report/", ReportView.as_view(), name="campaign_report"),
    path("findings/", FindingsView.as_view(), name="findings"),
    path("findings/<int:finding_id>/", FindingView.as_view(), name="finding"),
    path("incidents/", IncidentsView.as_view(), name="incidents"),
    path("incidents/<str:incident_code>/", IncidentView.as_view(), name="incident"),
    path("incidents/<str:incident_code>/acknowledge/", AcknowledgeView.as_view(), name="incident_acknowledge"),
    path("inbound/", include(api_inbound.urls)),
    path("readiness/", ReadinessView.as_view(), name="readiness"),
    path("status/", StatusView.as_view(), name="status"),
]

urlpatterns = [
    path("v1/", include((api, "api"))),
    re_path(r"", fallback),
]

"""Root URLs."""

from django.urls import include, path

from apps.common.views import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("accounts/", include("govportal.account_urls")),
    path("api/", include("govportal.api_urls")),
    path("attestations/", include("apps.attestations.urls")),
    path("scim/v2/", include("apps.directory.scim_urls")),
    path("directory/", include("apps.directory.urls")),
    path("findings/", include("apps.findings.urls")),
    path("incidents/", include("apps.incidents.urls")),
    path("trail/", include("apps.assurance.urls")),
    path("readiness/", include("apps.readiness.urls")),
    path("", include("apps.portal.urls")),
]

handler400 = "apps.portal.views.errors.bad_request"
handler403 = "apps.portal.views.errors.forbidden"
handler404 = "apps.portal.views.errors.not_found"
handler500 = "apps.portal.views.errors.server_error"

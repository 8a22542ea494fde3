"""Pages about how the portal reaches people and other programs."""

from django.urls import path

from apps.portal.views import channels, endpoints

urlpatterns = [
    path("profile/channels/", channels.channels, name="channels"),
    path("endpoints/", endpoints.endpoints, name="endpoints"),
    path("endpoints/new/", endpoints.new, name="endpoint_new"),
    path("endpoints/<int:endpoint_id>/", endpoints.endpoint, name="endpoint"),
]

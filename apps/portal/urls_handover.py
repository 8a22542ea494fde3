"""From one owner to the next: hand-overs, history, authority, undo."""

from django.urls import path

from apps.portal.views import handovers, history, nominations

urlpatterns = [
    path("handovers/<uuid:handover_id>/", handovers.handover, name="handover"),
    path("handovers/<uuid:handover_id>/cancel/", handovers.cancel, name="handover_cancel"),
    path("nominations/undo/", nominations.undo, name="nominations_undo"),
    path("systems/<str:key>/authority/", history.authority, name="system_authority"),
    path("systems/<str:key>/history/", history.history, name="system_history"),
]

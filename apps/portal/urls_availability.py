"""Pages about who is away, who acts, and how much each person answers for."""

from django.urls import path

from apps.portal.views import availability, workload

urlpatterns = [
    path("profile/availability/", availability.own, name="availability"),
    path("people/<uuid:person_id>/availability/", availability.of_person, name="person_availability"),
    path("ownership/people/", workload.workload, name="workload"),
    path("ownership/people.csv", workload.workload_csv, name="workload_csv"),
]

"""URLs of findings."""

from django.urls import path

from apps.findings import views

app_name = "findings"
urlpatterns = [
    path("", views.findings, name="findings"),
    path("export.csv", views.export, name="export"),
    path("report/", views.report, name="report"),
    path("<int:finding_id>/", views.finding, name="finding"),
    path("<int:finding_id>/assign/", views.assign, name="assign"),
    path("<int:finding_id>/plan/", views.plan, name="plan"),
    path("<int:finding_id>/accept/", views.accept, name="accept"),
    path("<int:finding_id>/withdraw/", views.withdraw, name="withdraw"),
    path("<int:finding_id>/reopen/", views.reopen, name="reopen"),
    path("<int:finding_id>/close/", views.close, name="close"),
    path("<int:finding_id>/actions/<int:action_id>/finish/", views.finish, name="finish"),
    path("<int:finding_id>/actions/<int:action_id>/verify/", views.verify, name="verify"),
]

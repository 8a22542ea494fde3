"""Pages where people land and pages that gather from several apps."""

from django.urls import path

from apps.portal.views import (
    demo,
    home,
    imports,
    mail,
    nominations,
    people,
    profile,
    seats,
    start,
    system,
    systems,
    units,
    who,
)

app_name = "portal"

urlpatterns = [
    path("", home.home, name="home"),
    path("menu/", home.menu, name="menu"),
    path("keys/", home.keys, name="keys"),
    path("who/", who.who, name="who"),
    path("who/suggest/", who.suggest, name="who_suggest"),
    path("systems/", systems.systems, name="systems"),
    path("systems/export.csv", systems.export, name="systems_csv"),
    path("systems/views/", systems.save_view, name="view_save"),
    path("systems/views/<uuid:view_id>/delete/", systems.delete_view, name="view_delete"),
    path("systems/register/", system.register, name="system_register"),
    path("systems/import/", imports.start, name="import_start"),
    path("systems/import/template.csv", imports.template, name="import_template"),
    path("systems/import/<uuid:run_id>/", imports.review, name="import_review"),
    path("systems/nominate/", nominations.nominate_many, name="systems_nominate"),
    path("systems/<str:key>/", system.system, name="system"),
    path("systems/<str:key>/edit/", system.edit, name="system_edit"),
    path("systems/<str:key>/retire/", system.retire, name="system_retire"),
    path("systems/<str:key>/ownership/", system.ownership, name="system_ownership"),
    path("systems/<str:key>/trail/", system.trail, name="system_trail"),
    path("systems/<str:key>/nominate/", nominations.nominate, name="system_nominate"),
    path("nominations/<int:nomination_id>/", nominations.answer, name="nomination"),
    path("nominations/<int:nomination_id>/withdraw/", nominations.withdraw, name="nomination_withdraw"),
    path("people/", people.people, name="people"),
    path("people/new/", people.new, name="person_new"),
    path("people/seats/", seats.seats, name="seats"),
    path("people/<uuid:person_id>/", people.person, name="person"),
    path("units/", units.units, name="units"),
    path("units/new/", units.new, name="unit_new"),
    path("units/<int:unit_id>/", units.unit, name="unit_edit"),
    path("profile/", profile.profile, name="profile"),
    path("profile/tokens/", profile.issue_token, name="token_issue"),
    path("profile/tokens/<int:token_id>/revoke/", profile.revoke_token, name="token_revoke"),
    path("setup/", start.first_start, name="first_start"),
    path("mail/", mail.outbox, name="outbox"),
    path("demo/mail/", demo.mail, name="demo_mail"),
]

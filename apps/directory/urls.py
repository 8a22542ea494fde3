"""URLs of the directory's pages."""

from django.urls import path

from apps.directory.views import cases, people_file, tokens

app_name = "directory"
urlpatterns = [
    path("", cases.home, name="home"),
    path("leavers/", cases.cases, name="cases"),
    path("leavers/<uuid:case_id>/", cases.case, name="case"),
    path("import/", people_file.start, name="import"),
    path("import/template/", people_file.template, name="import_template"),
    path("import/<uuid:file_id>/", people_file.review, name="import_review"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<int:scim_token_id>/revoke/", tokens.revoke, name="token_revoke"),
]

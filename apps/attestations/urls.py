"""URLs of campaigns."""

from django.urls import path, register_converter

from apps.attestations import views
from apps.attestations.views import (
    corrections,
    evidence,
    exceptions,
    ladder,
    passing,
    report,
    reviews,
    rollup,
    templates,
)


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
    path("templates/", templates.templates, name="templates"),
    path("templates/new/", templates.template_new, name="template_new"),
    path("templates/<slug:template_key>/", templates.template, name="template"),
    path("templates/<slug:template_key>/plan/", templates.template_plan, name="template_plan"),
    path("templates/<slug:template_key>/rest/", templates.template_rest, name="template_rest"),
    path("questions/", templates.questions, name="questions"),
    path("questions/<slug:set_key>/", templates.question_set, name="question_set"),
    path("questions/<slug:set_key>/<int:number>/", templates.question_version, name="question_version"),
    path("questions/<slug:set_key>/<int:number>/publish/", templates.publish, name="question_publish"),
    path("<campaign:code>/cancel/", templates.cancel, name="cancel"),
    path("exceptions/", exceptions.exceptions, name="exceptions"),
    path("exceptions/<int:exception_id>/", exceptions.exception, name="exception"),
    path("<campaign:code>/", views.campaign, name="campaign"),
    path("<campaign:code>/export.csv", views.export, name="export"),
    path("<campaign:code>/figures/", views.figures, name="figures"),
    path("<campaign:code>/quality/", views.quality, name="quality"),
    path("<campaign:code>/report/", report.report, name="report"),
    path("<campaign:code>/report.csv", report.report_csv, name="report_csv"),
    path("<campaign:code>/report.json", report.report_file, name="report_json"),
    path("<campaign:code>/report/pdf/", report.make_report, name="make_report"),
    path("<campaign:code>/receipts/<int:signature>/pdf/", report.make_receipt, name="make_receipt"),
    path("<campaign:code>/documents/<int:document>/", report.document, name="document"),
    path("<campaign:code>/documents/<int:document>/file.pdf", report.document_file, name="document_file"),
    path("<campaign:code>/compare/<campaign:other>/", report.compare, name="compare"),
    path("<campaign:code>/remind/", views.remind, name="remind"),
    path("<campaign:code>/rollup/", rollup.rollup, name="rollup"),
    path("<campaign:code>/rollup/<int:node_id>/", rollup.node, name="node"),
    path("<campaign:code>/closing/", rollup.closing, name="closing"),
    path("<campaign:code>/sealed.zip", rollup.sealed_zip, name="sealed_zip"),
    path("<campaign:code>/snooze/", ladder.snooze_campaign, name="snooze"),
    path("<campaign:code>/reviews/", reviews.reviews, name="reviews"),
    path("<campaign:code>/together/", passing.together, name="together"),
    path("<campaign:code>/<str:key>/", views.assignment, name="assignment"),
    path("<campaign:code>/<str:key>/check/", views.check, name="check"),
    path("<campaign:code>/<str:key>/receipt/", views.receipt, name="receipt"),
    path("<campaign:code>/<str:key>/delegate/", passing.delegate, name="delegate"),
    path("<campaign:code>/<str:key>/reassign/", passing.reassign, name="reassign"),
    path("<campaign:code>/<str:key>/cannot/", passing.cannot, name="cannot"),
    path("<campaign:code>/<str:key>/evidence/<int:number>/", evidence.download, name="evidence"),
    path("<campaign:code>/<str:key>/correction/", corrections.correction, name="correction"),
    path("<campaign:code>/<str:key>/remind/", ladder.nudge, name="nudge"),
    path("<campaign:code>/<str:key>/escalate/", ladder.escalate, name="escalate"),
    path("<campaign:code>/<str:key>/review/", reviews.review, name="review"),
    path("<campaign:code>/<str:key>/sample/", reviews.sample, name="sample"),
    path("<campaign:code>/<str:key>/<slug:slug>/", views.section, name="section"),
]

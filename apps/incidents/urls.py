"""URLs of incidents, runbooks, drills and legal clocks. One list; a topic keeps its lines together."""

from django.urls import URLPattern, URLResolver, path, register_converter

from apps.incidents.views import (
    acts,
    cards,
    clocks,
    declare,
    drills,
    inbound,
    incidents,
    metrics,
    paging,
    plans,
    reviews,
    runbooks,
    steps,
)


class CodeConverter:
    """The code of an incident: INC-0042, DRILL-0007, TEST-0002."""

    regex = r"(?:INC|DRILL|TEST)-\d{4,9}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CodeConverter, "incident")

app_name = "incidents"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", incidents.incidents, name="incidents"),
    path("export.csv", incidents.export, name="export"),
    path("declare/", declare.where, name="declare"),
    path("declare/what/", declare.what, name="declare_what"),
    path("clocks/", clocks.clock_rules, name="clock_rules"),
    path("clocks/register/", clocks.clock_register, name="clock_register"),
    path("clocks/register.csv", clocks.clock_register_csv, name="clock_register_csv"),
    path("clocks/contracts/new/", clocks.clock_contract, name="clock_contract"),
    path("clocks/<slug:rule_key>/", clocks.clock_rule, name="clock_rule"),
    path("clocks/<slug:rule_key>/edit/", clocks.clock_rule_edit, name="clock_rule_edit"),
    path("<incident:incident_code>/clocks/", clocks.incident_clocks, name="incident_clocks"),
    path("<incident:incident_code>/clocks/<int:clock_id>/", clocks.incident_clock, name="incident_clock"),
    path("<incident:incident_code>/", incidents.incident, name="incident"),
    path("<incident:incident_code>/summary.txt", incidents.summary, name="summary"),
    path("<incident:incident_code>/do/<slug:verb>/", acts.act, name="act"),
    path("<incident:incident_code>/timeline/<int:entry_id>/correct/", acts.correct, name="correct"),
    path("<incident:incident_code>/tasks/<int:task_id>/", acts.task, name="task"),
    path("<incident:incident_code>/files/<int:number>/", incidents.file, name="file"),
    path("runbooks/", runbooks.runbooks, name="runbooks"),
    path("runbooks/new/", runbooks.runbook_new, name="runbook_new"),
    path("runbooks/<slug:runbook_key>/", runbooks.runbook, name="runbook"),
    path("runbooks/<slug:runbook_key>/edit/", runbooks.runbook_edit, name="runbook_edit"),
    path("runbooks/<slug:runbook_key>/publish/", runbooks.runbook_publish, name="runbook_publish"),
    path("runbooks/<slug:runbook_key>/discard/", runbooks.runbook_discard, name="runbook_discard"),
    path("runbooks/<slug:runbook_key>/review/", runbooks.runbook_review, name="runbook_review"),
    path("runbooks/<slug:runbook_key>/owner/", runbooks.runbook_owner, name="runbook_owner"),
    path("runbooks/<slug:runbook_key>/retire/", runbooks.runbook_retire, name="runbook_retire"),
    path("runbooks/<slug:runbook_key>/versions/<int:number>/", runbooks.runbook_version, name="runbook_version"),
    path("ack/<str:token>/", paging.ack, name="ack"),
    path("plans/", plans.plans, name="plans"),
    path("plans/new/", plans.plan_new, name="plan_new"),
    path("plans/<int:plan_id>/", plans.plan, name="plan"),
    path("plans/<int:plan_id>/edit/", plans.plan_edit, name="plan_edit"),
    path("plans/<int:plan_id>/end/", plans.plan_end, name="plan_end"),
    path("preflight/", plans.preflight, name="preflight"),
    path("rules/", cards.rules, name="rules"),
    path("rules/offline/", cards.export, name="cards_export"),
    path("rules/new/", cards.new_rule, name="rule_new"),
    path("rules/<int:rule_id>/end/", cards.end_rule, name="rule_end"),
    path("systems/<str:key>/", cards.system_response, name="system_response"),
    path("systems/<str:key>/profile/", cards.profile, name="response_profile"),
    path("<str:incident_code>/steps/<int:order>/", steps.step, name="step"),
    path("<str:incident_code>/steps/", steps.steps_add, name="steps_add"),
    path("<str:incident_code>/evidence-waiver/", steps.freeze_waiver, name="freeze_waiver"),
    path("reviews/", reviews.reviews, name="reviews"),
    path("<incident:incident_code>/review/", reviews.review, name="review"),
    path("metrics/", metrics.metrics, name="metrics"),
    path("metrics.json", metrics.metrics_json, name="metrics_json"),
    path("drills/", drills.drills, name="drills"),
    path("drills/new/", drills.drill_new, name="drill_new"),
    path("drills/<str:drill_code>/", drills.drill, name="drill"),
    path("drills/<str:drill_code>/edit/", drills.drill_edit, name="drill_edit"),
    path("drills/<str:drill_code>/report/", drills.drill_report, name="drill_report"),
    path("drills/<str:drill_code>/injects/<int:order>/", drills.drill_inject, name="drill_inject"),
    path("sources/", inbound.list_sources, name="sources"),
    path("sources/<int:source_id>/", inbound.source, name="source"),
    path("sources/<int:source_id>/revoke/", inbound.revoke, name="source_revoke"),
]

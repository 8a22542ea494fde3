"""Pages of campaign templates and question sets: those who read campaigns read, those who run them change."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations import queries
from apps.attestations.actions import (
    cancel_campaign,
    change_draft,
    change_template,
    create_template,
    draft_version,
    publish_version,
    schedule_campaign,
    set_template_active,
)
from apps.attestations.actions.questions import Faulty
from apps.attestations.forms.templates import PeriodForm, QuestionsForm, ReasonForm, TemplateForm
from apps.attestations.models import Campaign, CampaignTemplate, QuestionSet, QuestionSetVersion
from apps.attestations.queries.calendar import upcoming
from apps.attestations.queries.questions import differences, question_sets
from apps.attestations.queries.scope import covered
from apps.attestations.questions import section_from
from apps.attestations.rules import Period, cadence_of
from apps.attestations.rules.question_sets import with_defaults
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.models import System

READS_AND_WRITES = ["GET", "HEAD", "POST"]
# Values of a scope that do not read as words. A basis is about the owner.
_WORDS = {
    **dict(System.RegulatoryClass.choices),
    **dict(System.OperatingModel.choices),
    System.Basis.ACCEPTED.value: "the owner accepted",
    System.Basis.INTERIM.value: "an interim owner answers",
}
PLANNED = (Campaign.State.DRAFT, Campaign.State.SCHEDULED)


def _reader(request: HttpRequest) -> Person:
    """For those who read campaigns; nobody else learns what there is."""
    person = signed_in(request)
    if not may(person, Permission.CAMPAIGN_READ):
        raise Http404
    return person


def _runner(request: HttpRequest) -> Person:
    person = _reader(request)
    require(person, Permission.CAMPAIGN_RUN)
    return person


def _template(key: str) -> CampaignTemplate:
    try:
        return CampaignTemplate.objects.get(key=key)
    except CampaignTemplate.DoesNotExist as error:
        raise Http404 from error


@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    """What comes again, what opens next, what is planned."""
    person, now = _reader(request), clock.now()
    following = {template.pk: (period, queries.dates_of(period, template)) for template, period in upcoming(now)}
    rows = [
        (template, covered(template.scope), *following.get(template.pk, (None, None)))
        for template in CampaignTemplate.objects.prefetch_related("question_sets")
    ]
    context = {
        "rows": rows,
        "planned": Campaign.objects.filter(state__in=PLANNED).select_related("template").order_by("opens_at"),
        "runs": may(person, Permission.CAMPAIGN_RUN),
    }
    return render(request, "attestations/templates.html", context)


@require_http_methods(READS_AND_WRITES)
def template_new(request: HttpRequest) -> HttpResponse:
    """A new template."""
    person = _runner(request)
    form = TemplateForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_template(
                key=form.cleaned_data["key"], values=form.values,
                question_sets=list(form.cleaned_data["question_sets"]), actor=person, now=clock.now(),
            )  # fmt: skip
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("attestations:template", template_key=made.key)
    status = 422 if form.errors else 200
    return render(request, "attestations/template_edit.html", {"form": form, "template": None}, status=status)


@require_http_methods(READS_AND_WRITES)
def template(request: HttpRequest, template_key: str) -> HttpResponse:
    """One template: read by those who read campaigns, changed by those who run them."""
    person, found = _reader(request), _template(template_key)
    runs = may(person, Permission.CAMPAIGN_RUN)
    if request.method == "POST":
        require(person, Permission.CAMPAIGN_RUN)
    form = TemplateForm(request.POST if request.method == "POST" else None, template=found)
    if request.method == "POST" and form.is_valid():
        try:
            change_template(
                found, values=form.values, question_sets=list(form.cleaned_data["question_sets"]), actor=person,
                now=clock.now(),
            )  # fmt: skip
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("attestations:template", template_key=template_key)
    return _template_page(request, found, form, runs)


def _template_page(request: HttpRequest, found: CampaignTemplate, form: TemplateForm, runs: bool) -> HttpResponse:
    context = {
        "template": found,
        "form": form if runs else None,
        "covered": covered(found.scope),
        "scope": [
            (name.replace("_", " ").capitalize(), ", ".join(_WORDS.get(value, value) for value in values))
            for name, values in found.scope.items()
        ],
        "campaigns": found.campaigns.order_by("-opens_at")[:12],
        "runs": runs,
    }
    return render(request, "attestations/template_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(READS_AND_WRITES)
def template_rest(request: HttpRequest, template_key: str) -> HttpResponse:
    """Let a template rest, or go on, with a reason."""
    person, found = _runner(request), _template(template_key)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        set_template_active(found, not found.is_active, reason=reason, actor=person, now=clock.now())
        return redirect("attestations:templates")
    context = {"form": form, "template": found}
    return render(request, "attestations/template_rest.html", context, status=422 if form.errors else 200)


@require_http_methods(READS_AND_WRITES)
def template_plan(request: HttpRequest, template_key: str) -> HttpResponse:
    """Plan a period's campaign before it opens by itself."""
    person, found, now = _runner(request), _template(template_key), clock.now()
    following = _following(found)
    form = PeriodForm(request.POST if request.method == "POST" else None, template=found, following=following)
    if request.method == "POST" and form.is_valid():
        try:
            schedule_campaign(found, form.cleaned_data["period"], actor=person, now=now)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("attestations:templates")
    dates = queries.dates_of(following, found)
    context = {"form": form, "template": found, "following": following, "dates": dates}
    return render(request, "attestations/template_plan.html", context, status=422 if form.errors else 200)


def _following(found: CampaignTemplate) -> Period:
    """The first period without a campaign."""
    taken = set(found.campaigns.values_list("period", flat=True))
    period = Period.of(clock.local_date(clock.now()), cadence_of(found.cadence))
    while str(period) in taken:
        period = period.next()
    return period


@require_http_methods(READS_AND_WRITES)
def cancel(request: HttpRequest, code: str) -> HttpResponse:
    """Cancel a campaign that is planned or open, with a reason."""
    person = _runner(request)
    try:
        found = Campaign.objects.select_related("template").get(code=code)
    except Campaign.DoesNotExist as error:
        raise Http404 from error
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            cancel_campaign(found, reason=form.cleaned_data["reason"], actor=person, now=clock.now())
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("attestations:templates")
    context = {"form": form, "campaign": found, "can": found.state in (*PLANNED, Campaign.State.OPEN)}
    return render(request, "attestations/campaign_cancel.html", context, status=422 if form.errors else 200)


@require_safe
def questions(request: HttpRequest) -> HttpResponse:
    """All question sets, whom each asks, and their versions."""
    _reader(request)
    sets = [(each, _asked_of(each)) for each in question_sets()]
    return render(request, "attestations/questions.html", {"sets": sets})


def _asked_of(each: QuestionSet) -> str:
    """Which systems a set is asked of, in words."""
    found = [f"Tier {' or '.join(each.tiers)}"] if each.tiers else []
    found += [" or ".join(_WORDS[value] for value in each.regulatory_classes)] if each.regulatory_classes else []
    found += [" or ".join(_WORDS[value] for value in each.operating_models)] if each.operating_models else []
    return "; ".join(found) or "All systems in scope"


@require_http_methods(READS_AND_WRITES)
def question_set(request: HttpRequest, set_key: str) -> HttpResponse:
    """The newest version of a question set; with POST a draft of the next."""
    person = _reader(request)
    try:
        found = QuestionSet.objects.get(key=set_key)
    except QuestionSet.DoesNotExist as error:
        raise Http404 from error
    newest = found.versions.order_by("-number").first()
    if request.method == "POST":
        require(person, Permission.CAMPAIGN_RUN)
        if newest is None or newest.published_at is not None:
            newest = draft_version(found, actor=person, now=clock.now())
    if newest is None:
        raise Http404
    return redirect("attestations:question_version", set_key=set_key, number=newest.number)


def _version(key: str, number: int) -> QuestionSetVersion:
    try:
        return QuestionSetVersion.objects.select_related("question_set").get(question_set__key=key, number=number)
    except QuestionSetVersion.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(READS_AND_WRITES)
def question_version(request: HttpRequest, set_key: str, number: int) -> HttpResponse:
    """One version: what it asks, what is new in it, and while it is a draft the form to change it."""
    person, version = _reader(request), _version(set_key, number)
    form, faults = None, []
    edits = version.published_at is None and may(person, Permission.CAMPAIGN_RUN)
    if request.method == "POST":
        require(person, Permission.CAMPAIGN_RUN)
        form = QuestionsForm(request.POST)
        if form.is_valid():
            try:
                change_draft(version, **form.cleaned_data, actor=person, now=clock.now())
            except Faulty as error:
                faults = error.problems
            except Refused as error:
                faults = [str(error)]
            else:
                return redirect("attestations:question_version", set_key=set_key, number=number)
    elif edits:
        text = json.dumps(with_defaults(version.sections), ensure_ascii=False, indent=2)
        form = QuestionsForm(initial={"sections": text, "note": version.note})
    return _version_page(request, version, form, faults, runs=may(person, Permission.CAMPAIGN_RUN))


def _version_page(
    request: HttpRequest, version: QuestionSetVersion, form: QuestionsForm | None, faults: list[str], *, runs: bool
) -> HttpResponse:
    versions = list(version.question_set.versions.order_by("-number"))
    before = next((one for one in versions if one.number == version.number - 1), None)
    context: dict[str, Any] = {
        "version": version,
        "set": version.question_set,
        "versions": versions,
        "before": before,
        "sections": [section_from(section) for section in version.sections],
        "differences": differences(before, version) if before else [],
        "form": form,
        "faults": faults,
        "runs": runs,
        "latest": versions[0].pk == version.pk,
    }
    failed = bool(faults or (form is not None and form.is_bound))
    return render(request, "attestations/question_version.html", context, status=422 if failed else 200)


@require_POST
def publish(request: HttpRequest, set_key: str, number: int) -> HttpResponse:
    """Publish a draft: campaigns ask it from now on."""
    person, version = _runner(request), _version(set_key, number)
    try:
        publish_version(version, actor=person, now=clock.now())
    except Faulty as error:
        return _version_page(request, version, None, error.problems, runs=True)
    except Refused as error:
        return _version_page(request, version, None, [str(error)], runs=True)
    return redirect("attestations:question_version", set_key=set_key, number=number)

"""Pages of those who look at what was signed: the queue, one review, one sample."""

import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.actions.reviews import BATCH_AT_MOST, accept, accept_many, request_changes
from apps.attestations.actions.samples import perform_sample
from apps.attestations.facts import known
from apps.attestations.forms import SignForm
from apps.attestations.forms.reviews import ChangesForm, check_fields, checks_from
from apps.attestations.models import Assignment, Campaign
from apps.attestations.queries.reviews import (
    Reviewers,
    acceptable_at_once,
    asked_questions,
    find_review,
    reviews_of,
    sample_progress,
    to_review,
    to_sample,
)
from apps.attestations.queries.stamps import flags_of
from apps.attestations.questions import thawed
from apps.attestations.rules import read_date
from apps.attestations.rules.exceptions import acceptance_statement, sample_statement
from apps.common import clock
from apps.common.clock import day_words
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.people.rules import Confirmation

ROWS = 50


def _campaign(code: str) -> Campaign:
    found = Campaign.objects.filter(code=code, opened_at__isnull=False).first()
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def reviews(request: HttpRequest, code: str) -> HttpResponse:
    """What waits for the reader to accept or to re-perform, and accepting many with one signature."""
    person, campaign = signed_in(request), _campaign(code)
    now = clock.now()
    reviewers = Reviewers(now)
    reads = may(person, Permission.CAMPAIGN_READ)
    waiting = to_review(person, now, reviewers=reviewers).filter(campaign=campaign)
    samples = to_sample(person, now, reviewers=reviewers).filter(campaign=campaign)
    if not (reads or waiting.exists() or samples.exists() or _reviewed(person, campaign)):
        raise Http404
    chosen = _chosen(request, campaign)
    form = SignForm(request, person, request.POST if "sign" in request.POST else None) if chosen else None
    if form is not None and "sign" in request.POST and form.is_valid() and _accept_chosen(request, form, chosen):
        return redirect("attestations:reviews", code=campaign.code)
    page = Paginator(waiting, ROWS).get_page(request.GET.get("page"))
    at_once = set(
        acceptable_at_once(Assignment.objects.filter(pk__in=[row.pk for row in page])).values_list("pk", flat=True)
    )
    context = {
        "campaign": campaign,
        "page": page,
        "rows": [(row, row.pk in at_once) for row in page],
        "flags": flags_of(page),
        "any_at_once": bool(at_once),
        "samples": list(samples[:ROWS]),
        "progress": sample_progress(campaign),
        "chosen": chosen,
        "form": form,
        "statement": acceptance_statement(row.system.name for row in chosen) if chosen else "",
        "reads": reads,
    }
    return render(
        request, "attestations/reviews.html", context, status=422 if form is not None and form.errors else 200
    )


def _reviewed(person: Person, campaign: Campaign) -> bool:
    return person.attestation_reviews.filter(assignment__campaign=campaign).exists()


def _chosen(request: HttpRequest, campaign: Campaign) -> list[Assignment]:
    """The rows that were ticked, of this campaign."""
    ids = [int(text) for text in request.POST.getlist("row") if text.isascii() and text.isdigit() and len(text) < 18]
    rows = Assignment.objects.filter(pk__in=ids[:BATCH_AT_MOST], campaign=campaign)
    return list(rows.select_related("campaign", "system__owner").order_by("system__name", "pk")) if ids else []


def _accept_chosen(request: HttpRequest, form: SignForm, chosen: list[Assignment]) -> bool:
    now = clock.now()
    try:
        made = accept_many(chosen, **signing(form), actor=form.person, now=now)
    except Refused as error:
        form.add_error(None, str(error))
        return False
    count = len(made)
    messages.success(request, f"{count} attestation{'' if count == 1 else 's'} accepted under your signature.")
    return True


def signing(form: SignForm) -> dict[str, Any]:
    """What a verb that signs takes from the form."""
    return {
        "declared_true": form.cleaned_data["declare"],
        "typed_name": form.cleaned_data["name"],
        "confirmation": form.confirmation or Confirmation("", clock.now()),
    }


def _written(text: str) -> str:
    """A day as people write it; what was typed where it is none."""
    day = read_date(text)
    return day_words(day) if day else text


class ReviewDesk:
    """One signed attestation as a reviewer reads it. Raises Http404 for everybody who is not asked."""

    def __init__(self, request: HttpRequest, code: str, key: str, *, sample: bool) -> None:
        self.request, self.person, self.now = request, signed_in(request), clock.now()
        try:
            self.assignment = find_review(self.person, code, key, self.now, sample=sample)
        except Assignment.DoesNotExist as error:
            raise Http404 from error
        self.campaign, self.system = self.assignment.campaign, self.assignment.system
        self.signature = self.assignment.signature
        payload = json.loads(self.signature.payload) if self.signature else {"sections": []}
        self.parts: list[dict[str, Any]] = payload["sections"]
        self.answers = {answer["key"]: answer for part in self.parts for answer in part["answers"]}
        for answer in self.answers.values():
            answer |= {name: _written(answer.get(name, "")) for name in ("plan_date", "day")}

    def context(self) -> dict[str, Any]:
        """What both pages show: facts, answers, evidence, what was noticed, what was said before."""
        facts = json.loads(self.assignment.snapshot.facts)
        frozen = {section.title: section for section in thawed(self.campaign.question_set, facts)}
        return {
            "assignment": self.assignment,
            "campaign": self.campaign,
            "system": self.system,
            "signature": self.signature,
            "parts": [
                (part, known(frozen[part["title"]], facts) if part["title"] in frozen else []) for part in self.parts
            ],
            "flags": flags_of([self.assignment]).get(self.assignment.pk, []),
            "before": list(reviews_of(self.assignment)),
        }


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Everything that was signed for one system: accept it, or ask for changes."""
    desk = ReviewDesk(request, code, key, sample=False)
    if desk.assignment.sampled:
        return redirect("attestations:sample", code=code, key=key) if _samples(desk) else _review_page(desk, None, None)
    if desk.assignment.state != Assignment.State.SUBMITTED:
        return _review_page(desk, None, None)
    wants = request.POST.get("answer", "") if request.method == "POST" else ""
    form = SignForm(request, desk.person, request.POST if wants == "accept" else None)
    changes = ChangesForm(request.POST if wants == "changes" else None, auto_id="id_changes_%s")
    bound = form if wants == "accept" else changes if wants == "changes" else None
    if bound is not None and bound.is_valid():
        try:
            said = _decide(desk, form, changes, wants)
        except Refused as error:
            bound.add_error(None, str(error))
        else:
            messages.success(request, said)
            return redirect(_next_review(desk))
    return _review_page(desk, form, changes, failed=bound, status=422 if bound is not None else 200)


def _samples(desk: ReviewDesk) -> bool:
    return Reviewers(desk.now).may_review(desk.person, desk.assignment, sample=True)


def _decide(desk: ReviewDesk, form: SignForm, changes: ChangesForm, wants: str) -> str:
    now, name = clock.now(), desk.system.name
    if wants == "accept":
        accept(desk.assignment, **signing(form), actor=desk.person, now=now)
        return f"You accepted the attestation of {name}."
    request_changes(desk.assignment, note=changes.cleaned_data["note"], actor=desk.person, now=now)
    return f"{desk.system.owner.display_name} is asked to change the answers of {name} and to sign again."


def _next_review(desk: ReviewDesk) -> str:
    return reverse("attestations:reviews", args=[desk.campaign.code])


def _review_page(
    desk: ReviewDesk, form: SignForm | None, changes: ChangesForm | None, *, failed: Any = None, status: int = 200
) -> HttpResponse:
    context = desk.context() | {
        "form": form,
        "changes": changes,
        "failed": failed,
        "statement": acceptance_statement([desk.system.name]),
    }
    return render(desk.request, "attestations/review.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def sample(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """The questions of a drawn attestation, to be answered again by somebody independent."""
    desk = ReviewDesk(request, code, key, sample=True)
    questions = asked_questions(desk.assignment)
    posted = request.method == "POST"
    fields = check_fields(questions, desk.answers, request.POST if posted else None)
    missing = [field for field in fields if field.error]
    form = SignForm(request, desk.person, request.POST if posted else None, identify=not missing)
    if posted and form.is_valid() and not missing:
        try:
            made = perform_sample(
                desk.assignment, checks=checks_from(fields), **signing(form), actor=desk.person, now=clock.now()
            )
        except Refused as error:
            form.add_error(None, str(error))
        else:
            agreed = "You agree with all answers: it is accepted." if made.verdict == "accepted" else "It goes back."
            messages.success(request, f"{desk.system.name} is re-performed. {agreed}")
            return redirect(_next_review(desk))
    context = desk.context()
    by_key = {field.question.key: field for field in fields}
    context |= {
        "form": form,
        "asked": [
            (part, facts, [by_key[answer["key"]] for answer in part["answers"] if answer["key"] in by_key])
            for part, facts in context["parts"]
        ],
        "missing": missing,
        "count": len(questions),
        "statement": sample_statement(desk.system.name, len(questions), 0).split(" I agree")[0],
        "progress": sample_progress(desk.campaign),
        "posted": posted,
    }
    return render(request, "attestations/sample.html", context, status=422 if posted else 200)

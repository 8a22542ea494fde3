"""Pages of reviews: those that are open, and the review of one incident."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.actions.improvements import add_action
from apps.incidents.actions.reviews import (
    change_facilitator,
    complete_review,
    missing,
    open_review,
    save_review,
    skip_review,
    suggested_facilitator,
    who_led,
)
from apps.incidents.actions.signing import Signing
from apps.incidents.forms.reviews import FacilitatorForm, ImprovementForm, ReviewForm, SkipForm
from apps.incidents.models import Incident, Review
from apps.incidents.queries.incidents import find_incident
from apps.incidents.queries.reviews import (
    actions_of,
    decided_reviews,
    open_actions,
    open_reviews,
    overdue,
    unreviewed,
)
from apps.incidents.rules import Mode, State
from apps.incidents.rules.reviews import REVIEW_WORDS, SKIPPED_WORDS
from apps.people.requests import signed_in
from apps.people.rules import Confirmation
from apps.people.signing import SignForm

ROWS = 25


@require_safe
def reviews(request: HttpRequest) -> HttpResponse:
    """What is to be reviewed, what is late, what was; and the actions that are not done yet."""
    actor, today = signed_in(request), local_date(clock.now())
    waiting, done, actions = open_reviews(actor), decided_reviews(actor), open_actions(actor)
    lists: dict[str, Any] = {"open": waiting, "done": done, "actions": actions}
    tab = request.GET.get("tab", "") if request.GET.get("tab") in lists else "open"
    page = Paginator(lists[tab], ROWS).get_page(request.GET.get("page"))
    context = {
        "tab": tab,
        "page": page,
        "open": waiting.count(),
        "late": overdue(waiting, today).count(),
        "done": done.count(),
        "actions": actions.count(),
        "unreviewed": list(unreviewed(actor)[:ROWS]) if tab == "open" else [],
        "today": today,
        "query": f"tab={tab}",
    }
    return render(request, "incidents/review_list.html", context)


def signing_of(form: SignForm) -> Signing:
    """What a valid form of a signature says."""
    data = form.cleaned_data
    return Signing(data["declare"], data["name"], form.confirmation or Confirmation("", clock.now()))


class Desk:
    """The review of one incident as somebody works on it. Raises Http404 for not there and not theirs alike."""

    def __init__(self, request: HttpRequest, code: str) -> None:
        self.request, self.actor, self.now = request, signed_in(request), clock.now()
        try:
            self.incident: Incident = find_incident(self.actor, code)
        except Incident.DoesNotExist as error:
            raise Http404 from error
        self.review: Review | None = (
            Review.objects.select_related("facilitator", "lead", "signature").filter(incident=self.incident).first()
        )
        if self.incident.mode != Mode.REAL or (self.review is None and self.incident.state != State.RESOLVED):
            raise Http404
        if self.review is not None:
            self.review.incident = self.incident
        self.wants = request.POST.get("do", "") if request.method == "POST" else ""

    @property
    def is_open(self) -> bool:
        """Whether it waits to be signed."""
        return self.review is not None and self.review.state == Review.State.OPEN

    @property
    def facilitates(self) -> bool:
        """Whether the reader facilitates it."""
        return self.review is not None and self.review.facilitator_id == self.actor.pk

    @property
    def manages(self) -> bool:
        """Whether the reader may write in it."""
        return self.facilitates or may(self.actor, Permission.INCIDENTS_MANAGE)

    def offers(self) -> dict[str, forms.Form]:
        """The forms that the reader may send now; the one that was sent with what it holds."""
        found: dict[str, forms.Form] = {}
        if self.review is None:
            return {"open": FacilitatorForm(self._data("open"))} if self.manages else found
        if self.is_open and self.manages:
            found["save"] = ReviewForm(self._data("save"), review=self.review)
            found["facilitator"] = FacilitatorForm(self._data("facilitator"))
        if self.incident.is_open and (self.manages or self.incident.lead_id == self.actor.pk):
            found["action"] = ImprovementForm(self._data("action"))
        if self.is_open and self.facilitates and not missing(self.review):
            found["sign"] = SignForm(self.request, self.actor, self._data("sign"))
        if self.is_open and self.may_skip:
            found["skip"] = SkipForm(self.request, self.actor, self._data("skip"))
        return found

    @property
    def may_skip(self) -> bool:
        """Whether the reader may sign that no review is needed."""
        return (
            self.review is not None
            and not self.review.required_by
            and self.manages
            and self.actor.pk not in who_led(self.incident)
        )

    def _data(self, name: str) -> Any:
        return self.request.POST if self.wants == name else None

    def render(self, found: dict[str, forms.Form], status: int = 200, meanwhile: str = "") -> HttpResponse:
        """The page."""
        review = self.review
        sent = found.get(self.wants)
        context = {
            "desk": self,
            "incident": self.incident,
            "review": review,
            "forms": found,
            "failed": sent if sent is not None and sent.errors else None,
            "meanwhile": meanwhile,
            "missing": missing(review) if review is not None else [],
            "actions": list(actions_of(incident=self.incident)),
            "timeline": self.incident.timeline.order_by("at", "pk"),
            "led": self.incident.leads.select_related("person").filter(accepted_at__isnull=False),
            "suggested": suggested_facilitator(self.incident, self.now) if review is None else None,
            "today": local_date(self.now),
            "statement": REVIEW_WORDS,
            "skip_statement": SKIPPED_WORDS,
        }
        return render(self.request, "incidents/review.html", context, status=status)

    def submit(self) -> HttpResponse:
        """Do what was sent. Raises NotAllowed for a form that the reader may not send."""
        found = self.offers()
        form = found.get(self.wants)
        if form is None:
            raise NotAllowed("Only the person who facilitates this review, or who manages incidents, can do this now.")
        if not form.is_valid():
            return self.render(found, 422)
        try:
            said = self._acts()[self.wants](form)
        except MeanwhileChanged as error:
            return self.render(found, 409, str(error))
        except (Refused, ValidationError) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
            return self.render(found, 422)
        messages.success(self.request, said)
        return redirect("incidents:review", self.incident.code)

    def _acts(self) -> dict[str, Callable[[Any], str]]:
        return {
            "open": self._open,
            "save": self._save,
            "facilitator": self._facilitator,
            "action": self._action,
            "sign": self._sign,
            "skip": self._skip,
        }

    def _by(self) -> dict[str, Any]:
        # Now, and not when the page was asked for: whoever signs proved in between who they are.
        return {"actor": self.actor, "now": clock.now()}

    def _held(self) -> Review:
        if self.review is None:
            raise Refused("There is no review yet.")
        return self.review

    def _open(self, form: FacilitatorForm) -> str:
        review = open_review(self.incident, form.cleaned_data["person"], **self._by())
        return f"The review is open. {review.facilitator.display_name} facilitates it."

    def _save(self, form: ReviewForm) -> str:
        save_review(self._held(), **form.cleaned_data, **self._by())
        return "Saved."

    def _facilitator(self, form: FacilitatorForm) -> str:
        person = form.cleaned_data["person"]
        change_facilitator(self._held(), person, **self._by())
        return f"{person.display_name} facilitates it now, and is told by mail."

    def _action(self, form: ImprovementForm) -> str:
        row = add_action(self.incident, form.item(), **self._by())
        return f"Added. {row.finding.person.display_name} is told; somebody else verifies it."

    def _sign(self, form: SignForm) -> str:
        complete_review(self._held(), signing=signing_of(form), **self._by())
        return "Signed. The incident can be closed once every clock is decided."

    def _skip(self, form: SkipForm) -> str:
        skip_review(self._held(), reason=form.cleaned_data["reason"], signing=signing_of(form), **self._by())
        return "Signed: no review is needed."


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, incident_code: str) -> HttpResponse:
    """What happened, why, what is done so that it does not happen again, and the signature."""
    desk = Desk(request, incident_code)
    return desk.submit() if request.method == "POST" else desk.render(desk.offers())

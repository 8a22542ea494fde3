"""The charter of the mandate: read it, draft the next version, sign it."""

import json

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations.forms import SignForm
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.mandate import CharterForm, WithdrawForm
from apps.portal.queries.mandate import changes_between, charter_page
from apps.portal.views.people import add_errors
from apps.registry.actions import charter as verbs
from apps.registry.models import Charter, CharterSignature
from apps.registry.queries.charter import charter_draft, charter_in_force, charter_versions, revision_of
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.charter import SIGNING_SEATS, meaning_of


@require_safe
def mandate(request: HttpRequest) -> HttpResponse:
    """The charter in force. Open to everybody who is signed in: a mandate that nobody knows is none."""
    reader, charter = signed_in(request), charter_in_force()
    context = {
        "page": charter_page(charter, reader) if charter else None,
        "draft": charter_draft(),
        "versions": charter_versions(),
        "holder": mandate_holder(),
        "changes": may(reader, Permission.MANDATE_CHANGE),
    }
    return render(request, "portal/mandate.html", context)


@require_safe
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version as it was put in force, and what it changed."""
    reader = signed_in(request)
    charter = get_object_or_404(charter_versions(), number=number)
    before = charter_versions().filter(number__lt=number).first()
    changes = changes_between(json.loads(before.text), json.loads(charter.text)) if before else []
    context = {"page": charter_page(charter, reader), "before": before, "changes": changes}
    return render(request, "portal/mandate_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest) -> HttpResponse:
    """Write the next version: save it, put it in force, or give it up."""
    actor = signed_in(request)
    require(actor, Permission.MANDATE_CHANGE)
    charter, do = charter_draft(), request.POST.get("do", "")
    if request.method == "POST" and do == "start":
        return _start(request, actor)
    if charter is None:
        raise Http404
    if request.method == "POST" and do == "discard":
        verbs.discard_charter(charter, actor=actor, now=clock.now())
        messages.success(request, "The draft is discarded. The version in force stands.")
        return redirect("portal:mandate")
    form = CharterForm(charter, request.POST if request.method == "POST" else None)
    # A form that comes back keeps what was read at first, but for who was told what somebody else saved.
    read, lost = request.POST.get("read") or revision_of(charter), False
    if form.is_valid():
        try:
            return _save(request, charter, form, actor, read=read, force=do == "force")
        except verbs.DraftChanged as error:
            lost, charter = True, charter_draft() or charter
            form.say_what_was_saved(charter, str(error))
            read = revision_of(charter)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
    context = {"form": form, "charter": charter, "read": read}
    return render(request, "portal/mandate_draft.html", context, status=409 if lost else 422 if form.errors else 200)


def _start(request: HttpRequest, actor: Person) -> HttpResponse:
    try:
        verbs.draft_charter(actor=actor, now=clock.now())
    except ValidationError:
        messages.info(request, "Somebody started the next version already. This is it.")
    return redirect("portal:mandate_draft")


def _save(
    request: HttpRequest, charter: Charter, form: CharterForm, actor: Person, *, read: str, force: bool
) -> HttpResponse:
    now, given = clock.now(), form.cleaned_data
    with transaction.atomic():  # what can't be put in force is not saved either: the form still has it
        charter = verbs.change_charter(
            charter,
            holder=given["holder"],
            authority=given["authority"],
            enforcement_points=given["points"],
            domains=form.chosen_domains(),
            read=read,
            actor=actor,
            now=now,
        )
        if force:
            verbs.put_charter_in_force(charter, actor=actor, now=now)
    if not force:
        messages.success(request, "The draft is saved.")
        return redirect("portal:mandate_draft")
    messages.success(request, f"Version {charter.number} is in force. The seats were asked to sign it.")
    return redirect("portal:mandate")


@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: HttpRequest, function: str) -> HttpResponse:
    """A seat signs the charter in force, after confirming who sits there."""
    actor, charter = signed_in(request), charter_in_force()
    if charter is None or function not in SIGNING_SEATS:
        raise Http404
    page = charter_page(charter, actor)
    seat = next(seat for seat in page.seats if seat.function.code == function)
    if function not in page.mine:
        raise NotAllowed(f"You may read this, but only who holds the seat {seat.function.seat_title} signs for it.")
    form = SignForm(request, actor, request.POST if request.method == "POST" else None)
    if form.is_valid() and form.confirmation:
        try:
            verbs.sign_charter(
                charter,
                function,
                declared=form.cleaned_data["declare"],
                typed_name=form.cleaned_data["name"],
                confirmation=form.confirmation,
                actor=actor,
                now=clock.now(),
            )
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"Signed for {seat.function.seat_title}: version {charter.number}.")
            return redirect("portal:mandate")
    context = {"form": form, "page": page, "seat": seat, "meaning": meaning_of(function, settings.ORGANISATION_NAME)}
    return render(request, "portal/mandate_sign.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, signature_id: int) -> HttpResponse:
    """Take a signature back, with a reason."""
    actor = signed_in(request)
    signatures = CharterSignature.objects.select_related("charter", "function__seat", "signer")
    signature = get_object_or_404(signatures, pk=signature_id)
    if actor.pk not in {signature.signer_id, signature.function.seat.holder_id}:
        raise NotAllowed("You may read this, but only who signed, or holds the seat today, withdraws the signature.")
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            verbs.withdraw_charter_signature(signature, reason=reason, actor=actor, now=clock.now())
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Your signature is withdrawn. It stays on record with your reason.")
            return redirect("portal:mandate")
    context = {"form": form, "signature": signature}
    return render(request, "portal/mandate_withdraw.html", context, status=422 if form.errors else 200)

"""Hand-overs: read the pack, write the judgement, sign, cancel."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.attestations.forms import SignForm
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.people.rules import Confirmation
from apps.portal.forms.handovers import CancelForm, HandOverForm, NotesForm, TakeOverForm
from apps.portal.queries.handovers import HandoverPage, beyond, find_handover, handover_page
from apps.registry import actions
from apps.registry.actions.handover import Signing
from apps.registry.models import Handover


def _found(reader: Person, handover_id: UUID) -> Handover:
    try:
        return find_handover(reader, handover_id)
    except Handover.DoesNotExist as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
def handover(request: HttpRequest, handover_id: UUID) -> HttpResponse:
    """What is handed over, and where it stands. POST saves the outgoing owner's notes, or signs."""
    reader = signed_in(request)
    found = _found(reader, handover_id)
    page = handover_page(found, reader, clock.now())
    if request.method != "POST":
        return _page(request, page, _sign_form(request, page))
    if not page.signs:
        waits_for = found.waits_for
        who = f"only {waits_for.display_name} signs it now" if waits_for else "this hand-over ended"
        raise NotAllowed(f"You may read this, but {who}.")
    if "save" in request.POST and page.signs == "outgoing":
        return _save(request, page)
    form = _sign_form(request, page, posted=True)
    if form is None or not form.is_valid():
        return _page(request, page, form, status=422)
    return _sign(request, page, form)


def _sign_form(request: HttpRequest, page: HandoverPage, *, posted: bool = False) -> SignForm | None:
    """The form for whose turn it is, where that is the reader."""
    if not page.signs:
        return None
    kind = HandOverForm if page.signs == "outgoing" else TakeOverForm
    form = kind(request, page.reader, request.POST if posted else None)
    if not posted:
        notes = {"judgement": page.handover.judgement, "vendor_contacts": page.handover.vendor_contacts}
        form.initial = {"read_sha256": page.pack_sha256, **notes}
    return form


def _save(request: HttpRequest, page: HandoverPage) -> HttpResponse:
    notes = NotesForm(request.POST)
    if notes.is_valid():
        try:
            actions.note_handover(page.handover, actor=page.reader, now=clock.now(), **notes.cleaned_data)
        except Refused as error:
            notes.add_error(None, str(error))
        else:
            messages.success(request, "Saved. Nothing is signed yet.")
            return redirect("portal:handover", page.handover.pk)
    form = _sign_form(request, page)
    if form is not None:
        form.initial.update(
            judgement=request.POST.get("judgement", ""), vendor_contacts=request.POST.get("vendor_contacts", "")
        )
    return _page(request, page, form, problems=notes, status=422)


def _sign(request: HttpRequest, page: HandoverPage, form: SignForm) -> HttpResponse:
    now, given = clock.now(), form.cleaned_data
    confirmation = form.confirmation or Confirmation("", now)
    signing = Signing(given["declare"], given["name"], confirmation, given["read_sha256"])
    try:
        if page.signs == "incoming":
            actions.complete_handover(page.handover, signing=signing, actor=page.reader, now=now)
            messages.success(request, f"Signed. You answer for {page.handover.system.name} from now on.")
            return redirect("portal:system", page.handover.system.key)
        actions.sign_handover(
            page.handover,
            vendor_contacts=given["vendor_contacts"],
            judgement=given["judgement"],
            beyond=beyond(page.handover.system, now),
            signing=signing,
            actor=page.reader,
            now=now,
        )
    except Refused as error:
        form.add_error(None, str(error))
        fresh = handover_page(_found(page.reader, page.handover.pk), page.reader, now)
        form.data = {**request.POST.dict(), "read_sha256": fresh.pack_sha256}
        return _page(request, fresh, form, status=422)
    successor = page.handover.incoming.display_name
    messages.success(request, f"Signed. {successor} is asked to sign; until then you answer.")
    return redirect("portal:handover", page.handover.pk)


def _page(
    request: HttpRequest,
    page: HandoverPage,
    form: SignForm | None,
    *,
    problems: NotesForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"page": page, "handover": page.handover, "system": page.handover.system, "form": form}
    return render(request, "portal/handover.html", context | {"problems": problems}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, handover_id: UUID) -> HttpResponse:
    """End it before both have signed, with a reason."""
    actor = signed_in(request)
    found = _found(actor, handover_id)
    page = handover_page(found, actor, clock.now())
    if not page.may_cancel:
        raise NotAllowed("You may read this, but only the two who hand over and the mandate holder cancel it.")
    form = CancelForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            actions.cancel_handover(found, actor=actor, now=clock.now(), reason=form.cleaned_data["reason"])
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Cancelled. {found.outgoing.display_name} goes on answering.")
            return redirect("portal:home")
    context = {"form": form, "handover": found, "system": found.system}
    return render(request, "portal/handover_cancel.html", context, status=422 if form.errors else 200)

"""The matrix of the organisation, of a unit or of a system: see it, set letters, keep, send and discard a draft."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.portal.forms.raci import LETTERS, AddPersonForm, NoteForm, RowForm
from apps.portal.queries.raci import (
    ScopePage,
    conflict_of,
    extra_people,
    require_may_change,
    said_after,
    scope_page,
    sent_words,
    unit_rows,
)
from apps.portal.queries.raci_place import Place, find_place
from apps.portal.queries.system import unit_path
from apps.portal.queries.units import listed_units
from apps.portal.views.system import system_frame, system_or_404
from apps.registry.actions import raci as verbs

ROWS_A_PAGE = 25
KNOWN_LETTERS = {letters for letters, _ in LETTERS}


@require_safe
def matrix(request: HttpRequest, unit_id: int | None = None) -> HttpResponse:
    """The matrix of the organisation or of a unit."""
    place = find_place(signed_in(request), unit_id=unit_id)
    return render(request, "portal/raci.html", page_context(request, place))


@require_safe
def system_matrix(request: HttpRequest, key: str) -> HttpResponse:
    """The matrix of a system: to be changed by those who may, else to be read."""
    reader = signed_in(request)
    place = find_place(reader, key=key)
    system = system_or_404(reader, key)
    context = system_frame(reader, system, "ownership") | {"units": unit_path(system.unit)}
    context |= page_context(request, place)
    return render(request, "portal/system_ownership.html", context)


def page_context(request: HttpRequest, place: Place, *, lost: bool = False) -> dict[str, Any]:
    """What the editor's templates show."""
    extra = extra_people(request.GET.get("with", ""))
    page = scope_page(signed_in(request), place, opened=request.GET.get("open", ""), extra=extra, now=clock.now())
    return {
        "place": place,
        "page": page,
        "crumbs": place.way,
        "conflict": conflict_of(page, request.POST) if lost else None,
        "view": request.GET.get("view", ""),
        "cell_url": _with_extra(request, place.address("cell")),
    }


def _with_extra(request: HttpRequest, address: str) -> str:
    """The address, with the people who have a column and no letter yet."""
    extra = request.GET.get("with", "")
    return f"{address}?{urlencode({'with': extra})}" if extra else address


@require_safe
def units(request: HttpRequest) -> HttpResponse:
    """Choose a unit: the units at the top, those below `?unit=`, or those that match `?q=`."""
    signed_in(request)
    text = " ".join(request.GET.get("q", "").split())[:200]
    above = request.GET.get("unit", "")
    here = find_place(signed_in(request), unit_id=_number(above)).scope.unit if above else None
    page = Paginator(listed_units(parent=here, text=text), ROWS_A_PAGE).get_page(request.GET.get("page"))
    crumbs = find_place(signed_in(request)).below("Units")
    context = {"here": here, "page": page, "rows": unit_rows(list(page)), "q": text, "crumbs": crumbs}
    return render(request, "portal/raci_units.html", context)


@require_POST
def cell(request: HttpRequest, unit_id: int | None = None, key: str | None = None) -> HttpResponse:
    """Set one letter, or take a row from above again. The script gets the parts that changed, a form the page."""
    actor = signed_in(request)
    place = find_place(actor, unit_id=unit_id, key=key)
    require_may_change(actor, place)
    domain = request.POST.get("inherit") or request.POST.get("domain", "")
    by_script = request.headers.get("X-Requested-With") == "fetch"
    lost, refused = False, ""
    try:
        _change(request, place, domain)
    except verbs.LostUpdate:
        lost = True
    except Refused as error:
        if not by_script:
            raise
        refused = str(error)
    if by_script:
        return _parts(request, place, domain, lost=lost, refused=refused)
    if lost:
        return render(request, "portal/raci_conflict.html", page_context(request, place, lost=True), status=409)
    return redirect(f"{_with_extra(request, place.url)}#row-{domain}")


def _change(request: HttpRequest, place: Place, domain: str) -> None:
    """Do what the button or the key says. Raises LostUpdate where somebody else was quicker, Http404."""
    actor, now = signed_in(request), clock.now()
    revision = _number(request.POST.get("revision", ""))
    draft = verbs.open_draft(place.scope, actor=actor, now=now)
    if request.POST.get("inherit"):
        verbs.inherit_row(draft, domain, revision=revision, actor=actor, now=now)
        return
    party, letters = request.POST.get("party", ""), request.POST.get("letters", "")
    if letters not in KNOWN_LETTERS:
        raise Refused("A letter is A, R, C or I, or A and R.")
    verbs.set_cell(draft, domain, party, letters, revision=revision, actor=actor, now=now)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _parts(request: HttpRequest, place: Place, domain: str, *, lost: bool, refused: str) -> HttpResponse:
    """The row that was set, the layers' counts, what blocks, what is not sent. All rows after a conflict."""
    context = page_context(request, place, lost=lost)
    page: ScopePage = context["page"]
    context["redrawn"] = [row.key for row in page.grid.rows] if lost else [domain]
    if lost:
        context["said"] = context["conflict"].spoken
    else:
        context["said"] = f"Not saved. {refused}" if refused else said_after(page, request.POST)
    status = 409 if lost else 422 if refused else 200
    response = render(request, "portal/raci_changed.html", context, status=status)
    response["X-Raci"] = "1"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def row(request: HttpRequest, domain: str, unit_id: int | None = None, key: str | None = None) -> HttpResponse:
    """One row as a plain form: a choice for each party. Works fully without script and on a phone."""
    actor = signed_in(request)
    place = find_place(actor, unit_id=unit_id, key=key)
    require_may_change(actor, place)
    if "inherit" in request.POST:
        raise Refused("Take a row from above again with its own button: this form sets letters.")
    context = page_context(request, place)
    page: ScopePage = context["page"]
    found = next((found for found in page.grid.rows if found.key == domain), None)
    if found is None:
        raise Http404
    parties = [(column.party, column.who) for column in page.grid.columns]
    held = {cell.column.party: cell.letters for cell in found.cells}
    form = RowForm(request.POST or None, parties=parties, held=held, revision=page.revision)
    lost = False
    if form.is_valid():
        try:
            with transaction.atomic():  # all of the row, or none of it
                _save_row(request, place, domain, form)
        except Refused as error:
            form.add_error(None, str(error))
        except verbs.LostUpdate:
            lost = True
            form.add_error(None, "This draft was changed in another window. Look at what you set, then save again.")
        else:
            messages.success(request, f"{found.name} is saved in the draft.")
            return redirect(f"{place.url}#row-{domain}")
    context |= {"row": found, "form": form, "crumbs": place.below(found.name), "back": f"{place.url}#row-{domain}"}
    context["fields"] = [(column, form[column.party]) for column in page.grid.columns]
    return render(request, "portal/raci_row.html", context, status=409 if lost else 422 if form.errors else 200)


def _save_row(request: HttpRequest, place: Place, domain: str, form: RowForm) -> None:
    """Every cell that differs, in the order of the columns; each counts the revision up by one."""
    actor, now = signed_in(request), clock.now()
    if not form.changed():
        return
    draft = verbs.open_draft(place.scope, actor=actor, now=now)
    revision = form.cleaned_data["revision"] or 0
    for party, letters in form.changed().items():
        draft = verbs.set_cell(draft, domain, party, letters, revision=revision, actor=actor, now=now)
        revision = draft.revision


@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, unit_id: int | None = None, key: str | None = None) -> HttpResponse:
    """What is not sent yet: its note, another person's column, send it, take it back, discard it."""
    place = find_place(signed_in(request), unit_id=unit_id, key=key)
    require_may_change(signed_in(request), place)
    context = page_context(request, place)
    page: ScopePage = context["page"]
    do = request.POST.get("do", "")
    note_form = NoteForm(request.POST if do == "note" else None, initial={"note": page.note})
    person_form = AddPersonForm(request.POST if do == "person" else None)
    if request.method == "POST" and (done := _done(request, place, page, note_form, person_form)):
        return done
    form = next((form for form in (note_form, person_form) if form.errors), None)
    context |= {"note_form": note_form, "person_form": person_form, "form": form, "crumbs": place.below("Draft")}
    return render(request, "portal/raci_draft.html", context, status=422 if form else 200)


def _done(
    request: HttpRequest, place: Place, page: ScopePage, note_form: NoteForm, person_form: AddPersonForm
) -> HttpResponse | None:
    """Do what the pressed button says and go back to the matrix; None where its form has errors."""
    do, actor, now = request.POST.get("do", ""), signed_in(request), clock.now()
    if do == "person":
        return _person_added(request, place, person_form)
    if page.draft is None:
        raise Refused("There is no draft here. Somebody has sent or discarded it.")
    if do == "note":
        if not note_form.is_valid():
            return None
        verbs.note_draft(page.draft, note_form.cleaned_data["note"], actor=actor, now=now)
        messages.success(request, "The note is saved.")
    elif do == "rebase":
        verbs.rebase_draft(page.draft, actor=actor, now=now)
        messages.success(request, "Your changes stand on the newest version now. Look at them, then send.")
    elif do == "discard":
        verbs.discard_draft(page.draft, actor=actor, now=now)
        messages.success(request, "The draft is discarded. What is in force stays as it is.")
    elif do == "withdraw":
        verbs.withdraw_draft(page.draft, actor=actor, now=now)
        messages.success(request, "Taken back. Nobody is asked any more; the draft is as it was before.")
    elif do == "send":
        sent = verbs.send_draft(page.draft, actor=actor, now=now)
        messages.success(request, sent_words(sent, list(sent.acceptances.select_related("person"))))
    else:
        raise Refused("Choose what to do with the draft.")
    return redirect(place.url)


def _person_added(request: HttpRequest, place: Place, form: AddPersonForm) -> HttpResponse | None:
    """A column for the person; it stays when a letter is set in it."""
    if not form.is_valid():
        return None
    person = form.cleaned_data["person"]
    messages.success(request, f"{person.display_name} has a column now. It stays when you set a letter in it.")
    return redirect(f"{place.url}?{urlencode({'with': str(person.pk), 'open': request.GET.get('open', '')})}")

"""Pages of the roll-up: the tree, a node with its signature, the end of a campaign, the export."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations.actions.closing import carry_over, seal
from apps.attestations.actions.documents import why_no_pdf
from apps.attestations.actions.rollup import decline_node, sign_node
from apps.attestations.forms.rollup import NodeForm, OwnForm, own_forms
from apps.attestations.models import Campaign, RollupNode
from apps.attestations.queries.export import export_of, may_export
from apps.attestations.queries.rollup import (
    Signatories,
    Signatory,
    asked_of,
    below,
    children_of,
    exceptions_below,
    find_node,
    notable,
    pending_of,
    place_of,
    tree,
)
from apps.attestations.queries.watching import hidden_from
from apps.attestations.rules.rollup import decline_statement, node_statement
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.people.rules import Confirmation

ROWS = 50
EXCEPTIONS = 50


def _read(request: HttpRequest, code: str) -> tuple[Person, Campaign]:
    """For those who read campaigns; nobody else learns whether there is one."""
    person = signed_in(request)
    campaign = Campaign.objects.select_related("template").filter(code=code, opened_at__isnull=False).first()
    if campaign is None or not may(person, Permission.CAMPAIGN_READ):
        raise Http404
    return person, campaign


@require_safe
def rollup(request: HttpRequest, code: str) -> HttpResponse:
    """The tree from the top down: who signs, how it stands, what is below, since when it waits."""
    person, campaign = _read(request, code)
    now = clock.now()
    rows = tree(campaign, now)
    context = {
        "campaign": campaign,
        "above": [row for row in rows if row.node.level != RollupNode.Level.UNIT],
        "units": [row for row in rows if row.node.level == RollupNode.Level.UNIT],
        "person": person,
        "today": clock.local_date(now),
    }
    return render(request, "attestations/rollup.html", context)


class NodeDesk:
    """A node as a reader sees it. Raises Http404 for not there and not theirs alike."""

    def __init__(self, request: HttpRequest, code: str, number: int) -> None:
        self.person, self.now = signed_in(request), clock.now()
        try:
            self.node = find_node(code, number)
        except RollupNode.DoesNotExist as error:
            raise Http404 from error
        self.campaign, self.who = self.node.campaign, Signatories(self.now)
        self.signatories = self.who.of(self.node)
        self.signatures = sorted(self.node.signatures.all(), key=lambda one: one.pk)
        self.reads = may(self.person, Permission.CAMPAIGN_READ)
        mine = any(one.person and one.person.pk == self.person.pk for one in self.signatories)
        self.signs = mine or any(one.signer_id == self.person.pk for one in self.signatures)
        if not (self.reads or self.signs):
            raise Http404

    @property
    def hidden(self) -> list[int]:
        """Restricted systems that are counted and not named. Who signs reads all: they are under the signature."""
        return [] if self.signs else hidden_from(self.person)

    @property
    def asked(self) -> Signatory | None:
        """For whom the reader signs now."""
        waits = self.node.state == RollupNode.State.READY and self.campaign.state == Campaign.State.ROLLUP
        return asked_of(self.node, self.person, self.who) if waits else None

    @property
    def waiting(self) -> list[Signatory]:
        """Who has still to sign."""
        done = {one.seat for one in self.signatures}
        open_ = self.node.state in (RollupNode.State.NOT_READY, RollupNode.State.READY)
        return [one for one in self.signatories if one.seat not in done] if open_ else []


@require_http_methods(["GET", "HEAD", "POST"])
def node(request: HttpRequest, code: str, node_id: int) -> HttpResponse:
    """What is below a node by name, and its signature: the form for who signs, the receipt for everybody else."""
    desk = NodeDesk(request, code, node_id)
    if request.method != "POST":
        form = NodeForm(request, desk.person) if desk.asked else None
        return _node_page(request, desk, form, own_forms())
    if desk.asked is None:
        raise Http404
    own = own_forms(request.POST)
    declines = request.POST.get("verdict") == "decline"
    # Each of them is looked at, so that every error is shown.
    valid = [one.is_valid() for one in own]
    added = [one.own for one in own if one.own is not None] if all(valid) and not declines else []
    # What is signed was on the page: with another number of own exceptions the statement is another one.
    stated = declines or request.POST.get("stated", "0") == str(len(added))
    fits = declines or all(valid)
    form = NodeForm(request, desk.person, request.POST, identify=fits and stated)
    if not (form.is_valid() and fits and stated):
        if fits and not stated:
            form.add_error(None, "The statement is another one now: it names what you add. Read it, then sign")
        return _node_page(request, desk, form, own, added=len(added), status=422)
    return _sign(request, desk, form, own, declines=declines)


def _sign(
    request: HttpRequest, desk: NodeDesk, form: NodeForm, own: Sequence[OwnForm], *, declines: bool
) -> HttpResponse:
    # Not the moment at which the page was read: who signs confirmed after it that it is them.
    now = clock.now()
    by: dict[str, Any] = {
        "declared_true": form.cleaned_data["declare"],
        "typed_name": form.cleaned_data["name"],
        "confirmation": form.confirmation or Confirmation("", now),
        "actor": desk.person,
        "now": now,
    }
    try:
        if declines:
            decline_node(desk.node, reason=form.cleaned_data["reason"], **by)
        else:
            added = [one.own for one in own if one.own is not None]
            sign_node(desk.node, read=request.POST.get("read", ""), exceptions=added, **by)
    except Refused as error:
        form.add_error(None, str(error))
        fresh = NodeDesk(request, desk.campaign.code, desk.node.pk)
        return _node_page(request, fresh, form, own, status=422)
    messages.success(request, "Declined. The reason is on record." if declines else "Signed.")
    return redirect("attestations:node", code=desk.campaign.code, node_id=desk.node.pk)


def _node_page(
    request: HttpRequest,
    desk: NodeDesk,
    form: NodeForm | None,
    own: Sequence[OwnForm],
    *,
    added: int = 0,
    status: int = 200,
) -> HttpResponse:
    found, asked, hidden = below(desk.node), desk.asked, desk.hidden
    exceptions = exceptions_below(desk.node).exclude(assignment__system__in=hidden)
    label = desk.campaign.label
    total = added + desk.node.exceptions.count()
    context = {
        "node": desk.node,
        "campaign": desk.campaign,
        "place": place_of(desk.node),
        "below": found,
        "children": [] if desk.node.level == RollupNode.Level.UNIT else children_of(desk.node),
        "page": Paginator(notable(desk.node).exclude(system__in=hidden), ROWS).get_page(request.GET.get("page")),
        "exceptions": exceptions[:EXCEPTIONS],
        "exceptions_total": exceptions.count(),
        "signatures": desk.signatures,
        "waiting": desk.waiting,
        "asked": asked,
        "statement": node_statement(asked.first, label, found, total) if asked else "",
        "declining": decline_statement(asked.first, label, found, "your reason") if asked else "",
        "stated": added,
        "form": form if asked else None,
        "own": own,
        "own_wrong": any(one.is_bound and one.errors for one in own),
        "reads": desk.reads,
        "person": desk.person,
        "may_print": not why_no_pdf(),
        "today": clock.local_date(desk.now),
    }
    return render(request, "attestations/rollup_node.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest, code: str) -> HttpResponse:
    """What keeps a campaign from closing; carry over by name; seal what is closed."""
    person, campaign = _read(request, code)
    runs = may(person, Permission.CAMPAIGN_RUN)
    refused = ""
    if request.method == "POST":
        require(person, Permission.CAMPAIGN_RUN)
        try:
            return _move_on(request, campaign, person)
        except Refused as error:
            refused = str(error)
            campaign.refresh_from_db()
    now = clock.now()
    context = {
        "campaign": campaign,
        "pending": pending_of(campaign, today=clock.local_date(now)),
        "runs": runs,
        "hidden": hidden_from(person) if campaign.state == Campaign.State.PENDING_ACTIONS else [],
        "may_export": campaign.state == Campaign.State.SEALED and may_export(person, campaign),
        "refused": refused,
        "today": clock.local_date(now),
    }
    return render(request, "attestations/closing.html", context, status=422 if refused else 200)


def _move_on(request: HttpRequest, campaign: Campaign, person: Person) -> HttpResponse:
    if request.POST.get("do") == "seal":
        seal(campaign, actor=person, now=clock.now())
        messages.success(request, "Sealed. Nothing in it changes any more.")
    else:
        chosen = [int(text) for text in request.POST.getlist("exception") if text.isdecimal() and len(text) < 16]
        rows = carry_over(campaign, list(campaign.exceptions.filter(pk__in=chosen)), actor=person, now=clock.now())
        messages.success(request, f"{len(rows)} carried over. What is done about it goes on as a finding.")
    return redirect("attestations:closing", code=campaign.code)


@require_safe
def sealed_zip(request: HttpRequest, code: str) -> StreamingHttpResponse:
    """The export of a sealed campaign, written while it is sent. For who may see every system in it."""
    person, campaign = _read(request, code)
    if campaign.state != Campaign.State.SEALED:
        raise Http404
    if not may_export(person, campaign):
        raise NotAllowed("The export holds restricted systems. The mandate holder and auditors can fetch it.")
    return StreamingHttpResponse(
        export_of(campaign, person),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="attestation-{campaign.code}-sealed.zip"'},
    )

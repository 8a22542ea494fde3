"""Tokens of identity providers: issue, see, revoke."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.common import clock
from apps.directory import actions
from apps.directory.forms import ScimTokenForm
from apps.directory.models import ScimToken
from apps.directory.queries.scim import base_address, directory_counts
from apps.directory.views.people_file import administrator

SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The tokens. POST issues one, whose secret is on this one page and nowhere else."""
    actor = administrator(request)
    form = ScimTokenForm(request.POST if request.method == "POST" else None)
    issued: dict[str, Any] = {}
    if form.is_valid():
        try:
            token, secret = actions.issue_scim_token(
                name=form.cleaned_data["name"], lifetime=form.lifetime, actor=actor, now=clock.now()
            )
            issued, form = {"token": token, "secret": secret}, ScimTokenForm()
        except ValidationError as error:
            form.add_error("name", error.messages)
    context = {
        "form": form,
        "tokens": ScimToken.objects.select_related("created_by")[:SHOWN],
        "now": clock.now(),
        "address": base_address(),
        "counts": directory_counts(),
        **issued,
    }
    return render(request, "directory/tokens.html", context, status=422 if form.errors else 200)


@require_POST
def revoke(request: HttpRequest, scim_token_id: int) -> HttpResponse:
    """End a token at once."""
    actor = administrator(request)
    token = ScimToken.objects.filter(pk=scim_token_id).first()
    if token is None:
        raise Http404
    actions.revoke_scim_token(token, actor=actor, now=clock.now())
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("directory:tokens")

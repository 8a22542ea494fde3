"""One's own profile: how to be reached, who deputises, colours, keys, tokens."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_http_methods, require_POST

from apps.access import actions as access
from apps.access.models import ApiToken
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.people.requests import signed_in
from apps.portal.forms.profile import ProfileForm, TokenForm
from apps.portal.queries.availability import away_words
from apps.registry.actions import change_person


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show and save the profile."""
    person = signed_in(request)
    form = ProfileForm(request.POST or None, person=person)
    if request.method == "POST" and form.is_valid():
        try:
            change_person(person, actor=person, now=clock.now(), **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved.")
            return redirect("portal:profile")
    return _page(request, person, form=form, token_form=TokenForm())


@require_POST
def issue_token(request: HttpRequest) -> HttpResponse:
    """Issue a token. Its secret is on this one page and nowhere else."""
    person = signed_in(request)
    form = TokenForm(request.POST)
    if form.is_valid():
        token, secret = access.issue_token(
            person,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            lifetime=form.lifetime,
            actor=person,
            now=clock.now(),
        )
        return _page(request, person, form=None, token_form=TokenForm(), token=token, secret=secret)
    return _page(request, person, form=None, token_form=form)


@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """End one of one's own tokens at once; somebody else's is not there."""
    person = signed_in(request)
    token = ApiToken.objects.filter(pk=token_id, person=person).first()
    if token is None:
        raise Http404
    access.revoke_token(token, actor=person, now=clock.now())
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect(f"{reverse('portal:profile')}#tokens")


def _page(request: HttpRequest, person: Person, *, form: ProfileForm | None, **context: Any) -> HttpResponse:
    profile_form = form or ProfileForm(person=person)
    failed = profile_form if profile_form.errors else context["token_form"]
    tokens = ApiToken.objects.filter(person=person)[:50]
    context |= {
        "profile_form": profile_form,
        "form": failed,
        "tokens": tokens,
        "now": clock.now(),
        "away": away_words(acting_for(person, clock.now())),
        "line_manager": person.line_manager,
        "two_factor_url": _two_factor_url(),
    }
    return render(request, "portal/profile.html", context, status=422 if failed.errors else 200)


def _two_factor_url() -> str:
    try:
        return reverse("mfa_index")
    except NoReverseMatch:
        return ""

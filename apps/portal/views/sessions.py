"""Where one is signed in, and signing out there."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.common import clock
from apps.people.requests import signed_in
from apps.portal import actions
from apps.portal.queries.sessions import open_sessions


@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Every place where the person is signed in."""
    found = open_sessions(signed_in(request), request.session.session_key or "", now=clock.now())
    context = {"sessions": found, "others": [row for row in found if not row.is_this]}
    return render(request, "portal/sessions.html", context)


@require_POST
def end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign out in one other place; somebody else's session is not there."""
    person = signed_in(request)
    try:
        actions.end_one_session(person, session_id, actor=person, now=clock.now())
    except UserSession.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, "Signed out there.")
    return redirect("portal:sessions")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    person, key = signed_in(request), request.session.session_key or ""
    ended = actions.end_other_sessions(person, keep=key, actor=person, now=clock.now())
    update_session_auth_hash(request, person)
    request.session.save()
    UserSession.objects.filter(session_key=key).update(session_key=request.session.session_key)
    messages.success(request, "Signed out in 1 other place." if ended == 1 else f"Signed out in {ended} other places.")
    return redirect("portal:sessions")

"""The first start: the first person, her seat and the mandate."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.audit.rules import SystemActor
from apps.common import clock
from apps.common.errors import Refused
from apps.portal.forms.start import FirstStartForm
from apps.portal.middleware import is_started
from apps.registry.actions import start_portal

FIRST_START = SystemActor("first start")


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def first_start(request: HttpRequest) -> HttpResponse:
    """404 as soon as somebody has started the portal."""
    if is_started():
        raise Http404
    form = FirstStartForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            start_portal(actor=FIRST_START, now=clock.now(), **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            form.add_error(None, error.messages)
        except IntegrityError:  # a second click, or somebody else at the same moment: the database keeps one mandate
            if not is_started():
                raise
            messages.info(request, "Govportal was started a moment ago. Sign in to begin.")
            return redirect("account_login")
        else:
            messages.success(request, "Govportal is started. Sign in to begin.")
            return redirect("account_login")
    return render(request, "portal/first_start.html", {"form": form}, status=422 if form.errors else 200)

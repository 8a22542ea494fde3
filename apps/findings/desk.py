"""The page of one finding: what it shows, and one form for each thing that the reader may do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.common import clock
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.findings.forms import AcceptForm, AssignForm, CompleteForm, PlanForm, ReasonForm, VerdictForm
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries import on_record, visible_findings
from apps.findings.queries.history import history_of
from apps.findings.queries.listing import severity_tone
from apps.findings.queries.rights import Rights, rights_over
from apps.findings.rules import overdue_words
from apps.people.queries import Presence
from apps.people.requests import signed_in
from apps.registry.queries import visible_systems

Act = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class ActionLine:
    """An action with the form that the reader may send for it, if any."""

    action: CorrectiveAction
    finish: forms.Form | None
    verdict: forms.Form | None


class Desk:
    """One finding as a reader works on it. Raises Http404 for not there and not theirs alike."""

    def __init__(self, request: HttpRequest, finding_id: int) -> None:
        self.request, self.actor, self.now = request, signed_in(request), clock.now()
        self.today = local_date(self.now)
        found = on_record(visible_findings(self.actor)).select_related("raised_by", "person__line_manager")
        finding = found.filter(pk=finding_id).first() if finding_id < 2**63 else None
        if finding is None:
            raise Http404
        self.finding: Finding = finding
        self.rights: Rights = rights_over(self.actor, finding)
        self.bound: dict[str, forms.Form] = {}

    def action(self, action_id: int) -> CorrectiveAction:
        """One action of the finding. Raises Http404 for any other."""
        action = (
            self.finding.actions.select_related("finding").filter(pk=action_id).first() if action_id < 2**63 else None
        )
        if action is None:
            raise Http404
        return action

    def submit(
        self, name: str, form_class: type[forms.Form], allowed: bool, act: Act, said: str, *, refusal: str = ""
    ) -> HttpResponse:
        """Do what a form asks, then show the page; a failed form is shown again with 422.

        Raises NotAllowed where the reader may see the finding but not do this.
        """
        if not allowed:
            who = self.finding.person.display_name
            raise NotAllowed(refusal or f"{who} puts this right. You may see it, but not change it this way.")
        form = self._form(name, form_class, self.request.POST)
        if form.is_valid():
            try:
                act(form.cleaned_data)
            except Refused as error:
                form.add_error(None, str(error))
            else:
                messages.success(self.request, said)
                seen = visible_findings(self.actor).filter(pk=self.finding.pk).exists()
                return redirect("findings:finding", self.finding.pk) if seen else redirect("findings:findings")
        self.bound[name] = form
        return self.render(status=422, failed=form)

    def _form(self, name: str, form_class: type[forms.Form], data: Any = None) -> forms.Form:
        """A form whose field ids no other form on the page has."""
        if name in self.bound:
            return self.bound[name]
        more: dict[str, Any] = {"latest": self.rights.latest(self.today)} if form_class is AcceptForm else {}
        return form_class(data, auto_id=f"id_{name}_%s", **more)

    def _lines(self) -> list[ActionLine]:
        people = ("person", "done_by", "verifier", "verified_by", "planned_by")
        actions = self.finding.actions.select_related(*people)
        return [
            ActionLine(
                action,
                self._form(f"finish-{action.pk}", CompleteForm) if self.rights.complete(action) else None,
                self._form(f"verify-{action.pk}", VerdictForm) if self.rights.verify(action) else None,
            )
            for action in actions
        ]

    def render(self, *, status: int = 200, failed: forms.Form | None = None) -> HttpResponse:
        """The page."""
        finding, rights = self.finding, self.rights
        acceptances = list(finding.acceptances.select_related("accepted_by", "ended_by"))
        lines = self._lines()
        acting = Presence(self.now).acting(finding.person)
        context = {
            "finding": finding,
            "rights": rights,
            "failed": failed,
            "lines": lines,
            "acceptances": acceptances,
            "in_force": next((one for one in acceptances if one.ended_at is None), None),
            "history": history_of(finding),
            "acting": acting if acting.stood_in_for else None,
            "sees_system": self._sees_system(),
            "due_words": overdue_words(finding.due_on, self.today),
            "overdue": finding.is_open and finding.due_on < self.today,
            "severity_tone": severity_tone(finding.severity),
            "forms": self._forms(rights, lines),
            "today": self.today,
        }
        return render(self.request, "findings/finding.html", context, status=status)

    def _sees_system(self) -> bool:
        if self.finding.system_id is None:
            return False
        return visible_systems(self.actor).filter(pk=self.finding.system_id).exists()

    def _forms(self, rights: Rights, lines: list[ActionLine]) -> dict[str, forms.Form]:
        """The forms that the reader may send now."""
        states = {line.action.state for line in lines}
        waiting = {CorrectiveAction.State.PLANNED, CorrectiveAction.State.DONE}
        verified = any(self.finding.is_closed_by(line.action) for line in lines)
        closable = verified and not states & waiting
        wanted: dict[str, tuple[bool, type[forms.Form]]] = {
            "plan": (rights.plan, PlanForm),
            "assign": (rights.assign, AssignForm),
            "accept": (rights.accept, AcceptForm),
            "withdraw": (rights.withdraw, ReasonForm),
            "reopen": (rights.reopen, ReasonForm),
            "close": (rights.plan and closable, forms.Form),
        }
        return {name: self._form(name, of) for name, (shown, of) in wanted.items() if shown}

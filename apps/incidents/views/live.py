"""The page of one incident, as a reader works on it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.common import clock
from apps.incidents.actions.states import open_ends
from apps.incidents.forms.incidents import NoteForm
from apps.incidents.models import Escalation, Incident, Review
from apps.incidents.queries.clocks import board
from apps.incidents.queries.drills import in_drill
from apps.incidents.queries.incidents import find_incident
from apps.incidents.queries.page import IncidentPage, Rights, classify_words, incident_page, rights_over
from apps.incidents.queries.steps import steps_of_incident
from apps.incidents.rules import Severity, State
from apps.incidents.rules.words import scenario_words
from apps.people.requests import signed_in
from apps.registry.queries import visible_systems

# Clocks on the page, the first response and the next status update among them.
IN_ROW = 4
# A call that still waits for its answer.
WAITING = frozenset({"queued", "sent", "delivered"})


class Desk:
    """One incident as somebody sees it. Raises Http404 for not there and not theirs alike."""

    def __init__(self, request: HttpRequest, code: str) -> None:
        self.request, self.actor, self.now = request, signed_in(request), clock.now()
        try:
            self.incident: Incident = find_incident(self.actor, code)
        except Incident.DoesNotExist as error:
            raise Http404 from error
        self.rights: Rights = rights_over(self.actor, self.incident)

    def context(self) -> dict[str, Any]:
        """What the page shows."""
        incident, now = self.incident, self.now
        page = incident_page(incident, now, all_lines=self.request.GET.get("timeline") == "all")
        asked = page.handover if page.handover and page.handover.incoming_id == self.actor.pk else None
        called = next((call for call in page.calls if self._waits_for_me(call.page)), None)
        return {
            "incident": incident,
            "page": page,
            "rights": self.rights,
            "asked": asked,
            "called": called,
            "lapsed": self._lapsed(page),
            "asks_me": self._asks_me(called is not None, page),
            "calling": [call for call in page.calls if call.page.state in WAITING] if incident.is_live else [],
            "renews": self._renews(page.escalation),
            "unclassified": incident.severity == Severity.UNCLASSIFIED and incident.is_open,
            "classify_words": classify_words(incident, now),
            "scenario": scenario_words(incident.scenario),
            "drill": in_drill(self.actor, incident),
            "next": self._next(),
            "steps": steps_of_incident(incident, self.actor, now),
            # One row: what is not in it is one link away.
            "board": board(incident, now, most=max(IN_ROW - len(page.cards), 2)),
            "sees_system": self._sees_system(),
            "note": NoteForm(incident=incident, actor=self.actor, auto_id="note_%s"),
            "me": self.actor,
            "review": Review.objects.filter(incident=incident).select_related("facilitator").first(),
        }

    def _waits_for_me(self, page: Any) -> bool:
        return page.person_id == self.actor.pk and page.state in WAITING

    def _asks_me(self, called: bool, page: IncidentPage) -> bool:
        """Whether the reader is asked to take the response: they were called, or lead and have not said so (again)."""
        silent = self.rights.leads and (self._lapsed(page) or not (page.term and page.term.accepted_at))
        return self.incident.is_live and (called or silent)

    def _lapsed(self, page: IncidentPage) -> bool:
        """Whether the lead took it, did not say again that they have it, and people are called again."""
        row, term = page.escalation, page.term
        calls = row is not None and row.state in (Escalation.State.RUNNING, Escalation.State.EXHAUSTED)
        return calls and self.incident.is_live and term is not None and term.accepted_at is not None

    def _renews(self, row: Escalation | None) -> bool:
        """Whether the reader has it, and says now and then that they still do."""
        return row is not None and row.ack_until is not None and row.acked_by_id == self.actor.pk

    def _next(self) -> dict[str, str]:
        """The one thing that brings the incident on from where it stands: its address and its words."""
        incident = self.incident
        if not self.rights.runs:
            return {}
        if incident.state in (State.RESOLVED, State.IN_REVIEW) and open_ends(incident):
            return {
                "verb": "review",
                "words": "Open the review",
                "href": reverse("incidents:review", args=[incident.code]),
            }
        classified = self.incident.severity != Severity.UNCLASSIFIED
        found = {
            State.REPORTED.value: ("take", "I take it") if classified else ("classify", "Say how bad it is"),
            State.TRIAGE.value: ("take", "I take it") if classified else ("classify", "Say how bad it is"),
            State.ACTIVE.value: ("contain", "It is contained"),
            State.CONTAINED.value: ("resolve", "It is resolved"),
            State.IN_REVIEW.value: ("close", "Close the incident"),
        }.get(incident.state)
        if found is None:
            return {}
        return {"verb": found[0], "words": found[1], "href": reverse("incidents:act", args=[incident.code, found[0]])}

    def _sees_system(self) -> bool:
        system = self.incident.system_id
        return system is not None and visible_systems(self.actor).filter(pk=system).exists()

    def render(self) -> HttpResponse:
        """The page; for a poll only what may have changed."""
        polls = self.request.headers.get("HX-Request") == "true"
        return render(self.request, "incidents/live.html" if polls else "incidents/incident.html", self.context())

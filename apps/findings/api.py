"""The API of findings: list, and one with what is done about it."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.common import clock
from apps.common.api import IdCursor, PageQuery, StrictSerializer, asked
from apps.common.clock import local_date
from apps.findings.models import CorrectiveAction, Finding, RiskAcceptance
from apps.findings.queries import on_record, overdue, visible_findings
from apps.findings.rules import SEVERITIES
from apps.people.models import Person


class FindingPersonOut(serializers.Serializer[Person]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")


class FindingOut(serializers.Serializer[Finding]):
    """Something that should not be so, with who puts it right and by when."""

    id = serializers.IntegerField()
    check_name = serializers.CharField(source="code", help_text="Which check found it; `reported` where a person did.")
    severity = serializers.ChoiceField([severity.value for severity in SEVERITIES])
    level = serializers.ChoiceField(Finding.Level.choices, help_text="Whether a change that adds it is refused.")
    scope = serializers.ChoiceField(Finding.Scope.choices)
    system = serializers.CharField(source="system.key", default=None, allow_null=True, help_text="The system's key.")
    unit = serializers.CharField(source="unit.code", default=None, allow_null=True, help_text="The unit's code.")
    domain = serializers.CharField(source="domain_id", allow_null=True)
    title = serializers.CharField()
    remedy = serializers.CharField()
    person = FindingPersonOut(help_text="Who puts it right.")
    raised_at = serializers.DateTimeField()
    due_on = serializers.DateField()
    state = serializers.ChoiceField(Finding.State.choices)
    accepted_until = serializers.DateField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_because = serializers.ChoiceField(Finding.Because.choices, allow_blank=True)


class ActionOut(serializers.Serializer[CorrectiveAction]):
    """What one person does about it."""

    what = serializers.CharField()
    person = FindingPersonOut()
    due_on = serializers.DateField()
    state = serializers.ChoiceField(CorrectiveAction.State.choices)
    done_at = serializers.DateTimeField(allow_null=True)
    evidence = serializers.CharField()
    verifier = FindingPersonOut(allow_null=True, help_text="Who is asked to verify.")
    verified_by = FindingPersonOut(allow_null=True, help_text="Who verified or rejected it.")
    verified_at = serializers.DateTimeField(allow_null=True)


class AcceptanceOut(serializers.Serializer[RiskAcceptance]):
    """A risk that somebody accepted."""

    accepted_by = FindingPersonOut()
    accepted_at = serializers.DateTimeField()
    authority = serializers.CharField()
    reason = serializers.CharField()
    until = serializers.DateField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_because = serializers.ChoiceField(RiskAcceptance.Ended.choices, allow_blank=True)


class FindingDetailOut(FindingOut):
    """A finding with its actions and acceptances, the latest acceptance first."""

    actions = ActionOut(many=True)
    acceptances = AcceptanceOut(many=True)


class FindingsQuery(PageQuery):
    """What the list takes besides."""

    state = serializers.ChoiceField(Finding.State.choices, required=False)
    severity = serializers.ChoiceField([severity.value for severity in SEVERITIES], required=False)
    check_name = serializers.CharField(max_length=40, required=False)
    system = serializers.CharField(max_length=80, required=False, help_text="A system's key.")
    person = serializers.UUIDField(required=False, help_text="Who puts it right.")
    overdue = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Only what is late.")


class FindingsView(TokenView, ListAPIView[Finding]):
    """Findings that the token's person may see."""

    serializer_class = FindingOut
    pagination_class = IdCursor

    def get_queryset(self) -> QuerySet[Finding]:
        """What is visible, filtered."""
        if getattr(self, "swagger_fake_view", False):
            return Finding.objects.none()
        wanted = asked(self.request, FindingsQuery)
        found = on_record(visible_findings(self.person()))
        columns = {"state": "state", "severity": "severity", "check_name": "code", "person": "person"}
        found = found.filter(**{column: wanted[name] for name, column in columns.items() if name in wanted})
        if "system" in wanted:
            found = found.filter(system__key=wanted["system"])
        return overdue(found, local_date(clock.now())) if wanted.get("overdue") else found

    @extend_schema(operation_id="findings_list", parameters=[FindingsQuery], summary="List findings")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Findings in the order in which they were raised."""
        return super().get(request, *args, **kwargs)


class FindingView(TokenView):
    """One finding."""

    @extend_schema(operation_id="findings_retrieve", responses=FindingDetailOut, summary="One finding")
    def get(self, request: Request, finding_id: int) -> Response:
        """A finding with what is done about it."""
        asked(request, StrictSerializer)
        rows = on_record(visible_findings(self.person()))
        found = rows.filter(pk=finding_id).first() if finding_id < 2**63 else None
        if found is None:
            raise Http404
        actions: Any = found.actions.select_related("person", "verifier", "verified_by")
        acceptances: Any = found.acceptances.select_related("accepted_by")
        body = FindingOut(found).data
        body["actions"] = ActionOut(actions, many=True).data
        body["acceptances"] = AcceptanceOut(acceptances, many=True).data
        return Response(body)

"""What went wrong, who leads the response, and what was done: the incident and its own record."""

from collections.abc import Iterable

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, Value, When
from guardian.models import UserObjectPermissionBase

from apps.incidents import rules
from apps.incidents.models.cards import SCENARIOS, ResponseRule
from apps.incidents.rules import STATE_WORDS, Dismissed, Mode, Severity, State, Via, Visibility
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.rules import Scenario

_OPEN = [state.value for state in rules.OPEN]
# What is live, then what is open, then what is over: the order of the list, and of its index.
LIST_ORDER = Case(
    When(state__in=[state.value for state in rules.LIVE], then=Value(0)), When(state__in=_OPEN, then=Value(1)),
    default=Value(2), output_field=models.IntegerField(),
)  # fmt: skip


def values(choices: Iterable[object]) -> list[str]:
    """The values of an enum of strings, for a constraint."""
    return [str(value) for value in choices]


class Incident(models.Model):
    """Something went wrong with an AI system, or is rehearsed. Exactly one active person leads until it is over.

    `card` is what the response card said at the moment of declaring; `plan` the escalation plan as it stood then.
    Neither changes with what they were made from. `version` counts every change, so that two who act on what they
    saw cannot overwrite each other.
    """

    number = models.PositiveIntegerField()
    mode = models.CharField(
        max_length=5, choices=[(m.value, m.value.capitalize()) for m in Mode], default=Mode.REAL.value
    )
    code = models.CharField(max_length=12, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    # None: not known yet which system it is; `about` then says what was told.
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="incidents")
    about = models.CharField(max_length=600, blank=True)
    scenario = models.CharField(max_length=20, choices=[("", "Not sure"), *SCENARIOS], blank=True)
    severity = models.CharField(
        max_length=12,
        choices=[(s.value, rules.SEVERITY_WORDS[s]) for s in Severity],
        default=Severity.UNCLASSIFIED.value,
    )
    classify_by = models.DateTimeField()
    classified_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(
        max_length=9, choices=[(s.value, STATE_WORDS[s]) for s in State], default=State.REPORTED.value
    )
    visibility = models.CharField(
        max_length=10, choices=[(v.value, v.value.capitalize()) for v in Visibility], default=Visibility.OPEN.value
    )
    restricted = models.GeneratedField(
        expression=Case(When(visibility="open", then=Value(False)), default=Value(True)),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    # None: a machine did, or somebody without an account by mail; `declared_as` says who in words.
    declared_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="incidents_declared")
    declared_as = models.CharField(max_length=300)
    declared_at = models.DateTimeField()
    # Of the form or the call that declared it: sent twice, it is still one incident.
    form_token = models.UUIDField(null=True, blank=True, unique=True)
    via = models.CharField(
        max_length=12, choices=[(v.value, v.value.capitalize()) for v in Via], default=Via.PORTAL.value
    )
    source = models.ForeignKey(
        "incidents.InboundSource", models.PROTECT, null=True, blank=True, related_name="incidents"
    )
    # What the sender calls the same trouble: an alert that fires again is a line, not a second incident.
    dedup_key = models.CharField(max_length=300, blank=True)
    lead = models.ForeignKey(Person, models.PROTECT, related_name="incidents_led")
    lead_accepted_at = models.DateTimeField(null=True, blank=True)
    lead_must_be_active = models.GeneratedField(
        expression=Case(When(Q(state__in=_OPEN), then=Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )
    lead_must_be = models.GeneratedField(
        expression=Value("human"), output_field=models.CharField(max_length=10), db_persist=True
    )
    owner = models.ForeignKey(Person, models.PROTECT, related_name="+")
    basis = models.CharField(max_length=8)
    is_fallback = models.BooleanField(default=False)
    rule = models.ForeignKey(ResponseRule, models.PROTECT, null=True, blank=True, related_name="+")
    card = models.JSONField(default=dict)
    plan = models.JSONField(default=list)
    active_at = models.DateTimeField(null=True, blank=True)
    contained_at = models.DateTimeField(null=True, blank=True)
    # Why no evidence was frozen before containing; empty where it was.
    freeze_waiver = models.CharField(max_length=600, blank=True)
    freeze_waived_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_because = models.CharField(
        max_length=20, choices=[(d.value, d.value.replace("_", " ").capitalize()) for d in Dismissed], blank=True
    )
    dismissal_note = models.CharField(max_length=600, blank=True)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    merged_at = models.DateTimeField(null=True, blank=True)
    reopened = models.PositiveSmallIntegerField(default=0)
    exercise = models.ForeignKey("incidents.Exercise", models.PROTECT, null=True, blank=True, related_name="incidents")
    # When the next word to the board and the people taking part is due; None where none is promised.
    update_due_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("-declared_at", "-pk")
        permissions = (("take_part_in_incident", "Takes part in an incident"),)
        constraints = (
            models.UniqueConstraint(fields=["mode", "number"], name="incident_number_once"),
            models.UniqueConstraint(
                fields=["source", "dedup_key"],
                condition=Q(state__in=[s.value for s in rules.LIVE]) & ~Q(dedup_key=""),
                name="one_live_incident_per_alert",
            ),
            models.CheckConstraint(condition=Q(mode__in=values(Mode)), name="incident_known_mode"),
            models.CheckConstraint(condition=Q(severity__in=values(Severity)), name="incident_known_severity"),
            models.CheckConstraint(condition=Q(state__in=values(State)), name="incident_known_state"),
            models.CheckConstraint(condition=Q(visibility__in=values(Visibility)), name="incident_known_visibility"),
            models.CheckConstraint(condition=Q(scenario__in=["", *values(Scenario)]), name="incident_known_scenario"),
            models.CheckConstraint(condition=~Q(title="") & ~Q(declared_as=""), name="incident_has_title"),
            models.CheckConstraint(
                condition=Q(system__isnull=False) | ~Q(about=""),
                name="incident_about_something",
                violation_error_message="Name the system, or say what it is about.",
            ),
            models.CheckConstraint(
                condition=Q(severity="unclassified", classified_at=None)
                | ~Q(severity="unclassified") & Q(classified_at__isnull=False),
                name="incident_classification_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["active", "contained", "resolved", "in_review", "closed"])
                | ~Q(severity="unclassified") & Q(lead_accepted_at__isnull=False, active_at__isnull=False),
                name="incident_active_has_severity_and_lead",
                violation_error_message="It becomes active when its severity is said and somebody leads.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["contained", "resolved", "in_review", "closed"])
                | Q(contained_at__isnull=False),
                name="incident_containment_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["resolved", "in_review", "closed"])
                | Q(resolved_at__isnull=False) & ~Q(resolution=""),
                name="incident_resolution_noted",
                violation_error_message="Say how it was resolved.",
            ),
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False) | ~Q(state="closed") & Q(closed_at=None),
                name="incident_closing_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="dismissed", dismissed_at__isnull=False) & ~Q(dismissed_because="")
                | ~Q(state="dismissed") & Q(dismissed_at=None, dismissed_because=""),
                name="incident_dismissal_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="merged", merged_into__isnull=False, merged_at__isnull=False)
                | ~Q(state="merged") & Q(merged_into=None, merged_at=None),
                name="incident_merging_dated",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=F("id")), name="incident_not_merged_into_itself"
            ),
            models.CheckConstraint(
                condition=Q(freeze_waiver="", freeze_waived_by=None)
                | ~Q(freeze_waiver="") & Q(freeze_waived_by__isnull=False),
                name="incident_freeze_waiver_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(mode="drill", exercise__isnull=False) | ~Q(mode="drill") & Q(exercise=None),
                name="incident_drill_has_exercise",
            ),
        )
        indexes = (
            models.Index("declared_at", condition=Q(state__in=[s.value for s in rules.LIVE]), name="incident_live"),
            models.Index("system", "declared_at", name="incident_system"),
            models.Index("lead", condition=Q(state__in=_OPEN), name="incident_lead_open"),
            models.Index("classify_by", condition=Q(severity="unclassified"), name="incident_unclassified"),
            models.Index("mode", "state", "declared_at", name="incident_mode_state"),
            # The list page by page, and its counts, without the wide rows: cards and plans lie in them.
            models.Index(
                LIST_ORDER, F("declared_at").desc(), F("id").desc(), name="incident_list_real", condition=Q(mode="real")
            ),
            models.Index(
                LIST_ORDER,
                F("declared_at").desc(),
                F("id").desc(),
                name="incident_list_rehearsed",
                condition=Q(mode__in=["drill", "test"]),
            ),
            models.Index("mode", "state", "visibility", "id", name="incident_counted"),
        )
        triggers = (
            pgtrigger.FSM(
                name="incident_states",
                field="state",
                transitions=[
                    *((old.value, new.value) for old, after in rules.TRANSITIONS.items() for new in after),
                    *((old.value, new.value) for old, new in rules.ENDS_WITH_DRILL),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def is_live(self) -> bool:
        """Whether something is going on and somebody responds now."""
        return self.state in rules.LIVE

    @property
    def is_open(self) -> bool:
        """Whether it is not over: neither closed, dismissed nor merged."""
        return self.state in rules.OPEN

    @property
    def place(self) -> str:
        """The system, or what was told where none is known."""
        return self.system.name if self.system is not None else self.about

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/incidents/{self.code}/"

    @property
    def state_words(self) -> str:
        """Where it stands; a drill that ended was not dismissed by anybody."""
        ended = self.state == State.DISMISSED and self.dismissed_because == Dismissed.DRILL_OVER
        return "Over" if ended else self.get_state_display()

    @property
    def prefix(self) -> str:
        """What every word about a rehearsal or a test begins with; empty for a real one."""
        return "" if self.mode == Mode.REAL else f"{self.mode.upper()}: "


class IncidentUserPermission(UserObjectPermissionBase):
    """That a person takes part in an incident, and so sees it where it is restricted."""

    content_object = models.ForeignKey(Incident, models.CASCADE, related_name="user_grants")

    class Meta(UserObjectPermissionBase.Meta):
        indexes = (models.Index("user", "content_object", name="incident_grant_by_user"),)


class LeadTerm(models.Model):
    """Who led from when to when. Exactly one row of an open incident has no end, and names the incident's lead."""

    class Ended(models.TextChoices):
        HANDED_OVER = "handed_over", "Handed over"
        RELIEVED = "relieved", "Relieved"
        DECLINED = "declined", "Declined"
        LEFT = "left", "Left the organisation"
        OVER = "over", "The incident is over"

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="leads")
    person = models.ForeignKey(Person, models.PROTECT, related_name="lead_terms")
    # Why this person: rule | matrix | owner | interim | acting | mandate | escalation | handover | volunteer | left
    basis = models.CharField(max_length=12)
    proposed_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    # Who said so, where it was somebody on their behalf.
    accepted_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=11, choices=Ended.choices, blank=True)
    ended_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("proposed_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=["incident"], condition=Q(ended_at=None), name="one_lead_at_each_moment"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_because="") | Q(ended_at__isnull=False) & ~Q(ended_because=""),
                name="lead_term_ending_dated",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("proposed_at")), name="lead_term_ends_after_start"
            ),
            models.CheckConstraint(
                condition=~Q(ended_because__in=["relieved", "declined"]) | ~Q(reason=""),
                name="lead_term_says_why",
                violation_error_message="Say why.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person_id} leads {self.incident_id}"


class LeadHandover(models.Model):
    """The lead asks somebody to take over; they lead from the moment they say yes, not before."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked"
        TAKEN = "taken", "Taken over"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="lead_handovers")
    outgoing = models.ForeignKey(Person, models.PROTECT, related_name="+")
    incoming = models.ForeignKey(Person, models.PROTECT, related_name="lead_handovers")
    # What the next one has to know: what is done, what is open, what worries.
    briefing = models.TextField()
    # A rule from a severity on asks, not the lead.
    by_rule = models.BooleanField(default=False, db_default=False)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.ASKED)
    answered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["incident"],
                condition=Q(state="asked"),
                name="one_lead_handover",
                violation_error_message="Somebody was asked already. Withdraw that first.",
            ),
            models.CheckConstraint(
                condition=~Q(outgoing=F("incoming")),
                name="lead_handover_to_another",
                violation_error_message="Hand over to somebody else.",
            ),
            models.CheckConstraint(condition=~Q(briefing=""), name="lead_handover_briefs"),
            models.CheckConstraint(
                condition=Q(state="asked", answered_at=None) | ~Q(state="asked") & Q(answered_at__isnull=False),
                name="lead_handover_answer_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(reason=""), name="lead_handover_declined_says_why"
            ),
        )

    def __str__(self) -> str:
        return f"hand-over of {self.incident_id}"


class TimelineEntry(models.Model):
    """One line of what happened. Never changed and never removed: a mistake is put right by another line."""

    class Kind(models.TextChoices):
        FACT = "fact", "Fact"
        DECISION = "decision", "Decision"
        ALARM = "alarm", "Alarm"
        CONTAINED = "contained", "Contained"
        PERSON = "person", "Somebody took it"
        UPDATE = "update", "Status update"
        NOTE = "note", "Note"

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="timeline")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    text = models.TextField()
    # When it happened, which may be before it was written down.
    at = models.DateTimeField()
    written_at = models.DateTimeField()
    # None: the portal wrote it.
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    person_name = models.CharField(max_length=200, blank=True)
    corrects = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="corrections")

    class Meta:
        ordering = ("-at", "-pk")
        constraints = (
            models.CheckConstraint(condition=~Q(text=""), name="timeline_says_something"),
            models.CheckConstraint(
                condition=Q(at__lte=F("written_at")),
                name="timeline_not_ahead",
                violation_error_message="What is written down has happened already.",
            ),
        )
        indexes = (models.Index(fields=["incident", "-at", "-id"], name="timeline_incident"),)

    def __str__(self) -> str:
        return self.text[:80]


class SeverityChange(models.Model):
    """Who said how bad it is, when and why. None as person: the time for saying it was over."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="severity_changes")
    before = models.CharField(max_length=12)
    after = models.CharField(max_length=12)
    reason = models.CharField(max_length=600)
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="severity_change_says_why"),
            models.CheckConstraint(condition=~Q(before=F("after")), name="severity_change_changes"),
        )

    def __str__(self) -> str:
        return f"{self.before} to {self.after}"


class IncidentTask(models.Model):
    """Something that one person does during the response, beside the runbook."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="tasks")
    what = models.CharField(max_length=600)
    person = models.ForeignKey(Person, models.PROTECT, related_name="incident_tasks")
    # Brought in beside the plan: they were called at once, and are waited for until it is done.
    called = models.BooleanField(default=False, db_default=False)
    due_at = models.DateTimeField(null=True, blank=True)
    set_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    outcome = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("done_at", "due_at", "pk")
        constraints = (
            models.CheckConstraint(condition=~Q(what=""), name="incident_task_says_what"),
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None) | Q(done_at__isnull=False, done_by__isnull=False),
                name="incident_task_done_dated",
            ),
        )

    def __str__(self) -> str:
        return self.what


class IncidentFile(models.Model):
    """A file that belongs to an incident. The bytes lie in the private folder under their SHA-256."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="files")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    size = models.PositiveIntegerField()
    content_type = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=600, blank=True)
    added_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=["incident", "number"], name="incident_file_once"),)

    def __str__(self) -> str:
        return self.name


class InboundSource(models.Model):
    """Something that may declare incidents by itself: an alerting system, a mailbox, a program. Kept by a token.

    Only the SHA-256 of the token is stored. `systems` limits what it may declare about; empty: anything.
    """

    class Kind(models.TextChoices):
        ALERTMANAGER = "alertmanager", "Prometheus Alertmanager"
        PAGERDUTY = "pagerduty", "PagerDuty Events v2"
        GENERIC = "webhook", "JSON of your own"
        EMAIL = "email", "E-mail"

    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    # Where nothing in the message names a system.
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="inbound_sources")
    scenario = models.CharField(max_length=20, choices=[("", "Not sure"), *SCENARIOS], blank=True)
    mode = models.CharField(max_length=5, choices=[("real", "Real"), ("test", "Test")], default="real")
    # The labels whose value may name a system: its key, name or identity.
    labels: "ArrayField[list[str], list[str]]" = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    owner = models.ForeignKey(Person, models.PROTECT, related_name="inbound_sources")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="inbound_source_has_name"),
            models.CheckConstraint(
                condition=Q(kind__in=["alertmanager", "pagerduty", "webhook", "email"]), name="inbound_known_kind"
            ),
            models.CheckConstraint(condition=Q(mode__in=["real", "test"]), name="inbound_known_mode"),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(revoked_at=None),
                name="inbound_source_name_once",
                violation_error_message=(
                    "There is a source of this name. Choose another name, or revoke that one first."
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name

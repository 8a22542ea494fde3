"""Duties towards people in an incident: timers fire, acknowledgements run out, calls leave, somebody has it."""

from datetime import timedelta

from django.db.models import Q

from apps.access.rules import Permission
from apps.incidents.models import Escalation, Incident
from apps.incidents.rules import LIVE, Visibility
from apps.notify.models import Delivery, Message
from apps.portal.queries.watch_checks import EXAMPLES, Duty, Example, Look, Scene, Tends, seen
from apps.portal.queries.watch_work import OUTBOX, moment_words
from apps.registry.rules.breaches import Severity

# The sweep that calls comes each 15 seconds: what is this late was not called.
CALLED_WITHIN = timedelta(minutes=5)
# A call leaves in seconds, or the way it goes is shut.
SENT_WITHIN = timedelta(minutes=2)
# The duties without which nobody is called: the sign of life goes out only while they are done.
VITAL = frozenset({"calls-not-made", "acknowledgements-not-expired", "calls-not-sent"})
_LIVE = [state.value for state in LIVE]


def _example(incident: Incident, words: str) -> Example:
    """The code alone: what an incident is called is for those who may see it. Of a privileged one not even that."""
    if incident.visibility == Visibility.PRIVILEGED:
        return Example(f"A privileged incident, {words}", needs=Permission.INCIDENTS_READ_ALL)
    return Example(f"{incident.code}, {words}", incident.path, incident.system_id, needs=Permission.INCIDENTS_READ_ALL)


def _not_called(scene: Scene) -> Look:
    """Whoever is next was due and not called; an incident that goes on without a timer is as late."""
    late = scene.now - CALLED_WITHIN
    live = Incident.objects.filter(state__in=_LIVE)
    missed = live.filter(
        Q(escalation__state=Escalation.State.RUNNING, escalation__due_at__lt=late)
        | Q(escalation=None, declared_at__lt=late)
    )

    def words(one: Incident) -> Example:
        row = getattr(one, "escalation", None)
        due = row.due_at if row is not None else one.declared_at
        return _example(one, f"the next call was due {moment_words(due)}")

    return seen(missed.select_related("escalation").order_by("declared_at", "pk"), words)


def _not_expired(scene: Scene) -> Look:
    rows = Escalation.objects.filter(
        state=Escalation.State.ACKED, ack_until__lt=scene.now - CALLED_WITHIN, incident__state__in=_LIVE
    )

    def words(one: Escalation) -> Example:
        return _example(one.incident, f"the acknowledgement ran out {moment_words(one.ack_until)}")

    return seen(rows.select_related("incident").order_by("ack_until", "pk"), words)


def _not_sent(scene: Scene) -> Look:
    """Mails and webhooks alike."""
    late = {"urgent": True, "state": "queued", "not_before__lt": scene.now - SENT_WITHIN}

    def mail(one: Message) -> Example:
        text = f"{one.recipient.display_name}, written {moment_words(one.created_at)}"
        return Example(text, OUTBOX, needs=Permission.CAMPAIGN_RUN)

    def webhook(one: Delivery) -> Example:
        return Example(f"{one.endpoint.name}, written {moment_words(one.created_at)}")

    mails = seen(Message.objects.filter(**late).select_related("recipient").order_by("not_before", "pk"), mail)
    others = seen(Delivery.objects.filter(**late).select_related("endpoint").order_by("not_before", "pk"), webhook)
    return Look(mails.undone + others.undone, (*mails.examples, *others.examples)[:EXAMPLES])


def _nobody_answered(scene: Scene) -> Look:
    rows = Escalation.objects.filter(state=Escalation.State.EXHAUSTED, incident__state__in=_LIVE)

    def words(one: Escalation) -> Example:
        return _example(one.incident, f"declared {moment_words(one.incident.declared_at)}")

    return seen(rows.select_related("incident").order_by("incident__declared_at", "pk"), words)


DUTIES: tuple[Duty, ...] = (
    Duty(
        key="calls-not-made",
        what="Whoever is next is called until somebody takes an incident",
        by_when="within 5 minutes of the time in the plan",
        title="People were not called in their time.",
        one="1 incident where nobody was called in time",
        many="{n} incidents where nobody was called in time",
        action="Call them by phone now. Look at the sweep incidents.escalate below, and whether worker and beat run.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.CRITICAL,
        look=_not_called,
    ),
    Duty(
        key="acknowledgements-not-expired",
        what="An acknowledgement that nobody renews runs out",
        by_when="within 5 minutes",
        title="Acknowledgements ran out and nobody was called again.",
        one="1 acknowledgement ran out and nobody was called again",
        many="{n} acknowledgements ran out and nobody was called again",
        action="Ask whoever has it. Look at the sweep incidents.escalate below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.CRITICAL,
        look=_not_expired,
    ),
    Duty(
        key="calls-not-sent",
        what="A call leaves at once",
        by_when="within 2 minutes",
        title="Calls wait to be sent.",
        one="1 call waits to be sent",
        many="{n} calls wait to be sent",
        action="Call them by phone now. Look whether the mail server and the endpoints take what is sent.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.CRITICAL,
        look=_not_sent,
    ),
    Duty(
        key="nobody-answered",
        what="Somebody takes each incident",
        by_when="before its plan is at its end",
        title="Nobody answered the calls of an incident.",
        one="1 incident that nobody took",
        many="{n} incidents that nobody took",
        action="Take it, or find somebody who does and say so on their behalf.",
        tends=Tends.MANDATE,
        severity=Severity.CRITICAL,
        look=_nobody_answered,
    ),
)

"""Duties of the machines: sweeps run, mail leaves, the trail has its next month."""

from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef

from apps.access.rules import Permission
from apps.audit.models import SweepRun
from apps.audit.queries import months_without_partition
from apps.common.clock import day_words, organisation_zone
from apps.notify.models import Message
from apps.notify.queries import undelivered_since
from apps.notify.rules import CLAIM_EXPIRES
from apps.portal.queries.watch_checks import Duty, Example, Look, Scene, Tends, listed, seen
from apps.registry.rules.breaches import Severity

HEARTBEAT = "audit.heartbeat"
# A mail leaves within this time after its own.
MAIL_LEAVES_WITHIN = timedelta(minutes=15)
# A mail that did not arrive is a duty for this long, or until a later one reaches the person.
LOOK_BACK = timedelta(days=14)
OUTBOX = "/mail/"


def moment_words(moment: datetime | None) -> str:
    """17 Nov 2026, 10:42, in the organisation's zone."""
    if moment is None:
        return "never"
    local = moment.astimezone(organisation_zone())
    return f"{day_words(local.date())}, {local:%H:%M}"


def _worker(scene: Scene) -> Look:
    beat = next((run for run in scene.sweeps if run.name == HEARTBEAT), None)
    if beat is None:
        return Look(1, (Example("No worker has ever reported."),))
    if beat.is_late(scene.now):
        return Look(1, (Example(f"The last sign of a worker: {moment_words(beat.succeeded_at)}."),))
    return Look()


def _late(scene: Scene) -> Look:
    late = (run for run in scene.sweeps if run.name != HEARTBEAT and run.is_late(scene.now))
    return listed(_sweep(run, f"last good end: {moment_words(run.succeeded_at)}") for run in late)


def _poisoned(scene: Scene) -> Look:
    poisoned = (run for run in scene.sweeps if run.is_poisoned)
    return listed(_sweep(run, f"{run.failures_in_a_row:,} times in a row. {run.last_error}") for run in poisoned)


def _sweep(run: SweepRun, words: str) -> Example:
    return Example(f"{run.name}, {words}", f"/status/#sweep-{run.name}")


def _mail(message: Message) -> Example:
    """The subject can name a system that the reader may not see; who it is for and since when says enough."""
    text = f"{message.recipient.display_name}, written {moment_words(message.created_at)}"
    return Example(text, OUTBOX, needs=Permission.CAMPAIGN_RUN)


def _waiting(scene: Scene) -> Look:
    late = Message.objects.filter(state=Message.State.QUEUED, not_before__lt=scene.now - MAIL_LEAVES_WITHIN)
    return seen(late.select_related("recipient").order_by("not_before", "pk"), _mail)


def _claimed(scene: Scene) -> Look:
    left = Message.objects.filter(state=Message.State.CLAIMED, claimed_at__lt=scene.now - CLAIM_EXPIRES)
    return seen(left.select_related("recipient").order_by("claimed_at", "pk"), _mail)


def _uncertain(scene: Scene) -> Look:
    """The address works where a later mail arrived; what this one said is still listed on its page."""
    later = Message.objects.filter(
        recipient=OuterRef("recipient"), state=Message.State.SENT, created_at__gt=OuterRef("created_at")
    )
    open_ones = Message.objects.filter(
        ~Exists(later), state=Message.State.UNCERTAIN, created_at__gte=scene.now - LOOK_BACK
    )
    return seen(open_ones.select_related("recipient").order_by("-created_at", "-pk"), _mail)


def _not_reached(scene: Scene) -> Look:
    """Who left is another finding: what they were told goes to who answers in their place."""
    rows = undelivered_since(scene.now - LOOK_BACK).filter(recipient__is_active=True)
    return seen(rows.order_by("-created_at", "-pk"), _mail)


def _months(scene: Scene) -> Look:
    today = scene.now.date()  # the trail's months are those of UTC
    this = today.replace(day=1)
    coming = date(this.year + this.month // 12, this.month % 12 + 1, 1)
    return listed(Example(f"{month:%B %Y}") for month in months_without_partition([this, coming]))


DUTIES: tuple[Duty, ...] = (
    Duty(
        key="worker",
        what="A worker takes work from the queue",
        by_when="every minute; after 3 minutes it counts as missing",
        title="No worker takes work from the queue.",
        one="No worker takes work from the queue",
        many="No worker takes work from the queue",
        action="Look whether worker, beat and Redis run, and read the worker's log.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.CRITICAL,
        look=_worker,
    ),
    Duty(
        key="sweeps-late",
        what="Every sweep ends well",
        by_when="within 3 of its intervals",
        title="Sweeps did not run in their time.",
        one="1 sweep did not run in its time",
        many="{n} sweeps did not run in their time",
        action="Look at the sweep's last error below, and whether worker and beat run.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.HIGH,
        look=_late,
    ),
    Duty(
        key="sweeps-failing",
        what="No sweep fails again and again",
        by_when="at most 4 failures in a row",
        title="A sweep fails each time it runs.",
        one="1 sweep fails each time it runs",
        many="{n} sweeps fail each time they run",
        action="Read its error below and in the worker's log. It is tried each time until it works.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.HIGH,
        look=_poisoned,
    ),
    Duty(
        key="mail-waiting",
        what="Every mail leaves when its time has come",
        by_when="within 15 minutes",
        title="Mail waits longer than 15 minutes.",
        one="1 mail waits longer than 15 minutes",
        many="{n} mails wait longer than 15 minutes",
        action="Look whether the mail server takes mail, then send what waits with manage.py deliver_mail.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.HIGH,
        look=_waiting,
    ),
    Duty(
        key="mail-claimed",
        what="No mail stays half sent",
        by_when="within 10 minutes",
        title="Mail was begun and never confirmed.",
        one="1 mail was begun and never confirmed",
        many="{n} mails were begun and never confirmed",
        action="Look whether a worker runs: the next sweep marks them as uncertain.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_claimed,
    ),
    Duty(
        key="mail-uncertain",
        what="Every mail is known to have left",
        by_when="looked at for 14 days, or until a later mail arrives",
        title="Some mail may not have arrived.",
        one="1 mail may not have arrived",
        many="{n} mails may not have arrived",
        action="Ask the person whether it arrived. It is never sent again by itself.",
        tends=Tends.MANDATE,
        severity=Severity.MEDIUM,
        look=_uncertain,
    ),
    Duty(
        key="mail-not-reached",
        what="Everybody is reached by mail",
        by_when="looked at for 14 days, or until a later mail arrives",
        title="Mail does not reach people who are here.",
        one="1 person is not reached by mail",
        many="{n} people are not reached by mail",
        action="Correct the address, and tell them in person what waits for them.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_not_reached,
    ),
    Duty(
        key="trail-months",
        what="The trail has a place for this month and the next",
        by_when="before the month begins",
        title="The trail has no partition for a month that comes.",
        one="1 month has no partition",
        many="{n} months have no partition",
        action="Look at the sweep audit.prepare_partitions below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_months,
    ),
)

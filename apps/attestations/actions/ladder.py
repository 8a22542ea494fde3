"""The ladder: one digest a person a day, who is told where mail does not reach, and steps taken by hand."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.actions.digests import (
    Calendar,
    Digest,
    Line,
    count_words,
    digest_note,
    fill,
    gather,
    line_words,
)
from apps.attestations.models import Assignment, Campaign, Snooze
from apps.attestations.queries.recipients import (
    Heard,
    Item,
    Place,
    Recipients,
    open_items,
    open_places,
)
from apps.attestations.queries.unsaid import Steps, open_dates, unsaid_places, zones_of_people
from apps.attestations.rules import LIST_FIRST
from apps.attestations.rules.ladder import AFTER, BOARD_AFTER, OLDEST_STEP, SNOOZE_DAYS, Role, next_office_time
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.notify.actions import Note, enqueue_many, withdraw
from apps.notify.models import Message
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject

DIGEST = "campaign-digest:"
UNREACHED = "campaign-unreached:"
ASKED = "campaign-asked:"
ESCALATED = "campaign-escalated:"
# What may be taken back when somebody signs.
LADDER_MAIL = (DIGEST, UNREACHED, ASKED, ESCALATED)
# Whose last mail failed is looked up so far back.
LOOK_BACK = timedelta(days=14)
# So many places are looked at one by one to find out whether anything is new; where there are more, something is.
LOOKED_AT = 5000
# Roles on the way up, with the first day on which each is told by itself.
UP = (Role.MANAGER, Role.HEAD, Role.SEATS)


@transaction.atomic
def remind_due(*, actor: Actor, now: datetime) -> int:
    """Put the digests of today into the outbox: one a person, over all campaigns. Returns how many mails are new.

    A digest is written where a step has come since the person's last one; its key holds person and day, so running
    this again, or twice at once, says nothing twice. After days without a sweep only the newest step is said, and
    one that is more than a week old is not. Only in office hours of each. Whom mail does not reach is told of to the
    next person of the ladder, once a campaign. A fixed number of queries. The trail notes it where something was said.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_ladder'))")
    recipients, calendar, snoozed = Recipients((), now, since=now - LOOK_BACK), Calendar(now), _snoozed(now)
    if not _may_be_new(now, recipients, calendar, snoozed):
        return 0
    places = open_places(now)
    recipients.read(place.owner for place in places)
    digests, plan = gather(places, recipients, calendar, snoozed)
    new, again = _new(digests, now)
    owners = {place.owner for place in places if any(person in new for person, _, _ in plan[place.alike])}
    fill(new, open_items(now, owners=owners) if new else [], plan)
    notes = _digest_notes(new, again, calendar, recipients)
    instead = _unreached_notes(places, recipients, calendar, now)
    if notes or instead:
        enqueue_many([*notes, *instead], now=now)
        codes = {code for digest in new.values() for code in digest.codes}
        _record(codes or {place.code for place in places}, len(notes), len(instead), actor, now)
    return len(notes) + len(instead)


def _may_be_new(
    now: datetime, recipients: Recipients, calendar: Calendar, snoozed: Mapping[tuple[int, UUID], date]
) -> bool:
    """Whether anything is to be said: false only where nothing is. Most sweeps end here, after a few short queries."""
    dates = open_dates(now)
    if not dates:
        return False
    places = unsaid_places(
        now, list(_steps(dates, calendar)), prefix=DIGEST, since=now - OLDEST_STEP - timedelta(days=2),
        look=recipients.look, special=recipients.special, limit=LOOKED_AT + 1,
    )  # fmt: skip
    if len(places) > LOOKED_AT:
        return True
    recipients.read(place.owner for place in places)
    new, _ = _new(gather(places, recipients, calendar, snoozed)[0], now)
    return bool(new or _unreached_notes(places, recipients, calendar, now))


def _steps(dates: Sequence[tuple[date, date, date]], calendar: Calendar) -> Iterator[Steps]:
    """The newest steps by date and zone, in zones where mail may leave now."""
    for zone in filter(calendar.in_office, zones_of_people()):
        today = calendar.date_in(zone)
        for due, opened, began in dates:
            own = calendar.reached(Role.OWNER, due, opened, today).step
            others = (calendar.reached(role, due, began, today).step for role in (Role.DEPUTY, Role.MANAGER))
            yield Steps(due, opened, began, zone, own, *others)


def _record(codes: set[str], people: int, instead: int, actor: Actor, now: datetime) -> None:
    """One event for the run; of several campaigns the first causes those of the others."""
    cause = None
    for campaign in Campaign.objects.filter(code__in=codes).order_by("pk"):
        event = record(
            Kind.CAMPAIGN_REMINDED,
            actor=actor,
            subject=campaign_subject(campaign),
            now=now,
            after={"people": people, "instead_of_unreached": instead, "by": "schedule"},
            cause=cause,
        )
        cause = cause or event


def _snoozed(now: datetime) -> dict[tuple[int, UUID], date]:
    """Who put reminders off, until which day."""
    running = Snooze.objects.filter(until__gte=local_date(now) - timedelta(days=2))
    return {(row.campaign_id, row.person_id): row.until for row in running}


def _new(digests: Mapping[UUID, Digest], now: datetime) -> tuple[dict[UUID, Digest], Mapping[tuple[UUID, date], int]]:
    """The digests in which a step has come since the last one, and how many of each day were taken back."""
    meant = {person: digest for person, digest in digests.items() if digest.newest is not None}
    last, again = _said(list(meant), now)
    new = {
        person: digest
        for person, digest in meant.items()
        if digest.newest is not None and digest.newest > last.get(person, date.min)
    }
    return new, again


def _digest_notes(
    new: Mapping[UUID, Digest], again: Mapping[tuple[UUID, date], int], calendar: Calendar, recipients: Recipients
) -> list[Note]:
    """One mail a person, its key the person and the day; a number behind it where one was taken back."""
    notes = []
    for person, digest in new.items():
        today = calendar.today(digest.person)
        nth = again.get((person, today), 0)
        key = f"{DIGEST}{person}:{today}" + (f":{nth + 1}" if nth else "")
        notes.append(digest_note(digest, key, today, recipients.people))
    return notes


def _said(people: Sequence[UUID], now: datetime) -> tuple[dict[UUID, date], dict[tuple[UUID, date], int]]:
    """The day of each one's last digest, and how many were taken back on which day. One query."""
    last: dict[UUID, date] = {}
    again: dict[tuple[UUID, date], int] = defaultdict(int)
    rows = Message.objects.filter(
        recipient__in=people, created_at__gte=now - OLDEST_STEP - timedelta(days=2), key__startswith=DIGEST
    )
    for person, key, state in rows.values_list("recipient", "key", "state"):
        day = date.fromisoformat(key.split(":")[2])
        if state == Message.State.WITHDRAWN:
            again[person, day] += 1
        else:
            last[person] = max(day, last.get(person, date.min))
    return last, again


def _unreached_notes(places: Sequence[Place], recipients: Recipients, calendar: Calendar, now: datetime) -> list[Note]:
    """Whoever is next hears at once of those whom mail does not reach, once a campaign and pair of people."""
    gaps = {place.alike: met for place in places if (met := list(_gaps(place, recipients, calendar)))}
    if not gaps:
        return []
    lines: dict[tuple[str, UUID, UUID], dict[int, Line]] = defaultdict(dict)
    found: dict[tuple[str, UUID, UUID], tuple[Person, Heard]] = {}
    for item in open_items(now, owners={owner for _, _, _, owner, _ in gaps}):
        for one, up in gaps.get(item.alike, ()):
            pair = (item.code, one.person.pk, up.person.pk)
            found[pair] = (one.person, up)
            lines[pair][item.assignment] = Line(item, up.why)
    keys = {pair: f"{UNREACHED}{':'.join(map(str, pair))}" for pair in found}
    known = set(Message.objects.filter(key__in=keys.values()).values_list("key", flat=True))
    return [
        _unreached_note(keys[pair], *found[pair], list(lines[pair].values()), calendar, recipients)
        for pair in found
        if keys[pair] not in known
    ]


def _gaps(place: Place, recipients: Recipients, calendar: Calendar) -> Iterator[tuple[Heard, Heard]]:
    """Whom the ladder told of a place by today without reaching them, and who is next."""
    for role in (Role.OWNER, *UP):
        for one in recipients.unreached(role, place):
            today = calendar.today(one.person)
            if role != Role.OWNER and not calendar.reached(role, place.due, place.campaign_opened, today).yet:
                continue
            up = recipients.next_up(one, place)
            if up is not None and calendar.may_write(up.person):
                yield one, up


def _unreached_note(
    key: str, unreached: Person, up: Heard, lines: list[Line], calendar: Calendar, recipients: Recipients
) -> Note:
    today = calendar.today(up.person)
    listed = [line_words(line, up.role, today, recipients.people) for line in lines[:LIST_FIRST]]
    more = len(lines) - len(listed)
    body = [
        f"Mail to {unreached.display_name} does not get through. You are next in line for {count_words(len(lines))} "
        f"in the {lines[0].item.label} attestation that nobody has signed for:",
        "\n".join([*listed, *([f"- and {more:,} more"] if more else [])]),
        f"Tell {unreached.display_name} in person, or nominate another owner on the page of the system.",
    ]
    subject = f"{lines[0].item.label}: mail does not reach {unreached.display_name}"
    return Note(key, up.person, subject, "\n\n".join(body), "/attestations/")


# By hand.


def _one(assignment: Assignment, now: datetime) -> tuple[Item, Recipients]:
    """An assignment as an item of the ladder, with its system held. Raises Refused where it is not open."""
    locked(assignment.system)
    items = open_items(now, assignment=assignment.pk)
    if not items:
        raise Refused(f"{assignment.system.name} is signed, or the campaign is closed. There is nobody to tell.")
    return items[0], Recipients([items[0].owner], now, since=now - LOOK_BACK)


@transaction.atomic
def remind_item(assignment: Assignment, *, actor: Person, now: datetime) -> Person:
    """Remind the owner of one open system, because somebody asked to; returns the owner. Who acts for them hears too.

    It leaves in the office hours of each. Raises Refused for a second time on one day, and for what is not open.
    """
    item, recipients = _one(assignment, now)
    calendar, today = Calendar(now), local_date(now)
    owner = recipients.people[item.owner]
    notes = []
    for one in recipients.heard(Role.OWNER, item):
        line = line_words(Line(item, one.why), one.role, calendar.today(one.person), recipients.people)
        notes.append(
            Note(
                f"{ASKED}{item.code}:{item.assignment}:{one.person.pk}:{today}",
                one.person,
                f"{item.label}: {item.name} is not signed",
                f"{actor.display_name} asks you to sign for this system:\n\n{line}",
                f"/attestations/{item.code}/{item.key}/" if one.role == Role.OWNER else f"/systems/{item.key}/",
                next_office_time(now, calendar.zone_of(one.person), calendar.working),
            )
        )
    if Message.objects.filter(key__in=[note.key for note in notes]).exists():
        raise Refused(f"{owner.display_name} was reminded of {item.name} today already.")
    enqueue_many(notes, now=now)
    record(
        Kind.CAMPAIGN_REMINDED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={"campaign": item.code, "assignment": item.assignment, "person": owner.audit_id, "by": "hand"},
    )
    return owner


def next_level(item: Item, recipients: Recipients, said: int, today: date, actor: Person) -> tuple[int, list[Heard]]:
    """Who would be told by an escalation: the first level above what the calendar and people did so far.

    Returns the level, 1 for the line manager to 4 for the mandate holder, and the people; none where nobody is left
    who doesn't know: whoever was told at a level below, the owner, and who escalates.
    """
    by_calendar = sum(1 for role in UP if (today - item.due).days >= AFTER[role][0])
    reached = max(by_calendar, said)
    levels = [recipients.heard(role, item) for role in UP]
    levels.append([Heard(recipients.mandate, Role.SEATS)] if recipients.mandate else [])
    know = {item.owner, actor.pk, *(one.person.pk for told in levels[:reached] for one in told)}
    for level, told in enumerate(levels[reached:], start=reached + 1):
        if fresh := [one for one in told if one.person.pk not in know]:
            return level, fresh
    return len(levels), []


def escalated_so_far(assignment: int) -> tuple[int, list[date]]:
    """How far up one assignment was told by hand, and on which days. One query."""
    keys = Message.objects.filter(key__startswith=f"{ESCALATED}{assignment}:").values_list("key", flat=True)
    parts = [key.split(":") for key in keys]
    return max((int(part[2]) for part in parts), default=0), [date.fromisoformat(part[3]) for part in parts]


@transaction.atomic
def escalate_item(assignment: Assignment, *, actor: Person, now: datetime) -> list[Person]:
    """Tell the next person up of one overdue system at once; returns who was told.

    Raises Refused before the due date, for a second time on one day, for what is not open, and where everybody on
    the ladder was told.
    """
    item, recipients = _one(assignment, now)
    today = local_date(now)
    if today <= item.due:
        raise Refused(f"{item.name} is due on {day_words(item.due)}. It is escalated after that day.")
    said, days = escalated_so_far(item.assignment)
    if today in days:
        raise Refused(f"{item.name} was escalated today already. The next step can be taken tomorrow.")
    level, told = next_level(item, recipients, said, today, actor)
    if not told:
        named = f"On day {BOARD_AFTER} the board report names it."
        raise Refused(f"Everybody on the ladder was told of {item.name}. {named}")
    calendar = Calendar(now)
    enqueue_many(
        [_escalation(f"{ESCALATED}{item.assignment}:{level}:{today}", one, item, actor, recipients, calendar)
         for one in told],
        now=now,
    )  # fmt: skip
    record(
        Kind.CAMPAIGN_ESCALATED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={
            "campaign": item.code,
            "assignment": item.assignment,
            "level": level,
            "told": [one.person.audit_id for one in told],
        },
    )
    return [one.person for one in told]


def _escalation(prefix: str, one: Heard, item: Item, actor: Person, recipients: Recipients, calendar: Calendar) -> Note:
    today = calendar.today(one.person)
    owner = recipients.people[item.owner].display_name
    return Note(
        f"{prefix}:{one.person.pk}",
        one.person,
        f"{item.label}: {owner} has not signed for {item.name}",
        (
            f"{actor.display_name} asks you to see to this:\n\n"
            f"{line_words(Line(item, one.why), one.role, today, recipients.people)}\n\n"
            f"Ask {owner} to sign, or nominate another owner on the page of the system. What is not signed when the "
            "campaign closes is reported as not attested, by name."
        ),
        f"/systems/{item.key}/",
    )


@transaction.atomic
def snooze(campaign: Campaign, *, days: int, actor: Person, now: datetime) -> Snooze:
    """Put off the reminders of one's own systems in a campaign, once, for at most three days.

    Due dates stay, and others are told of what is overdue all the same. What waits in the outbox is taken back.
    Raises Refused for a second time, for another number of days and in a closed campaign, NotAllowed where the person
    has nothing open in it.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if days not in SNOOZE_DAYS:
        raise Refused("Reminders can be put off for 3 days at most.")
    if not campaign.takes_answers or now >= campaign.closes_at:
        raise Refused(f"The campaign of {campaign.label} is closed. No reminders go out any more.")
    own = campaign.assignments.filter(system__owner=actor, state__in=["pending", "in_progress", "changes_requested"])
    if not own.exists():
        raise NotAllowed(f"You have nothing to sign in {campaign.label}.")
    if Snooze.objects.filter(campaign=campaign, person=actor).exists():
        raise Refused(f"You put off the reminders of {campaign.label} already. That can be done once.")
    today = Calendar(now).today(actor)
    row = Snooze.objects.create(
        campaign=campaign, person=actor, from_day=today, until=today + timedelta(days=days), set_at=now
    )
    take_back(actor, now=now, reason="The person put reminders off.")
    record(
        Kind.CAMPAIGN_SNOOZED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"person": actor.audit_id, "until": str(row.until)},
    )
    return row


def take_back(person: Person, *, now: datetime, reason: str) -> int:
    """Take back the digest of this person that waits. What is still open is said anew by the next sweep."""
    waiting = [Message.State.QUEUED, Message.State.CLAIMED]
    keys = Message.objects.filter(recipient=person, state__in=waiting, key__startswith=DIGEST)
    return withdraw(now=now, reason=reason, keys=list(keys.values_list("key", flat=True)))

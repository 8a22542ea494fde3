"""Today's story of owners: who stands in, what facts predict, what is being handed over, what an owner may do."""

from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction

from apps.audit.rules import SCHEDULER
from apps.common.clock import local_date
from apps.people.models import Absence, Person
from apps.people.rules import Confirmation
from apps.portal.demo.cast import FIRST_OWNER, MANDATE_HOLDER
from apps.portal.demo.inventory import Pool
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.portal.queries.handovers import beyond
from apps.registry import actions as registry
from apps.registry.actions.facts import note_ownership_fact
from apps.registry.actions.handover import Signing, digest
from apps.registry.models import Authority, Handover, Nomination, OwnershipFact, System
from apps.registry.queries import live
from apps.registry.queries.handover import pack_of
from apps.registry.rules import Tier
from apps.registry.rules.authority import Powers

# Who is away today, and the first owner, who is their deputy.
AWAY, DELEGATES, DELEGATE = "samir.devries", "agnes.mulder", "rafael.eze"
AWAY_BEFORE, AWAY_AFTER = 4, 10
# The two who exchange a system each, and what the outgoing one writes.
COLLEAGUE = "imogen.tanaka"
JUDGEMENT = (
    "The model is sound; what goes into it is not. Two teams still send records that nobody has checked, and it does "
    "not notice. Ask for the weekly count of rejected records before you believe the accuracy figure."
)
VENDOR = "Account manager: Ottilie Brandt, +1 202 555 0177. Severity 1: the number on the contract's last page."
# Systems of the first owner, besides the critical ones, on which authority is granted.
GRANTED = 5
STOP = Powers(may_stop=True, may_revoke=True, spend_cap=Decimal("20000.00"), currency="USD")
# Facts that name one person for a system that nobody accepted: kind, value, source.
PREDICTED_FACTS = (
    ("code_owner", "@{handle}", "CODEOWNERS of {key}"),
    ("backstage_owner", "user:{handle}", "catalog/{key}"),
    ("deployer", "{handle}@people.example", "svc-{key}"),
)
PREDICTED = ((FIRST_OWNER, "HHS"), (COLLEAGUE, "HHS"), ("rafael.eze", "VA"), ("edmund.farouk", "TREAS"))


@transaction.atomic
def load_absences(moments: Moments) -> bool:
    """One owner is away today and another delegates this week. False where that is so."""
    people, today = cast(), local_date(moments.now)
    if Absence.objects.filter(person=people[AWAY], ends_on__gte=today).exists():
        return False
    told = moments.working_hour(9, 75)
    ends = today + timedelta(days=AWAY_AFTER)
    away, delegates = people[AWAY], people[DELEGATES]
    registry.record_absence(away, starts_on=_begin(away, today), ends_on=ends, actor=away, now=told)
    begins = _begin(delegates, today)
    registry.delegate(delegates, people[DELEGATE], starts_on=begins, ends_on=ends, actor=delegates, now=told)
    return True


def _begin(person: Person, today: date) -> date:
    """A few days ago, or the day after the last time."""
    last = Absence.objects.filter(person=person).order_by("ends_on").last()
    begins = today - timedelta(days=AWAY_BEFORE)
    return max(begins, last.ends_on + timedelta(days=1)) if last else begins


@transaction.atomic
def load_authority(moments: Moments) -> bool:
    """What some owners may do without asking. False where anything is granted."""
    if Authority.objects.exists():
        return False
    people = cast()
    accepted = live(System.objects.filter(owner_basis=System.Basis.ACCEPTED)).order_by("key")
    first = list(accepted.filter(owner=people[FIRST_OWNER])[:GRANTED])
    critical = [system for system in accepted.filter(tier=Tier.CRITICAL) if system not in first]
    # One critical system stays without: the checks show what follows from that.
    for place, system in enumerate([*first, *critical[1:]]):
        at = moments.working_hour(10, 23 * place)
        registry.grant_authority(system, STOP, actor=people[MANDATE_HOLDER], now=at)
    return True


@transaction.atomic
def load_predictions(moments: Moments) -> bool:
    """Facts that name one person each; the first of them has been asked. False where there are facts."""
    if OwnershipFact.objects.exists():
        return False
    people, pool = cast(), Pool()
    seen, noted = moments.working_hour(13, 30), moments.working_hour(3, 40)
    chosen = [(handle, next(pool.of(unit))) for handle, unit in PREDICTED]
    for handle, system in chosen:
        for kind, value, source in PREDICTED_FACTS:
            note_ownership_fact(
                system,
                kind=kind,
                value=value.format(handle=handle),
                source=source.format(key=system.key.lower()[:80]),
                seen_at=seen,
                actor=SCHEDULER,
                now=noted,
            )
    asked, at = chosen[0][1], min(moments.working_hour(1, 125), moments.now - timedelta(minutes=9))
    registry.nominate_owner(
        asked,
        people[FIRST_OWNER],
        actor=people[MANDATE_HOLDER],
        now=at,
        reason="Code owners file, catalogue and deployer name you.",
        powers=STOP,
    )
    return True


@transaction.atomic
def load_handovers(moments: Moments) -> bool:
    """Two hand-overs in progress: one waits for its first signature, one for its second. False where there are any."""
    if Handover.objects.exists():
        return False
    people = cast()
    first, colleague = people[FIRST_OWNER], people[COLLEAGUE]
    _open(first, colleague, moments)
    _signed_by_outgoing(_open(colleague, first, moments), moments)
    return True


def _open(outgoing: Person, incoming: Person, moments: Moments) -> Handover:
    """The last of a person's systems that nobody is asked about."""
    owned = live(System.objects.filter(owner=outgoing, owner_basis=System.Basis.ACCEPTED))
    system = owned.exclude(nominations__state=Nomination.State.OPEN).order_by("-key")[0]
    asked = moments.working_hour(3, 95)
    nomination = registry.nominate_owner(
        system, incoming, actor=outgoing, now=asked, reason="The team that runs it moves to you on the first."
    )
    registry.accept_ownership(nomination, actor=incoming, now=asked + timedelta(hours=3))
    opened = Handover.objects.get(nomination=nomination)
    return registry.note_handover(
        opened, vendor_contacts=VENDOR, judgement=JUDGEMENT, actor=outgoing, now=asked + timedelta(hours=4)
    )


def _signed_by_outgoing(handover: Handover, moments: Moments) -> None:
    at, outgoing = min(moments.working_hour(1, 200), moments.now - timedelta(minutes=7)), handover.outgoing
    more = beyond(handover.system, at)
    registry.sign_handover(
        handover,
        vendor_contacts=VENDOR,
        judgement=JUDGEMENT,
        beyond=more,
        signing=Signing(
            declared=True,
            typed_name=outgoing.display_name,
            confirmation=Confirmation("password", at - timedelta(seconds=40)),
            read_sha256=digest(pack_of(handover, more)),
        ),
        actor=outgoing,
        now=at,
    )

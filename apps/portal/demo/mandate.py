"""Today's story of the mandate: the charter with the seats that signed, the matrix, who is trained."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from apps.common.clock import local_date
from apps.people.actions import record_training
from apps.people.models import Function, Person, Training
from apps.people.rules import Confirmation
from apps.portal.demo.cast import CAST, FIRST_OWNER, MANDATE_HOLDER, SEATS
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.registry.actions.charter import change_charter, draft_charter, put_charter_in_force, sign_charter
from apps.registry.actions.raci import accept_letters, note_draft, open_draft, send_draft, set_cell
from apps.registry.models import Charter, GovernanceDomain, RaciAcceptance, RaciDraft, Unit
from apps.registry.queries.charter import revision_of
from apps.registry.queries.raci_scope import Scope

AUTHORITY = (
    "The holder may stop any AI system, revoke what it may do and cap what it spends, at once and before asking, and "
    "tells the owner within the hour. The holder may refuse a release that lacks an owner who has accepted."
)
ENFORCEMENT_POINTS = ("The release pipeline", "The model gateway", "The identity provider", "The budget of each cloud")
# Domains that the charter covers; where the holder may advise only.
ADVISES = frozenset({"regulatory-compliance", "cost-attribution", "audit-trail-evidence"})
ENFORCES = frozenset(
    {"security-posture", "data-leakage", "access-management", "agent-identity", "agent-permissions", "acting-on-cost"}
    | {"runtime-enforcement", "stop", "restart", "release", "change", "budget-caps", "drills", "attest"}
)
# The seat of security has read it and not signed yet; finance is vacant.
SIGNED = ("engineering", "legal", "ai_lead", "board")
COURSE = "AI oversight in practice"


@transaction.atomic
def load_charter(moments: Moments) -> bool:
    """A charter in force, signed by some of the seats. False where there is one."""
    if Charter.objects.exists():
        return False
    people, began = cast(), moments.imported + timedelta(days=9)
    holder = people[MANDATE_HOLDER]
    drafted = draft_charter(actor=holder, now=began)
    charter = change_charter(
        drafted,
        holder=Function.objects.get(code="platform"),
        authority=AUTHORITY,
        enforcement_points=ENFORCEMENT_POINTS,
        domains={**dict.fromkeys(sorted(ADVISES), False), **dict.fromkeys(sorted(ENFORCES), True)},
        read=revision_of(drafted),
        actor=holder,
        now=began + timedelta(minutes=35),
    )
    charter = put_charter_in_force(charter, actor=holder, now=began + timedelta(hours=2))
    by_seat = {part.seat: people[part.handle] for part in SEATS}
    for place, seat in enumerate(SIGNED):
        _sign(charter, seat, by_seat[seat], began + timedelta(days=1 + place, minutes=51 * place))
    return True


def _sign(charter: Charter, seat: str, person: Person, at: datetime) -> None:
    proof = Confirmation("password", at - timedelta(seconds=50))
    sign_charter(charter, seat, declared=True, typed_name=person.display_name, confirmation=proof, actor=person, now=at)


@transaction.atomic
def load_trainings(moments: Moments) -> bool:
    """Most owners are trained; of some the training has expired, of some there is none. False where there are any."""
    if Training.objects.exists():
        return False
    people = cast()
    today, recorded = local_date(moments.now), moments.working_hour(12, 15)
    for place, part in enumerate(part for part in CAST if part.accepts or part.seat):
        if place % 5 == 4 and part.handle != FIRST_OWNER:
            continue
        done = today - timedelta(days=400 if place % 7 == 3 else 60 + 3 * place)
        record_training(
            people[part.handle],
            course=COURSE,
            completed_on=done,
            valid_until=done + timedelta(days=365),
            evidence="Certificate of the course",
            actor=people[MANDATE_HOLDER],
            now=recorded + timedelta(minutes=place),
        )
    return True


@transaction.atomic
def load_matrix(moments: Moments) -> bool:
    """One unit has filled the hole that the vacant seat leaves; another change waits for its person. Once."""
    if RaciDraft.objects.exists():
        return False
    people = cast()
    head = people["dolores.whitfield"]
    decided = moments.working_hour(14, 60)
    health = Scope(unit=Unit.objects.get(code="HHS"))
    note = "Health pays for its own models until Finance is seated."
    _send(health, {"cost-attribution": {"finance": "C", str(head.pk): "A"}}, note, people[MANDATE_HOLDER], decided)
    waiting = RaciAcceptance.objects.get(person=head, state=RaciAcceptance.State.OPEN)
    accept_letters(waiting, actor=head, now=decided + timedelta(hours=26))
    note = "Agents act with identities. Who guards identities should answer for them."
    rows = {"agent-identity": {"platform": "R", "ciso": "A"}}
    _send(Scope(), rows, note, people[MANDATE_HOLDER], moments.working_hour(2, 130))
    return True


def _send(scope: Scope, rows: Mapping[str, Mapping[str, str]], note: str, author: Person, at: datetime) -> None:
    draft = open_draft(scope, actor=author, now=at)
    for place, domain in enumerate(GovernanceDomain.objects.filter(key__in=rows).order_by("position")):
        moment = at + timedelta(minutes=2 * place + 1)
        for party, letters in rows[domain.key].items():
            draft = set_cell(draft, domain.key, party, letters, revision=draft.revision, actor=author, now=moment)
    draft = note_draft(draft, note, actor=author, now=at + timedelta(minutes=8))
    send_draft(draft, actor=author, now=at + timedelta(minutes=9))

"""Reading the roll-up: what is below each node, who signs it, and what waits for whom."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db import connection
from django.db.models import Case, Q, QuerySet, When

from apps.attestations.models import Assignment, AttestationException, Campaign, Extension, RollupNode
from apps.attestations.rules import NODE_SIGNED
from apps.attestations.rules.rollup import Basis, Below, capacity, node_line
from apps.audit.rules import digest
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.models import Unit
from apps.registry.queries.succession import mandate_holder

# Everything below each unit's node: counts, and the hash over one line a system in the order of the keys.
_BELOW_SQL = """
SELECT n.id, count(*), count(*) FILTER (WHERE a.result = 'clean' AND a.state IN ('accepted', 'sealed')),
       count(*) FILTER (WHERE a.result = 'qualified' AND a.state IN ('accepted', 'sealed')),
       count(*) FILTER (WHERE a.late_days > 0), count(*) FILTER (WHERE a.state = 'not_attested'),
       count(*) FILTER (WHERE a.state NOT IN ('accepted', 'sealed', 'not_attested')),
       {hash}
FROM attestations_rollupnode n CROSS JOIN LATERAL unnest(n.units) AS u (unit_id)
JOIN attestations_assignment a ON a.campaign_id = n.campaign_id AND a.unit_id = u.unit_id AND a.state <> 'reassigned'
{lines}
WHERE n.campaign_id = %(campaign)s AND n.level = 'unit' AND {which} GROUP BY n.id
"""
_LINES = """
JOIN registry_system s ON s.id = a.system_id
LEFT JOIN LATERAL (
    SELECT g.payload_sha256, g.meaning, g.kind FROM attestations_signature g
    WHERE g.assignment_id = a.id AND g.kind IN ('attestation', 'supplement') ORDER BY g.id DESC LIMIT 1) AS g ON true
"""
# The same line as rules.rollup.child_line.
_HASH = """encode(sha256(convert_to(string_agg(concat(s.key, ' ', CASE a.state WHEN 'sealed' THEN 'accepted'
    ELSE a.state END, ' ', coalesce(nullif(a.result, ''), '-'), ' ', coalesce(g.payload_sha256, '-'), E'\\n'), ''
    ORDER BY s.key COLLATE "C"), 'UTF8')), 'hex'),
    count(*) FILTER (WHERE a.result = 'clean' AND g.kind = 'supplement' AND g.meaning = 'acknowledge')"""


def below_units(campaign: Campaign, *, node: RollupNode | None = None, hashed: bool = False) -> dict[int, Below]:
    """Node id -> what is below it, for every unit's node or one. One query.

    An attestation that was clean and corrected into one with exceptions counts as qualified (with `hashed`).
    """
    sql = _BELOW_SQL.format(
        hash=_HASH if hashed else "'', 0", lines=_LINES if hashed else "", which="n.id = %(node)s" if node else "TRUE"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {"campaign": campaign.pk, "node": node.pk if node else None})
        return {
            pk: Below(total, clean - corrected, qualified + corrected, late, missing, unfinished, sha256=sha256)
            for pk, total, clean, qualified, late, missing, unfinished, sha256, corrected in cursor.fetchall()
        }


def below(node: RollupNode) -> Below:
    """What is below one node, with the hash of its lines: attestations under a unit, nodes under all others."""
    if node.level == RollupNode.Level.UNIT:
        return below_units(node.campaign, node=node, hashed=True).get(node.pk, Below(sha256=digest("")))
    children = children_of(node)
    nodes = node.campaign.nodes.exclude(pk=node.pk)
    return replace(
        summed(below_units(node.campaign, hashed=True).values()),
        unfinished=sum(child.state not in NODE_SIGNED for child in children),
        declined=nodes.filter(state=RollupNode.State.DECLINED).count(),
        added=AttestationException.objects.filter(node__in=nodes).count(),
        sha256=digest("".join(sorted(line_of(child) for child in children))),
    )


def line_of(node: RollupNode) -> str:
    """A node as a line below another; its signatures are in the order in which they were given."""
    hashes = [s.payload_sha256 for s in sorted(node.signatures.all(), key=lambda s: s.pk)]
    return node_line(node.level, node.unit_id, node.state, hashes)


def summed(parts: Iterable[Below]) -> Below:
    """All counts together."""
    rows = list(parts)
    names = ("total", "clean", "qualified", "late", "not_attested", "unfinished")
    return Below(**{name: sum(getattr(row, name) for row in rows) for name in names})


def children_of(node: RollupNode) -> list[RollupNode]:
    """The nodes right below, with their signatures; by unit."""
    return list(node.children.select_related("unit").prefetch_related("signatures").order_by("unit__name", "pk"))


@dataclass(frozen=True)
class Signatory:
    """Who signs a node now, for which seat, and in which capacity. Nobody where `person` is empty."""

    seat: str
    place: str
    person: Person | None
    basis: str
    first: str

    @property
    def note(self) -> str:
        """What is said about the capacity where it is not the usual one."""
        return {
            Basis.ACTING: "acts while the head is away",
            Basis.ABOVE: "heads the unit above; nobody heads this one",
            Basis.MANDATE: "holds the governance mandate; the place is vacant",
        }.get(Basis(self.basis), "")


class Signatories:
    """Units with their heads, seats, absences and the mandate holder, read once for one or many nodes."""

    def __init__(self, now: datetime) -> None:
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.seats = {seat.function_id: seat for seat in Seat.objects.select_related("function", "holder")}
        self.presence = Presence(now)
        self.mandate = mandate_holder()

    def of(self, node: RollupNode) -> list[Signatory]:
        """Everybody whose signature a node needs, in order."""
        if node.level == RollupNode.Level.UNIT:
            return [self._head(self.units[node.unit_id])] if node.unit_id else []
        return [self._seat(seat) for seat in seats_of_node(node)]

    def _head(self, unit: Unit) -> Signatory:
        at: Unit | None = unit
        while at is not None:
            if at.head is not None:
                found = self._able(at.head)
                if found is not None:
                    acts = found.pk != at.head_id
                    basis = Basis.ABOVE if at.pk != unit.pk else Basis.ACTING if acts else Basis.HOLDER
                    return _signatory("", unit.name, found, basis, is_unit=True, instead_of=at.head.display_name)
            at = self.units[at.parent_id] if at.parent_id else None
        return _signatory("", unit.name, self.mandate, Basis.MANDATE, is_unit=True)

    def _able(self, head: Person) -> Person | None:
        if self.presence.can_act(head):
            return head
        acts = self.presence.acting(head).acts
        return acts if self.presence.can_act(acts) else None

    def _seat(self, code: str) -> Signatory:
        seat = self.seats[code]
        if seat.holder is not None:
            return _signatory(code, seat.function.seat_title, seat.holder, Basis.HOLDER, is_unit=False)
        return _signatory(code, seat.function.seat_title, self.mandate, Basis.MANDATE, is_unit=False)


def _signatory(
    seat: str, place: str, person: Person | None, basis: Basis, *, is_unit: bool, instead_of: str = ""
) -> Signatory:
    return Signatory(seat, place, person, basis, capacity(basis, place, is_unit=is_unit, instead_of=instead_of))


def seats_of_node(node: RollupNode) -> Sequence[str]:
    """The seats whose signatures a node above the units needs."""
    if node.level == RollupNode.Level.TOP:
        seats: list[str] = node.campaign.term("top_seats")
        return seats
    return [node.level]


def place_of(node: RollupNode) -> str:
    """What a node is called: the unit's name, or the level."""
    return node.unit.name if node.unit else node.get_level_display()


@dataclass(frozen=True)
class NodeRow:
    """A node on the page of the roll-up."""

    node: RollupNode
    below: Below
    signatories: list[Signatory]

    @property
    def place(self) -> str:
        return place_of(self.node)

    @property
    def open_seats(self) -> list[Signatory]:
        """Who has not signed yet."""
        signed = {signature.seat for signature in self.node.signatures.all()}
        return [one for one in self.signatories if one.seat not in signed]

    @property
    def tone(self) -> str:
        """For the tag of the state."""
        return {"signed_clean": "ok", "signed_qualified": "warn", "declined": "bad", "ready": "accent"}.get(
            self.node.state, "neutral"
        )


def tree(campaign: Campaign, now: datetime) -> list[NodeRow]:
    """Every node from the top down, units by name. A fixed number of queries."""
    order = {level: place for place, level in enumerate(("top", "ciso", "ai_lead", "unit"))}
    nodes = list(campaign.nodes.select_related("unit", "campaign").prefetch_related("signatures"))
    units, who = below_units(campaign), Signatories(now)
    everything = summed(units.values())
    rows = [NodeRow(node, units.get(node.pk, Below()) if node.unit_id else everything, who.of(node)) for node in nodes]
    return sorted(rows, key=lambda row: (order[row.node.level], row.place))


def nodes_for(person: Person, now: datetime) -> list[RollupNode]:
    """Nodes that are ready and wait for this person's signature, the longest waiting first."""
    ready = list(
        RollupNode.objects.filter(state=RollupNode.State.READY, campaign__state=Campaign.State.ROLLUP)
        .select_related("campaign", "unit")
        .prefetch_related("signatures")
        .order_by("ready_at", "pk")
    )
    if not ready:
        return []
    who = Signatories(now)
    return [node for node in ready if asked_of(node, person, who) is not None]


def asked_of(node: RollupNode, person: Person, who: Signatories) -> Signatory | None:
    """The open seat for which this person signs a node; None for everybody else, and for who signed it already."""
    signed = list(node.signatures.all())
    if any(signature.signer_id == person.pk for signature in signed):
        return None
    taken = {signature.seat for signature in signed}
    mine = (one for one in who.of(node) if one.person and one.person.pk == person.pk and one.seat not in taken)
    return next(mine, None)


def find_node(code: str, number: int) -> RollupNode:
    """A node of a campaign. Raises RollupNode.DoesNotExist. Who may read it is asked of the reader."""
    rows = RollupNode.objects.select_related("campaign", "unit").prefetch_related("signatures__signer")
    return rows.get(campaign__code=code, pk=number)


def assignments_below(node: RollupNode) -> QuerySet[Assignment]:
    """Every assignment below a node. Who signs it is shown all of them by name: they are under the signature."""
    rows = node.campaign.assignments.exclude(state=Assignment.State.REASSIGNED)
    return rows.filter(unit_id__in=node.units) if node.level == RollupNode.Level.UNIT else rows


_GRAVITY = Case(
    When(state=Assignment.State.NOT_ATTESTED, then=0), When(result=Assignment.Result.QUALIFIED, then=1), default=2
)


def notable(node: RollupNode) -> QuerySet[Assignment]:
    """What a signature has to read by name: not attested, with exceptions, late; the gravest first.

    The state after the sealing says nothing about that, so each is named.
    """
    return (
        assignments_below(node)
        .filter(Q(state=Assignment.State.NOT_ATTESTED) | Q(result=Assignment.Result.QUALIFIED) | Q(late_days__gt=0))
        .select_related("system", "person", "unit")
        .order_by(_GRAVITY, "due_on", "system__name", "pk")
    )


def exceptions_below(node: RollupNode) -> QuerySet[AttestationException]:
    """Exceptions that stand below a node or were added at it, nearest date first."""
    rows = AttestationException.objects.exclude(state=AttestationException.State.SUPERSEDED)
    if node.level == RollupNode.Level.UNIT:
        rows = rows.filter(Q(assignment__in=assignments_below(node).values("pk")) | Q(node=node))
    else:
        rows = rows.filter(campaign=node.campaign)
    return rows.select_related("assignment__system", "node__unit", "owner").order_by("due_on", "pk")


def missing_below(node: RollupNode) -> Iterator[dict[str, str]]:
    """Who did not attest what, in the order of the keys."""
    rows = assignments_below(node).filter(state=Assignment.State.NOT_ATTESTED).order_by("system__key")
    for key, name, person in rows.values_list("system__key", "system__name", "person__display_name").iterator():
        yield {"key": key, "name": name, "person": person}


@dataclass(frozen=True)
class Pending:
    """What keeps a campaign from closing."""

    undecided: list[AttestationException]
    refused: list[AttestationException]
    overdue: list[AttestationException]
    unfinished: list[AttestationException]
    extensions: int

    @property
    def nothing(self) -> bool:
        return not (self.undecided or self.refused or self.overdue or self.unfinished or self.extensions)

    @property
    def words(self) -> str:
        """What is left, in a sentence."""
        parts = (
            (len(self.undecided), "without a decision"),
            (len(self.refused), "with a refused plan"),
            (len(self.overdue), "past the date"),
            (len(self.unfinished), "not finished and not carried over"),
            (self.extensions, "with a later date asked for"),
        )
        return ", ".join(f"{number} {words}" for number, words in parts if number)


def pending_of(campaign: Campaign, *, today: date) -> Pending:
    """Exceptions that are not decided, not finished or not named yet, by what they wait for. Two queries."""
    waits = Q(state__in=["requested", "refused"]) | Q(state="approved", carried_over_at=None)
    rows = campaign.exceptions.filter(waits).select_related("assignment__system", "node__unit", "owner")
    by_wait: dict[str, list[AttestationException]] = defaultdict(list)
    for one in rows.order_by("due_on", "pk"):
        late = one.state == AttestationException.State.APPROVED and one.due_on < today
        by_wait["overdue" if late else one.state].append(one)
    asked = Extension.objects.filter(exception__campaign=campaign, is_granted=None)
    extensions = asked.exclude(exception__state=AttestationException.State.SUPERSEDED).count()
    return Pending(by_wait["requested"], by_wait["refused"], by_wait["overdue"], by_wait["approved"], extensions)

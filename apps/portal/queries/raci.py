"""The editor's page: the matrix of a scope with its draft, what changed, what blocks sending, who has to accept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.http import urlencode

from apps.common.clock import local_date
from apps.common.errors import NotAllowed
from apps.people.models import Person, Seat
from apps.people.rules import FUNCTIONS
from apps.portal.queries.home import due_words
from apps.portal.queries.raci_grid import OWNER, Column, Grid, GridRow, RowFacts, build_grid
from apps.portal.queries.raci_place import Place
from apps.portal.queries.raci_words import change_words
from apps.registry.models import GovernanceDomain, RaciAcceptance, RaciAssignment, RaciDraft, RaciVersion, System, Unit
from apps.registry.queries.raci_checks import check_draft
from apps.registry.queries.raci_scope import (
    ScopeMatrix,
    ScopeRow,
    current_version,
    may_change_raci,
    scope_matrix,
)
from apps.registry.rules.breaches import Breach, Level

# People who have a column and no letter yet: a few, named in the address.
EXTRA_AT_MOST = 5


@dataclass(frozen=True)
class Change:
    """What would change in a row, in words."""

    domain: str
    words: str


@dataclass(frozen=True)
class Problem:
    """Something that blocks sending, or that is worth a thought."""

    text: str
    remedy: str
    domain: str
    href: str


@dataclass(frozen=True)
class Awaited:
    """Somebody who was asked to accept an A."""

    person: Person
    domains: str
    state: str
    due_on: date
    today: date
    mine: bool
    url: str

    @property
    def accepted(self) -> bool:
        return self.state == RaciAcceptance.State.ACCEPTED

    @property
    def overdue(self) -> bool:
        return not self.accepted and self.due_on < self.today

    @property
    def word(self) -> str:
        return "Accepted" if self.accepted else due_words(self.due_on, self.today)


@dataclass(frozen=True)
class Conflict:
    """A letter that was not saved, because the draft had changed meanwhile in another window."""

    domain: str
    party: str
    letters: str
    now: str
    fact: str
    text: str
    mine: str

    @property
    def spoken(self) -> str:
        return f"{self.fact} {self.text}"


@dataclass(frozen=True)
class ScopePage:
    """Everything on the editor's page."""

    grid: Grid
    draft: RaciDraft | None
    may_change: bool
    why_not: str
    changes: list[Change]
    blocks: list[Problem]
    warnings: list[Problem]
    awaited: list[Awaited]
    declined: RaciAcceptance | None
    newer: RaciVersion | None

    @property
    def sent(self) -> bool:
        return self.draft is not None and self.draft.state == RaciDraft.State.SENT

    @property
    def editable(self) -> bool:
        return self.may_change and not self.sent

    @property
    def revision(self) -> int:
        return self.draft.revision if self.draft else 0

    @property
    def note(self) -> str:
        return self.draft.note if self.draft else ""

    @property
    def summary(self) -> str:
        """ "One row has nobody, and one row has two people." Nothing where something else blocks."""
        blocked = {problem.domain for problem in self.blocks}
        icons = [row.faults[0].icon for row in self.grid.rows if row.faults and row.key in blocked]
        counts = [(icons.count("circle-dashed"), "nobody"), (icons.count("copy"), "two people")]
        told = [f"{_few(n)} row{' has' if n == 1 else 's have'} {what}" for n, what in counts if n]
        return f"{', and '.join(told).capitalize()}." if told else ""

    @property
    def more_changes(self) -> int:
        return max(len(self.changes) - 3, 0)

    @property
    def can_send(self) -> bool:
        return self.draft is not None and bool(self.changes) and not self.blocks and self.newer is None

    @property
    def send_note(self) -> str:
        """What keeps from sending, or what sending does."""
        if not self.changes:
            return "There is nothing to send: the draft says what is in force."
        if self.newer:
            return f"Bring the draft onto version {self.newer.number} first."
        if self.blocks:
            return "You can send it when nothing above blocks it any more."
        return "Everybody who gets an A that they did not hold is asked to accept it."


def _few(n: int) -> str:
    return ("no", "one", "two", "three", "four")[n] if n < 5 else str(n)


def scope_page(reader: Person, place: Place, *, opened: str, extra: Sequence[Person] = (), now: datetime) -> ScopePage:
    """The matrix with the draft for those who may change it, in force for others. A fixed number of queries."""
    why_not = refusal(reader, place)
    draft = open_draft_of(reader, place) if not why_not else None
    in_force = scope_matrix(place.scope)
    shown = scope_matrix(place.scope, draft) if draft else in_force
    columns = columns_of(place, [in_force, shown], extra)
    kept = f"?{urlencode({'with': ','.join(str(one.pk) for one in extra)})}" if extra else ""
    facts = [_facts(place, row, before, kept) for row, before in zip(shown.rows, in_force.rows, strict=True)]
    grid = build_grid(place.title, columns, facts, opened=opened, draft=draft is not None)
    names = {column.party: column for column in columns}
    found = check_draft(draft, now=now) if draft else []
    return ScopePage(
        grid=grid,
        draft=draft,
        may_change=not why_not,
        why_not=why_not,
        changes=changes_between(in_force, shown, names),
        blocks=[_problem(place, breach) for breach in found if breach.level == Level.BLOCK],
        warnings=[_problem(place, breach) for breach in found if breach.level == Level.WARN],
        awaited=_awaited(reader, draft, now) if draft and draft.state == RaciDraft.State.SENT else [],
        declined=_declined(place) if not why_not else None,
        newer=_newer(place, draft),
    )


def open_draft_of(reader: Person, place: Place) -> RaciDraft | None:
    """What waits for acceptance here, whoever sent it; else what the reader is writing."""
    here = Q(unit=place.scope.unit, system=place.scope.system)
    sent = Q(state=RaciDraft.State.SENT)
    mine = Q(state=RaciDraft.State.DRAFT, author=reader)
    drafts = RaciDraft.objects.filter(here, sent | mine).select_related("author")
    return max(drafts, key=lambda draft: draft.state == RaciDraft.State.SENT, default=None)


def refusal(reader: Person, place: Place) -> str:
    """Why the reader may not change the letters here, or nothing."""
    if may_change_raci(reader, place.scope):
        return ""
    return f"You may read this. {WHO_CHANGES[place.base]}"


WHO_CHANGES = {
    "raci": "The person who holds the mandate changes it.",
    "raci_unit": "The head of the unit and the person who holds the mandate change it.",
    "system_ownership": "The owner, the head of the unit and the person who holds the mandate change it.",
}


def may_change_here(reader: Person, place: Place) -> bool:
    """Whether the reader may set letters here."""
    return not refusal(reader, place)


def require_may_change(reader: Person, place: Place) -> None:
    """Raise NotAllowed with who may, where the reader may not."""
    if why_not := refusal(reader, place):
        raise NotAllowed(why_not)


def extra_people(text: str) -> list[Person]:
    """The people whom the address names for a column of their own; what is no person is passed over."""
    wanted = []
    for part in text.split(",")[:EXTRA_AT_MOST]:
        try:
            wanted.append(UUID(part))
        except ValueError:
            continue
    humans = Person.objects.filter(kind=Person.Kind.HUMAN, is_active=True)
    return list(humans.filter(pk__in=wanted).order_by("display_name")) if wanted else []


def columns_of(place: Place, matrices: Sequence[ScopeMatrix], extra: Sequence[Person]) -> list[Column]:
    """The eight seats, the system's owner, and people who are named. Two queries."""
    seats = {seat.function_id: seat for seat in Seat.objects.select_related("holder", "function")}
    found = [_seat_column(code, seats[code]) for code in FUNCTIONS if code in seats]
    found.append(_owner_column(place.scope.system))
    parties = {party for matrix in matrices for row in matrix.rows for party in row.letters}
    named = parties - set(seats) - {OWNER}
    people = Person.objects.in_bulk([UUID(party) for party in named])
    people |= {person.pk: person for person in extra}
    ordered = sorted(people.values(), key=lambda person: (person.display_name.lower(), str(person.pk)))
    return found + [Column(str(person.pk), person.title or "Named here", person) for person in ordered]


def _seat_column(code: str, seat: Seat) -> Column:
    holder = seat.holder if seat.holder and seat.holder.is_active else None
    title = seat.function.seat_title + (", interim" if holder and seat.is_interim else "")
    return Column(code, title, holder, "vacant" if holder is None else "interim" if seat.is_interim else "person")


def _owner_column(system: System | None) -> Column:
    if system is None:
        return Column(OWNER, "System owner", None)
    interim = system.owner_basis == System.Basis.INTERIM
    return Column(OWNER, "Owner, interim" if interim else "Owner", system.owner, "interim" if interim else "owner")


def _facts(place: Place, row: ScopeRow, before: ScopeRow, kept: str) -> RowFacts:
    parties = set(row.letters) | set(before.letters)
    above = _above(place, row)
    return RowFacts(
        key=row.domain.key,
        name=row.domain.name,
        layer=row.domain.layer,
        letters=row.letters,
        source=_source_words(place, row),
        is_own=row.is_own and not place.is_top,
        may_inherit=row.is_own and not place.is_top,
        above=above,
        changed=frozenset(p for p in parties if row.letters.get(p, "") != before.letters.get(p, "")),
        system_scope=row.domain.scope == "system",
        url=place.address("row", row.domain.key) + kept,
    )


def _above(place: Place, row: ScopeRow) -> str:
    """What a row of its own would come from, if it did not say anything itself."""
    return f"the {row.above}" if row.above == "organisation" else row.above


def _source_words(place: Place, row: ScopeRow) -> str:
    if place.is_top:
        return ""
    return "set here" if row.is_own else f"from {row.source}"


def changes_between(before: ScopeMatrix, after: ScopeMatrix, columns: Mapping[str, Column]) -> list[Change]:
    """Row by row what the draft would change, in words."""
    names = {party: column.who if column.person else column.seat for party, column in columns.items()}
    found = []
    for was, now in zip(before.rows, after.rows, strict=True):
        words = change_words(was.letters, now.letters, names)
        if was.is_own and not now.is_own:
            words.append(f"taken from {now.source} again")
        elif now.is_own and not was.is_own and not words:
            words.append("set here with the same letters")
        if words:
            found.append(Change(now.domain.name, "; ".join(words)))
    return found


def _problem(place: Place, breach: Breach) -> Problem:
    domain = breach.domain or ""
    href = f"#row-{domain}" if domain else ""
    return Problem(breach.title.rstrip("."), breach.remedy, domain, href)


def _awaited(reader: Person, draft: RaciDraft, now: datetime) -> list[Awaited]:
    asked = RaciAcceptance.objects.filter(draft=draft).select_related("person").order_by("pk")
    names = dict(GovernanceDomain.objects.values_list("key", "name"))
    today = local_date(now)
    return [
        Awaited(
            person=one.person,
            domains=", ".join(names[key] for key in one.domains),
            state=one.state,
            due_on=one.due_on,
            today=today,
            mine=one.person_id == reader.pk and one.state == RaciAcceptance.State.OPEN,
            url=reverse("portal:raci_acceptance", args=[one.pk]),
        )
        for one in asked
    ]


def unit_rows(units: Sequence[Unit]) -> list[dict[str, object]]:
    """Per unit: how many rows it sets itself, and whether a draft is open. Two queries."""
    ids = [unit.pk for unit in units]
    set_here = RaciAssignment.objects.filter(unit__in=ids, valid_to=None).order_by().values("unit_id")
    own = {row["unit_id"]: row["n"] for row in set_here.annotate(n=Count("domain", distinct=True))}
    drafts = dict(RaciDraft.objects.filter(unit__in=ids, state__in=["draft", "sent"]).values_list("unit_id", "state"))
    return [{"unit": unit, "own": own.get(unit.pk, 0), "draft": drafts.get(unit.pk, "")} for unit in units]


def _newer(place: Place, draft: RaciDraft | None) -> RaciVersion | None:
    """What came into force since the draft began."""
    if draft is None or draft.state != RaciDraft.State.DRAFT:
        return None
    current = current_version(place.scope)
    return None if current is None or current.pk == draft.based_on_id else current


def _declined(place: Place) -> RaciAcceptance | None:
    """Who said no to what was sent here last, for those who may change it."""
    drafts = RaciDraft.objects.filter(unit=place.scope.unit, system=place.scope.system, closed_at__isnull=False)
    last = drafts.exclude(state=RaciDraft.State.DISCARDED).order_by("-closed_at").first()
    if last is None or last.state != RaciDraft.State.DECLINED:
        return None
    asked = last.acceptances.filter(state=RaciAcceptance.State.DECLINED).select_related("person")
    return asked.order_by("-answered_at").first()


def said_after(page: ScopePage, post: Mapping[str, str]) -> str:
    """What is read out after a letter was set: what it is now, and what blocks."""
    row = _row_of(page, post.get("domain") or post.get("inherit", ""))
    cell = next((cell for cell in row.cells if cell.column.party == post.get("party")), None) if row else None
    told = f"{cell.label}. Saved in the draft." if cell else "Saved in the draft."
    if row and row.faults:
        told += f" {row.faults[0].word}."
    if page.blocks:
        told += f" {len(page.blocks)} thing{'' if len(page.blocks) == 1 else 's'} block sending."
    return told


def conflict_of(page: ScopePage, post: Mapping[str, str]) -> Conflict:
    """What the draft says now, and what was to be set."""
    domain, party, letters = post.get("domain", ""), post.get("party", ""), post.get("letters", "")
    row = _row_of(page, domain)
    cell = next((cell for cell in row.cells if cell.column.party == party), None) if row else None
    fact = "This draft was changed in another window."
    if row is None or cell is None:
        text = "You see it as it is now. What you did here is not saved yet: do it again if it still fits."
        return Conflict(domain, party, letters, "", fact, text, "")
    held = ", ".join(f"{one.letters} {one.who}" for one in row.held) or "nobody"
    wanted = f"{letters} for {cell.who}" if letters else f"clearing {cell.who}"
    text = f"{row.name} says now: {held}. Your change ({wanted}) is not saved yet."
    mine = f"Set {wanted}" if letters else f"Clear {cell.who}"
    return Conflict(domain, party, letters, cell.letters, fact, text, mine)


def _row_of(page: ScopePage, domain: str) -> GridRow | None:
    return next((row for row in page.grid.rows if row.key == domain), None)


def sent_words(draft: RaciDraft, asked: Sequence[RaciAcceptance]) -> str:
    """What sending did: it is in force at once where nobody has to accept."""
    if draft.state == RaciDraft.State.IN_FORCE:
        return "In force now. Nobody had to accept: no A went to somebody else."
    names = [one.person.display_name for one in asked]
    verb = "has" if len(names) == 1 else "have"
    return f"Sent. {', '.join(names)} {verb} to accept before it comes into force."

"""Who answers for a system: exactly one person, and every step that led to the name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.common import clock
from apps.common.clock import day_words, local_date, zone_named
from apps.people.models import Absence, Person
from apps.people.queries import Acting, Presence
from apps.people.rules import is_role_address
from apps.portal.queries.leads import Lead, RuleLead, leads_of, rules_of
from apps.registry.models import Nomination, OwnershipTerm, System
from apps.registry.queries.acting import ActingOwner, Tried, acting_owners
from apps.registry.rules import SCENARIO_DOMAIN, Scenario

__all__ = ["Answer", "Channel", "NextInLine", "Step", "answer_for", "answers_for", "day_words", "local_clock"]

SCENARIO_WORDS = {
    Scenario.DATA_ACCESS: "data access",
    Scenario.HARMFUL_DECISION: "a harmful decision",
    Scenario.COST_SPIKE: "a cost spike",
    Scenario.UNSAFE_ACTION: "an unsafe action",
    Scenario.QUALITY_REGRESSION: "worse quality",
    Scenario.PROVIDER_OUTAGE: "an outage of the provider",
    Scenario.COMPLAINT: "a complaint",
}


@dataclass(frozen=True)
class Step:
    """One line of "why this name". `struck` is what was passed over; `chosen` marks the steps that count."""

    chosen: bool
    text: str
    struck: str = ""

    def __str__(self) -> str:
        return f"Passed over {self.struck}: {self.text}" if self.struck else self.text


@dataclass(frozen=True)
class Channel:
    """A way to reach the person."""

    kind: str  # phone | email | chat
    value: str

    @property
    def href(self) -> str:
        """What a link to it opens; empty for a chat channel."""
        if self.kind == "phone":
            return f"tel:{''.join(c for c in self.value if c.isdigit() or c == '+')}"
        return f"mailto:{self.value}" if self.kind == "email" else ""


@dataclass(frozen=True)
class NextInLine:
    """Somebody to call when the person does not answer."""

    person: Person
    word: str


@dataclass(frozen=True)
class Answer:
    """The one person who answers for a system, with everything that a caller needs."""

    system: System
    scenario: Scenario | None
    person: Person
    basis: str  # accepted | interim | lead | mandate | acting
    role: str
    owner: Person
    owner_basis: str
    deputy: Person | None
    then: tuple[NextInLine, ...]
    channels: tuple[Channel, ...]
    derivation: tuple[Step, ...]
    problems: tuple[str, ...]
    since: datetime | None = None
    nomination: Nomination | None = field(default=None, repr=False)
    # Where somebody stands in: for whom (the owner, or who leads), and on which days.
    acts_for: Person | None = None
    absence: Absence | None = field(default=None, repr=False)
    owner_until: date | None = None

    @property
    def until(self) -> date | None:
        """The last day on which the person acts for another."""
        return self.absence.ends_on if self.absence and self.acts_for else None

    @property
    def nobody_stands_in(self) -> bool:
        """The person is away, and nobody who could act for them is here."""
        away = self.absence is not None and self.absence.kind == Absence.Kind.AWAY
        return away and self.acts_for is None

    @property
    def live(self) -> bool:
        """Whether the system is in use; only then is somebody called for it."""
        return self.system.is_live

    @property
    def interim(self) -> bool:
        """Whether nobody has accepted the system."""
        return self.owner_basis == System.Basis.INTERIM

    @property
    def kind(self) -> str:
        """How the mark before the name is drawn."""
        if self.basis == "acting":
            return "deputy"
        return "interim" if self.basis == "interim" else "owner"

    @property
    def owner_beside(self) -> bool:
        """Whether somebody other than the owner leads, so that the owner is shown too."""
        return self.person.pk != self.owner.pk

    @property
    def phone(self) -> str:
        return self.person.phone


def answer_for(system: System, scenario: Scenario | None = None, *, by_rule: bool = True) -> Answer:
    """Who answers for one system; see answers_for."""
    return answers_for([system], scenario, by_rule=by_rule)[0]


def answers_for(
    systems: Sequence[System], scenario: Scenario | None = None, *, severity: str = "", by_rule: bool = True
) -> list[Answer]:
    """Who answers for each system, in seven queries at most whatever their number, eleven where an owner is away and
    none of their own people can act.

    A response rule stands first; with a severity those count too that lead from it on. Without a scenario it is then
    the owner, or who acts for them. With one it is the A of the scenario's row, or who acts for them, if that is an
    active person who is here; else the acting owner; else the mandate holder. Without `by_rule` response rules are
    left out: who answers for the system, not who responds. The systems come with owner, the owner's deputy and line
    manager, and unit (`registry.queries.on_record`).
    """
    facts = _facts(systems, scenario, severity, by_rule=by_rule)
    return [_answer(system, scenario, facts) for system in systems]


@dataclass(frozen=True)
class _Facts:
    """What is read once for all the systems."""

    terms: dict[int, list[OwnershipTerm]]
    nominations: dict[int, Nomination]
    rules: dict[int, RuleLead]
    leads: dict[int, Lead]
    people: dict[UUID, Person]
    known_addresses: dict[str, Person]
    mandate: Person | None
    presence: Presence
    owners: dict[int, ActingOwner]


def _facts(systems: Sequence[System], scenario: Scenario | None, severity: str, *, by_rule: bool) -> _Facts:
    ids = [system.pk for system in systems]
    terms: dict[int, list[OwnershipTerm]] = {}
    for term in OwnershipTerm.objects.filter(system__in=ids).order_by("period"):
        terms.setdefault(term.system_id, []).append(term)
    latest = Nomination.objects.filter(system__in=ids).order_by("system", "-created_at").distinct("system")
    leads = leads_of(ids, scenario) if scenario in SCENARIO_DOMAIN else {}
    rules = rules_of(ids, scenario, severity) if by_rule else {}
    wanted = _people_named(terms.values(), [*leads.values(), *rules.values()])
    wanted |= {rule.deputy_id for rule in rules.values() if rule.deputy_id}
    addresses = {system.contact_given.strip().lower() for system in systems if "@" in system.contact_given}
    beside = Person.objects.select_related("deputy", "line_manager")
    people = list(beside.filter(Q(pk__in=wanted) | Q(email__in=addresses)))
    mandate = beside.filter(seats__function__mandates__isnull=False).first()
    now = clock.now()
    presence = Presence.of([*(system.owner for system in systems), *people, mandate], now)
    return _Facts(
        terms=terms,
        nominations={n.system_id: n for n in latest.select_related("nominee")},
        rules=rules,
        leads=leads,
        people={person.pk: person for person in people},
        known_addresses={person.email: person for person in people},
        mandate=mandate,
        presence=presence,
        owners=acting_owners(systems, now, presence=presence),
    )


def _people_named(histories: Iterable[list[OwnershipTerm]], leads: Iterable[Lead | RuleLead]) -> set[UUID]:
    named = {lead.person_id for lead in leads if lead.person_id}
    for history in histories:
        named |= {term.person_id for term in history}
        named |= {UUID(step["person"]) for step in history[-1].derivation if step.get("person")}
    return named


def _can_act(person: Person | None) -> bool:
    return person is not None and person.is_active and person.kind == Person.Kind.HUMAN


@dataclass(frozen=True)
class _Chosen:
    """Whom the rules named, before the calendar: the person who acts, for whom, and on what basis."""

    person: Person
    basis: str
    party: str = ""
    acts_for: Person | None = None
    absence: Absence | None = None
    # The deputy that a rule names.
    deputy: Person | None = None


def _answer(system: System, scenario: Scenario | None, facts: _Facts) -> Answer:
    steps: list[Step] = []
    chosen = _by_rule(system, facts, steps)
    chosen = chosen or (_lead(system, scenario, facts, steps) if scenario else None)
    chosen = chosen or _owner_or_mandate(system, facts)
    led = chosen.basis == "lead"
    steps += _owner_steps(system, facts, chosen=chosen.basis in {system.owner_basis, "acting"})
    if not led:
        steps += _acting_steps(facts.owners[system.pk])
    steps += _passed_over(system, facts)
    if chosen.basis == "mandate":
        steps.append(Step(True, f"The holder of the governance mandate answers: {chosen.person.display_name}"))
    deputy = _deputy_of(chosen)
    return Answer(
        system=system,
        scenario=scenario,
        person=chosen.person,
        basis=chosen.basis,
        role=_role(system, chosen, scenario, facts),
        owner=system.owner,
        owner_basis=system.owner_basis,
        deputy=deputy,
        then=_then(system, chosen, deputy, facts),
        channels=_channels(system, chosen.person),
        derivation=tuple(steps),
        problems=_problems(system, chosen, deputy, facts),
        since=_nobody_since(facts.terms.get(system.pk, [])),
        nomination=facts.nominations.get(system.pk),
        acts_for=chosen.acts_for,
        absence=chosen.absence,
        owner_until=facts.owners[system.pk].until if facts.owners[system.pk].away else None,
    )


def _deputy_of(chosen: _Chosen) -> Person | None:
    """The deputy that the rule names, else of the person who was meant, whoever acts for them today."""
    if _can_act(chosen.deputy) and chosen.deputy != chosen.person:
        return chosen.deputy
    deputy = (chosen.acts_for or chosen.person).deputy
    return deputy if _can_act(deputy) else None


def _lead(system: System, scenario: Scenario, facts: _Facts, steps: list[Step]) -> _Chosen | None:
    """Who leads by the matrix; None where the acting owner does."""
    rule = f"Rule for {SCENARIO_WORDS[scenario]}"
    lead = facts.leads.get(system.pk)
    if lead is None:
        steps.append(Step(False, f"{rule}: nobody is accountable, so the owner answers"))
        return None
    if lead.is_owner:
        steps.append(Step(True, f"{rule}, {lead.source}: the owner leads"))
        return None
    return _meant(f"{rule}, {lead.source}", lead.party, lead.person_id, facts, steps)


def _by_rule(system: System, facts: _Facts, steps: list[Step]) -> _Chosen | None:
    """Who leads by the response rule that stands; None where there is none, or nobody whom it names can."""
    rule = facts.rules.get(system.pk)
    if rule is None:
        return None
    chosen = _meant(rule.words, rule.party, rule.person_id, facts, steps)
    if chosen is None:
        return None
    deputy = facts.people.get(rule.deputy_id) if rule.deputy_id else None
    return replace(chosen, party=rule.party or "named by a rule", deputy=deputy)


def _meant(label: str, seat: str, person_id: UUID | None, facts: _Facts, steps: list[Step]) -> _Chosen | None:
    """The person whom a rule or the matrix names, or who acts for them; None where nobody can: the steps say why."""
    person = facts.people.get(person_id) if person_id else None
    party = seat or (person.display_name if person else "")
    if person is None:
        steps.append(Step(False, f"{label}: the seat {party} is vacant"))
        return None
    if not _can_act(person):
        steps.append(Step(False, f"{label}: {person.display_name} is deactivated"))
        return None
    acting = facts.presence.acting(person)
    named = person.display_name if party == person.display_name else f"{party}, {person.display_name},"
    steps.append(Step(not acting.uncovered, f"{label}: {named} leads"))
    steps += _acting_steps(acting)
    if acting.uncovered:
        return None
    stands_in = person if acting.stood_in_for else None
    return _Chosen(acting.acts, "lead", party, stands_in, acting.absence if stands_in else None)


_TRIED = {"delegate": "Delegate", "deputy": "Deputy", "manager": "Line manager"}
_PASSED = {"absent": "is away too", "inactive": "was deactivated"}


def _acting_steps(acting: Acting | ActingOwner) -> list[Step]:
    """Who is away, who was tried, and who acts: "Deputy: Ben Ortega acts"."""
    if acting.absence is None:
        return []
    person = acting.owner if isinstance(acting, ActingOwner) else acting.person
    until = day_words(acting.absence.ends_on)
    why = f"is away until {until}" if acting.away else f"has delegated until {until}"
    found = [Step(False, f"{person.display_name} {why}")]
    for tried in acting.steps:
        label, step = (tried.label, tried.step) if isinstance(tried, Tried) else (_TRIED[tried.source], tried)
        if step.person_id is None:
            found.append(Step(False, f"{label}: nobody named"))
        elif step.outcome == "chosen":
            found.append(Step(True, f"{label}: {step.name} acts"))
        else:
            found.append(Step(False, f"{label}: {step.name} {_PASSED[step.outcome]}"))
    if acting.away and not acting.stood_in_for:
        nobody = "nobody stands in" if isinstance(acting, ActingOwner) else "nobody stands in, so the owner leads"
        found.append(Step(False, f"{person.display_name} is away and {nobody}"))
    return found


def _owner_or_mandate(system: System, facts: _Facts) -> _Chosen:
    """Who acts for the owner; a retired system's owner may be gone, and then the mandate holder is the one to ask."""
    if not _can_act(system.owner) and facts.mandate is not None:
        acting = facts.presence.acting(facts.mandate)
        return _Chosen(acting.acts, "mandate", acts_for=facts.mandate if acting.stood_in_for else None)
    acting_owner = facts.owners[system.pk]
    if acting_owner.stood_in_for:
        return _Chosen(acting_owner.acts, "acting", "", system.owner, acting_owner.absence)
    return _Chosen(system.owner, system.owner_basis, absence=acting_owner.absence if acting_owner.away else None)


def _owner_steps(system: System, facts: _Facts, *, chosen: bool) -> list[Step]:
    history = facts.terms.get(system.pk, [])
    if not history:
        return []
    term = history[-1]
    if system.owner_basis == System.Basis.ACCEPTED:
        word = "accepted to answer for it" if chosen else "is the owner and accepted"
        return [Step(chosen, f"{system.owner.display_name} {word} on {_day(term.period.lower)}")]
    steps = [_waiting(facts.nominations[system.pk])] if system.pk in facts.nominations else []
    last = next((t for t in reversed(history) if t.basis == System.Basis.ACCEPTED), None)
    if last is not None and last.person_id in facts.people:
        left = facts.people[last.person_id].display_name
        steps.append(Step(False, f"{left} answered until {_day(last.period.upper)}"))
    elif not steps:
        steps.append(Step(False, "Owner: nobody was ever nominated"))
    return steps + [_interim_step(step, facts, chosen=chosen) for step in term.derivation]


def _waiting(nomination: Nomination) -> Step:
    name, asked = nomination.nominee.display_name, _day(nomination.created_at)
    if nomination.state == Nomination.State.OPEN:
        return Step(False, f"{name} was nominated on {asked} and has not answered yet")
    if nomination.state == Nomination.State.DECLINED and nomination.answered_at:
        return Step(False, f"{name} declined on {_day(nomination.answered_at)}")
    return Step(False, f"The nomination of {name} on {asked} is over")


def _interim_step(step: dict[str, Any], facts: _Facts, *, chosen: bool) -> Step:
    person = facts.people.get(UUID(step["person"])) if step.get("person") else None
    label = str(step.get("label", ""))
    if step.get("outcome") == "chosen" and person:
        return Step(chosen, f"{label}: {person.display_name} answers in the interim")
    if person:
        return Step(False, f"{label}: {person.display_name} was deactivated")
    return Step(False, f"{label}: nobody named")


def _passed_over(system: System, facts: _Facts) -> list[Step]:
    """What was given as contact and is not a person who answers."""
    given = system.contact_given.strip()
    if not given:
        return []
    address = given.lower()
    if address == system.owner.email:
        return []
    if "@" not in given:
        return [Step(False, "not the address of a person", given)]
    if given.count("@") > 1:
        return [Step(False, "several addresses are not one person", given)]
    known = facts.known_addresses.get(address)
    if known is not None and _can_act(known):
        return [Step(False, "a person answers only after accepting", given)]
    if known is not None:
        return [Step(False, f"{known.display_name} can't answer any more", given)]
    if is_role_address(address):
        return [Step(False, "a mailbox is not a person", given)]
    return [Step(False, "nobody known here has this address", given)]


def _role(system: System, chosen: _Chosen, scenario: Scenario | None, facts: _Facts) -> str:
    title, party = chosen.person.title, chosen.party
    if chosen.basis == "lead" and chosen.acts_for:
        words = [title, f"acts for {chosen.acts_for.display_name}, {party}, who leads the response"]
    elif chosen.basis == "lead":
        words = [title if title != party else "", f"{party or 'named in the matrix'}, leads the response"]
    elif chosen.basis == "mandate":
        words = [title, "holds the governance mandate"]
    elif chosen.basis == "acting" and chosen.acts_for and chosen.absence:
        words = [title, f"acts for {chosen.acts_for.display_name} until {day_words(chosen.absence.ends_on)}"]
    elif chosen.basis == System.Basis.INTERIM:
        words = ["Interim owner", _interim_word(system, facts) or title]
    else:
        words = [title, "owner, leads the response" if scenario else "owner"]
    text = " · ".join(word for word in words if word)
    return text[:1].upper() + text[1:]


def _interim_word(system: System, facts: _Facts) -> str:
    history = facts.terms.get(system.pk)
    last = history[-1].derivation[-1] if history and history[-1].derivation else None
    if last is None:
        return ""
    if last.get("source") == "mandate":
        return "holds the governance mandate"
    label = str(last.get("label", ""))
    return label[:1].lower() + label[1:]


def _then(system: System, chosen: _Chosen, deputy: Person | None, facts: _Facts) -> tuple[NextInLine, ...]:
    """Whom to call next: deputy, the owner where somebody else leads, the line manager, the mandate holder.

    Only who is here: whoever is away is not called in vain.
    """
    person, owner = chosen.person, system.owner
    by_owner = owner.pk in {person.pk, chosen.acts_for.pk if chosen.acts_for else None}
    candidates = [
        (deputy, "Deputy"),
        (owner if person.pk != owner.pk else None, "Owner"),
        (facts.owners[system.pk].acts, f"Acts for {owner.display_name}"),
        (owner.line_manager if by_owner else None, "Line manager"),
        (facts.mandate, "Holds the governance mandate"),
    ]
    chain: dict[UUID, NextInLine] = {}
    for candidate, word in candidates:
        if candidate is not None and facts.presence.can_act(candidate) and candidate.pk != person.pk:
            chain.setdefault(candidate.pk, NextInLine(candidate, word))
    return tuple(chain.values())


def _channels(system: System, person: Person) -> tuple[Channel, ...]:
    given = (("phone", person.phone), ("email", person.email), ("chat", system.chat_channel))
    return tuple(Channel(kind, value) for kind, value in given if value)


def _problems(system: System, chosen: _Chosen, deputy: Person | None, facts: _Facts) -> tuple[str, ...]:
    found = []
    if system.owner_basis == System.Basis.INTERIM:
        found.append("Nobody has accepted this system")
    if chosen.absence is not None and chosen.acts_for is None:
        found.append(
            f"{chosen.person.display_name} is away until {day_words(chosen.absence.ends_on)} and nobody stands in"
        )
    if deputy is None:
        found.append("No deputy")
    elif deputy.pk != chosen.person.pk and (away := facts.presence.absence_of(deputy)):
        found.append(f"{deputy.display_name}, the deputy, is away until {day_words(away.ends_on)}")
    if not chosen.person.phone:
        found.append("No phone number")
    return tuple(found)


def _nobody_since(history: list[OwnershipTerm]) -> datetime | None:
    """Since when nobody who accepted answers: the end of the last accepted term, else the first day."""
    if not history or history[-1].basis == System.Basis.ACCEPTED:
        return None
    ends: list[datetime] = [t.period.upper for t in history if t.basis == System.Basis.ACCEPTED]
    first: datetime = history[0].period.lower
    return ends[-1] if ends else first


def _day(moment: datetime) -> str:
    return day_words(local_date(moment))


def local_clock(person: Person, now: datetime) -> str:
    """The time where the person is, named by their zone: "Berlin, 09:12 local time"."""
    zone = zone_named(person.time_zone)
    place = zone.key.rsplit("/", 1)[-1].replace("_", " ")
    return f"{place}, {now.astimezone(zone):%H:%M} local time"

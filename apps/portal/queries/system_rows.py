"""The lines of the systems list: who answers today, why nobody has accepted, where the attestation stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from apps.attestations.queries import SystemStatus, status_by_system
from apps.common import clock
from apps.common.clock import local_date
from apps.portal.queries.answers import day_words
from apps.registry.models import Nomination, OwnershipTerm, System
from apps.registry.queries import on_record
from apps.registry.queries.acting import ActingOwner, acting_owners
from apps.registry.queries.prediction import Prediction, predictions
from apps.registry.rules.imports.contacts import ContactClass, contact_class


@dataclass(frozen=True)
class Why:
    """Why nobody has accepted a system: the word, its tone and icon, and what is known."""

    word: str
    note: str = ""
    tone: str = "bad"
    icon: str = "circle-dashed"


@dataclass(frozen=True)
class SystemRow:
    """A line of the list. `stands_in` says on what ground an interim owner answers, `acting` who answers today."""

    system: System
    status: SystemStatus | None
    stands_in: str = ""
    acting: ActingOwner | None = None
    why: Why | None = None
    predicted: Prediction | None = None

    @property
    def acts_words(self) -> str:
        """Whom the person of today acts for, and until when; empty where the owner answers."""
        if self.acting is None or not self.acting.stood_in_for or self.acting.until is None:
            return ""
        return f"acts for {self.acting.owner.display_name} until {day_words(self.acting.until)}"

    @property
    def away_words(self) -> str:
        """Where the owner is away and nobody stands in."""
        if self.acting is None or not self.acting.nobody_stands_in or self.acting.until is None:
            return ""
        return f"away until {day_words(self.acting.until)}, nobody stands in"


def on_page(ids: Sequence[int]) -> list[System]:
    """The systems of one page in its order. One query.

    The ids come from `queries.systems.rows_of`, which an index answers on its own: a far page reads no rows.
    """
    found = on_record(System.objects.filter(pk__in=list(ids))).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def shown(systems: list[System], *, today: date) -> list[SystemRow]:
    """What the lines of one page show. Five queries, however many lines; four more where nobody near an owner acts."""
    statuses = status_by_system([system.pk for system in systems], today=today)
    interim = [system.pk for system in systems if system.owner_basis == System.Basis.INTERIM]
    nominations, histories = _latest_nominations(interim), _histories(interim)
    acting = acting_owners(systems, clock.now())
    foreseen = predictions([system for system in systems if system.pk in histories])
    return [
        SystemRow(
            system,
            statuses.get(system.pk),
            interim_words(histories[system.pk][-1]),
            acting[system.pk],
            why_interim(system, nominations.get(system.pk), histories[system.pk], today),
            _predicted(foreseen.get(system.pk), nominations.get(system.pk)),
        )
        if system.pk in histories
        else SystemRow(system, statuses.get(system.pk), acting=acting[system.pk])
        for system in systems
    ]


def _predicted(found: Prediction | None, latest: Nomination | None) -> Prediction | None:
    """Who is predicted, while nobody is asked."""
    asked = latest is not None and latest.state == Nomination.State.OPEN
    return found if found is not None and found.person is not None and not asked else None


def _latest_nominations(ids: list[int]) -> dict[int, Nomination]:
    latest = Nomination.objects.filter(system_id__in=ids).select_related("nominee")
    return {n.system_id: n for n in latest.order_by("system_id", "-created_at", "-pk").distinct("system_id")}


def _histories(ids: list[int]) -> dict[int, list[OwnershipTerm]]:
    """Every term of each system, the current one last."""
    found: dict[int, list[OwnershipTerm]] = {}
    for term in OwnershipTerm.objects.filter(system_id__in=ids).order_by("period"):
        found.setdefault(term.system_id, []).append(term)
    return found


def interim_words(term: OwnershipTerm) -> str:
    """On what ground an interim owner answers: "interim, head of Claims"."""
    last = term.derivation[-1] if term.derivation else {}
    if last.get("source") == "mandate":
        return "interim, holds the mandate"
    label = str(last.get("label", ""))
    return f"interim, {label[:1].lower()}{label[1:]}" if label else "interim"


def why_interim(system: System, latest: Nomination | None, history: list[OwnershipTerm], today: date) -> Why:
    """Why nobody has accepted: a nomination that waits or was declined, an owner who left, else the contact."""
    if latest is not None and latest.state == Nomination.State.OPEN:
        asked = local_date(latest.created_at)
        waiting = f"waiting {_days(today, asked)}" if asked < today else "asked today"
        return Why("Nominated", f"{latest.nominee.display_name}, {waiting}", "warn", "hourglass")
    if latest is not None and latest.state == Nomination.State.DECLINED and latest.answered_at:
        declined = day_words(local_date(latest.answered_at))
        return Why("Declined", f"by {latest.nominee.display_name}, {declined}", icon="user-x")
    left = next((term for term in reversed(history) if term.basis == System.Basis.ACCEPTED), None)
    if left is not None:
        day = local_date(left.period.upper)
        return Why("Owner left", f"{day_words(day)}, {_days(today, day)}")
    return _contact(system, today)


def _contact(system: System, today: date) -> Why:
    """Nobody was ever asked: what there was instead of a person."""
    given = system.contact_given
    found = contact_class(given)
    if found == ContactClass.SHARED:
        return Why("Mailbox", given, icon="mail")
    if found in {ContactClass.NOT_AN_ADDRESS, ContactClass.SEVERAL}:
        return Why("No one person", given, icon="users")
    if found == ContactClass.UNKNOWN:
        return Why("Only an address", given, icon="mail-question-mark")
    day = local_date(system.created_at)
    return Why("Never nominated", f"since {day_words(day)}, {_days(today, day)}")


def _days(today: date, since: date) -> str:
    days = max((today - since).days, 0)
    return f"{days} day{'' if days == 1 else 's'}"

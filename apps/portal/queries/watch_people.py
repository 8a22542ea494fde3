"""Duties towards people: what nobody answered goes up, what is overdue is told."""

from datetime import timedelta

from django.db.models import Q

from apps.access.rules import Permission
from apps.common.clock import day_words, local_date
from apps.directory.models import OffboardingCase
from apps.findings.models import WAITING, Finding
from apps.findings.rules import LADDER
from apps.portal.queries.watch_checks import Duty, Example, Look, Scene, Tends, seen
from apps.registry.models import Handover, Nomination, RaciAcceptance
from apps.registry.models.handover import RUNNING
from apps.registry.rules.breaches import Severity

# The sweeps that escalate come once an hour: what became due at midnight is told some hours later.
ESCALATED_WITHIN = timedelta(hours=3)
# Overdue findings are told from nine in the morning on: at noon each of the day has been.
TOLD_WITHIN = timedelta(hours=12)


def _leavers(scene: Scene) -> Look:
    late = OffboardingCase.objects.filter(state=OffboardingCase.State.OPEN, due_on__lt=scene.today)

    def words(case: OffboardingCase) -> Example:
        text = f"{case.person.display_name}, due {day_words(case.due_on)}; {case.responsible.display_name} sees to it"
        return Example(text, f"/directory/leavers/{case.pk}/", needs=Permission.DIRECTORY_RUN)

    return seen(late.select_related("person", "responsible").order_by("due_on", "pk"), words)


def _nominations(scene: Scene) -> Look:
    day = local_date(scene.now - ESCALATED_WITHIN)
    rows = Nomination.objects.filter(state=Nomination.State.OPEN, escalated_at=None, due_on__lt=day)

    def words(one: Nomination) -> Example:
        text = f"{one.nominee.display_name} for {one.system.name}, due {day_words(one.due_on)}"
        return Example(text, f"/systems/{one.system.key}/", one.system_id)

    return seen(rows.select_related("nominee", "system").order_by("due_on", "pk"), words)


def _handovers(scene: Scene) -> Look:
    day = local_date(scene.now - ESCALATED_WITHIN)
    rows = Handover.objects.filter(state__in=RUNNING, escalated_at=None, due_on__lt=day)

    def words(one: Handover) -> Example:
        people = f"{one.outgoing.display_name} to {one.incoming.display_name}"
        return Example(
            f"{one.system.name}, {people}, due {day_words(one.due_on)}", f"/handovers/{one.pk}/", one.system_id
        )

    return seen(rows.select_related("system", "outgoing", "incoming").order_by("due_on", "pk"), words)


def _acceptances(scene: Scene) -> Look:
    day = local_date(scene.now - ESCALATED_WITHIN)
    rows = RaciAcceptance.objects.filter(state=RaciAcceptance.State.OPEN, escalated_at=None, due_on__lt=day)

    def words(one: RaciAcceptance) -> Example:
        return Example(f"{one.person.display_name}, due {day_words(one.due_on)}", f"/people/{one.person_id}/")

    return seen(rows.select_related("person").order_by("due_on", "pk"), words)


def _findings(scene: Scene) -> Look:
    """Each finding that has come further up than was told."""
    day = local_date(scene.now - TOLD_WITHIN)
    untold = Q(pk=None)
    for place, (after, _) in enumerate(LADDER, start=1):
        untold |= Q(step__lt=place, due_on__lte=day - timedelta(days=after))
    rows = Finding.objects.filter(untold, state__in=WAITING)

    def words(one: Finding) -> Example:
        text = f"{one.title} {one.person.display_name}, due {day_words(one.due_on)}"
        return Example(text, f"/findings/{one.pk}/", one.system_id)

    return seen(rows.select_related("person").order_by("due_on", "pk"), words)


DUTIES: tuple[Duty, ...] = (
    Duty(
        key="leavers-overdue",
        what="What a leaver answered for has an owner who accepted",
        by_when="30 days after they left",
        title="Cases of leavers are overdue.",
        one="1 case of a leaver is overdue",
        many="{n} cases of leavers are overdue",
        action="Nominate an owner for each system of the case.",
        tends=Tends.MANDATE,
        severity=Severity.HIGH,
        look=_leavers,
    ),
    Duty(
        key="nominations-not-escalated",
        what="A nomination that nobody answers goes up",
        by_when="3 hours after the due day",
        title="Nominations that nobody answered did not go up.",
        one="1 nomination that nobody answered did not go up",
        many="{n} nominations that nobody answered did not go up",
        action="Look at the sweep registry.escalate_nominations below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_nominations,
    ),
    Duty(
        key="handovers-not-escalated",
        what="A hand-over that nobody signs goes up",
        by_when="3 hours after the due day",
        title="Hand-overs that nobody signed did not go up.",
        one="1 hand-over that nobody signed did not go up",
        many="{n} hand-overs that nobody signed did not go up",
        action="Look at the sweep registry.escalate_handovers below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_handovers,
    ),
    Duty(
        key="acceptances-not-escalated",
        what="A letter that nobody accepts goes up",
        by_when="3 hours after the due day",
        title="Letters that nobody accepted did not go up.",
        one="1 letter that nobody accepted did not go up",
        many="{n} letters that nobody accepted did not go up",
        action="Look at the sweep registry.escalate_acceptances below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.MEDIUM,
        look=_acceptances,
    ),
    Duty(
        key="findings-not-told",
        what="An overdue finding is told to who comes next",
        by_when="by noon of the day",
        title="Overdue findings were not told to who comes next.",
        one="1 overdue finding was not told to who comes next",
        many="{n} overdue findings were not told to who comes next",
        action="Look at the sweep findings.remind_overdue below.",
        tends=Tends.ADMINISTRATOR,
        severity=Severity.HIGH,
        look=_findings,
    ),
)

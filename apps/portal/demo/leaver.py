"""Today's story of somebody who left, and of what the nightly check found."""

from datetime import timedelta

from django.db import transaction

from apps.common.clock import local_date
from apps.directory.actions import bring_back, offboard
from apps.directory.models import OffboardingCase
from apps.findings.actions import accept_risk, complete_action, plan_action, sweep_registry
from apps.findings.models import CorrectiveAction, Finding
from apps.findings.queries.authority import authority_over
from apps.people.models import Person
from apps.portal.demo.cast import CAST, FIRST_OWNER, MANDATE_HOLDER
from apps.portal.demo.inventory import Pool
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.registry import actions as registry
from apps.registry.rules.breaches import Severity

# The agency whose systems the leaver answered for, and how many; the head there is the line manager.
AGENCY, LEFT_SYSTEMS = "DOT", 6
MANAGER = next(part.handle for part in CAST if part.heads == AGENCY)
LEAVER = next(part.handle for part in CAST if part.leaves)


@transaction.atomic
def load_leaver(moments: Moments) -> bool:
    """Somebody who answered for systems has left; one of these has an owner again. False where that has been done."""
    people = cast()
    leaver, manager, holder = people[LEAVER], people[MANAGER], people[MANDATE_HOLDER]
    if OffboardingCase.objects.filter(person=leaver).exists():
        return False
    came = moments.working_hour(24, 30)
    if not leaver.is_active:  # a demo of the time when leavers were deactivated only
        leaver = bring_back(leaver, actor=holder, now=came)
    part = next(part for part in CAST if part.leaves)
    leaver = registry.change_person(leaver, title=part.title, line_manager=manager, actor=holder, now=came)
    available = Pool().of(AGENCY)
    systems = [next(available) for _ in range(LEFT_SYSTEMS)]
    asked = moments.working_hour(23, 45)
    for place, nomination in enumerate(registry.nominate_many(systems, leaver, actor=manager, now=asked)):
        registry.accept_ownership(nomination, actor=leaver, now=asked + timedelta(hours=2 + place))
    offboard(leaver, actor=holder, now=moments.working_hour(8, 480 - 35), reason="Last working day.")
    nomination = registry.nominate_owner(systems[0], holder, actor=manager, now=moments.working_hour(6, 20))
    registry.accept_ownership(nomination, actor=holder, now=moments.working_hour(5, 75))
    return True


@transaction.atomic
def load_findings(moments: Moments) -> bool:
    """What the nightly check sees, and what is being done about some of it. False where that has been done."""
    if CorrectiveAction.objects.exists():
        return False
    people = cast()
    sweep_registry(now=moments.working_hour(3, 0) - timedelta(hours=6))
    holder, first = people[MANDATE_HOLDER], people[FIRST_OWNER]
    _plan(first, holder, moments)
    _accept(holder, moments)
    return True


def _plan(person: Person, planner: Person, moments: Moments) -> None:
    """Two actions of the first owner's: one planned, one done and waiting for somebody else's look."""
    findings = Finding.objects.filter(state=Finding.State.OPEN).order_by("code", "subject")
    mine = [*findings.filter(person=person)[:2], *findings.exclude(person=person)[:2]][:2]
    for place, finding in enumerate(mine):
        action = plan_action(
            finding,
            what="Name somebody who can do it, and write down by when." if place else "Put it right with the vendor.",
            person=person,
            due_on=local_date(moments.now) + timedelta(days=9 + place),
            actor=planner,
            now=moments.working_hour(2, 90 + 7 * place),
        )
        if place == 0:
            at = min(moments.working_hour(1, 310), moments.now - timedelta(minutes=6))
            complete_action(action, evidence="The ticket is closed, and the record shows it.", actor=person, now=at)


def _accept(holder: Person, moments: Moments) -> None:
    """One risk is accepted for two months by who has the authority."""
    at = min(moments.working_hour(1, 350), moments.now - timedelta(minutes=5))
    mild = Finding.objects.filter(state=Finding.State.OPEN, severity__in=[Severity.MEDIUM, Severity.LOW])
    for finding in mild.exclude(person=holder).order_by("code", "subject"):
        if authority_over(finding, holder) is not None:
            accept_risk(
                finding,
                reason="The budget year ends in two months. Until then the review is done by hand every week.",
                until=local_date(moments.now) + timedelta(days=60),
                actor=holder,
                now=at,
            )
            return

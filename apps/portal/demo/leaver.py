"""Today's story of somebody who left, and of what the nightly check found."""

from datetime import timedelta

from django.db import transaction

from apps.common.clock import local_date
from apps.directory.actions import bring_back, offboard
from apps.directory.models import OffboardingCase
from apps.findings.actions import accept_risk, complete_action, plan_action, sweep_registry
from apps.findings.models import CorrectiveAction, Finding
from apps.people.models import Person
from apps.portal.demo.cast import CAST, FIRST_OWNER, MANDATE_HOLDER
from apps.portal.demo.inventory import Pool
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.portal.demo.story import AWAY
from apps.registry import actions as registry
from apps.registry.queries.cover import NO_DEPUTY, OVER_CAP

# The agency whose systems the leaver answered for, and how many; the head there is the line manager.
AGENCY, LEFT_SYSTEMS = "DOT", 6
MANAGER = next(part.handle for part in CAST if part.heads == AGENCY)
# Who has one system more than the cap, and who answers without a deputy.
JUST_ABOVE, WITHOUT_DEPUTY = "winona.becker", "marisol.greene"
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
    _plan(people, moments)
    _accept(people, moments)
    return True


def _about(check: str, person: Person) -> Finding:
    return Finding.objects.get(code=check, subject=f"person:{person.pk}", source=Finding.Source.SWEEP)


def _plan(people: dict[str, Person], moments: Moments) -> None:
    """Two people stand above the cap. For one it is planned what is done, for one it is done and waits for a look."""
    holder, day = people[MANDATE_HOLDER], local_date(moments.now)
    plan_action(
        _about(OVER_CAP, people[AWAY]),
        what="Nominate Imogen Tanaka for the research systems among them, as agreed with both.",
        person=people[FIRST_OWNER],
        due_on=day + timedelta(days=9),
        actor=holder,
        now=moments.working_hour(2, 90),
    )
    winona = people[JUST_ABOVE]
    action = plan_action(
        _about(OVER_CAP, winona),
        what="Hand one system to Idris Valente, who runs it day by day.",
        person=winona,
        due_on=day + timedelta(days=10),
        actor=holder,
        now=moments.working_hour(2, 97),
    )
    done = min(moments.working_hour(1, 310), moments.now - timedelta(minutes=6))
    complete_action(action, evidence="He said yes on the phone, and signs this week.", actor=winona, now=done)


def _accept(people: dict[str, Person], moments: Moments) -> None:
    """One risk is accepted for two months by who has the authority."""
    accept_risk(
        _about(NO_DEPUTY, people[WITHOUT_DEPUTY]),
        reason="Her deputy begins in two months. Until then her line manager stands in, and both know.",
        until=local_date(moments.now) + timedelta(days=60),
        actor=people[MANDATE_HOLDER],
        now=min(moments.working_hour(1, 350), moments.now - timedelta(minutes=5)),
    )

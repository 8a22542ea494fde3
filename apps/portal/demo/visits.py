"""Which page each role fetches in the check, and what it is to get."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

LET_IN, NOT_ALLOWED, NOT_THERE = 200, 403, 404

OWNER, HEAD, EMPLOYEE, BOARD = "Owner", "Head of a unit", "Employee", "Board member"
AUDITOR, HOLDER = "Auditor", "Mandate holder"
SEAT, AI_LEAD, COUNSEL = "Seat holder (CISO)", "Head of AI", "General Counsel"
SEATS = (SEAT, AI_LEAD, COUNSEL)
READERS = (BOARD, AUDITOR, HOLDER, *SEATS)
EVERYBODY = (OWNER, HEAD, EMPLOYEE, *READERS)
# Whoever does not read everything, and does not own the system.
STRANGERS = (HEAD, EMPLOYEE)


@dataclass(frozen=True)
class Visit:
    """A path (with the names of `Places` in braces), who gets in, and what the others get.

    Who may not know that a thing is there gets 404, who may know it and not open it 403.
    """

    path: str
    welcome: tuple[str, ...] = EVERYBODY
    unknown_to: tuple[str, ...] = ()

    def status_for(self, role: str) -> int:
        """What this role gets."""
        if role in self.welcome:
            return LET_IN
        return NOT_THERE if role in self.unknown_to else NOT_ALLOWED

    @property
    def is_page(self) -> bool:
        """Whether it is a page with a title, and not a file."""
        return not self.path.endswith((".csv", ".json", ".txt", ".zip"))


@dataclass(frozen=True)
class Places:
    """What is visited: a system and one that its owner signed, the campaign that is open, the one that is sealed; the
    incident that goes on with its clock that runs, one that is over, a drill that is over, a plan, a source."""

    key: str
    signed: str
    period: str
    sealed: str
    live: str
    clock: int
    closed: str
    drill: str
    plan: int
    source: int

    def missing(self) -> list[str]:
        """The names of what there is none of."""
        return [name for name, value in asdict(self).items() if not value]


def _of_campaigns(path: str) -> Visit:
    """What those see who read campaigns; to the others there is no such thing."""
    return Visit(path, READERS, (OWNER, *STRANGERS))


def _managed(path: str) -> Visit:
    """What those open who manage incidents; everybody knows that it is there."""
    return Visit(path, (HOLDER, *SEATS))


# Who declared the incident that goes on, who leads it and who was brought in see it, as those do who read all.
INCIDENTS = (
    Visit("/who/?q={key}&scenario=unsafe-action"),
    Visit("/incidents/"),
    Visit("/incidents/?series=rehearsed"),
    Visit("/incidents/export.csv"),
    Visit("/incidents/declare/"),
    Visit("/incidents/declare/?system={key}"),
    Visit("/incidents/declare/what/?system={key}&scenario=data-access"),
    Visit("/incidents/{live}/"),
    Visit("/incidents/{live}/summary.txt"),
    Visit("/incidents/{live}/steps/2/"),
    Visit("/incidents/{live}/clocks/"),
    Visit("/incidents/{live}/clocks/{clock}/"),
    Visit("/incidents/{live}/do/hand-over/", (OWNER,)),
    Visit("/incidents/{closed}/", READERS, (OWNER, *STRANGERS)),
    Visit("/incidents/{closed}/review/", READERS, (OWNER, *STRANGERS)),
    Visit("/incidents/{closed}/clocks/", READERS, (OWNER, *STRANGERS)),
    Visit("/incidents/systems/{key}/", (OWNER, *READERS), STRANGERS),
    Visit("/incidents/systems/{key}/profile/", (OWNER, HOLDER, *SEATS), STRANGERS),
    Visit("/incidents/rules/"),
    _managed("/incidents/rules/new/"),
    _managed("/incidents/rules/offline/"),
    Visit("/incidents/runbooks/"),
    Visit("/incidents/runbooks/data-access/"),
    Visit("/incidents/runbooks/data-access/versions/1/"),
    Visit("/incidents/runbooks/new/", (OWNER, HEAD, HOLDER, *SEATS)),
    Visit("/incidents/plans/"),
    Visit("/incidents/plans/{plan}/"),
    _managed("/incidents/plans/new/"),
    Visit("/incidents/preflight/", READERS),
    Visit("/incidents/clocks/"),
    Visit("/incidents/clocks/GDPR-33/"),
    _managed("/incidents/clocks/GDPR-33/edit/"),
    Visit("/incidents/clocks/register/"),
    Visit("/incidents/clocks/register.csv"),
    Visit("/incidents/drills/"),
    Visit("/incidents/drills/{drill}/", (OWNER, *READERS), STRANGERS),
    Visit("/incidents/drills/{drill}/report/", (OWNER, *READERS), STRANGERS),
    _managed("/incidents/drills/new/"),
    Visit("/incidents/reviews/"),
    Visit("/incidents/metrics/", READERS),
    Visit("/incidents/metrics.json", READERS),
    _managed("/incidents/sources/"),
    _managed("/incidents/sources/{source}/"),
    Visit("/profile/channels/"),
)


VISITS = (
    Visit("/"),
    Visit("/who/?q={key}"),
    Visit("/who/?q={key}&scenario=data-access"),
    Visit("/systems/"),
    Visit("/systems/?q=claims"),
    Visit("/systems/{key}/", (OWNER, *READERS), STRANGERS),
    Visit("/systems/{key}/ownership/", (OWNER, *READERS), STRANGERS),
    Visit("/systems/{key}/trail/", (OWNER, AUDITOR, HOLDER, *SEATS), STRANGERS),
    Visit("/attestations/"),
    _of_campaigns("/attestations/{period}/"),
    _of_campaigns("/attestations/{period}/quality/"),
    Visit("/attestations/{period}/reviews/", (HEAD, *READERS), (OWNER, EMPLOYEE)),
    _of_campaigns("/attestations/{period}/rollup/"),
    _of_campaigns("/attestations/{period}/closing/"),
    _of_campaigns("/attestations/{period}/report/"),
    Visit("/attestations/{period}/{signed}/receipt/", (OWNER, *READERS), STRANGERS),
    Visit("/attestations/exceptions/"),
    _of_campaigns("/attestations/templates/"),
    _of_campaigns("/attestations/templates/quarterly/"),
    _of_campaigns("/attestations/questions/"),
    _of_campaigns("/attestations/questions/base/1/"),
    _of_campaigns("/attestations/{sealed}/"),
    _of_campaigns("/attestations/{sealed}/rollup/"),
    _of_campaigns("/attestations/{sealed}/closing/"),
    _of_campaigns("/attestations/{sealed}/report/"),
    _of_campaigns("/attestations/{sealed}/report.csv"),
    _of_campaigns("/attestations/{sealed}/report.json"),
    _of_campaigns("/attestations/{sealed}/sealed.zip"),
    Visit("/status/", (AUDITOR, HOLDER, *SEATS)),
    Visit("/trail/", (AUDITOR, HOLDER, *SEATS)),
    Visit("/readiness/", READERS),
    Visit("/people/"),
    Visit("/people/seats/"),
    Visit("/units/"),
    Visit("/systems/register/", (HOLDER, *SEATS)),
    Visit("/systems/import/", (HOLDER,)),
    Visit("/people/new/", (HOLDER,)),
    Visit("/systems/{key}/history/", (OWNER, *READERS), STRANGERS),
    Visit("/ownership/"),
    Visit("/ownership/matrix/"),
    Visit("/ownership/matrix/units/"),
    Visit("/ownership/matrix/history/"),
    Visit("/ownership/people/"),
    Visit("/ownership/mandate/"),
    Visit("/findings/"),
    Visit("/directory/leavers/", (HOLDER,)),
    Visit("/directory/import/", (HOLDER,)),
    Visit("/directory/tokens/", (HOLDER,)),
    Visit("/profile/"),
    Visit("/profile/availability/"),
    Visit("/profile/sessions/"),
    Visit("/accounts/2fa/"),
    Visit("/demo/mail/"),
    *INCIDENTS,
)


def visits(role: str, places: Places) -> Iterator[tuple[Visit, str]]:
    """Every visit of a role with its path filled in. Other seats than the first see the same: they visit campaigns and
    incidents."""
    for visit in VISITS:
        if role not in (AI_LEAD, COUNSEL) or visit.path.startswith(("/attestations/", "/incidents/", "/status/")):
            yield visit, visit.path.format(**asdict(places))

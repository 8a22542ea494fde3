"""Which page each role fetches in the check, and what it is to get."""

from collections.abc import Iterator
from dataclasses import dataclass

LET_IN, NOT_ALLOWED, NOT_THERE = 200, 403, 404

OWNER, EMPLOYEE, BOARD = "Owner", "Employee", "Board member"
AUDITOR, HOLDER, SEAT = "Auditor", "Mandate holder", "Seat holder (CISO)"
EVERYBODY = (OWNER, EMPLOYEE, BOARD, AUDITOR, HOLDER, SEAT)
READERS = (BOARD, AUDITOR, HOLDER, SEAT)


@dataclass(frozen=True)
class Visit:
    """A path (with {key} of a system and {period} of the campaign), who gets in, and what the others get.

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


VISITS = (
    Visit("/"),
    Visit("/who/?q={key}"),
    Visit("/who/?q={key}&scenario=data-access"),
    Visit("/systems/"),
    Visit("/systems/?q=claims"),
    Visit("/systems/{key}/", (OWNER, *READERS), (EMPLOYEE,)),
    Visit("/systems/{key}/ownership/", (OWNER, *READERS), (EMPLOYEE,)),
    Visit("/systems/{key}/trail/", (OWNER, AUDITOR, HOLDER, SEAT), (EMPLOYEE,)),
    Visit("/attestations/"),
    Visit("/attestations/{period}/", READERS, (OWNER, EMPLOYEE)),
    Visit("/trail/", (AUDITOR, HOLDER, SEAT)),
    Visit("/readiness/", READERS),
    Visit("/people/"),
    Visit("/people/seats/"),
    Visit("/units/"),
    Visit("/systems/register/", (HOLDER, SEAT)),
    Visit("/systems/import/", (HOLDER,)),
    Visit("/people/new/", (HOLDER,)),
    Visit("/systems/{key}/history/", (OWNER, *READERS), (EMPLOYEE,)),
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
)


def visits(key: str, period: str) -> Iterator[tuple[Visit, str]]:
    """Every visit with its path filled in."""
    for visit in VISITS:
        yield visit, visit.path.format(key=key, period=period)

"""Who may do what: every permission and every role on one screen. No Django here."""

from enum import StrEnum


class Permission(StrEnum):
    """What can be done, in alphabetical order."""

    ADMINISTER_PEOPLE = "people:administer"
    ADMINISTER_UNITS = "units:administer"
    ATTEST_OWN = "attestation:own:sign"
    CAMPAIGN_READ = "campaign:read"
    CAMPAIGN_RUN = "campaign:run"
    FINDINGS_MANAGE = "findings:manage"
    FINDINGS_READ_ALL = "findings:read_all"
    DIRECTORY_RUN = "directory:run"
    IMPORT_SYSTEMS = "systems:import"
    INCIDENT_DECLARE = "incident:declare"
    INCIDENTS_MANAGE = "incidents:manage"
    INCIDENTS_READ_ALL = "incidents:read_all"
    MANDATE_CHANGE = "mandate:change"
    NOMINATE_OWNER = "system:owner:nominate"
    OPERATIONS_READ = "operations:read"
    RACI_CHANGE = "raci:change"
    READINESS_READ = "readiness:read"
    SYSTEM_CHANGE = "system:change"
    SYSTEM_REGISTER = "system:register"
    SYSTEMS_READ_ALL = "systems:read_all"
    TRAIL_READ = "trail:read"
    WHO_ANSWERS = "who:answers"


class Standing(StrEnum):
    """What somebody is in the portal. Owner is a fact about one system and decides per object."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    BOARD = "board"
    EMPLOYEE = "employee"
    MANDATE_HOLDER = "mandate_holder"
    SEAT_HOLDER = "seat_holder"


_EVERYBODY = frozenset({Permission.WHO_ANSWERS, Permission.ATTEST_OWN, Permission.INCIDENT_DECLARE})
_READS_ALL = frozenset(
    {
        Permission.SYSTEMS_READ_ALL,
        Permission.CAMPAIGN_READ,
        Permission.FINDINGS_READ_ALL,
        Permission.INCIDENTS_READ_ALL,
        Permission.OPERATIONS_READ,
        Permission.READINESS_READ,
        Permission.TRAIL_READ,
    }
)
_ADMINISTERS = frozenset(
    {
        Permission.ADMINISTER_PEOPLE,
        Permission.ADMINISTER_UNITS,
        Permission.CAMPAIGN_RUN,
        Permission.DIRECTORY_RUN,
        Permission.FINDINGS_MANAGE,
        Permission.IMPORT_SYSTEMS,
        Permission.INCIDENTS_MANAGE,
        Permission.MANDATE_CHANGE,
        Permission.NOMINATE_OWNER,
        Permission.RACI_CHANGE,
        Permission.SYSTEM_CHANGE,
        Permission.SYSTEM_REGISTER,
    }
)

GRANTS: dict[Standing, frozenset[Permission]] = {
    Standing.EMPLOYEE: _EVERYBODY,
    Standing.BOARD: _EVERYBODY | _READS_ALL - {Permission.OPERATIONS_READ, Permission.TRAIL_READ},
    Standing.AUDITOR: _EVERYBODY | _READS_ALL,
    Standing.SEAT_HOLDER: _EVERYBODY
    | _READS_ALL
    | {
        Permission.FINDINGS_MANAGE,
        Permission.INCIDENTS_MANAGE,
        Permission.SYSTEM_REGISTER,
        Permission.NOMINATE_OWNER,
    },
    Standing.MANDATE_HOLDER: _EVERYBODY | _READS_ALL | _ADMINISTERS,
    Standing.ADMINISTRATOR: _EVERYBODY | _READS_ALL | _ADMINISTERS,
}


def permissions_of(standings: frozenset[Standing]) -> frozenset[Permission]:
    """Everything that somebody with these standings may do. Everybody who is signed in is an employee."""
    granted = GRANTS[Standing.EMPLOYEE]
    for standing in standings:
        granted |= GRANTS[standing]
    return granted

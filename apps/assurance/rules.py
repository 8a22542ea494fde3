"""What the kinds of events mean in plain words. No Django here."""

from enum import StrEnum

from apps.audit.rules import Kind


class Group(StrEnum):
    """Kinds that a reader asks for together."""

    OWNERSHIP = "ownership"
    SYSTEMS = "systems"
    ATTESTATIONS = "attestations"
    FINDINGS = "findings"
    IMPORTS = "imports"
    PEOPLE = "people"
    ACCESS = "access"
    PORTAL = "portal"


GROUP_WORDS: dict[Group, str] = {
    Group.OWNERSHIP: "Owners and nominations",
    Group.SYSTEMS: "Systems and units",
    Group.ATTESTATIONS: "Attestations",
    Group.FINDINGS: "Findings and accepted risks",
    Group.IMPORTS: "Imports",
    Group.PEOPLE: "People, seats and roles",
    Group.ACCESS: "Sign-in and tokens",
    Group.PORTAL: "Portal and board",
}

# Kind -> what happened, as the sentence continues after the person's name and before the subject.
WORDS: dict[Kind, tuple[Group, str]] = {
    Kind.ABSENCE_CANCELLED: (Group.PEOPLE, "cancelled an absence"),
    Kind.ABSENCE_CHANGED: (Group.PEOPLE, "changed an absence"),
    Kind.ABSENCE_IMPORTED: (Group.PEOPLE, "took absences over from a calendar"),
    Kind.ABSENCE_RECORDED: (Group.PEOPLE, "recorded an absence"),
    Kind.API_TOKEN_ISSUED: (Group.ACCESS, "issued a token"),
    Kind.API_TOKEN_REVOKED: (Group.ACCESS, "revoked a token"),
    Kind.ATTESTATION_ACCEPTED: (Group.ATTESTATIONS, "accepted the attestation"),
    Kind.ATTESTATION_ANSWERED: (Group.ATTESTATIONS, "saved answers"),
    Kind.ATTESTATION_BECAME_STALE: (Group.ATTESTATIONS, "found the attestation out of date"),
    Kind.ATTESTATION_CHANGES_REQUESTED: (Group.ATTESTATIONS, "asked for changes"),
    Kind.ATTESTATION_CORRECTED: (Group.ATTESTATIONS, "signed a correction"),
    Kind.ATTESTATION_DELEGATED: (Group.ATTESTATIONS, "let somebody prepare the answers"),
    Kind.ATTESTATION_DELEGATION_ENDED: (Group.ATTESTATIONS, "ended the preparation"),
    Kind.ATTESTATION_EVENT_RAISED: (Group.ATTESTATIONS, "asked again after a change"),
    Kind.ATTESTATION_PASSED_ON: (Group.ATTESTATIONS, "passed the attestation on"),
    Kind.ATTESTATION_REASSIGNMENT_ANSWERED: (Group.ATTESTATIONS, "answered who should attest"),
    Kind.ATTESTATION_REASSIGNMENT_ASKED: (Group.ATTESTATIONS, "asked somebody else to attest"),
    Kind.ATTESTATION_REASSIGNMENT_ESCALATED: (Group.ATTESTATIONS, "told the head that nobody answered"),
    Kind.ATTESTATION_SAMPLED: (Group.ATTESTATIONS, "re-performed a sample"),
    Kind.ATTESTATION_SIGNED: (Group.ATTESTATIONS, "signed the attestation"),
    Kind.ATTESTATION_SIGNED_TOGETHER: (Group.ATTESTATIONS, "signed several attestations together"),
    Kind.ATTESTATION_VIEWED: (Group.ATTESTATIONS, "opened the attestation"),
    Kind.AUTHORITY_GRANTED: (Group.OWNERSHIP, "granted authority over"),
    Kind.CAMPAIGN_ACTIONS_PENDING: (Group.ATTESTATIONS, "ended the roll-up; decisions are open"),
    Kind.CAMPAIGN_CANCELLED: (Group.ATTESTATIONS, "cancelled the campaign"),
    Kind.CAMPAIGN_CLOSED: (Group.ATTESTATIONS, "closed the campaign"),
    Kind.CAMPAIGN_DRAFTED: (Group.ATTESTATIONS, "planned the campaign"),
    Kind.CAMPAIGN_ESCALATED: (Group.ATTESTATIONS, "told the next person up"),
    Kind.CAMPAIGN_GRACE_BEGAN: (Group.ATTESTATIONS, "passed the due date"),
    Kind.CAMPAIGN_OPENED: (Group.ATTESTATIONS, "opened the campaign"),
    Kind.CAMPAIGN_REMINDED: (Group.ATTESTATIONS, "reminded owners"),
    Kind.CAMPAIGN_ROLLUP_BEGAN: (Group.ATTESTATIONS, "named what is not attested and began the roll-up"),
    Kind.CAMPAIGN_SEALED: (Group.ATTESTATIONS, "sealed the campaign"),
    Kind.CAMPAIGN_SNOOZED: (Group.ATTESTATIONS, "put reminders off"),
    Kind.CAMPAIGN_SUPPLEMENTED: (Group.ATTESTATIONS, "added a system to the campaign"),
    Kind.CAMPAIGN_TEMPLATE_CHANGED: (Group.ATTESTATIONS, "changed a campaign's template"),
    Kind.CHARTER_CHANGED: (Group.OWNERSHIP, "changed the draft of the charter"),
    Kind.CHARTER_DISCARDED: (Group.OWNERSHIP, "discarded the draft of the charter"),
    Kind.CHARTER_DRAFTED: (Group.OWNERSHIP, "started the next version of the charter"),
    Kind.CHARTER_IN_FORCE: (Group.OWNERSHIP, "put the charter in force"),
    Kind.CHARTER_SIGNED: (Group.OWNERSHIP, "signed the charter"),
    Kind.CHARTER_WITHDRAWN: (Group.OWNERSHIP, "withdrew a signature from the charter"),
    Kind.DIRECTORY_GROUP_DELETED: (Group.PEOPLE, "deleted a group of the directory"),
    Kind.DIRECTORY_GROUP_SYNCED: (Group.PEOPLE, "sent a group of the directory"),
    Kind.DIRECTORY_TOKEN_ISSUED: (Group.ACCESS, "issued a token for a directory"),
    Kind.DIRECTORY_TOKEN_REVOKED: (Group.ACCESS, "revoked a token of a directory"),
    Kind.DIRECTORY_USER_DELETED: (Group.PEOPLE, "deleted a user of the directory"),
    Kind.DIRECTORY_USER_SYNCED: (Group.PEOPLE, "sent a user of the directory"),
    Kind.DOCUMENT_FAILED: (Group.ATTESTATIONS, "could not make a document"),
    Kind.DOCUMENT_MADE: (Group.ATTESTATIONS, "made a document"),
    Kind.DOCUMENT_REQUESTED: (Group.ATTESTATIONS, "asked for a document"),
    Kind.EVIDENCE_ADDED: (Group.ATTESTATIONS, "added evidence"),
    Kind.EVIDENCE_REMOVED: (Group.ATTESTATIONS, "removed evidence"),
    Kind.EVIDENCE_SCANNED: (Group.ATTESTATIONS, "scanned evidence"),
    Kind.EXCEPTION_CARRIED_OVER: (Group.ATTESTATIONS, "carried an exception over"),
    Kind.EXCEPTION_DECIDED: (Group.ATTESTATIONS, "decided about an exception"),
    Kind.EXCEPTION_DECLARED: (Group.ATTESTATIONS, "declared an exception"),
    Kind.EXCEPTION_EXTENDED: (Group.ATTESTATIONS, "decided about a later day"),
    Kind.EXCEPTION_EXTENSION_ASKED: (Group.ATTESTATIONS, "asked for a later day"),
    Kind.EXCEPTION_PROPOSED: (Group.ATTESTATIONS, "proposed another plan"),
    Kind.EXCEPTION_REOPENED: (Group.ATTESTATIONS, "opened an exception again"),
    Kind.EXCEPTION_VERIFIED: (Group.ATTESTATIONS, "verified that an exception is put right"),
    Kind.FINDINGS_REASSIGNED: (Group.FINDINGS, "moved the findings of somebody who leaves"),
    Kind.FINDINGS_REMINDED: (Group.FINDINGS, "told people about overdue findings"),
    Kind.FINDINGS_SWEPT: (Group.FINDINGS, "checked what should not be so"),
    Kind.FINDING_ACCEPTANCE_ENDED: (Group.FINDINGS, "ended the acceptance of a risk"),
    Kind.FINDING_ACTION_DONE: (Group.FINDINGS, "finished an action on a finding"),
    Kind.FINDING_ACTION_PLANNED: (Group.FINDINGS, "planned an action on a finding"),
    Kind.FINDING_ACTION_REJECTED: (Group.FINDINGS, "rejected an action on a finding"),
    Kind.FINDING_ACTION_VERIFIED: (Group.FINDINGS, "verified an action on a finding"),
    Kind.FINDING_ASSIGNED: (Group.FINDINGS, "assigned a finding"),
    Kind.FINDING_CLOSED: (Group.FINDINGS, "closed a finding"),
    Kind.FINDING_RAISED: (Group.FINDINGS, "raised a finding"),
    Kind.FINDING_REOPENED: (Group.FINDINGS, "reopened a finding"),
    Kind.FINDING_RISK_ACCEPTED: (Group.FINDINGS, "accepted the risk of a finding"),
    Kind.HANDOVER_CANCELLED: (Group.OWNERSHIP, "cancelled the hand-over of"),
    Kind.HANDOVER_CHANGED: (Group.OWNERSHIP, "wrote in the hand-over of"),
    Kind.HANDOVER_COMPLETED: (Group.OWNERSHIP, "signed the hand-over and answers for"),
    Kind.HANDOVER_ENDED: (Group.OWNERSHIP, "ended the hand-over because a person left"),
    Kind.HANDOVER_ESCALATED: (Group.OWNERSHIP, "escalated a hand-over that nobody signed"),
    Kind.HANDOVER_OPENED: (Group.OWNERSHIP, "said yes to take over"),
    Kind.HANDOVER_SIGNED: (Group.OWNERSHIP, "signed the hand-over of"),
    Kind.IMPORT_APPLIED: (Group.IMPORTS, "applied an import"),
    Kind.IMPORT_DISCARDED: (Group.IMPORTS, "discarded an import"),
    Kind.IMPORT_RECEIVED: (Group.IMPORTS, "sent a file to import"),
    Kind.IMPORT_UNDONE: (Group.IMPORTS, "undid an import"),
    Kind.NOMINATION_ESCALATED: (Group.OWNERSHIP, "escalated a nomination that nobody answered"),
    Kind.OFFBOARDING_DONE: (Group.PEOPLE, "closed the case of a leaver"),
    Kind.OWNERSHIP_FACT_RECORDED: (Group.OWNERSHIP, "noted who owns the code or deployed"),
    Kind.PEOPLE_FILE_APPLIED: (Group.IMPORTS, "applied a file of people"),
    Kind.PEOPLE_FILE_DISCARDED: (Group.IMPORTS, "discarded a file of people"),
    Kind.PEOPLE_FILE_RECEIVED: (Group.IMPORTS, "sent a file of people"),
    Kind.PERSON_CHANGED: (Group.PEOPLE, "changed a profile"),
    Kind.PERSON_DEACTIVATED: (Group.PEOPLE, "deactivated a person"),
    Kind.PERSON_OFFBOARDED: (Group.PEOPLE, "let a person go, and handed over what they held"),
    Kind.PERSON_PROVISIONED: (Group.PEOPLE, "added a person"),
    Kind.PERSON_REACTIVATED: (Group.PEOPLE, "reactivated a person"),
    Kind.PORTAL_STARTED: (Group.PORTAL, "started the portal"),
    Kind.QUESTIONS_DRAFTED: (Group.ATTESTATIONS, "changed the draft of questions"),
    Kind.QUESTIONS_PUBLISHED: (Group.ATTESTATIONS, "published questions"),
    Kind.RACI_ACCEPTANCE_ESCALATED: (Group.OWNERSHIP, "escalated letters that nobody accepted"),
    Kind.RACI_ACCEPTED: (Group.OWNERSHIP, "accepted letters of the matrix"),
    Kind.RACI_CHANGED: (Group.OWNERSHIP, "put a change of the matrix in force"),
    Kind.RACI_DECLINED: (Group.OWNERSHIP, "declined letters of the matrix"),
    Kind.RACI_DRAFT_CHANGED: (Group.OWNERSHIP, "changed a draft of the matrix"),
    Kind.RACI_DRAFT_DISCARDED: (Group.OWNERSHIP, "discarded a draft of the matrix"),
    Kind.RACI_DRAFT_OPENED: (Group.OWNERSHIP, "started a draft of the matrix"),
    Kind.RACI_DRAFT_SENT: (Group.OWNERSHIP, "sent a change of the matrix"),
    Kind.RACI_DRAFT_WITHDRAWN: (Group.OWNERSHIP, "took a change of the matrix back"),
    Kind.RACI_LETTERS_MOVED: (Group.OWNERSHIP, "passed on a leaver's letters"),
    Kind.ROLE_GRANTED: (Group.PEOPLE, "gave a role"),
    Kind.ROLE_REVOKED: (Group.PEOPLE, "took a role away"),
    Kind.ROLLUP_DECLINED: (Group.ATTESTATIONS, "declined to sign the roll-up"),
    Kind.ROLLUP_READY: (Group.ATTESTATIONS, "found the roll-up ready to sign"),
    Kind.ROLLUP_SIGNED: (Group.ATTESTATIONS, "signed the roll-up"),
    Kind.SEAT_HELD: (Group.PEOPLE, "seated a person"),
    Kind.SEAT_VACATED: (Group.PEOPLE, "vacated a seat"),
    Kind.SESSION_ENDED: (Group.ACCESS, "signed out"),
    Kind.SESSION_REFUSED: (Group.ACCESS, "was refused to sign in"),
    Kind.SESSION_STARTED: (Group.ACCESS, "signed in"),
    Kind.SYSTEM_CHANGED: (Group.SYSTEMS, "changed a system"),
    Kind.SYSTEM_OWNER_ACCEPTED: (Group.OWNERSHIP, "accepted to answer for"),
    Kind.SYSTEM_OWNER_DECLINED: (Group.OWNERSHIP, "declined to answer for"),
    Kind.SYSTEM_OWNER_INTERIM: (Group.OWNERSHIP, "changed who stands in for"),
    Kind.SYSTEM_OWNER_NOMINATED: (Group.OWNERSHIP, "nominated an owner"),
    Kind.SYSTEM_OWNER_WITHDRAWN: (Group.OWNERSHIP, "withdrew a nomination"),
    Kind.SYSTEM_REGISTERED: (Group.SYSTEMS, "registered a system"),
    Kind.SYSTEM_RETIRED: (Group.SYSTEMS, "retired a system"),
    Kind.TRAINING_RECORDED: (Group.PEOPLE, "recorded a training"),
    Kind.TRAINING_REVOKED: (Group.PEOPLE, "revoked a training"),
    Kind.UNIT_CHANGED: (Group.SYSTEMS, "changed a unit"),
    Kind.UNIT_CREATED: (Group.SYSTEMS, "added a unit"),
    Kind.VIEW_DELETED: (Group.SYSTEMS, "deleted a saved view"),
    Kind.VIEW_SAVED: (Group.SYSTEMS, "saved a view"),
}

SUBJECT_WORDS: dict[str, str] = {
    "system": "Systems",
    "people_file": "Files of people",
    "person": "People",
    "seat": "Seats",
    "unit": "Units",
    "campaign": "Campaigns",
    "charter": "Charter",
    "directory_group": "Groups of the directory",
    "directory_user": "Users of the directory",
    "finding": "Findings",
    "import": "Imports",
    "matrix": "The matrix",
    "session": "Sign-ins",
    "token": "Tokens",
    "view": "Saved views",
}

_FIELD_WORDS = {
    "regulatory_class": "regulatory class",
    "operating_model": "operating model",
    "time_zone": "time zone",
    "due": "due",
    "owner_basis": "basis",
}


def words_of(kind: str) -> str:
    """What a kind says in plain words. A kind from a later version is shown as it is written."""
    try:
        return WORDS[Kind(kind)][1]
    except (ValueError, KeyError):
        return kind


def kinds_of(group: Group) -> list[str]:
    """The kinds of a group."""
    return [kind.value for kind, (of, _) in WORDS.items() if of is group]


def field_words(name: str) -> str:
    """A field's name as a reader says it."""
    return _FIELD_WORDS.get(name, name.replace("_", " "))

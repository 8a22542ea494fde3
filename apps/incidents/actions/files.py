"""Files of an incident: checked, scanned and kept like evidence; never changed and never taken away."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common import evidence_store
from apps.common.errors import Refused
from apps.common.evidence_scan import refuse_too_large, scan
from apps.common.file_types import BadFile, clean_name, type_of
from apps.common.saving import save_checked
from apps.incidents.actions.common import Line, incident_subject, line, locked_incident
from apps.incidents.models import Incident, IncidentFile
from apps.people.models import Person

FILES_AT_MOST = 200


def add_file(
    incident: Incident, *, name: str, content: bytes, actor: Person, now: datetime, note: str = ""
) -> IncidentFile:
    """Keep a file with the incident. Its bytes are on the disk, and scanned, before its row is written.

    Raises Refused for a type or a size that is not taken, for what the scanner finds something in or can't read, and
    for a file that is there already.
    """
    refuse_too_large(len(content))
    try:
        name = clean_name(name)
        content_type = type_of(name, content)
        sha256 = evidence_store.keep(content)
    except BadFile as error:
        raise Refused(str(error)) from error
    except evidence_store.Damaged as error:
        raise Refused(f"{name} was not kept: {error} Tell whoever runs the portal.") from error
    _refuse_infected(name, sha256)
    return _added(incident, name, content_type, len(content), sha256, note, actor, now)


def _refuse_infected(name: str, sha256: str) -> None:
    """Nobody waits for a sweep in the middle of an incident: the scanner is asked at once, while nothing is locked."""
    command = list(settings.EVIDENCE_SCAN_COMMAND)
    result, words = scan(command, sha256) if command else ("clean", "")
    if result == "infected":
        raise Refused(f"The scanner found something in {name}. It is not attached.")
    if result == "failed":
        raise Refused(f"{name} could not be scanned and is not attached. {words}")


@transaction.atomic
def _added(
    incident: Incident, name: str, content_type: str, size: int, sha256: str, note: str, actor: Person, now: datetime
) -> IncidentFile:
    incident = locked_incident(incident)
    kept = IncidentFile.objects.filter(incident=incident)
    if kept.filter(sha256=sha256).exists():
        raise Refused(f"{name} is attached already.")
    last = kept.aggregate(last=Max("number"))["last"] or 0
    if last >= FILES_AT_MOST:
        raise Refused(f"{FILES_AT_MOST} files are attached. Put more of them into one file.")
    file = IncidentFile(
        incident=incident, number=last + 1, name=name, size=size, content_type=content_type, sha256=sha256,
        note=note.strip()[:600], added_by=actor, added_at=now,
    )  # fmt: skip
    save_checked(file)
    line(incident, Line.FACT, f"File {name} added. {file.note}".strip(), now=now, person=actor)
    record(
        Kind.INCIDENT_FILE_ADDED, actor=actor, subject=incident_subject(incident), now=now,
        after={"file": file.number, "sha256": sha256, "size": size, "type": content_type},
        private={"file_name": name},
    )  # fmt: skip
    return file

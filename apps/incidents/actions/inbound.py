"""Machines and mails that declare: sources with a token each, and what happens with what they send."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction

from apps.access.queries import require
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject, SystemActor
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.common import Line, incident_subject, line, titled
from apps.incidents.actions.declare import declare
from apps.incidents.models import InboundSource, Incident
from apps.incidents.queries.inbound import live_of, sender_of, system_meant
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.rules import Visibility
from apps.incidents.rules.inbound import Report, Status, digest_of, kept, new_token, plain, prefix_of, with_words
from apps.incidents.rules.inbound_mail import Mail, from_mail
from apps.notify.actions import enqueue
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.rules import Scenario

log = structlog.get_logger(__name__)
USE_NOTED_EVERY = timedelta(minutes=5)
MOST_LABELS = 20


def _subject(source: InboundSource) -> Subject:
    return Subject("inbound_source", str(source.pk), source.name)


def _require(actor: Actor) -> None:
    if isinstance(actor, Person):
        require(actor, Permission.INCIDENTS_MANAGE, "who manages incidents")


@transaction.atomic
def add_source(
    *,
    name: str,
    kind: str,
    actor: Person,
    now: datetime,
    system: System | None = None,
    scenario: str = "",
    mode: str = "real",
    labels: Iterable[str] = (),
) -> tuple[InboundSource, str]:
    """Let something declare incidents by itself. The token is returned once and kept only as SHA-256.

    Raises NotAllowed for who may not manage incidents, Refused for too many labels, ValidationError for no name, one
    that is taken, or an unknown kind.
    """
    _require(actor)
    wanted = list(dict.fromkeys(label.strip().lower() for label in labels if label.strip()))
    if len(wanted) > MOST_LABELS:
        raise Refused(f"Name {MOST_LABELS} labels at most: the first that names one system wins.")
    token = new_token()
    source = InboundSource(
        name=plain(" ".join(name.split())), kind=kind, prefix=prefix_of(token), digest=digest_of(token), system=system,
        scenario=scenario, mode=mode, labels=wanted, owner=actor, created_at=now,
    )  # fmt: skip
    save_checked(source, force_insert=True)
    record(
        Kind.INBOUND_SOURCE_ADDED, actor=actor, subject=_subject(source), now=now,
        after={
            "kind": kind, "mode": mode, "prefix": source.prefix, "system": system.key if system else None,
            "scenario": scenario, "labels": wanted,
        },
    )  # fmt: skip
    return source, token


@transaction.atomic
def revoke_source(source: InboundSource, *, actor: Actor, now: datetime) -> None:
    """End its token at once; its incidents stay. Raises NotAllowed, and Refused for one that is revoked already."""
    _require(actor)
    if not InboundSource.objects.filter(pk=source.pk, revoked_at=None).update(revoked_at=now):
        raise Refused("This source is revoked already.")
    record(Kind.INBOUND_SOURCE_REVOKED, actor=actor, subject=_subject(source), now=now)


def note_use(source: InboundSource, *, now: datetime) -> None:
    """When it last sent something, to some minutes; a fact about a token and no act, so that it leaves no event."""
    if source.last_used_at is None or now - source.last_used_at > USE_NOTED_EVERY:
        InboundSource.objects.filter(pk=source.pk).update(last_used_at=now)


@dataclass(frozen=True)
class Received:
    """What came of a message: the incident that it is about, and whether it is a new one. None: nothing to do."""

    incident: Incident | None
    is_new: bool = False


def receive(source: InboundSource, report: Report, *, now: datetime, declared_as: str = "") -> Received:
    """What a source says: trouble is declared; the same again, or that it is over there, is a line of that incident.

    A machine neither classifies nor resolves: what it says of that stands in words. Raises Refused before the first
    start only.
    """
    actor = SystemActor(f"source ({source.name})")
    if report.status != Status.FIRING:
        return _said(source, report, actor, now)
    if goes_on := live_of(source, report.follows):
        _note(goes_on, f"{declared_as or source.name} adds: {kept(report.text or report.title)}", actor, now)
        return Received(goes_on)
    meant = system_meant(source, report.labels)
    declared = declare(
        title=report.title,
        actor=actor,
        now=now,
        system=meant.system,
        about="" if meant.system else report.about,
        scenario=report.scenario if report.scenario in set(Scenario) else source.scenario,
        description=with_words(report, meant.words).text,
        mode=source.mode,
        via=source.kind,
        declared_as=declared_as or source.name,
        source=source,
        dedup_key=report.dedup_key,
    )
    return Received(declared, is_new=declared.declared_at == now)


def _said(source: InboundSource, report: Report, actor: Actor, now: datetime) -> Received:
    """Acknowledged or over, says the sender. Of what nobody declared, or what is over here, there is nothing to say."""
    incident = live_of(source, [report.dedup_key])
    if incident is None:
        return Received(None)
    words = {
        Status.RESOLVED: f"{source.name} says resolved. Somebody here decides whether it is.",
        Status.ACKNOWLEDGED: f"{source.name} says that somebody has it there. Nobody here took it by that.",
    }
    _note(incident, words[report.status], actor, now)
    return Received(incident)


@transaction.atomic
def _note(incident: Incident, text: str, actor: Actor, now: datetime) -> None:
    line(incident, Line.FACT, text, now=now)
    record(
        Kind.INCIDENT_NOTED, actor=actor, subject=incident_subject(incident), now=now, private={"text": text}
    )  # fmt: skip


def receive_mail(source: InboundSource, mail: Mail, *, now: datetime) -> Received:
    """A mail to the address of a source declares. Raises Refused for one that a machine wrote: nobody reads it.

    Who it says it is from is only said, never taken for true: a sender can be forged. A person who is known gets an
    answer, so that somebody who did not write it gets to know.
    """
    if mail.loop:
        raise Refused(f"This mail is not read: {mail.loop}.")
    sender = sender_of(mail.sender)
    received = receive(source, from_mail(mail), now=now, declared_as=f"mail as {_claimed(mail, sender)}")
    if received.is_new and received.incident is not None and sender is not None:
        _answer(received.incident, sender, now)
    return received


def _claimed(mail: Mail, sender: Person | None) -> str:
    if sender is not None:
        return f"{sender.display_name} <{sender.email}>"
    return f"{mail.sender or 'somebody'}, who is not on record"


def _answer(incident: Incident, sender: Person, now: datetime) -> None:
    """Tell the person what came of it. The incident stands also where this fails."""
    sees = visible_incidents(sender).filter(pk=incident.pk).exists()
    leads = incident.lead.display_name if incident.visibility == Visibility.OPEN else "One named person"
    try:
        with transaction.atomic():
            enqueue(
                key=f"declared-by-mail:{incident.pk}", recipient=sender, now=now, path=incident.path if sees else "",
                subject=f"{incident.prefix}{incident.code} is declared{titled(incident, ': ')}",
                body=f"{leads} leads the response and is called.\n\nTo add something, answer your own mail, to the "
                "same address. Did you not write it? Then somebody used your address: say so in that way.",
            )  # fmt: skip
    except DatabaseError:
        log.exception("inbound.answer_failed", incident=incident.code)

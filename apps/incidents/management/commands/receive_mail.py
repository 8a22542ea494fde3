"""Take one mail from a mail system: the end of a pipe."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from apps.common import clock
from apps.common.allowance import is_above
from apps.common.errors import Refused
from apps.incidents.actions.inbound import note_use, receive_mail
from apps.incidents.models import InboundSource
from apps.incidents.queries.inbound import live_source, own_domain
from apps.incidents.rules.inbound_mail import MOST_BYTES, Mail, read_mail, tokens_in

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """`receive_mail < mail` declares an incident; a later mail of the thread is a line of it.

    Its exit codes are those that mail systems know (sysexits.h): EX_NOUSER sends the mail back, EX_TEMPFAIL keeps it
    and tries again.
    """

    help = "Read one mail (RFC 5322) from standard input and declare an incident. For the pipe of a mail system."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipient", default="", help="for whom the envelope says it is; else the headers say so")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._take(sys.stdin.buffer.read(MOST_BYTES + 1), options["recipient"])
        except DatabaseError as error:
            log.exception("mail.not_taken")
            raise CommandError("Govportal can't take mail now. Try again.", returncode=os.EX_TEMPFAIL) from error

    def _take(self, raw: bytes, recipient: str) -> None:
        while sys.stdin.buffer.read(MOST_BYTES):  # read on, so that who writes is not cut off
            pass
        mail, now = read_mail(raw, own_domain=own_domain()), clock.now()
        source = self._source(mail, recipient)
        if mail.loop:  # sent back, it would go round for ever
            log.info("mail.not_read", source=source.pk, because=mail.loop)
            return
        if is_above(f"inbound:{source.pk}", settings.INBOUND_REQUESTS_A_MINUTE, now=now):
            raise CommandError("Too many mails in a minute. Try again.", returncode=os.EX_TEMPFAIL)
        note_use(source, now=now)
        try:
            received = receive_mail(source, mail, now=now)
        except Refused as error:
            raise CommandError(str(error), returncode=os.EX_TEMPFAIL) from error
        code = received.incident.code if received.incident else None
        log.info("mail.received", source=source.pk, incident=code, is_new=received.is_new)

    def _source(self, mail: Mail, recipient: str) -> InboundSource:
        for token in tokens_in((recipient,) if recipient else mail.recipients):
            source = live_source(token)
            if source is not None and source.kind == InboundSource.Kind.EMAIL:
                return source
        raise CommandError("Nobody has this address. It is unknown, or revoked.", returncode=os.EX_NOUSER)

"""The verbs of inbound sources for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from typing import Any

from apps.incidents.actions import inbound
from apps.incidents.rules.inbound import Report, Status
from apps.incidents.rules.inbound_mail import read_mail
from tests.incidents.inbound_world import a_source, mail

# When a token was last used is a fact about it; what a mail says becomes what `receive` does.
NO_VERBS = {"note_use"}


def _source(w: Any, kind: str = "alertmanager") -> Any:
    return a_source(w.cast, kind=kind)[0]


def _resolves(w: Any) -> Callable[[], Any]:
    source = _source(w)
    inbound.receive(source, Report(Status.FIRING, "It leaks", dedup_key="k"), now=w.by["now"])
    return lambda: inbound.receive(source, Report(Status.RESOLVED, "", dedup_key="k"), now=w.by["now"])


def _mails(w: Any) -> Callable[[], Any]:
    source, token = a_source(w.cast, kind="email")
    return lambda: inbound.receive_mail(source, read_mail(mail("mail_html", token), own_domain="x"), now=w.by["now"])


def _revokes(w: Any) -> Callable[[], Any]:
    source = _source(w)
    return lambda: inbound.revoke_source(source, **w.by)


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "add_source": (lambda w: lambda: _source(w), {"inbound_source.added": 1}),
    "revoke_source": (_revokes, {"inbound_source.revoked": 1}),
    "receive": (_resolves, {"incident.noted": 1}),
    "receive_mail": (_mails, {"incident.declared": 1, "caused incident.paged": 1}),
}

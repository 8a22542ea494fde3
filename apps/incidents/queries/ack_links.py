"""Links that answer a call without signing in: signed, bound to one call, and good for a day.

The signature needs Django's key and nothing else: no query, no clock but the one that is given.
"""

from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

GOOD_FOR = timedelta(hours=24)
_SALT = "incidents.ack"


class LinkExpired(BadSignature):
    """The link was good once."""


def ack_path(page_id: int, now: datetime) -> str:
    """The address that answers this call."""
    until = int((now + GOOD_FOR).timestamp())
    return f"/incidents/ack/{Signer(salt=_SALT).sign_object([page_id, until])}/"


def page_of(token: str, now: datetime) -> int:
    """The call that a link answers. Raises BadSignature for what was not signed here, LinkExpired after a day."""
    try:
        page_id, until = Signer(salt=_SALT).unsign_object(token)
    except (TypeError, ValueError) as error:
        raise BadSignature("This is no link of the portal.") from error
    if now >= datetime.fromtimestamp(until, UTC):
        raise LinkExpired("The link is older than a day.")
    return int(page_id)

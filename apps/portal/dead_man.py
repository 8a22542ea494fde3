"""A sign of life to a watchman outside: while it comes, calling works; where it stays away, somebody there is alarmed.

Off without an address. The portal can't say by itself that it stands still, so somebody else has to miss it.
"""

from datetime import datetime

import structlog
from django.conf import settings

from apps.notify.safe_http import NotTakenError, PerhapsTakenError, RefusedTargetError, post
from apps.portal.queries.watch import watched
from apps.portal.queries.watch_incidents import DUTIES, VITAL

log = structlog.get_logger(__name__)


def sign_of_life(*, now: datetime) -> bool:
    """Tell the watchman that calling works; whether it was told. Silent where a vital duty was not done.

    What can't be sent is noted and fails nothing: the one who misses it is alarmed.
    """
    if not settings.DEAD_MAN_URL:
        return False
    undone = [one.duty.key for one in watched(now, duties=DUTIES).undone if one.duty.key in VITAL]
    if undone:
        log.error("dead_man.silent", undone=undone)
        return False
    try:
        post(settings.DEAD_MAN_URL, {"Content-Type": "text/plain"}, b"ok")
    except (NotTakenError, PerhapsTakenError, RefusedTargetError) as error:
        log.warning("dead_man.not_sent", error=str(error))
        return False
    return True

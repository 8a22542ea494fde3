"""Pure decisions about channels: what an address looks like, what carries what, how long a code counts."""

import re
from datetime import datetime, timedelta

from apps.notify.rules.webhooks import GENERIC, OPSGENIE, PAGERDUTY, SLACK, TEAMS

EMAIL, SMS, VOICE, CHAT = "email", "sms", "voice", "chat"
# Which kinds of endpoint can carry which kind of channel.
CARRIED_BY = {
    SMS: (GENERIC, PAGERDUTY, OPSGENIE),
    VOICE: (GENERIC, PAGERDUTY, OPSGENIE),
    CHAT: (SLACK, TEAMS, GENERIC),
}
CODE_COUNTS = timedelta(minutes=10)
CODE_TRIES = 5
# Between two codes to one channel, and in an hour to one person: nobody floods somebody else's telephone from here.
CODE_AGAIN_AFTER = timedelta(minutes=1)
CODES_AN_HOUR = 6
MOST_CHANNELS = 10

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_NOISE = re.compile(r"[ ()/.-]")


def clean_address(kind: str, address: str) -> str:
    """The address as it is kept. Raises ValueError with a sentence for one that nothing can be sent to."""
    text = " ".join(address.split())
    if kind in {SMS, VOICE}:
        number = _NOISE.sub("", text)
        if not _NUMBER.match(number):
            raise ValueError("Write the number with its country, such as +49 30 5550 0142.")
        return number
    if not text or len(text) > 100 or not text.isprintable():
        raise ValueError("Write the name by which the chat knows you or the channel, such as #claims-duty.")
    return text


def quarter_of(moment: datetime) -> str:
    """ "2026Q4": what a quarterly question is asked for."""
    return f"{moment.year}Q{(moment.month + 2) // 3}"

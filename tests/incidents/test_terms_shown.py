"""Who led when, as the page says it: at each moment one person."""

import re
from datetime import datetime, timedelta
from typing import Any

from apps.common import clock
from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import answer_handover, ask_handover
from apps.incidents.actions.paging import acknowledge
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.world import settle


def test_whoever_takes_over_leads_from_their_yes_on(cast: Cast, browse: Any) -> None:
    system, at = a_system(cast, owner=cast.ada), clock.now().replace(hour=9, minute=0) - timedelta(days=1)
    settle()
    incident = acknowledge(declare(title="It read too much", system=system, actor=cast.dov, now=at), actor=cast.ada,
                           now=at + timedelta(minutes=3))  # fmt: skip
    asked = ask_handover(incident, cast.ben, briefing="It is stopped.", actor=cast.ada, now=at + timedelta(minutes=20))
    answer_handover(asked, takes=True, actor=cast.ben, now=at + timedelta(minutes=31))
    page = browse(cast.mara).get(incident.path).content.decode()
    led = page.split('class="incident-terms"')[1].split("</ul>")[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", led).split())
    assert re.findall(r"(Ada Nwosu|Ben Ortega) .*?(\d\d:\d\d)", words) == [
        ("Ada Nwosu", _shown(at)),
        ("Ben Ortega", _shown(at + timedelta(minutes=31))),
    ]


def _shown(moment: datetime) -> str:
    return moment.astimezone(clock.organisation_zone()).strftime("%H:%M")

"""Pages of legal clocks: who sees and does what, and what a failed form says."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from apps.common import clock as wall
from apps.incidents.models import Authority, IncidentClock, Signature
from tests.cast import PASSWORD
from tests.incidents.clock_world import a_drill, clock, rule, with_clocks

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(cast: Any) -> Any:
    """Declared an hour ago by the wall clock: pages read it."""
    return with_clocks(cast, now=wall.now() - timedelta(hours=1))


def address(incident: Any, key: str = "GDPR-33") -> str:
    return f"/incidents/{incident.code}/clocks/{clock(incident, key).pk}/"


SIGN = {"reason": "Only test data", "declare": "on", "name": "Lea Abelmann", "password": PASSWORD}


def test_the_register_says_what_is_law_and_who_has_not_said(cast: Any, browse: Any) -> None:
    page = browse(cast.dov).get("/incidents/clocks/").content.decode()
    for words in ("GDPR Art. 33(1)", "Proposed, not law", "Repealed", "In force, contested", "Nobody has said"):
        assert words in page
    assert "Govportal files nothing and gives no legal advice." in page
    assert "Add a contract" not in page
    assert "Add a contract" in browse(cast.lea).get("/incidents/clocks/").content.decode()


@pytest.mark.parametrize(
    ("status", "there", "not_there"),
    [
        ("law", "GDPR Art. 33(1)", "Digital Omnibus"), ("proposed", "Digital Omnibus", "NIS2 Art."),
        ("repealed", "Colorado SB 24-205", "GDPR Art. 33(1)"), ("binds", "No rule like this", "GDPR Art. 33(1)"),
    ],
)  # fmt: skip
def test_the_register_is_filtered(cast: Any, browse: Any, status: str, there: str, not_there: str) -> None:
    page = browse(cast.dov).get(f"/incidents/clocks/?status={status}").content.decode()
    assert there in page
    assert not_there not in page


def test_a_rule_shows_its_source_and_its_versions(cast: Any, browse: Any) -> None:
    page = browse(cast.dov).get("/incidents/clocks/GDPR-33/").content.decode()
    for words in ("not later than 72 hours", "eur-lex.europa.eu/eli/reg/2016/679", "22 Nov 2026", "straight hours"):
        assert words in page
    assert browse(cast.dov).get("/incidents/clocks/NOT-THERE/").status_code == 404


def test_the_legal_seat_keeps_the_register(cast: Any, browse: Any) -> None:
    lea, path = browse(cast.lea), "/incidents/clocks/GDPR-33/"
    assert lea.post(path, {"do": "applies", "applies": "yes"}).status_code == 422
    assert lea.post(path, {"do": "applies", "applies": "yes", "applies_because": "Controller"}).status_code == 302
    assert rule("GDPR-33").applies is True
    assert lea.post(path, {"do": "authority", "name": "BfDI", "portal": "no address"}).status_code == 422
    assert lea.post(path, {"do": "authority", "name": "BfDI", "portal": "https://bfdi.example/"}).status_code == 302
    assert Authority.objects.get().name == "BfDI"
    for other in (cast.dov, cast.ada, cast.eve):
        client = browse(other)
        assert client.post(path, {"do": "applies", "applies": "no", "applies_because": "x"}).status_code == 403
        assert client.get(f"{path}edit/").status_code == 403
        assert client.get("/incidents/clocks/contracts/new/").status_code == 403
    assert rule("GDPR-33").applies is True


def test_a_new_version_is_written_in_the_page(cast: Any, browse: Any) -> None:
    lea, path = browse(cast.lea), "/incidents/clocks/CO-189/edit/"
    form = lea.get(path).context["form"]
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value not in (None, False, [])}
    data |= {"status": "in_force", "valid_from": "1 Jan 2027", "verified_on": "22 Nov 2026"}
    assert lea.post(path, data).status_code == 422  # no reason
    assert lea.post(path, data | {"why": "Read", "unit": ""}).status_code == 422
    assert lea.post(path, data | {"why": "The enrolled text was read."}).status_code == 302
    made = rule("CO-189")
    assert (made.version, made.status, made.amount, made.valid_from.isoformat()) == (2, "in_force", 30, "2027-01-01")


def test_a_contract_is_added(cast: Any, browse: Any) -> None:
    lea, path = browse(cast.lea), "/incidents/clocks/contracts/new/"
    data = {"counterparty": "Nordlicht Re", "clause": "§ 12", "trigger": "Were their data read?", "amount": "24"}
    assert lea.post(path, data).status_code == 422  # hours of what
    assert lea.post(path, data | {"unit": "h"}).status_code == 302
    assert lea.post(path, data | {"unit": "h"}).status_code == 422  # there already
    assert rule("CONTRACT-NORDLICHT-RE-12").amount == 24


def test_who_sees_an_incident_sees_its_clocks(cast: Any, browse: Any, incident: Any) -> None:
    for person, code in ((cast.dov, 200), (cast.ada, 200), (cast.lea, 200), (cast.eve, 200), (cast.nils, 404)):
        assert browse(person).get(f"/incidents/{incident.code}/clocks/").status_code == code
        assert browse(person).get(address(incident)).status_code == code
    other = with_clocks(cast)
    assert browse(cast.ada).get(f"/incidents/{other.code}/clocks/{clock(incident, 'GDPR-33').pk}/").status_code == 404


def test_a_clock_is_started_corrected_and_submitted(cast: Any, browse: Any, incident: Any) -> None:
    lea, path = browse(cast.lea), address(incident)
    local = wall.now().astimezone(UTC)  # Lea's zone
    at = (local - timedelta(minutes=30)).strftime("%d %b %Y, %H:%M")
    assert lea.post(path, {"do": "start", "anchor_at": "half past nine", "reason": "x"}).status_code == 422
    assert lea.post(path, {"do": "start", "anchor_at": at, "reason": "Una saw letters"}).status_code == 302
    assert clock(incident, "GDPR-33").state == "running"
    assert "72 h from" in lea.get(path).content.decode()
    earlier = (local - timedelta(hours=2)).strftime("%d %b %Y, %H:%M")
    assert lea.post(path, {"do": "correct", "anchor_at": earlier, "reason": "A mail"}).status_code == 302
    now = local.strftime("%d %b %Y, %H:%M")
    assert lea.post(path, {"do": "submit", "at": now}).status_code == 422
    assert lea.post(path, {"do": "submit", "at": now, "reference": "R-1"}).status_code == 302
    page = lea.get(path).content.decode()
    assert "R-1" in page
    assert "A mail" in page
    register = browse(cast.eve).get("/incidents/clocks/register/").content.decode()
    assert "R-1" in register


def test_not_reportable_is_signed_with_password(cast: Any, browse: Any, incident: Any) -> None:
    cast.lea.set_password(PASSWORD)
    cast.lea.save()
    lea, path = browse(cast.lea), address(incident)
    for change in ({"password": "wrong"}, {"name": "Lea"}, {"declare": ""}, {"reason": ""}):
        assert lea.post(path, {"do": "sign"} | SIGN | change).status_code == 422
    assert Signature.objects.count() == 0
    assert lea.post(path, {"do": "sign"} | SIGN).status_code == 302
    assert clock(incident, "GDPR-33").state == "not_reportable"


def test_several_are_signed_at_once_and_stand_in_the_register(cast: Any, browse: Any, incident: Any) -> None:
    lea, path = browse(cast.lea), f"/incidents/{incident.code}/clocks/"
    assert lea.post(path, SIGN).status_code == 422  # none chosen
    chosen = [str(clock(incident, key).pk) for key in ("SEC-105", "HIPAA", "NYDFS-17A")]
    assert lea.post(path, SIGN | {"clock": chosen}).status_code == 302
    assert Signature.objects.count() == 1
    assert IncidentClock.objects.filter(state="not_reportable").count() == 3
    client = browse(cast.eve)
    register = client.get("/incidents/clocks/register/").content.decode()
    assert register.count("Only test data") == 1  # one signature, one row with its three laws
    assert "3 laws, one signature" in register
    assert all(f"/clocks/{one}/" in register for one in chosen)
    assert "Nothing was decided yet" in browse(cast.nils).get("/incidents/clocks/register/").content.decode()
    csv = b"".join(client.get("/incidents/clocks/register.csv?state=not_reportable").streaming_content).decode()
    assert csv.count("Only test data") == 3
    assert csv.startswith('"incident","system","law"')


def test_others_are_told_who_signs(cast: Any, browse: Any, incident: Any) -> None:
    client = browse(cast.dov)
    page = client.get(address(incident)).content.decode()
    assert "signs for the legal seat" in page
    assert "Start the clock" not in page
    for wants in ("start", "sign", "submit", "correct", "assess", "nothing"):
        answer = client.post(address(incident), {"do": wants} | SIGN)
        assert answer.status_code == 403
    assert client.post(f"/incidents/{incident.code}/clocks/", SIGN | {"clock": ["1"]}).status_code == 403
    assert clock(incident, "GDPR-33").state == "not_assessed"


def test_a_drill_notes_what_would_be_decided(cast: Any, browse: Any) -> None:
    now = wall.now() - timedelta(minutes=10)
    drill = with_clocks(cast, mode="drill", exercise=a_drill(cast, now), now=now)
    lea, path = browse(cast.lea), address(drill)
    page = lea.get(path).content.decode()
    assert "DRILL: " in page
    assert "Start the clock" not in page
    assert lea.post(path, {"do": "start", "anchor_at": "09:00", "reason": "x"}).status_code == 403
    assert lea.post(path, {"do": "rehearse", "decision": "Report it"}).status_code == 302
    assert clock(drill, "GDPR-33").decision == "Report it"


def test_pages_cost_the_same_however_many_clocks(cast: Any, browse: Any, incident: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browse(cast.lea)

    def cost(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    paths = [f"/incidents/{incident.code}/clocks/", "/incidents/clocks/register/?state=all", address(incident)]
    before = [cost(path) for path in paths]
    with_clocks(cast)
    contract = rule("CONTRACT")
    IncidentClock.objects.create(incident=incident, rule=contract, opened_at=wall.now(), decides=cast.lea)
    assert [cost(path) for path in paths] == before

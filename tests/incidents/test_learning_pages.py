"""Pages of reviews, drills and numbers: who sees what, what each form does, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from apps.common import clock
from apps.common.clock import local_date
from apps.incidents.actions.drill_run import end_exercise
from apps.incidents.actions.drills import make_ready, start_exercise
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.reviews import save_review
from apps.incidents.models import CardView, Exercise, Review, ReviewAction
from tests.cast import PASSWORD
from tests.factories import a_system
from tests.incidents.learning_world import active, resolved
from tests.incidents.test_drills import AT, planned, started
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def ago(**more: float) -> Any:
    return clock.now() - timedelta(**more)


def signs(person: Any, **more: str) -> dict[str, str]:
    return {"declare": "on", "name": person.display_name, "password": PASSWORD, **more}


def test_a_review_from_draft_to_signature(cast: Any, browse: Any) -> None:
    incident = resolved(cast, now=ago(hours=5))
    path, una = f"/incidents/{incident.code}/review/", browse(cast.una)
    page = una.get(path).content.decode()
    assert "Before you can sign: Confirm that the timeline is right. Say what happened. Say what caused it." in page
    assert "Sign the review" not in page

    version = Review.objects.get().version
    texts = {"summary": "Letters were read", "causes": "Too wide", "timeline_ok": "on", "version": version}
    assert una.post(path, {"do": "save", **texts}).status_code == 302
    again = una.post(path, {"do": "save", **texts, "summary": "Other"})
    assert again.status_code == 409
    assert "Other" in again.content.decode()

    action = {
        "do": "action", "type": "ownership", "what": "Name a deputy", "owner": cast.ben.email, "due_on": "2030-01-04",
        "priority": "high",
    }  # fmt: skip
    assert "Say what was wrong with who answered" in una.post(path, action).content.decode()
    assert una.post(path, action | {"gap": "unreachable"}).status_code == 302
    assert ReviewAction.objects.get().finding.code == "ownership-gap"
    assert incident.system is not None
    card = browse(cast.ada).get(f"/incidents/systems/{incident.system.key}/").content.decode()
    assert "nobody could be reached." in card
    assert "puts it right by 4 Jan 2030" in card

    wrong = una.post(path, {"do": "sign", **signs(cast.una), "password": "wrong"})
    assert wrong.status_code == 422
    assert una.post(path, {"do": "sign", **signs(cast.una)}).status_code == 302
    review = Review.objects.get()
    assert (review.state, review.summary) == ("done", "Letters were read")
    assert review.signature is not None
    assert review.signature.payload_sha256 in una.get(path).content.decode()


def test_who_may_do_what_with_a_review(cast: Any, browse: Any) -> None:
    incident = resolved(cast, now=ago(hours=5))
    path = f"/incidents/{incident.code}/review/"
    save_review(
        incident.review, actor=cast.una, now=clock.now(), timeline_ok=True, summary="Letters", causes="Too wide"
    )
    for person in (cast.ada, cast.mara, cast.eve):
        assert browse(person).post(path, {"do": "sign", **signs(person)}).status_code == 403
    assert browse(cast.nils).get(path).status_code == 404
    assert browse(cast.eve).post(path, {"do": "save", "summary": "x"}).status_code == 403
    assert browse(cast.mara).post(path, {"do": "facilitator", "person": cast.ada.email}).status_code == 422
    assert browse(cast.mara).post(path, {"do": "facilitator", "person": cast.cleo.email}).status_code == 302
    assert Review.objects.get().facilitator == cast.cleo
    assert Review.objects.get().state == "open"


def test_skipping_a_review(cast: Any, browse: Any) -> None:
    incident = resolved(cast, severity="sev4", now=ago(hours=5))
    path = f"/incidents/{incident.code}/review/"
    post = {"do": "skip", **signs(cast.mara)}
    assert browse(cast.mara).post(path, post).status_code == 422
    assert browse(cast.mara).post(path, post | {"reason": "One late mail"}).status_code == 302
    assert Review.objects.get().state == "skipped"


def test_no_review_of_what_goes_on(cast: Any, browse: Any) -> None:
    incident = active(cast, now=ago(hours=1))
    assert browse(cast.mara).get(f"/incidents/{incident.code}/review/").status_code == 404


def test_the_list_of_reviews(cast: Any, browse: Any) -> None:
    assert "No review is open" in browse(cast.mara).get("/incidents/reviews/").content.decode()
    late, new = resolved(cast, now=ago(days=20)), resolved(cast, now=ago(hours=5))
    page = browse(cast.mara).get("/incidents/reviews/").content.decode()
    assert "1 overdue." in page
    assert page.index(late.code) < page.index(new.code)
    assert "Nothing was reviewed yet" in browse(cast.mara).get("/incidents/reviews/?tab=done").content.decode()
    assert late.code not in browse(cast.nils).get("/incidents/reviews/").content.decode()


def test_actions_that_are_not_done_stand_in_one_list(cast: Any, browse: Any) -> None:
    path = "/incidents/reviews/?tab=actions"
    assert "Every action is done" in browse(cast.mara).get(path).content.decode()
    incident = resolved(cast, now=ago(days=2))
    review = Review.objects.get(incident=incident)
    what = Improvement("detect", "Count letters per claimant every hour.", cast.ben, local_date(ago(days=1)), "high")
    add_action(incident, what, actor=review.facilitator, now=ago(days=1))
    page = browse(cast.mara).get(path).content.decode()
    for words in ("Count letters per claimant", "Ben Ortega", "Overdue since", f"{incident.path}review/"):
        assert words in page
    assert "Count letters" not in browse(cast.nils).get(path).content.decode()


def test_the_first_look_is_noted_once(cast: Any, browse: Any) -> None:
    incident = active(cast, now=ago(minutes=9))
    browse(cast.ada).get(incident.path)
    browse(cast.mara).get(incident.path)
    assert CardView.objects.get().person == cast.ada


def a_form(cast: Any, **more: Any) -> dict[str, Any]:
    system = a_system(cast, owner=cast.ada)
    settle()
    return {
        "type": "tabletop", "title": "An agent reads letters", "scenario": "data-access", "systems": system.key,
        "objectives": "The lead is known at once\nIt is stopped within ten minutes", "facilitator": cast.mara.email,
        "planned_at": "17 Dec 2036, 10:00", "announced": "on",
    } | more  # fmt: skip


def test_planning_a_drill(cast: Any, browse: Any) -> None:
    mara = browse(cast.mara)
    assert browse(cast.ada).get("/incidents/drills/new/").status_code == 403
    wrong = mara.post("/incidents/drills/new/", a_form(cast, systems="SYS-NONE", planned_at="soon"))
    assert wrong.status_code == 422
    assert "There is no live system with the key SYS-NONE" in wrong.content.decode()
    assert not Exercise.objects.exists()

    assert mara.post("/incidents/drills/new/", a_form(cast)).status_code == 302
    exercise = Exercise.objects.get()
    refused = mara.post(exercise.path, {"do": "ready"})
    assert refused.status_code == 422
    assert "A tabletop needs something that the facilitator tells" in refused.content.decode()
    inject = {"do": "inject", "offset_minutes": "5", "text": "A customer calls", "expected_action": "Asks"}
    assert mara.post(exercise.path, inject).status_code == 302
    edit = mara.get(f"{exercise.path}edit/").content.decode()
    assert "17 Dec 2036, 10:00" in edit
    exercise.refresh_from_db()
    changed = a_form(cast, title="Another", version=exercise.version)
    assert mara.post(f"{exercise.path}edit/", changed).status_code == 302
    assert mara.post(f"{exercise.path}edit/", changed).status_code == 409
    assert mara.post(exercise.path, {"do": "ready"}).status_code == 302
    exercise.refresh_from_db()
    assert (exercise.state, exercise.title) == ("ready", "Another")
    assert "Another" in browse(cast.ada).get(exercise.path).content.decode()
    assert browse(cast.nils).get(exercise.path).status_code == 404


def test_nobody_sees_a_surprise_before(cast: Any, browse: Any) -> None:
    exercise = make_ready(planned(cast, type="blind_page", planned_at=clock.now() + timedelta(days=3)),
                          actor=cast.mara, now=clock.now())  # fmt: skip
    for person in (cast.cleo, cast.bo, cast.eve, cast.ada):
        assert browse(person).get(exercise.path).status_code == 404
        assert exercise.title not in browse(person).get("/incidents/drills/").content.decode()
        assert exercise.title not in browse(person).get("/trail/").content.decode()
    assert "Only you know of it" in browse(cast.mara).get(exercise.path).content.decode()
    start_exercise(exercise, actor=cast.mara, now=clock.now())
    for person in (cast.cleo, cast.bo, cast.eve):
        assert browse(person).get(exercise.path).status_code == 200


def test_a_drill_to_its_report(cast: Any, browse: Any) -> None:
    at = clock.now() + timedelta(days=1)
    exercise = make_ready(planned(cast, planned_at=at), actor=cast.mara, now=clock.now())
    mara, cleo = browse(cast.mara), browse(cast.cleo)
    assert cleo.post(exercise.path, {"do": "start"}).status_code == 403
    assert mara.post(exercise.path, {"do": "start"}).status_code == 302
    inject = f"{exercise.path}injects/1/"
    assert "A customer calls" not in cleo.get(exercise.path).content.decode()
    assert cleo.post(inject, {"do": "give"}).status_code == 403
    assert mara.post(inject, {"do": "give"}).status_code == 302
    assert "A customer calls" in cleo.get(exercise.path).content.decode()
    assert cleo.post(inject, {"do": "answer", "answer": "I stop it"}).status_code == 302
    assert cleo.post(exercise.path, {"do": "decision"}).status_code == 302
    assert mara.get(f"{exercise.path}report/").status_code == 404
    assert mara.post(exercise.path, {"do": "end"}).status_code == 302
    for number in ("1", "2"):
        seen = {"do": "observe", "objective": number, "rating": "S", "kind": "strength", "text": "Seen"}
        assert mara.post(exercise.path, seen).status_code == 302
    exercise.refresh_from_db()
    report = {"do": "report", "outcome": "passed", "summary": "It went well", "version": exercise.version}
    assert mara.post(exercise.path, report).status_code == 302
    assert "nobody has signed it" in cleo.get(f"{exercise.path}report/").content.decode()
    assert mara.post(exercise.path, {"do": "sign", **signs(cast.mara)}).status_code == 302
    assert mara.post(exercise.path, {"do": "close"}).status_code == 302
    exercise.refresh_from_db()
    assert (exercise.state, exercise.outcome) == ("closed", "passed")
    sheet = cleo.get(f"{exercise.path}report/").content.decode()
    assert "It passed." in sheet
    assert "I stop it" in sheet


def test_the_numbers(cast: Any, browse: Any) -> None:
    for person in (cast.dov, cast.ada):
        assert browse(person).get("/incidents/metrics/").status_code == 403
        assert browse(person).get("/incidents/metrics.json").status_code == 403
    empty = browse(cast.bo).get("/incidents/metrics/").content.decode()
    assert "Not known: no incident yet" in empty
    assert "Not known: no drill yet" in empty
    resolved(cast, now=ago(days=2))
    page = browse(cast.bo).get("/incidents/metrics/?period=90").content.decode()
    assert "2 h 00 min" in page
    told = browse(cast.bo).get("/incidents/metrics.json?period=nonsense").json()
    assert told["real"]["seconds"]["resolve"] == {"n": 1, "median": 7200.0, "p90": 7200.0}
    assert told["drill"]["seconds"]["resolve"] == {"n": 0, "median": None, "p90": None}


def test_systems_that_are_due(cast: Any, browse: Any) -> None:
    system = a_system(cast, owner=cast.ada, tier="critical")
    page = browse(cast.mara).get("/incidents/drills/?tab=due").content.decode()
    assert system.key in page
    assert f"/incidents/drills/new/?system={system.key}" in page


def test_a_drill_that_runs_is_read_anew_without_what_somebody_types(cast: Any, browse: Any) -> None:
    exercise = started(cast)
    page, poll = f"/incidents/drills/{exercise.code}/", {"HX-Request": "true"}
    whole = browse(cast.mara).get(page).content.decode()
    assert f'hx-get="{page}" hx-trigger="every 15s"' in whole
    assert "govportal/js/live" in whole
    part = browse(cast.mara).get(page, headers=poll).content.decode()
    assert '<div id="drill-called" hx-swap-oob="true">' in part
    assert all(one.code in part for one in exercise.incidents.all())
    assert "<html" not in part
    assert 'name="summary"' not in part
    end_exercise(exercise, actor=cast.mara, now=AT + timedelta(hours=1))
    assert "hx-trigger" not in browse(cast.mara).get(page, headers=poll).content.decode()
    assert "live-poll" not in browse(cast.mara).get(page).content.decode()

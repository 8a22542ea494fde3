"""When deadlines end: worked examples with their source. Berlin is UTC+1 in winter, UTC+2 in summer."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.incidents.rules import clocks
from apps.incidents.rules.clocks import Term, Where, due_at

BERLIN = Where(ZoneInfo("Europe/Berlin"), "DE")
HOURS_72 = Term("aware", 72, "h")
DAYS_15 = Term("aware", 15, "cal_day", calendar="EU")
DAYS_2 = Term("aware", 2, "cal_day", calendar="EU")
MONTH = Term("prev_submission", 1, "month")
SEC = Term("determined", 4, "bus_day", calendar="US-SEC")
DORA = Term("classified", 4, "h", cap_anchor="aware", cap_amount=24, cap_unit="h")
DORA_FINAL = Term("prev_submission", 1, "month", calendar="org", rolls_to_noon=True)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN.zone).astimezone(UTC)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


def end(term: Term, start: datetime, **more: datetime) -> datetime:
    found = due_at(term, {term.anchor: start, **more}, BERLIN)
    assert found is not None
    return found.at


# GDPR Art. 33(1): 72 hours after having become aware; straight, which is the strict reading.
@pytest.mark.parametrize(
    ("aware", "due"),
    [
        ("2026-11-17 09:31", "2026-11-20 09:31"),  # the example of the design: Fri 20 Nov, 09:31
        ("2026-11-20 17:00", "2026-11-23 17:00"),  # over a weekend: it counts
        ("2026-12-24 12:00", "2026-12-27 12:00"),  # over Christmas, ends on a Sunday
        ("2026-10-23 12:00", "2026-10-26 11:00"),  # summer time ends on 25 Oct: 72 hours are not three wall days
        ("2026-03-27 12:00", "2026-03-30 13:00"),  # summer time begins on 29 Mar
        ("2028-02-27 08:00", "2028-03-01 08:00"),  # through 29 February
    ],
)
def test_gdpr_33_counts_72_straight_hours(aware: str, due: str) -> None:
    assert end(HOURS_72, berlin(aware)) == berlin(due)


def test_the_words_say_how_it_was_worked_out() -> None:
    found = due_at(HOURS_72, {"aware": berlin("2026-11-23 09:31")}, BERLIN)
    assert found is not None
    assert found.words == "72 h from Mon 23 Nov 09:31 CET, straight hours: weekends and holidays count."


# AI Act Art. 73(2) with Regulation 1182/71 Art. 3(1), 3(2)(b), 3(4): the day of the event is not counted.
@pytest.mark.parametrize(
    ("aware", "due"),
    [
        ("2026-11-17 09:14", "2026-12-02 23:59:59"),  # the example of the design: Wed 2 Dec
        ("2026-11-17 00:05", "2026-12-02 23:59:59"),  # the hour of the day plays no part
        ("2026-11-20 15:00", "2026-12-07 23:59:59"),  # ends on Sat 5 Dec: Mon 7 Dec
        ("2026-11-21 15:00", "2026-12-07 23:59:59"),  # ends on Sun 6 Dec: Mon 7 Dec
        ("2026-10-15 10:00", "2026-10-30 23:59:59"),  # over the end of summer time
        (
            "2026-12-17 10:00",
            "2027-01-01 23:59:59",
        ),  # a public holiday, which may not be one of the authority's
    ],
)
def test_ai_act_73_counts_15_days_and_moves_from_a_weekend(aware: str, due: str) -> None:
    assert end(DAYS_15, berlin(aware)) == berlin(due)


def test_ai_act_73_3_two_days_over_a_weekend() -> None:
    # Fri 20 Nov: day 2 is Sun 22 Nov. Art. 3(4) moves it to Monday; the later reading of Art. 3(5) is not counted on.
    assert end(DAYS_2, berlin("2026-11-20 10:00")) == berlin("2026-11-23 23:59:59")


def test_the_day_is_that_of_the_organisation() -> None:
    # 23:30 in UTC on 16 Nov is 17 Nov in Berlin.
    assert end(DAYS_15, datetime(2026, 11, 16, 23, 30, tzinfo=UTC)) == berlin("2026-12-02 23:59:59")


def test_a_move_names_its_source() -> None:
    found = due_at(DAYS_15, {"aware": berlin("2026-11-20 15:00")}, BERLIN)
    assert found is not None
    assert found.words == (
        "The end of 15 days after Fri 20 Nov 2026, which is not counted: Sat 5 Dec 2026. That is no working day "
        "(Saturday): Regulation 1182/71 Art. 3(4) moves it to Mon 7 Dec 2026."
    )


# Straight days: 45 CFR 164.404(b), 60 calendar days; Cal. B&P 22757.13, 15 days. No move: the earlier reading.
def test_straight_days_do_not_move() -> None:
    assert end(Term("aware", 60, "cal_day"), berlin("2026-11-17 10:00")) == berlin("2027-01-16 23:59:59")
    assert date(2027, 1, 16).weekday() == 5


# NIS2 Art. 23(4)(d): one month after the notification; Regulation 1182/71 Art. 3(2)(c) for the end of months.
@pytest.mark.parametrize(
    ("filed", "due"),
    [
        ("2026-11-17 16:00", "2026-12-17 23:59:59"),
        ("2027-01-31 16:00", "2027-02-28 23:59:59"),  # February has no 31st
        ("2028-01-31 16:00", "2028-02-29 23:59:59"),  # nor in a leap year
        ("2026-03-31 09:00", "2026-04-30 23:59:59"),
        ("2026-12-31 23:30", "2027-01-31 23:59:59"),
        ("2028-02-29 12:00", "2028-03-29 23:59:59"),
    ],
)
def test_a_month_ends_on_its_day_or_its_last(filed: str, due: str) -> None:
    assert end(MONTH, berlin(filed)) == berlin(due)


# Form 8-K, General Instruction B.1, and Regulation S-T Rule 13(a)(2): filed by 17:30 Eastern.
@pytest.mark.parametrize(
    ("determined", "due"),
    [
        ("2026-11-16 11:00", "2026-11-20 17:30"),  # Monday to Friday
        ("2026-11-23 11:00", "2026-11-30 17:30"),  # Thanksgiving, Thu 26 Nov, is no business day
        ("2026-11-21 11:00", "2026-11-27 17:30"),  # Saturday: Monday is day 1, Thanksgiving left out
        ("2026-07-01 11:00", "2026-07-08 17:30"),  # Independence Day is observed on Fri 3 Jul
        ("2026-03-05 11:00", "2026-03-11 17:30"),  # over the beginning of summer time there
        ("2026-12-23 22:00", "2026-12-30 17:30"),  # Christmas
    ],
)
def test_sec_counts_four_business_days_of_the_commission(determined: str, due: str) -> None:
    assert end(SEC, new_york(determined)) == new_york(due)


def test_sec_takes_the_day_in_new_york() -> None:
    # 02:00 in Berlin on Tue 17 Nov is still Monday there: Friday, not Monday.
    assert end(SEC, berlin("2026-11-17 02:00")) == new_york("2026-11-20 17:30")


def test_business_days_without_a_calendar_are_labelled() -> None:
    found = due_at(Term("aware", 30, "bus_day"), {"aware": berlin("2026-11-17 10:00")}, BERLIN)
    assert found is not None
    assert found.at == berlin("2026-12-29 23:59:59")
    assert found.words.endswith("No public holidays are known to this rule: weekdays alone are counted.")


def test_business_days_of_the_organisations_country() -> None:
    # 25 December is a Friday in 2026 and a holiday in Germany; the 26th is a Saturday.
    assert end(Term("aware", 5, "bus_day", calendar="org"), berlin("2026-12-21 10:00")) == berlin("2026-12-29 23:59:59")


# Delegated Regulation (EU) 2025/301 Art. 5(1)(a): 4 h from classifying, at most 24 h from becoming aware.
@pytest.mark.parametrize(
    ("aware", "classified", "due"),
    [
        ("2026-11-17 08:00", "2026-11-17 10:00", "2026-11-17 14:00"),
        ("2026-11-17 08:00", "2026-11-18 06:00", "2026-11-18 08:00"),  # the 24 hours end first
        ("2026-11-17 08:00", "2026-11-18 09:00", "2026-11-18 13:00"),  # Art. 5(2): classified after they ended
        ("2026-11-21 08:00", "2026-11-21 10:00", "2026-11-21 14:00"),  # Saturday: Art. 5(5), the strict reading
    ],
)
def test_dora_initial_is_whichever_ends_first(aware: str, classified: str, due: str) -> None:
    assert end(DORA, berlin(classified), aware=berlin(aware)) == berlin(due)


def test_dora_is_not_started_by_awareness_alone() -> None:
    assert due_at(DORA, {"aware": berlin("2026-11-17 08:00")}, BERLIN) is None


# Delegated Regulation (EU) 2025/301 Art. 5(4): noon of the next working day, for the final report.
@pytest.mark.parametrize(
    ("filed", "due"),
    [
        ("2026-11-17 16:00", "2026-12-17 23:59:59"),  # Thursday
        ("2026-11-19 16:00", "2026-12-21 12:00"),  # Sat 19 Dec: Monday noon
        ("2026-11-25 16:00", "2026-12-28 12:00"),  # Fri 25 Dec is a holiday: Monday noon
        ("2026-12-01 16:00", "2027-01-04 12:00"),  # Fri 1 Jan
        ("2026-03-03 16:00", "2026-04-07 12:00"),  # Good Friday to Easter Monday
    ],
)
def test_dora_final_moves_to_noon(filed: str, due: str) -> None:
    assert end(DORA_FINAL, berlin(filed)) == berlin(due)


def test_a_rule_without_its_trigger_or_its_number_has_no_deadline() -> None:
    now = berlin("2026-11-17 10:00")
    assert due_at(HOURS_72, {}, BERLIN) is None
    assert due_at(HOURS_72, {"determined": now, "classified": now}, BERLIN) is None
    assert due_at(Term("aware", None, ""), {"aware": now}, BERLIN) is None


@pytest.mark.parametrize("status", ["proposed", "enacted", "repealed"])
def test_what_is_not_law_never_runs(status: str) -> None:
    assert not clocks.can_run(status, None, None, date(2026, 11, 17))
    assert not clocks.can_run(status, date(2020, 1, 1), None, date(2026, 11, 17))


@pytest.mark.parametrize("status", ["in_force", "contested"])
def test_a_rule_runs_on_its_days(status: str) -> None:
    first, last = date(2026, 9, 11), date(2027, 9, 10)
    days = (date(2026, 9, 10), first, last, date(2027, 9, 11))
    assert [clocks.can_run(status, first, last, day) for day in days] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_is_not_known_excludes_nothing() -> None:
    assert clocks.may_matter([], [])
    assert clocks.may_matter(["data-access"], ["high_risk"])
    assert clocks.may_matter(["data-access"], ["high_risk"], "data-access", "unknown")
    assert not clocks.may_matter(["data-access"], [], "cost-spike")
    assert not clocks.may_matter([], ["high_risk"], "data-access", "minimal")


def test_a_quarter_of_the_shortest_limit_is_left_to_assess() -> None:
    hours = [clocks.assess_within(term).total_seconds() / 3600 for term in (HOURS_72, DAYS_15, DORA, MONTH, SEC)]
    assert hours == [18, 24, 1, 24, 24]
    assert clocks.assess_within(Term("aware", None, "")) == timedelta(hours=24)


def test_time_is_said_as_people_say_it() -> None:
    assert [clocks.span_words(timedelta(minutes=m)) for m in (3, 60, 4265, 5760, 21600)] == [
        "3 min", "1 h 00 min", "71 h 05 min", "4 days", "15 days",
    ]  # fmt: skip
    assert clocks.span_words(-timedelta(minutes=125)) == "2 h 05 min"

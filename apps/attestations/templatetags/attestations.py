"""Words of campaigns for the templates: how far a date is, when the next campaign opens, how a person was confirmed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone

from apps.attestations.forms import QuestionField
from apps.attestations.models import AttestationException
from apps.attestations.rules import Period, Problem, Schedule
from apps.attestations.rules.report import OUTCOME_WORDS
from apps.attestations.rules.stamps import pace_words

register = template.Library()
register.simple_tag(pace_words)

_AUTH_WORDS = {
    "password": "Password",
    "password+totp": "Password and authenticator code",
    "password+recovery_codes": "Password and recovery code",
    "passkey": "Passkey",
    "totp": "Authenticator code",
    "recovery_codes": "Recovery code",
}


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


@register.simple_tag
def due_words(due: date, today: date) -> str:
    """How far a due date is: "due in 3 days", "due today", "4 days overdue"."""
    left = (due - today).days
    if left < 0:
        return f"{_days(-left)} overdue"
    return "due today" if left == 0 else f"due in {_days(left)}"


@register.simple_tag
def distance_words(day: date, today: date) -> str:
    """How far a day is: "in 3 days", "today", "4 days ago"."""
    left = (day - today).days
    if left < 0:
        return f"{_days(-left)} ago"
    return "today" if left == 0 else f"in {_days(left)}"


@register.simple_tag
def due_tone(due: date, today: date) -> str:
    """The tone of a date that is still ahead: a warning from three days before, as on the home page."""
    return "warn" if (due - today).days <= 3 else "neutral"


@register.simple_tag
def upcoming_words(period: Period, dates: Schedule, today: date) -> str:
    """When the next campaign opens and is due."""
    opens = "opens" if dates.opens_on > today else "is about to open since"
    due, closes = _day(dates.due_on), _day(dates.closes_on)
    return f"{period.label} {opens} {_day(dates.opens_on)}. It is due {due} and closes {closes}."


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


@register.simple_tag
def auth_words(method: str) -> str:
    """How the signer was confirmed."""
    return "Identity provider" if method.startswith("sso:") else _AUTH_WORDS.get(method, method)


@register.simple_tag
def problem_anchor(problem: Problem, fields: Iterable[QuestionField]) -> str:
    """The id of the field that a problem is about."""
    every = [one for field in fields for one in (field, *field.followups)]
    field = next(field for field in every if field.question.key == problem.question)
    if problem.part in ("person", "day", "evidence", "explanation"):
        return f"{problem.question}-{problem.part}"
    if not field.question.is_chosen:
        return field.control
    chosen = next((option for option in field.options if option.checked), None)
    if problem.part == "value" or chosen is None:
        return field.options[0].id
    return f"{chosen.id}-{_PARTS.get(problem.part, problem.part)}"


# Where the name of a field is not the name of the part.
_PARTS = {"plan_date": "date", "plan_owner": "owner"}


@register.simple_tag
def iso_words(value: str | None, part: str = "") -> str:
    """A day or a moment of a report as people write it: "17 Nov 2026"; with "time" also "10:38"."""
    if not value:
        return ""
    if "T" not in value:
        return _day(date.fromisoformat(value))
    moment = timezone.localtime(datetime.fromisoformat(value))
    return f"{_day(moment.date())}, {moment:%H:%M}" if part == "time" else _day(moment.date())


@register.simple_tag
def outcome_words(outcome: str) -> str:
    """What became of a system in a campaign, for the comparison of two."""
    return OUTCOME_WORDS.get(outcome, outcome)


# So many systems are named for each line of what is the same.
_KEYS_NAMED = 6


@register.simple_tag
def same_contradictions(rows: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Answers against what is known, gathered where the fact and its explanation are the same; the most frequent first.

    Forty owners who explain the same with the same words are one line to a reader, and worth a question.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        found[row["contradiction"], row["explanation"]].append(row["key"])
    return [
        {
            "contradiction": contradiction,
            "explanation": explanation,
            "count": len(keys),
            "keys": list(dict.fromkeys(keys))[:_KEYS_NAMED],
            "more": max(0, len(set(keys)) - _KEYS_NAMED),
        }
        for (contradiction, explanation), keys in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


@register.simple_tag
def exception_words(state: str) -> str:
    """How far an exception is."""
    return str(AttestationException.State(state).label)

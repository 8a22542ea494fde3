"""The tags and includes that every page draws with."""

import re

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import render_to_string

from apps.common.templatetags.interface import icon, initials, mark_match, person_name, seat_words


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Amara Nwosu", "AN"), ("Tomás de la Cruz", "TC"), ("Cher", "C"), ("Jean-Luc Picard", "JP"), ("", "")],
)
def test_initials_are_those_of_the_first_and_the_last_name(name: str, expected: str) -> None:
    assert initials(name) == expected


def test_a_person_may_be_an_object_a_mapping_or_a_string() -> None:
    class Person:
        display_name = "Amara Nwosu"

    assert person_name(Person()) == person_name({"name": "Amara Nwosu"}) == person_name("Amara Nwosu")
    assert person_name(None) == ""


def test_a_seat_says_in_words_how_firmly_somebody_sits_on_it() -> None:
    assert seat_words("Amara Nwosu", "interim") == "Amara Nwosu, interim owner"
    assert seat_words(None, "vacant") == "vacant seat"


def test_a_match_is_marked_and_everything_is_escaped() -> None:
    assert mark_match("<b>Claims</b> agent", "claims") == "&lt;b&gt;<mark>Claims</mark>&lt;/b&gt; agent"
    assert mark_match("Claims", "") == "Claims"
    assert mark_match("Claims", "<i>") == "Claims"


def test_an_icon_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in icon("check", 14)


def draw(source: str, **context: object) -> str:
    return Template("{% load interface %}" + source).render(Context(context))


PARTS = [
    {"n": 3, "class": "bar-done", "label": "Signed"},
    {"n": 0, "class": "bar-open", "label": "Not started"},
    {"n": 1, "class": "bar-hole", "label": "Overdue"},
]


def test_a_bar_is_laid_out_in_percent_without_any_style() -> None:
    html = draw('{% include "components/bar.html" with parts=parts total=4 gap=1 %}', parts=PARTS)
    assert re.findall(r'<rect class="(bar-[a-z]+)" x="([\d.]+%)" width="([\d.]+%)"', html) == [
        ("bar-done", "0.00%", "74.00%"),
        ("bar-hole", "75.00%", "25.00%"),
    ]
    assert 'aria-label="Signed 3, Not started 0, Overdue 1"' in html
    assert "style=" not in html


def test_two_bars_on_one_page_have_patterns_of_their_own() -> None:
    one = '{% include "components/bar.html" with parts=parts %}'
    assert re.findall(r'pattern id="([^"]+)"', draw(one + one, parts=PARTS)) == ["bar-1", "bar-2"]


def test_a_bar_of_nothing_is_empty_and_does_not_divide_by_zero() -> None:
    assert 'class="bar-ground" x="0.00%"' in draw('{% include "components/bar.html" with parts=parts %}', parts=[])


@pytest.mark.parametrize("kind", ["owner", "deputy", "person", "interim", "vacant", "mailbox", "committee"])
def test_a_seat_without_a_name_beside_it_has_a_label(kind: str) -> None:
    html = render_to_string("components/seat.html", {"person": "Amara Nwosu", "kind": kind})
    assert f"seat--{kind}" in html
    assert 'role="img" aria-label="' in html
    named = render_to_string("components/seat.html", {"person": "Amara Nwosu", "kind": kind, "named": True})
    assert 'aria-hidden="true"' in named


class Answer(forms.Form):
    use_required_attribute = False
    note = forms.CharField(help_text="One sentence.", error_messages={"required": "Say what changed"})
    choice = forms.ChoiceField(choices=[("y", "Yes"), ("n", "No")], widget=forms.RadioSelect)


def test_a_failed_field_shows_its_error_between_hint_and_input() -> None:
    form = Answer({"choice": "y"})
    html = render_to_string("components/field.html", {"field": form["note"]})
    order = [html.index(part) for part in ('for="id_note"', "id_note_helptext", 'id="id_note_error"', "<input")]
    assert order == sorted(order)
    assert 'aria-describedby="id_note_helptext id_note_error"' in html


def test_the_error_summary_links_to_the_field_that_is_wrong() -> None:
    html = render_to_string("components/error_summary.html", {"form": Answer({})})
    assert '<a href="#id_note">Say what changed</a>' in html
    assert 'href="#id_choice_0"' in html
    assert render_to_string("components/error_summary.html", {"form": Answer({"note": "a", "choice": "y"})}) == "\n"


def test_the_page_for_a_crash_needs_no_context() -> None:
    html = render_to_string("500.html")
    assert "Sorry, there is a problem with Govportal" in html
    assert "data-duty-lead hidden" in html

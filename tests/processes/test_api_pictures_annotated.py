"""Annotations as they are drawn: names, colours, and what a style may say."""

import doctest
import math

import pytest

from api.pictures import annotated
from api.pictures.annotated import style_of
from api.pictures.theme import THEMES
from plant.colours import DOWN, UP
from plant.state.newest import Row

DARK = THEMES["dark"]


def row(kind: str, type_: str, style: str = "", **columns: str) -> Row:
    return {"id": "x", "kind": kind, "type": type_, "text": "", "state": "active", "style": style, **columns}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(annotated).failed == 0


@pytest.mark.parametrize(
    ("of", "color"),
    [
        (row("zone", "demand"), UP),
        (row("zone", "supply"), DOWN),
        (row("zone", "day_zone", id="day_zone/support/AAPL/2026-11-20"), UP),
        (row("zone", "day_zone", text="resistance"), DOWN),
        (row("flag", "bear_flag"), DOWN),
        (row("pivot", "pivot_low"), UP),
        (row("level", "prev_day_high"), DARK.neutral),
        (row("zone", "user"), DARK.neutral),
    ],
)
def test_what_is_bought_at_is_green_and_what_is_sold_at_red(of: Row, color: str) -> None:
    assert style_of(of, DARK).color == color


def test_a_style_of_its_own_counts_and_what_cannot_be_drawn_does_not() -> None:
    own = style_of(row("zone", "demand", '{"colour": "#ABCDEF", "width": 2.5, "opacity": 0.4}'), DARK)
    assert own == ("#abcdef", 2.5, 0.4)
    assert style_of(row("zone", "user", '{"color": "red", "width": 900}'), DARK)[:2] == ("#ff0000", 6.0)
    plain = style_of(row("zone", "user"), DARK)
    for odd in ("[1]", "{", '{"colour": "none"}', '{"colour": 7, "width": true, "opacity": "x"}', '{"width": NaN}'):
        found = style_of(row("zone", "user", odd), DARK)
        assert found == plain, odd
        assert all(math.isfinite(value) for value in found[1:])

"""What may be drawn: the fields of each kind, what is refused and where, and that what is taken fits the table."""

import json
import math
import random
import uuid
from typing import Any

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import NOON, through_the_plant

from plant.control.drawn import DRAWN, FIELDS, PRICES_OF, BadAnnotation, copied, drawn_columns, fresh_uuid
from plant.rows.tables import schema_of
from plant.state.annotations import Annotations

LEVEL = {"sym": "AAPL", "kind": "level", "price": 190.5, "start_at": NOON}
ZONE = {"sym": "AAPL", "kind": "zone", "top": 191, "bottom": 190, "start_at": NOON, "end_at": NOON + 1}
LINE = {"sym": "AAPL", "kind": "line", "price": 1, "price_end": 2, "start_at": NOON, "end_at": NOON}
TEXT = {"sym": "AAPL", "kind": "text", "price": 1, "text": "gap", "start_at": NOON}


@pytest.mark.parametrize("told", [LEVEL, ZONE, LINE, TEXT, {**TEXT, "kind": "marker"}, {**LEVEL, "kind": "marker"}])
def test_each_kind_has_its_own_prices_and_no_others(told: dict[str, Any]) -> None:
    found = drawn_columns(told)
    own = PRICES_OF[told["kind"]]
    for name in ("price", "price_end", "top", "bottom"):
        assert (found[name] == told[name]) if name in own else math.isnan(found[name])
    row = through_the_plant("annotations", Annotations().changed("x", "create", "user:me", NOON, **found))
    assert {name: row[name] for name in ("sym", "kind", "start_at", "end_at")} == {
        name: told.get(name) for name in ("sym", "kind", "start_at", "end_at")
    }


@pytest.mark.parametrize(
    ("told", "place", "sentence"),
    [
        ({**ZONE, "top": 190}, "$.top", "expected more than bottom, 190, found 190"),
        ({**ZONE, "top": 189.5}, "$.top", "expected more than bottom"),
        ({**ZONE, "price": 3}, "$.price", "a zone has top and bottom, no price; found 3"),
        ({**LEVEL, "price": 0}, "$.price", "expected a price of more than 0, found 0"),
        ({**LEVEL, "price": -1.5}, "$.price", "more than 0"),
        ({**LEVEL, "price": math.nan}, "$.price", "more than 0"),
        ({**LEVEL, "price": math.inf}, "$.price", "more than 0"),
        ({**LEVEL, "price": True}, "$.price", "more than 0"),
        ({**LEVEL, "price": "190"}, "$.price", "found '190'"),
        ({**LEVEL, "price": 10**400}, "$.price", "a float can hold"),
        ({**LEVEL, "price": None}, "$.price", "expected a price, which a level has"),
        ({**LEVEL, "end_at": NOON - 1}, "$.end_at", "ends before it begins"),
        ({**LEVEL, "start_at": None}, "$.start_at", "expected when a level begins"),
        ({**LEVEL, "start_at": "noon"}, "$.start_at", "expected a time, found 'noon'"),
        ({**LEVEL, "start_at": -5}, "$.start_at", "expected a time, found -5"),
        ({**LINE, "end_at": None}, "$.end_at", "expected when a line ends"),
        ({**LINE, "price_end": None}, "$.price_end", "which a line has"),
        ({**TEXT, "text": " "}, "$.text", "expected what a text says"),
        ({**LEVEL, "text": "x" * 1001}, "$.text", "found 1,001 characters"),
        ({**LEVEL, "text": 5}, "$.text", "found 5"),
        ({**LEVEL, "text": "\ud800"}, "$.text", "expected a text"),
        ({**LEVEL, "kind": "circle"}, "$.kind", "one of level, zone, line, text, marker, found 'circle'"),
        ({**LEVEL, "kind": "flag"}, "$.kind", "found 'flag'"),
        ({**LEVEL, "kind": ["level"]}, "$.kind", "found ['level']"),
        ({**LEVEL, "sym": " "}, "$.sym", "expected a symbol"),
        ({**LEVEL, "interval": "60"}, "$.interval", 'perhaps "60m"'),
        ({**LEVEL, "interval": 5}, "$.interval", "found '5'"),
        ({**LEVEL, "colour": "red"}, "$.colour", "unknown field"),
        ({**LEVEL, "star_at": NOON}, "$.star_at", "did you mean 'start_at'?"),
        ({**LEVEL, "style": {"color": "red"}}, "$.style.color", "did you mean 'colour'?"),
        ({**LEVEL, "style": {"colour": "url(x)"}}, "$.style.colour", "#rrggbb"),
        ({**LEVEL, "style": {"width": 0}}, "$.style.width", "found 0"),
        ({**LEVEL, "style": {"opacity": 1.5}}, "$.style.opacity", "0 to 1"),
        ({**LEVEL, "style": "{"}, "$.style", "expected JSON"),
        ({**LEVEL, "style": [1]}, "$.style", "found [1]"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_place(told: dict[str, Any], place: str, sentence: str) -> None:
    with pytest.raises(BadAnnotation) as refused:
        drawn_columns(told)
    found = dict(refused.value.faults)
    assert sentence in found[place], found
    assert f"{place}: " in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadAnnotation) as refused:
        drawn_columns({"kind": "zone", "bottom": -1, "start_at": "x", "text": 3, "style": {"width": "wide"}})
    assert {place for place, _ in refused.value.faults} == {
        "$.sym", "$.start_at", "$.top", "$.bottom", "$.text", "$.style.width",
    }  # fmt: skip


def test_interval_and_style_are_stored_in_one_form() -> None:
    style = {"colour": "#4F8ff7", "width": 2, "opacity": None}
    found = drawn_columns({**LEVEL, "interval": "15Min", "style": style})
    assert (found["interval"], json.loads(found["style"])) == ("15m", {"colour": "#4F8ff7", "width": 2})
    assert drawn_columns({**LEVEL, "style": found["style"]})["style"] == found["style"], (
        "as it is stored it may be given"
    )
    assert drawn_columns({**LEVEL, "style": {}, "interval": ""})["style"] == ""


def test_a_change_keeps_what_is_not_told_and_the_whole_is_checked() -> None:
    before = through_the_plant("annotations", Annotations().changed("x", "create", "me", NOON, **drawn_columns(ZONE)))
    assert drawn_columns({"top": 195}, before) == pytest.approx({**drawn_columns(ZONE), "top": 195.0}, nan_ok=True)
    assert drawn_columns({"end_at": None}, before)["end_at"] is None
    assert drawn_columns({"sym": "AAPL", "kind": "zone", "text": "t"}, before)["text"] == "t"
    for told, place in (({"top": 189}, "$.top"), ({"kind": "level"}, "$.kind"), ({"sym": "TSLA"}, "$.sym")):
        with pytest.raises(BadAnnotation) as refused:
            drawn_columns(told, before)
        assert [each for each, _ in refused.value.faults] == [place]


def test_a_copy_of_what_was_found_can_be_drawn() -> None:
    for kind in PRICES_OF:
        prices = dict.fromkeys(PRICES_OF[kind], 2.0) | ({"bottom": 1.0} if kind == "zone" else {})
        told = {"sym": "A", "kind": kind, "start_at": NOON, "end_at": NOON + 5, "type": "found", "state": "broken"}
        row = through_the_plant("annotations", Annotations().changed("a", "create", "auto", NOON, **told, **prices))
        copy = drawn_columns(copied(row))
        assert copy["kind"] in DRAWN
        assert copy["text"] == "found"
        assert all(copy[name] == value for name, value in prices.items())


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=1)
)


@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
@given(st.sampled_from((LEVEL, ZONE, LINE, TEXT)), st.dictionaries(st.sampled_from((*FIELDS, "x")), VALUES, max_size=3))
def test_whatever_one_gives_is_taken_or_refused_and_what_is_taken_fits_the_table(
    base: dict[str, Any], other: dict[str, Any]
) -> None:
    refused: tuple[tuple[str, str], ...] | None = None
    try:
        found = drawn_columns({**base, **other})
    except BadAnnotation as error:
        refused = error.faults
    if refused is not None:
        assert refused
        assert all(place.startswith("$.") and sentence for place, sentence in refused)
        return
    row = Annotations().changed("x", "create", "user:me", NOON, **found)
    through_the_plant("annotations", row)
    assert row.keys() == {*schema_of()["annotations"].names}


def test_ids_are_uuids_of_version_7_in_the_order_of_their_times() -> None:
    seed = random.Random(7)
    times = sorted(seed.randrange(2**60) for _ in range(50))
    made = [fresh_uuid(time) for time in times]
    for time, name in zip(times, made, strict=True):
        found = uuid.UUID(name)
        assert (found.version, found.variant, str(found)) == (7, uuid.RFC_4122, name)
        assert found.int >> 80 == time // 10**6
    assert sorted(made) == made
    assert len({fresh_uuid() for _ in range(1000)}) == 1000

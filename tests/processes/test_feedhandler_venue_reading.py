"""Numbers, times and texts as venues write them: exact, or refused."""

import json
import math
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.reading import decoded, moment, number, number_or_nan, quoted, shown, side, whole, written_moment


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_a_number_is_the_float_that_is_nearest_to_what_is_written(value: Any) -> None:
    read = number({"p": f"{value:f}"}, "p", "x")
    assert read == float(Fraction(value))
    assert number(json.loads(json.dumps({"p": float(value)})), "p", "x") == float(value)


@pytest.mark.parametrize(
    "found", ["", " 1", "1 ", "1_0", "0x1", "NaN", "inf", "1e999", "\u0661", "1,5", True, None, [], {}]
)
def test_what_is_no_number_is_refused(found: Any) -> None:
    with pytest.raises(Unreadable, match=r"^x\.p: expected a number, found "):
        number({"p": found}, "p", "x")


def test_numbers_of_json_that_no_float_holds_are_refused() -> None:
    for text in ('{"p": 1e999}', '{"p": 1' + "0" * 400 + "}"):
        with pytest.raises(Unreadable):
            number(decoded(text), "p", "x")
    for text in ('{"p": NaN}', '{"p": -Infinity}', "[" * 100_000):
        with pytest.raises(Unreadable, match="expected JSON"):
            decoded(text)


def test_what_may_be_missing() -> None:
    assert math.isnan(number_or_nan({}, "p", "x"))
    assert math.isnan(side({"p": 0}, "p", "x"))
    assert math.isnan(side({"p": "0.000"}, "p", "x"))
    assert side({"p": "0.5"}, "p", "x") == 0.5


@pytest.mark.parametrize("found", [-1, 2**63, 1.0, "1.0", "-1", "", "9" * 20, True, None])
def test_what_is_no_whole_number_is_refused(found: Any) -> None:
    with pytest.raises(Unreadable, match=r"^x\.p: expected a whole number"):
        whole({"p": found}, "p", "x")


@given(st.integers(1, 253_402_300_799), st.integers(0, 10**9 - 1), st.integers(0, 9))
def test_a_written_time_is_exact(seconds: int, ns: int, digits: int) -> None:
    ns -= ns % 10 ** (9 - digits)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}".rjust(19, "0")
    text += f".{ns:09d}"[: digits + 1] if digits else ""
    expected = seconds * 10**9 + ns
    if expected < 2**63:
        assert written_moment({"t": f"{text}Z"}, "t", "x") == expected
        assert moment({"t": expected}, "t", "x", 1) == expected
    else:
        with pytest.raises(Unreadable):
            written_moment({"t": f"{text}Z"}, "t", "x")


def test_reasons_are_short() -> None:
    assert len(quoted("x" * 10_000)) < 140
    assert len(shown(["x" * 10_000])) < 140

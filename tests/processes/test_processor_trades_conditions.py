"""Which trades set what of a bar."""

from typing import Any

import numpy as np
import pytest

from processor.trades.conditions import ALL, BY_NUMBER, CLOSING, CORRECTED_CLOSE, NO_PRICE, VOLUME, Conditions, read


@pytest.mark.parametrize(
    ("text", "tape", "regular", "outside"),
    [
        ("", "", ALL, ALL),
        ("@", "A", ALL, ALL),
        ("0,14", "", ALL, ALL),
        ("I", "C", VOLUME, VOLUME),
        ("14 37", "", VOLUME, VOLUME),
        ("@ T", "A", VOLUME, ALL),
        ("12,37", "", VOLUME, VOLUME),
        ("U", "A", VOLUME, NO_PRICE),
        ("Z", "B", NO_PRICE, NO_PRICE),
        ("B", "A", VOLUME, VOLUME),
        ("B", "C", ALL, ALL),
        ("O", "A", NO_PRICE, NO_PRICE),
        ("O", "C", ALL, ALL),
        ("M", "A", 0, 0),
        ("15,16", "", 0, 0),
        ("8", "", ALL | CLOSING, ALL | CLOSING),
        ("19;41", "", ALL | CLOSING, ALL | CLOSING),
        ("38", "", CORRECTED_CLOSE, CORRECTED_CLOSE),
        ("57", "", ALL, ALL),
        ("10 29", "", VOLUME, VOLUME),
    ],
)
def test_the_rules_of_the_tapes(text: str, tape: str, regular: int, outside: int) -> None:
    assert read(text, tape) == (regular, outside, ())


def test_no_number_has_two_rules() -> None:
    numbers = [number for rule in BY_NUMBER.values() for number in rule]
    assert len(numbers) == len(set(numbers))


def test_unknown_ones_count_as_regular_and_are_counted() -> None:
    conditions = Conditions()
    texts: list[Any] = ["", "@", "?!", "I ?!", "44"]
    found = conditions.of(texts, ["A"] * 5, np.ones(5, dtype=bool))
    assert found.tolist() == [ALL, ALL, ALL, VOLUME, ALL]
    assert conditions.unknown == {"?!": 2, "44": 1}

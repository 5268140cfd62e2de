"""Sale conditions of the US tapes as letters, the way `conditions` of `trades` has them (docs/candles.md)."""

from collections.abc import Iterable

NUMBER_OF_DIGIT = {"1": "27", "4": "10", "5": "28", "6": "8", "7": "53", "9": "38"}
"""Massive's number of each digit that a SIP uses as a letter: the digit itself would be taken for such a number."""


def conditions_of(letters: Iterable[str]) -> str:
    """Return the letters of a trade apart from each other, digits by their numbers; blanks mean nothing.

    >>> conditions_of(["@", "4", " ", "W"]), conditions_of("@ TI")
    ('@ 10 W', '@ T I')
    """
    return " ".join(NUMBER_OF_DIGIT.get(letter, letter) for letter in letters if letter.strip())

"""A condition: its tree, bounded, and what is derived from that."""

from dataclasses import dataclass
from functools import cached_property

from plant.conditions.tree import Truth, columns_in, depth_of, lookback_of, text_of
from plant.errors import ConditionError

MOST_CHARACTERS = 2000
"""A condition's text may have so many."""

MOST_DEPTH = 50
"""Operators may stand so deep within one another."""

MOST_BARS = 500
"""A condition may look back so many bars: a regular session of one-minute bars, and more."""


@dataclass(frozen=True)
class Condition:
    """A condition over the columns of a bar and its indicators; two of the same tree are equal.

    Made by `condition_of` from text and by `condition_of_json` from a document. Raises ConditionError if the tree is
    beyond MOST_CHARACTERS, MOST_DEPTH or MOST_BARS, or names no column.
    """

    tree: Truth

    def __post_init__(self) -> None:
        if (depth := depth_of(self.tree)) > MOST_DEPTH:
            raise ConditionError(
                f"a condition is at most {MOST_DEPTH} operators deep, this one is {depth}; take it apart"
            )
        if len(self.text) > MOST_CHARACTERS:
            raise ConditionError(
                f"a condition has at most {MOST_CHARACTERS:,} characters, this one has {len(self.text):,} when it is "
                f"written out: {self.text[:60]} ...; take it apart"
            )
        if self.lookback > MOST_BARS:
            raise ConditionError(
                f"a condition looks back at most {MOST_BARS} bars, this one {self.lookback}: {self.text[:60]}; "
                "use an indicator of a longer interval"
            )
        if not self.names:
            raise ConditionError(f"{self.text!r} names no column, so it is always or never true; compare a column")

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The condition as it is written, in one form whatever form it was given in."""
        return text_of(self.tree)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads, each once, in the order of its text."""
        return tuple(dict.fromkeys(column.name for column in columns_in(self.tree)))

    @cached_property
    def lookback(self) -> int:
        """Bars before the present one that it needs before it can be true."""
        return lookback_of(self.tree)

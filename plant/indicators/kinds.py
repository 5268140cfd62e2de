"""What a kind of indicator is: the entry of the catalogue that computes, describes and documents it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Number = int | float
Parameters = Mapping[str, Number]


class Parameter(NamedTuple):
    """A number, or a switch (bool), that a kind is told: its name, type, default, least and most, and meaning.

    `least` and `most` may be, too; None: any finite number.
    """

    name: str
    type: type[int] | type[float] | type[bool]
    default: Number
    least: Number | None
    most: Number | None
    meaning: str

    def wrong(self, value: object) -> str:
        """Return what is expected, if this value is no good for it; else ""."""
        if self.type is bool:
            return "" if isinstance(value, bool) else "true or false"
        whole = self.type is int
        is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        inside = (
            is_number
            and abs(value) < float("inf")  # type: ignore[arg-type]
            and (self.least is None or value >= self.least)  # type: ignore[operator]
            and (self.most is None or value <= self.most)  # type: ignore[operator]
        )
        return "" if inside else f"{'a whole' if whole else 'a'} number{self.range}"

    @property
    def range(self) -> str:
        """The bounds as a phrase, e.g. " from 1 to 5,000"; "" if there are none."""
        least = "" if self.least is None else f" from {self.least:,}"
        return least + ("" if self.most is None else f" to {self.most:,}")


class Input(NamedTuple):
    """A series that a kind takes in: the column, and the key by which a declaration names another one.

    An empty key: always this column of the bar. An empty column: the declaration must name one.
    """

    key: str
    column: str


@dataclass(frozen=True)
class Kind:
    """One kind of indicator.

    name, title     as a declaration calls it, and in a few words
    category        trend, momentum, volatility, volume, ...
    parameters      what it may be told, in order
    inputs          the series it takes in, in order
    outputs         names of what it gives, in order; "" is the main one, whose column is called as the declaration
    pane            "price": over the candles; "own": below them, with lines at `levels`, from and to `scale` if given
    warm_up         parameters -> how many bars at the beginning lack an output: 19 of an sma of 20
    source          where the formula is from, and where TA-Lib or others compute it otherwise
    """

    name: str
    title: str
    category: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    pane: str
    warm_up: Callable[[Parameters], int] = field(repr=False)
    source: str
    levels: tuple[float, ...] = ()
    scale: tuple[float, float] | None = None

    @property
    def defaults(self) -> dict[str, Number]:
        """The parameters if nothing is said."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def data(self) -> dict[str, Any]:
        """Return all of it as plain data, for JSON: `warm_up` is that of the defaults, null is no bound.

        Of `inputs` {"key", "column"}, an empty key is a column of the bar that cannot be another, an empty column one
        that must be named; of `outputs` "" is the main one.
        """
        return {
            "name": self.name,
            "description": self.title,
            "category": self.category,
            "parameters": {
                p.name: {
                    "type": p.type.__name__,
                    "default": p.default,
                    "min": p.least,
                    "max": p.most,
                    "description": p.meaning,
                }
                for p in self.parameters
            },
            "inputs": [input._asdict() for input in self.inputs],
            "outputs": list(self.outputs),
            "pane": self.pane,
            "levels": list(self.levels),
            "scale": None if self.scale is None else list(self.scale),
            "warm_up": self.warm_up(self.defaults),
            "source": self.source,
        }

"""What may be drawn on a chart: the fields of an annotation as a person gives them, checked, as columns of its row.

A field is a value of JSON, times int ns UTC: sym, kind, interval, start_at, end_at, price, price_end, top, bottom,
text, style. A field that is None is not told. Each kind has prices of its own, and no others.
"""

import json
import math
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from plant.errors import BadRows, QueryError, nearest_names
from plant.rows.intervals import interval_name
from plant.rows.schema import EARLIEST, LATEST
from plant.state.newest import Row

PRICES_OF: dict[str, tuple[str, ...]] = {
    "level": ("price",),
    "zone": ("top", "bottom"),
    "line": ("price", "price_end"),
    "text": ("price",),
    "marker": ("price",),
    "flag": ("price", "price_end"),
    "pivot": ("price",),
}
"""The prices of each kind; the others are not known (NaN)."""

DRAWN = ("level", "zone", "line", "text", "marker")
"""Kinds that a person draws; flags and pivots are found."""

FIELDS = ("sym", "kind", "interval", "start_at", "end_at", "price", "price_end", "top", "bottom", "text", "style")
"""The fields that a person gives."""

FIXED = ("sym", "kind")
"""Those that an annotation keeps for ever."""

STYLE = ("colour", "width", "opacity")

COLOURS = (
    "aqua", "black", "blue", "fuchsia", "gray", "green", "lime", "maroon", "navy", "olive", "orange", "purple", "red",
    "silver", "teal", "white", "yellow",
)  # fmt: skip
"""Colours by name (CSS 2.1); any other is #rrggbb."""

MOST_TEXT, MOST_WIDTH = 1000, 20.0

_NUMBERS = ("price", "price_end", "top", "bottom")
_AS_IT_IS = {"level": "level", "zone": "zone", "flag": "line", "pivot": "marker"}

Fault = tuple[str, str]


class BadAnnotation(BadRows):
    """Fields of which no annotation can be made; `faults` are (place, sentence) each: ("$.top", "...")."""

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


def drawn_columns(told: Mapping[str, Any], before: Row | None = None) -> dict[str, Any]:
    """Return the columns of what a person draws, or (`before`: its newest row) changes, as `FIELDS` are stored.

    Raises BadAnnotation, with all that is wrong.

    >>> found = drawn_columns({"sym": "AAPL", "kind": "level", "price": 190, "start_at": 1_763_640_000_000_000_000})
    >>> found["price"], found["top"], found["end_at"], found["style"]
    (190.0, nan, None, '')
    """
    faults = [(f"$.{name}", _unknown(name, FIELDS)) for name in told if name not in FIELDS]
    fields = {name: told.get(name) for name in FIELDS}
    if before is not None:
        faults += [
            (f"$.{name}", f"an annotation keeps its {name}: {before[name]!r}, found {told[name]!r}; draw another one")
            for name in FIXED
            if name in told and told[name] != before[name]
        ]
        fields = {name: told[name] if name in told else _told(before[name]) for name in FIELDS} | {
            name: before[name] for name in FIXED
        }
    found = _checked(fields, DRAWN if before is None else tuple(PRICES_OF), faults)
    if faults:
        raise BadAnnotation("; ".join(f"{place}: {sentence}" for place, sentence in faults), tuple(faults))
    return found


def copied(row: Row) -> dict[str, Any]:
    """Return the fields of which a copy is drawn of any annotation: of a flag a line, of a pivot a marker."""
    fields = {name: _told(row[name]) for name in FIELDS}
    return fields | {"kind": _AS_IT_IS.get(row["kind"], row["kind"]), "text": row["text"] or row["type"]}


def fresh_uuid(time_ns: int | None = None, chance: int | None = None) -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): ids of a later millisecond sort behind earlier ones.

    chance   whose lowest 74 bits are those that tell ids of one millisecond apart; None: random ones
    """
    milliseconds = (time.time_ns() if time_ns is None else time_ns) // 10**6
    bits = secrets.randbits(74) if chance is None else chance & (2**74 - 1)
    number = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | (bits >> 62) << 64
    number |= 0b10 << 62 | bits & (2**62 - 1)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _told(value: Any) -> Any:
    """Return a stored value as one is told: what is not known is None."""
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def _checked(fields: dict[str, Any], kinds: tuple[str, ...], faults: list[Fault]) -> dict[str, Any]:
    """Return the columns of fields; what is wrong is added to `faults`."""
    kind = fields["kind"]
    if kind not in kinds:
        faults.append(("$.kind", f"expected one of {', '.join(kinds)}, found {kind!r}"))
        kind = ""
    if not _is_text(fields["sym"]) or not fields["sym"].strip():
        faults.append(("$.sym", f"expected a symbol, found {fields['sym']!r}"))
    found: dict[str, Any] = {"sym": fields["sym"], "kind": kind}
    found["interval"] = _interval(fields["interval"], faults)
    for name, needed in (("start_at", True), ("end_at", kind in ("line", "flag"))):
        found[name] = _time(name, fields[name], needed, kind, faults)
    if None not in (found["start_at"], found["end_at"]) and found["start_at"] > found["end_at"]:
        faults.append(("$.end_at", "it ends before it begins (start_at)"))
    own = PRICES_OF.get(kind, ())
    for name in _NUMBERS:
        found[name] = _price(name, fields[name], name in own, kind, faults) if own else math.nan
    if found["top"] <= found["bottom"]:
        faults.append(("$.top", f"expected more than bottom, {found['bottom']:g}, found {found['top']:g}"))
    text = "" if fields["text"] is None else fields["text"]
    if not _is_text(text) or len(text) > MOST_TEXT:
        what = f"{len(text):,} characters" if _is_text(text) else repr(text)
        faults.append(("$.text", f"expected a text of at most {MOST_TEXT:,} characters, found {what}"))
    elif kind == "text" and not text.strip():
        faults.append(("$.text", "expected what a text says, found nothing"))
    return found | {"text": text, "style": _style(fields["style"], faults)}


def _interval(value: Any, faults: list[Fault]) -> str:
    if value is None or value == "":
        return ""
    try:
        return interval_name(value if isinstance(value, str) else repr(value))
    except QueryError as error:
        faults.append(("$.interval", str(error)))
        return ""


def _time(name: str, value: Any, needed: bool, kind: Any, faults: list[Fault]) -> int | None:
    if value is None:
        if needed:
            does = "begins" if name == "start_at" else "ends"
            faults.append((f"$.{name}", f"expected when {f'a {kind}' if kind else 'it'} {does}"))
    elif not isinstance(value, int) or isinstance(value, bool) or not EARLIEST <= value < LATEST:
        faults.append((f"$.{name}", f"expected a time, found {value!r}"))
    else:
        return value
    return None


def _price(name: str, value: Any, own: bool, kind: str, faults: list[Fault]) -> float:
    if not own:
        if value is not None:
            of = " and ".join(PRICES_OF[kind])
            faults.append((f"$.{name}", f"a {kind} has {of}, no {name}; found {value!r}"))
    elif value is None:
        faults.append((f"$.{name}", f"expected a price, which a {kind} has; found none"))
    elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        faults.append((f"$.{name}", f"expected a price of more than 0, found {value!r}"))
    else:
        try:
            return float(value)
        except OverflowError:
            faults.append((f"$.{name}", "expected a price that a float can hold"))
    return math.nan


def _style(value: Any, faults: list[Fault]) -> str:
    """Return how it looks as JSON, "" as usual. `value` is a dict, or JSON as it is stored."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            faults.append(("$.style", f"expected JSON: {error}"))
            return ""
    if not isinstance(value, dict):
        faults.append(("$.style", f"expected {', '.join(STYLE)}, found {value!r}"))
        return ""
    style = {name: each for name, each in value.items() if each is not None}
    for name, each in style.items():
        number = isinstance(each, int | float) and not isinstance(each, bool)
        match name:
            case "colour" if isinstance(each, str) and (each in COLOURS or re.fullmatch("#[0-9A-Fa-f]{6}", each)):
                pass
            case "width" if number and 0 < each <= MOST_WIDTH:
                pass
            case "opacity" if number and 0 <= each <= 1:
                pass
            case "colour":
                faults.append(("$.style.colour", f"expected #rrggbb or one of {', '.join(COLOURS)}, found {each!r}"))
            case "width":
                faults.append(("$.style.width", f"expected more than 0, at most {MOST_WIDTH:g} px, found {each!r}"))
            case "opacity":
                faults.append(("$.style.opacity", f"expected 0 to 1, found {each!r}"))
            case _:
                faults.append((f"$.style.{name}", _unknown(name, STYLE)))
    return json.dumps(style, separators=(",", ":")) if style else ""


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be stored: one with half a surrogate pair cannot."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _unknown(name: Any, known: tuple[str, ...]) -> str:
    near = nearest_names(name, known, 1)
    return f"unknown field{f' (did you mean {near[0]!r}?)' if near else ''}; there are {', '.join(known)}"

"""The types of annotations that are found by themselves, and what [annotations] `on` may name."""

from collections.abc import Iterable, Sequence

from plant.detectors.daily import FLOOR_PIVOTS, PREV_DAY, PREV_WEEK
from plant.detectors.days import DAY_LEVEL, DAY_ZONE
from plant.detectors.flags import BEAR_FLAG, BULL_FLAG
from plant.detectors.openings import OPENING_RANGE, PREMARKET
from plant.detectors.swings import PIVOTS, ZIGZAG
from plant.detectors.zones import DEMAND, SUPPLY
from plant.errors import SettingsError, nearest_names

FAMILIES: dict[str, tuple[str, ...]] = {
    "prev_day": PREV_DAY,
    "prev_week": PREV_WEEK,
    "premarket": PREMARKET,
    "opening_range": OPENING_RANGE,
    "pivots": PIVOTS,
    "flags": (BULL_FLAG, BEAR_FLAG),
}
"""Names for several types at once."""

ALWAYS = (*PREV_DAY, *PREV_WEEK, *PREMARKET, *OPENING_RANGE, FLOOR_PIVOTS, DAY_LEVEL, DAY_ZONE)
"""Types that are found if none is named."""

NAMED = (SUPPLY, DEMAND, *PIVOTS, ZIGZAG, BULL_FLAG, BEAR_FLAG)
"""Types that are found if they are named, on [annotations] `intervals`."""

TYPES = (*ALWAYS, *NAMED)


def types_of(on: Sequence[str]) -> frozenset[str]:
    """Return the types that [annotations] `on` names, by themselves or as a family; those of ALWAYS if it is empty.

    >>> sorted(types_of(["pivots", "zigzag"]))
    ['pivot_high', 'pivot_low', 'zigzag']

    Raises SettingsError for a name that there is not.
    """
    found: list[str] = []
    for name in on:
        if name not in TYPES and name not in FAMILIES:
            raise SettingsError(unknown_type(name))
        found += FAMILIES.get(name, (name,))
    return frozenset(found or ALWAYS)


def unknown_type(name: str, known: Iterable[str] = (*TYPES, *FAMILIES)) -> str:
    """Return what is wrong with the name of a type that there is not."""
    names = list(known)
    near = nearest_names(name, names, 1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"no annotation is called {name!r}{meant}; there are {', '.join(names)}"

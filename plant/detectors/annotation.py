"""What detectors find, and what becomes of it: an annotation as plain values, and a change of one."""

import datetime as dt
from math import nan
from typing import NamedTuple

from plant.rows.schema import UNKNOWN_TIME

CREATE, UPDATE, DELETE = "create", "update", "delete"


class Annotation(NamedTuple):
    """One object, as the columns of the table `annotations` of the same names; times in ns, UNKNOWN_TIME: open."""

    id: str
    kind: str
    type: str
    interval: str
    start_at: int
    end_at: int = UNKNOWN_TIME
    price: float = nan
    price_end: float = nan
    top: float = nan
    bottom: float = nan
    state: str = "active"
    strength: float = nan
    text: str = ""


class Change(NamedTuple):
    """An event of an annotation.

    time        ns, end of the closed bar that proves it
    action      create, update or delete
    annotation  as it is after it; of one that is deleted as it was
    reason      a sentence
    final       nothing becomes of it any more
    """

    time: int
    action: str
    annotation: Annotation
    reason: str
    final: bool = False


def same(one: Annotation, other: Annotation) -> bool:
    """Return whether two annotations are equal; values that are not known are."""
    return one == other or all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def moment(time: int) -> str:
    """Return a time as ids and reasons have it.

    >>> moment(1_763_640_000_000_000_000)
    '2025-11-20T12:00:00Z'
    """
    return dt.datetime.fromtimestamp(time // 10**9, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(price: float) -> str:
    """Return a price as reasons have it.

    >>> written(190.10000000000002), written(64000.0)
    ('190.1', '64000')
    """
    return f"{price:.10g}"

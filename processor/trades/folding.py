"""Trades folded into bars: a fold is what is known of a bar, and two folds of one bar are one again, in any order.

That is all there is to late trades, restarts and batches: a fold has the keys (time, venue sequence number, place in
the journal) of the trades that set open and close, and sums that are exact (`exact_sums`), so merging is commutative.
"""

from dataclasses import dataclass

import numpy as np

from plant.rows.ordering import group_starts
from processor.trades.conditions import EXTREMES, PRICE, VOLUME, WEAK
from processor.trades.exact_sums import BEYOND, LIMBS, limbs, total

MINUTE_NS = 60 * 10**9

LATEST, EARLIEST = np.iinfo(np.int64).max, -1

FOLD = np.dtype(
    [
        *((f"{kind}{which}_key", "<i8", 3) for kind in ("", "weak_") for which in ("open", "close")),
        *((f"{kind}{which}", "<f8") for kind in ("", "weak_") for which in ("open", "close")),
        ("high", "<f8"),
        ("low", "<f8"),
        ("volume", "<i8", LIMBS),
        ("value", "<i8", LIMBS),
        ("trades", "<i8"),
    ]
)
"""What is known of a bar. `weak_`: of trades that set open and close only if there is no other price."""

VALUES = ("open", "high", "low", "close", "volume", "vwap", "trades")
"""The columns of bars that `values` gives, in order."""

PLACE_BITS = 24
"""A row's place in the journal as one number: its seq, and in so many bits its seq_row."""


@dataclass(frozen=True, slots=True)
class Trades:
    """n trades: slots (int64, of symbols), time (ns), venue_seq, place (seq, seq_row: see PLACE_BITS), price, size
    (NaN: not told) and flags (what each sets, of `conditions`)."""

    slots: np.ndarray
    time: np.ndarray
    venue_seq: np.ndarray
    place: np.ndarray
    price: np.ndarray
    size: np.ndarray
    flags: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: np.ndarray) -> "Trades":
        return Trades(*(getattr(self, name)[rows] for name in self.__slots__))


def nothing(count: int) -> np.ndarray:
    """Return folds of no trades, FOLD[count]."""
    found = np.zeros(count, dtype=FOLD)
    for kind in ("", "weak_"):
        found[f"{kind}open_key"], found[f"{kind}close_key"] = LATEST, EARLIEST
    found["high"], found["low"] = -np.inf, np.inf
    return found


def fold(trades: Trades, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return slot and start of each bar that trades belong to, ordered, and its fold: int64[k] twice, FOLD[k].

    `starts` (int64[n]) is the start of each trade's bar.
    """
    order = _order(trades)
    trades, starts = trades[order], starts[order]
    new = group_starts(trades.slots, starts)
    found = nothing(len(new))
    if not len(new):
        return trades.slots, starts, found
    count = len(trades)
    rows, flags = np.arange(count), trades.flags
    for kind, flag in (("", PRICE), ("weak_", WEAK)):
        sets = (flags & flag) != 0
        if not sets.any():
            continue
        first = np.minimum.reduceat(np.where(sets, rows, count), new)
        last = np.maximum.reduceat(np.where(sets, rows, -1), new)
        priced = np.flatnonzero(first < count)
        for which, at in (("open", first[priced]), ("close", last[priced])):
            key = np.stack((trades.time[at], trades.venue_seq[at], trades.place[at]), axis=1)
            found[f"{kind}{which}_key"][priced] = key
            found[f"{kind}{which}"][priced] = trades.price[at]
    ranged = (flags & EXTREMES) != 0
    found["high"] = np.maximum.reduceat(np.where(ranged, trades.price, -np.inf), new)
    found["low"] = np.minimum.reduceat(np.where(ranged, trades.price, np.inf), new)
    counted = (flags & VOLUME) != 0
    size = np.where(counted, sizes(trades.size, trades.price), 0.0)
    found["volume"] = np.add.reduceat(limbs(size), new, axis=0)
    found["value"] = np.add.reduceat(limbs(size * trades.price), new, axis=0)
    found["trades"] = np.add.reduceat(counted.astype(np.int64), new)
    return trades.slots[new], starts[new], found


def sizes(size: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return what trades add to the volume: 0 without a size, or with one that, or times its price, is BEYOND."""
    with np.errstate(over="ignore", invalid="ignore"):
        good = (size < BEYOND) & (np.abs(size * price) < BEYOND)
    found: np.ndarray = np.where(good, size, 0.0)
    return found


def merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the folds of both: FOLD[k] of FOLD[k] twice."""
    found = one.copy()
    for kind in ("", "weak_"):
        for which in ("open", "close"):
            name = f"{kind}{which}"
            a, b = one[f"{name}_key"], other[f"{name}_key"]
            taken = _before(b, a) if which == "open" else _before(a, b)
            found[f"{name}_key"][taken] = b[taken]
            found[name][taken] = other[name][taken]
    found["high"] = np.maximum(one["high"], other["high"])
    found["low"] = np.minimum(one["low"], other["low"])
    for name in ("volume", "value", "trades"):
        found[name] = one[name] + other[name]
    return found


def values(folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bars of folds, float64[k, 7] in the order of VALUES, and which of them there are, bool[k].

    One with volume alone (odd lots) is none. Without volume the vwap is NaN.
    """
    strong, weak = (folds[f"{kind}open_key"][:, 0] != LATEST for kind in ("", "weak_"))
    volume = total(folds["volume"])
    vwap = np.full(len(folds), np.nan)
    np.divide(total(folds["value"]), volume, out=vwap, where=volume > 0)
    found = np.stack(
        (
            np.where(strong, folds["open"], folds["weak_open"]),
            folds["high"],
            folds["low"],
            np.where(strong, folds["close"], folds["weak_close"]),
            volume,
            vwap,
            folds["trades"].astype(np.float64),
        ),
        axis=1,
    )
    return found, strong | weak


def _order(trades: Trades) -> np.ndarray:
    """Return the rows in order of slot, then of their keys."""
    slots = trades.slots
    small = slots.astype(np.uint16) if len(slots) and slots.max() < 2**16 else slots  # a radix sort
    order = np.argsort(small, kind="stable")
    time, venue_seq, place = trades.time[order], trades.venue_seq[order], trades.place[order]
    same = slots[order][1:] == slots[order][:-1]
    key = np.stack((time, venue_seq, place), axis=1)
    if (same & _before(key[1:], key[:-1])).any():
        order = np.lexsort((trades.place, trades.venue_seq, trades.time, slots))
    return order


def _before(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return where keys of one come before those of the other, bool[k]."""
    found: np.ndarray = (a[:, 0] < b[:, 0]) | (
        (a[:, 0] == b[:, 0]) & ((a[:, 1] < b[:, 1]) | ((a[:, 1] == b[:, 1]) & (a[:, 2] < b[:, 2])))
    )
    return found

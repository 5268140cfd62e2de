"""Marks: what the chart draws of annotations (`chart/marks.js`), made from their rows by a pure function."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from dashboard.charts import signal_label
from dashboard.panes import DOWN, UP, Palette
from plant.state.annotations import AUTO, ENDED, OF_A_USER
from plant.state.newest import Row

MOST = 300  # marks on a chart; more than anyone can read
EVERYWHERE = frozenset(("level", "zone"))  # kinds that are shown on all intervals, whatever they were found on
SHAPES = {"flag": "line", "pivot": "marker"}  # what is drawn for a kind, if not what it is called
_PRICES = {"zone": ("top", "bottom"), "line": ("price", "price_end")}
_COLOURS = ((("supply", "resistance", "bear", "high"), DOWN), (("demand", "support", "bull", "low"), UP))
_OPACITY = 0.14  # of a zone's area
_MS = 1_000_000


def marks_of(
    rows: Sequence[Row],
    times_ns: np.ndarray,
    interval: str,
    kinds: Collection[str],
    ended: bool,
    palette: Palette,
) -> tuple[dict[str, dict[str, Any]], int]:
    """Return the marks by id, and how many more there would be than MOST.

    rows        annotations of one symbol
    times_ns    of the bars, int64, ascending: what ended before them is left out
    kinds       that are shown; of what the plant found only levels and zones on all intervals, the rest on bars of its
                own
    ended       whether what is over (broken, expired, failed; a level or zone that was found, past its end) is shown,
                too: dimmed
    """
    if not len(times_ns):
        return {}, 0
    first, last = int(times_ns[0]), int(times_ns[-1])
    found = []
    for row in rows:
        past = row["source"] == AUTO and row["kind"] in EVERYWHERE and (row["end_at"] or last + 1) <= last
        over = past or row["state"] in ENDED
        if (over and not ended) or row["kind"] not in kinds or not _on(row, interval):
            continue
        if row["end_at"] is not None and row["end_at"] < first:
            continue
        if any(math.isnan(row[name]) for name in _PRICES.get(shape_of(row), ("price",))):
            continue  # a row that says nowhere where it is
        found.append((over, row))
    found.sort(key=lambda each: (each[0], -each[1]["time"]))  # those that count first, the newest of them
    shown = sorted(found[:MOST], key=lambda each: each[1]["start_at"] or 0)
    return {row["id"]: _mark(row, over, palette) for over, row in shown}, len(found) - len(found[:MOST])


def shape_of(row: Row) -> str:
    """Return what is drawn for an annotation."""
    kind: str = row["kind"]
    return SHAPES.get(kind, kind)


def _on(row: Row, interval: str) -> bool:
    drawn = row["source"] != AUTO and not row["interval"]
    return drawn or row["kind"] in EVERYWHERE or row["interval"] in ("", interval)


def _mark(row: Row, over: bool, palette: Palette) -> dict[str, Any]:
    shape, automatic = shape_of(row), row["source"] == AUTO
    style = _style(row["style"])
    label = row["text"] or ("" if row["type"] == OF_A_USER else row["type"])
    if automatic:
        label = signal_label(label.replace(" ", "_"))
        if row["kind"] in EVERYWHERE and row["interval"] and row["type"] in ("supply", "demand"):
            label += f" {row['interval']}"
    return {
        "kind": shape,
        "label": label,
        "from": (row["start_at"] or row["time"]) // _MS,
        "to": None if row["end_at"] is None else row["end_at"] // _MS,
        "y": [row[name] for name in _PRICES.get(shape, ("price",))],
        "color": style.get("colour") or _colour(row, palette),
        "width": style.get("width") or (1 if automatic else 1.5),
        "opacity": style.get("opacity", _OPACITY),
        "dashed": row["state"] in ("forming", "tested"),
        "dim": over,
        "version": row["version"],
        "auto": automatic,
        "told": _told(row, label),
    }


def _style(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _colour(row: Row, palette: Palette) -> str:
    if row["source"] != AUTO:
        return palette.macd
    words = f"{row['type']} {row['text']}"
    return next((colour for names, colour in _COLOURS if any(name in words for name in names)), palette.bands)


def _told(row: Row, label: str) -> str:
    """Return whose it is and how it stands, as a sentence without its full stop."""
    whose = "found by the plant" if row["source"] == AUTO else f"by {row['source'].partition(':')[2] or row['source']}"
    state = "" if row["state"] == "active" else f", {row['state']}"
    why = f": {row['reason']}" if row["source"] == AUTO and row["reason"] else ""
    return f"{label or row['kind'].capitalize()}, {whose}{state}{why}"

"""What the page of one session holds of a chart or a table, and so what a refresh sends it. No Streamlit.

A message has the whole of it, or what changed since one that the browser said it has: never since one that it was
merely sent, for Streamlit may pass over a message on a slow page, and a page may be loaded again at any time. A browser
that has no such thing says so and is sent the whole one; it draws nothing of what it cannot place.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Any

from dashboard.refresh.changes import change

TELL_BYTES = 3000  # changes longer than this: the browser says that it has the result, the next ones are since then
MOST = 1 / 3  # of the length of the whole chart; longer changes are not worth it
KEPT = 3  # charts sent of which the browser has still to say that it has them

Chart = dict[str, Any]


class Held:
    """The values that a session's browser was sent and may have; a value is a dict of JSON, of which parts change."""

    def __init__(self) -> None:
        self._has: tuple[str, Chart] | None = None
        self._sent: OrderedDict[str, Chart] = OrderedDict()

    def message(self, value: Chart) -> dict[str, Any]:
        """Return what to send so that the browser shows this value.

        {revision, whole} or {revision, base, changes}; `tell` asks the browser to say that it has `revision`.
        """
        base = self._has
        since = None if base is None else self._since(base[1], value)
        if base is None or since is None:
            return self._whole(value)
        revision, old = base
        new, gone = since
        made, text = change(old, new, gone), json.dumps(new)
        size = len(json.dumps(made))
        if size > MOST * len(text):
            return self._whole(value)
        now = revision_of(text)
        if size > TELL_BYTES:
            self._keep(now, new)
        return {"revision": now, "base": revision, "changes": made, "tell": size > TELL_BYTES}

    def told(self, what: Any) -> None:
        """Take what the browser says: {"has": revision} or {"lacks": revision}. Anything else is passed over."""
        if not isinstance(what, dict):
            return
        has, lacks = what.get("has"), what.get("lacks")
        if self._has is not None and lacks == self._has[0]:
            self._has = None
        if isinstance(has, str) and has in self._sent:
            while has in self._sent:  # with those before, which nothing will be since
                revision, chart = self._sent.popitem(last=False)
            self._has = revision, chart

    def _since(self, old: Chart, new: Chart) -> tuple[Chart, int] | None:
        """Return the new value and how many elements its lists lost at the front; None: it is another one."""
        return new, 0

    def _first(self, value: Chart) -> Chart:
        """Return a value as it is sent whole."""
        return value

    def _whole(self, value: Chart) -> dict[str, Any]:
        new = self._first(value)
        revision = revision_of(json.dumps(new))
        self._keep(revision, new)
        return {"revision": revision, "whole": new, "tell": True}

    def _keep(self, revision: str, chart: Chart) -> None:
        self._sent[revision] = chart
        self._sent.move_to_end(revision)
        while len(self._sent) > KEPT:
            self._sent.popitem(last=False)


class HeldChart(Held):
    """The same of charts as `component.live_chart` makes them.

    A chart has `key`, `times` (of its bars, ms, ascending), `traces` {uid: trace} and `layout`. In a message x of the
    first bar is `first`, so that the others keep theirs when old bars drop out: the traces' `x` and the shapes that
    have xref "x" are moved by it.
    """

    def _since(self, old: Chart, new: Chart) -> tuple[Chart, int] | None:
        gone = None if old["key"] != new["key"] else _gone(old["times"], new["times"])
        return None if gone is None else (_moved(new, old["first"] + gone), gone)

    def _first(self, value: Chart) -> Chart:
        return _moved(value, 0)


def revision_of(text: str) -> str:
    """Return a name for a chart, as JSON, that no other chart has."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _gone(before: list[int], now: list[int]) -> int | None:
    """Return how many of the bars are no longer there at the front, None if it cannot be told."""
    if not now or now[0] not in before:
        return None
    return before.index(now[0])


def _moved(chart: Chart, first: int) -> Chart:
    if not first:
        return {**chart, "first": 0}
    traces = {uid: _moved_x(trace, first) if "x" in trace else trace for uid, trace in chart["traces"].items()}
    shapes = [
        {**shape, "x0": shape["x0"] + first, "x1": shape["x1"] + first} if shape.get("xref") == "x" else shape
        for shape in chart["layout"].get("shapes", ())
    ]
    return {**chart, "first": first, "traces": traces, "layout": {**chart["layout"], "shapes": shapes}}


def _moved_x(trace: dict[str, Any], first: int) -> dict[str, Any]:
    return {**trace, "x": [x if x is None else x + first for x in trace["x"]]}

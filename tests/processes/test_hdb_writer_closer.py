"""What is told of a closed day, and how often, whatever the tickerplant misses meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from histories import History
from plain_rows import NOON, trade

from hdb.writer.closer import Closer
from hdb.writer.housekeeping import Housekeeping
from plant.errors import Unavailable


def closer_of(history: History, tell: Callable[[dict[str, Any]], None], confirm: Callable[[int], None]) -> Closer:
    return Closer(history.store, history.journaled, Housekeeping(history.store, 0.0, 0.0), tell, confirm)


def end_day(history: History, day: str) -> int:
    """Publish a trade and the end of a day, write both in a part, and return the seq of the end."""
    history.publish("trades", [trade(NOON, "A", 1.0)])
    seq = history.publish("days", [{"time": NOON, "sym": "x", "day": day, "state": "end"}])
    history.part(day)
    return seq


def test_a_closed_day_is_told_once_although_the_tickerplant_goes_away_right_after(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    history = History(tmp_path)
    told: list[dict[str, Any]] = []
    asked: list[int] = []

    def confirm(seq: int) -> None:
        asked.append(seq)
        if asked.count(seq) < 3:
            raise Unavailable("the tickerplant does not answer")

    ends = [end_day(history, "2026-11-20")]
    closer = closer_of(history, told.append, confirm)
    try:
        eventually(lambda: asked == ends * 3, what=lambda: asked)
        ends.append(end_day(history, "2026-11-21"))
        eventually(lambda: asked == [ends[0]] * 3 + [ends[1]] * 3, what=lambda: asked)
    finally:
        closer.close()
    assert [(row["state"], row["day"], row["last_seq"]) for row in told] == [
        ("closed", "2026-11-20", ends[0]),
        ("closed", "2026-11-21", ends[1]),
    ]


def test_what_an_earlier_process_told_is_only_confirmed(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    history = History(tmp_path)
    end = end_day(history, "2026-11-20")
    history.close()
    row = {"time": time.time_ns(), "sym": "hdb", "day": "2026-11-20", "state": "closed", "last_seq": end, "rows": 2}
    history.publish("days", [{**row, "detail": ""}])
    told: list[dict[str, Any]] = []
    confirmed: list[int] = []
    closer = closer_of(history, told.append, confirmed.append)
    try:
        eventually(lambda: confirmed == [end], what=lambda: confirmed)
    finally:
        closer.close()
    assert told == []

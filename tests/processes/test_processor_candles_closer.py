"""When bars are closed: once each, in order, by a later bar or by the clock, whatever the batches and restarts."""

from typing import Any

import numpy as np
from candle_plant import MINUTE, columns_of_rows, plain
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import Sessions
from plant.rows.batch import Batch
from processor.candles.closer import Closer

SECOND = 10**9
NONE = Sessions()


def bar(minute: int, close: float = 1.0, sym: str = "A", interval: str = "1m", **others: Any) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return {"time": minute * MINUTE, "sym": sym, "interval": interval, **prices, "volume": 1.0, "source": "v", **others}


def closer() -> Closer:
    return Closer(lambda sym, source: NONE, grace_s=2.0)


def bars(rows: list[dict[str, Any]], seq: int, received: int) -> Batch:
    return Batch("bars", columns_of_rows("bars", rows), seq, seq, received)


def told(found: Any) -> list[tuple[Any, ...]]:
    names = ("time", "sym", "market_time", "interval", "close", "bar_seq", "by_clock")
    return [] if found is None else [tuple(row[name] for name in names) for row in plain(found)]


def test_a_later_bar_closes_the_one_before_and_the_clock_the_last() -> None:
    one = closer()
    one.take(bars([bar(0)], 1, 30 * SECOND))
    one.take(bars([bar(0, 2.0)], 2, 59 * SECOND))
    assert told(one.due(61 * SECOND)) == []
    one.take(bars([bar(1)], 3, 61 * SECOND))
    assert told(one.due(61 * SECOND)) == [(61 * SECOND, "A", 0, "1m", 2.0, 2, 0)]
    one.take(bars([bar(0, 9.0)], 4, 62 * SECOND))  # a correction: none anew
    assert one.next_due == 122 * SECOND
    assert told(one.due(122 * SECOND - 1)) == []
    assert told(one.due(122 * SECOND)) == [(122 * SECOND, "A", MINUTE, "1m", 1.0, 3, 1)]
    assert told(one.due(10**15)) == []


def test_a_bar_stamped_ahead_of_the_clock_closes_none_whose_end_has_not_come() -> None:
    one = closer()
    one.take(bars([bar(0), bar(5)], 1, 10 * SECOND))
    assert told(one.due(59 * SECOND)) == []
    assert told(one.due(60 * SECOND)) == [(60 * SECOND, "A", 0, "1m", 1.0, 1, 1)]


def test_one_that_is_older_than_the_last_closed_is_never_told_and_one_between_at_once() -> None:
    one = closer()
    one.take(bars([bar(3), bar(5)], 1, 10**12))
    assert [row[2] // MINUTE for row in told(one.due(SECOND))] == [3]
    one.take(bars([bar(1), bar(4)], 2, 10**12 + 1))
    assert told(one.due(SECOND)) == [(10**12 + 1, "A", 4 * MINUTE, "1m", 1.0, 2, 0)]


def test_a_bar_that_lost_its_last_trade_is_not_closed() -> None:
    one = closer()
    one.take(bars([bar(0)], 1, SECOND))
    one.take(bars([bar(0, volume=0.0, trades=0.0, source="built:v")], 2, 2 * SECOND))
    assert told(one.due(10**12)) == []


def test_the_clock_waits_for_rows_that_are_on_their_way_and_for_those_of_larger_bars_but_not_for_ever() -> None:
    first, now = [bar(4), bar(0, interval="5m"), bar(4, sym="B")], 302 * SECOND
    minute, larger = bar(4, 2.0), bar(0, 2.0, interval="5m")
    of_others = [bar(5), bar(0, interval="15m"), bar(4, sym="C")]
    one, other = closer(), closer()
    for each in (one, other):
        each.take(bars(first, 1, 250 * SECOND))
        assert [row[1] for row in told(each.due(now, columns_of_rows("bars", [*of_others, minute])))] == ["B"]
        assert told(each.due(now)) == []
    one.take(bars([minute], 2, now))
    found = told(one.due(now, columns_of_rows("bars", [larger])))
    assert found == [(now, "A", 4 * MINUTE, "1m", 2.0, 2, 1)]
    one.take(bars([larger], 3, now))
    assert told(one.due(now)) == [(now, "A", 0, "5m", 2.0, 3, 1)]
    assert [(row[3], row[4]) for row in told(other.due(now + 2 * SECOND))] == [("1m", 1.0), ("5m", 1.0)]


def test_the_clock_waits_likewise_where_a_series_has_several_open_bars() -> None:
    one = closer()
    one.take(bars([bar(3), bar(4), bar(9)], 1, 100 * SECOND))  # stamped ahead
    assert told(one.due(300 * SECOND, columns_of_rows("bars", [bar(4, 2.0)]))) == []
    one.take(bars([bar(4, 2.0)], 2, 300 * SECOND))
    assert [(row[2] // MINUTE, row[4]) for row in told(one.due(300 * SECOND))] == [(3, 1.0), (4, 2.0)]


def test_days_end_with_the_regular_session_and_what_has_no_known_length_is_left_out() -> None:
    sessions = Calendars({"XNYS": ("A",)}, {}).sessions("XNYS")
    one = Closer(lambda sym, source: sessions)
    midnight, close = (int(np.datetime64(t, "ns").astype(np.int64)) for t in ("2026-11-27T05:00", "2026-11-27T18:00"))
    one.take(bars([{**bar(0, interval="1d"), "time": midnight}, bar(0, interval="odd")], 1, close))
    assert told(one.due(close + 2 * SECOND - 1)) == []
    assert [row[2] for row in told(one.due(close + 2 * SECOND))] == [midnight]


ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 5), st.sampled_from("AB"), st.integers(0, 80)), min_size=1, max_size=30
)


def model(rows: list[tuple[int, int, str, int, int]], now: int) -> list[tuple[Any, ...]]:
    """Return what is told of rows (minute, close, sym, received, seq), plainly."""
    found = []
    for sym in "AB":
        held: dict[int, tuple[int, int]] = {}
        last = newest = -1
        for minute, close, of, came, seq in rows:
            if of != sym or minute <= last:
                continue
            held[minute] = (close, seq)
            newest = max(newest, minute)
            while held and min(held) < newest and (min(held) + 1) * MINUTE <= came:
                last = min(held)
                found.append((sym, last, *held.pop(last), came, 0))
        while held and ((min(held) + 1) * MINUTE + (0 if min(held) < newest else 2 * SECOND)) <= now:
            last = min(held)
            found.append((sym, last, *held.pop(last), now, 1))
    return sorted(found)


@settings(deadline=None, max_examples=examples(150))
@given(ROWS, st.data())
def test_any_batches_and_restarts_tell_each_bar_once(rows: list[tuple[int, int, str, int]], data: Any) -> None:
    clock, numbered = 0, []
    for minute, close, sym, seconds in rows:
        clock += seconds * SECOND
        numbered.append((minute, close, sym, clock, len(numbered) + 1))
    one, journal, found = closer(), [], []
    at = 0
    while at < len(numbered):
        size = data.draw(st.integers(1, 6))
        some = numbered[at : at + size]
        at += size
        columns = columns_of_rows("bars", [bar(minute, float(close), sym) for minute, close, sym, *_ in some])
        parts = tuple(np.array(each) for each in (range(len(some)), [row[4] for row in some], [row[3] for row in some]))
        journal.append(Batch("bars", columns, some[-1][4], 1, some[-1][3], parts=parts))  # type: ignore[arg-type]
        one.take(journal[-1])
        if data.draw(st.booleans()) and (new := one.due(0)) is not None:
            found += told(new)
            journal.append(Batch("bar_closes", new, some[-1][4], 1, 0))
            one.take(journal[-1])
        if data.draw(st.booleans()):
            one = closer()
            for batch in journal:
                one.take(batch)
    found += told(one.due(clock + 30 * SECOND))
    seen = sorted((sym, start // MINUTE, int(close), seq, time, by) for time, sym, start, _, close, seq, by in found)
    assert seen == model(numbered, clock + 30 * SECOND)

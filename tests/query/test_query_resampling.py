"""Bars that follow a session, whatever the clocks do; intervals without rows; rows without price or size."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import MINUTE, NOON, SECOND, SHAPES, Row, bar, batch_of, table_of, tables_of, trade

from plant.errors import QueryLimit
from plant.memory.table import MemoryTable
from plant.query import questions, resampling
from plant.query.answers import Answerer
from plant.query.limits import Limits
from plant.rows.arrow import arrow_column
from plant.rows.columns import Symbols
from plant.rows.intervals import interval_ns
from plant.rows.schema import Column, Table

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)

HOUR = 60 * MINUTE
NEW_YORK = ZoneInfo("America/New_York")
NAN = float("nan")


def ns(moment: str, zone: Any = dt.UTC) -> int:
    return int(dt.datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp()) * SECOND


def listed(table: pa.Table) -> list[Row]:
    return table.set_column(0, "time", table.column("time").cast(pa.int64())).to_pylist()


def ask(question: questions.Resample, shape: int = 0, limits: Limits | None = None, **tables: Any) -> list[Row]:
    answerer = Answerer(tables_of(SHAPES[shape], **tables))
    return listed(answerer.answer(questions.question_of(question.to_wire()), limits.budget() if limits else None))


def starts(rows: list[Row], zone: Any = NEW_YORK) -> list[str]:
    return [f"{dt.datetime.fromtimestamp(row['time'] / SECOND, zone):%d %H:%M}" for row in rows]


def test_bars_of_a_session_begin_at_its_start_in_its_zone_before_and_after_the_clocks_change() -> None:
    """US clocks went back on 1 November 2026: 09:30 in New York is 13:30 UTC before, 14:30 after."""
    days = ["2026-10-30", "2026-11-02"]
    trades = [
        [trade(ns(f"{day} {t}", NEW_YORK)) for day in days for t in ("09:29", "09:30", "10:29", "10:30", "15:59")]
    ]
    found = ask(questions.Resample("trades", "1h", at="09:30", zone="America/New_York"), trades=trades)
    assert starts(found) == [f"{d} {t}" for d in ("30", "02") for t in ("08:30", "09:30", "10:30", "15:30")]
    assert [row["volume"] for row in found] == [1.0, 2.0, 1.0, 1.0] * 2


def test_a_day_is_as_long_as_the_clocks_make_it() -> None:
    hours = [trade(ns("2026-10-31 00:30", NEW_YORK) + k * HOUR) for k in range(72)]
    found = ask(questions.Resample("trades", "1d", zone="America/New_York"), trades=[hours])
    assert starts(found) == ["31 00:00", "01 00:00", "02 00:00"]
    assert [row["volume"] for row in found] == [24.0, 25.0, 23.0]  # the night to the 1st has an hour more


def test_the_bar_before_a_new_day_is_cut_short() -> None:
    times = [ns("2026-11-19 12:00") + k * HOUR for k in range(24)]
    found = ask(questions.Resample("trades", "7h", at="09:00"), trades=[[trade(t) for t in times]])
    assert starts(found, dt.UTC) == ["19 09:00", "19 16:00", "19 23:00", "20 06:00", "20 09:00"]
    assert [row["volume"] for row in found] == [4.0, 7.0, 7.0, 3.0, 3.0]


def test_a_time_of_day_that_the_clocks_skip_counts_as_if_they_had_not() -> None:
    """On 8 March 2026 there was no 02:30 in New York: 02:30 by the clock of before is 03:30."""
    times = [ns("2026-03-08 05:00"), ns("2026-03-08 07:29"), ns("2026-03-08 07:31")]
    found = ask(
        questions.Resample("trades", "1d", at="02:30", zone="America/New_York"), trades=[[trade(t) for t in times]]
    )
    assert starts(found) == ["07 02:30", "08 03:30"]


@law
@given(
    st.lists(st.tuples(st.integers(-100, 3000), st.sampled_from(["A", "B"])), max_size=12),
    st.sampled_from(["7m", "1h", "5h", "1d"]),
    st.sampled_from(["00:00", "09:30", "23:59:30"]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.booleans(),
    st.integers(0, len(SHAPES) - 1),
)
def test_bars_of_a_session_are_those_of_counting_from_the_start_of_each_day(
    given_rows: list[tuple[int, str]], interval: str, at: str, zone: str, fill: bool, shape: int
) -> None:
    """Around both changes of the clocks in 2026."""
    first, step = ns("2026-10-31 20:00"), interval_ns(interval)
    rows = [trade(first + minutes * MINUTE, sym, price=float(i + 1)) for i, (minutes, sym) in enumerate(given_rows)]
    clock = dt.time.fromisoformat(at)

    def start_of(time: int) -> int:
        day = dt.datetime.fromtimestamp(time // SECOND, ZoneInfo(zone)).date() + dt.timedelta(days=1)
        while (opened := int(dt.datetime.combine(day, clock, ZoneInfo(zone)).timestamp()) * SECOND) > time:
            day -= dt.timedelta(days=1)
        return opened if interval == "1d" else opened + (time - opened) // step * step

    expected: dict[tuple[int, str], list[float]] = {}
    for row in sorted(rows, key=lambda row: row["time"]):
        expected.setdefault((start_of(row["time"]), row["sym"]), []).append(row["price"])
    question = questions.Resample("trades", interval, at=at, zone=zone, empty="fill" if fill else "skip")
    found = ask(question, shape, trades=[rows[:5], rows[5:]] if len(rows) > 5 else [rows] if rows else [])
    got = {
        (row["time"], row["sym"]): [row["open"], row["high"], row["low"], row["close"]]
        for row in found
        if row["volume"]
    }
    assert got == {key: [p[0], max(p), min(p), p[-1]] for key, p in expected.items()}
    assert [(row["time"], row["sym"]) for row in found] == sorted((row["time"], row["sym"]) for row in found)
    empty = [row for row in found if not row["volume"]]
    assert fill or not empty
    if fill:  # every start of a bar between the first and the last of a symbol, told by looking at every half minute
        for sym in ("A", "B"):
            times = [time for time, name in expected if name == sym]
            every = {start_of(t) for t in range(min(times), max(times) + 1, SECOND * 30)} if times else set()
            assert {row["time"] for row in found if row["sym"] == sym} == every


def test_empty_intervals_have_the_close_before_as_prices_no_volume_and_no_vwap() -> None:
    trades = [[trade(0, price=1.0), trade(1, "B"), trade(30 * SECOND, price=3.0), trade(3 * MINUTE, price=2.0)]]
    found = ask(questions.Resample("trades", "1m", empty="fill"), trades=trades)
    of_one = [row for row in found if row["sym"] == "AAPL"]
    assert [row["time"] // MINUTE for row in of_one] == [0, 1, 2, 3]
    assert [(r["open"], r["high"], r["low"], r["close"], r["volume"], r["vwap"]) for r in of_one] == [
        (1.0, 3.0, 1.0, 3.0, 2.0, 2.0), *[(3.0, 3.0, 3.0, 3.0, 0.0, None)] * 2, (2.0, 2.0, 2.0, 2.0, 1.0, 2.0)
    ]  # fmt: skip
    assert [row["time"] for row in found if row["sym"] == "B"] == [0]


def test_filling_too_many_intervals_is_refused_before_it_begins() -> None:
    question = questions.Resample("trades", "1s", empty="fill")
    with pytest.raises(QueryLimit, match=r"1,795,176,001 rows, at most"):
        ask(question, limits=Limits(), trades=[[trade(0), trade(NOON)]])


def test_vwap_of_bars_weighs_their_typical_price_by_their_volume() -> None:
    bars = [[bar(0, close=10.0, volume=3.0), bar(MINUTE, close=20.0, volume=1.0)]]
    (found,) = ask(questions.Resample("bars", "5m"), bars=bars)
    assert found["vwap"] == (10.0 * 3 + 20.0) / 4  # high and low lie 2 above and 2 below close
    (found,) = ask(questions.Resample("bars", "5m"), bars=[[bar(0, volume=0.0)]])
    assert found["vwap"] is None


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_rows_without_price_are_left_out_and_rows_without_size_add_no_volume(shape: int) -> None:
    fills = Table(
        "fills",
        (
            *(Column(n, k) for n, k in (("time", "time"), ("sym", "symbol"))),
            Column("price", "float"),
            Column("size", "float"),
        ),
    )
    rows = [(1, NAN, 5.0), (2, 10.0, NAN), (3, 30.0, 2.0), (4, 20.0, 1.0), (5, NAN, 1.0)]
    table: MemoryTable = table_of(
        fills, [[{"time": t, "sym": "A", "price": p, "size": s}] for t, p, s in rows], *SHAPES[shape]
    )
    table.append(batch_of(fills, [{"time": 1, "sym": "B", "price": NAN, "size": 1.0}], 99))
    (found,) = listed(Answerer({"fills": table}).answer(questions.Resample("fills", "1m")))
    assert (found["open"], found["high"], found["low"], found["close"]) == (10.0, 30.0, 10.0, 20.0)
    assert (found["volume"], found["vwap"]) == (3.0, 80.0 / 3)


def test_bars_of_all_symbols_made_block_by_block_are_those_of_pandas() -> None:
    random = np.random.default_rng(3)
    count = 5000
    times = np.sort(random.integers(0, 60 * MINUTE, count)) + random.integers(0, MINUTE, count)  # often a little late
    syms, prices, sizes = (random.integers(1, high, count).tolist() for high in (40, 100, 9))
    rows = [
        trade(t, f"S{s:02d}", float(p), float(v))
        for t, s, p, v in zip(times.tolist(), syms, prices, sizes, strict=True)
    ]
    table = table_of("trades", [rows[i : i + 100] for i in range(0, count, 100)], 256, 3)
    found = pd.DataFrame(listed(Answerer({"trades": table}).answer(questions.Resample("trades", "5m"))))
    frame = pd.DataFrame(rows).sort_values("time", kind="stable")
    frame["time"] = frame["time"] // (5 * MINUTE) * (5 * MINUTE)
    expected = frame.groupby(["time", "sym"], as_index=False).agg(
        open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
        volume=("size", "sum"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.drop(columns=["interval", "vwap"]), expected, check_dtype=False)


def test_bars_of_ints_are_of_ints_and_leave_out_those_that_are_not_known() -> None:
    big = 2**53 + 1
    times = np.arange(4, dtype=np.int64)
    sym = Symbols(["A"], np.zeros(4, dtype=np.int32))
    price = np.ma.MaskedArray([5, big, 9, big - 2], [False, False, True, False])
    size = np.ma.MaskedArray([2**60, 7, 7, big], [False, True, False, False])
    (bars,) = ask_of({"time": times, "sym": sym, "price": price, "size": size})
    assert [bars[name] for name in ("open", "high", "low", "close", "volume")] == [5, big, 5, big - 2, 2**60 + big]
    assert bars["vwap"] == pytest.approx((5 * 2**60 + (big - 2) * big) / (2**60 + big))
    assert ask_of({"time": times[2:3], "sym": sym[2:3], "price": price[2:3], "size": size[2:3]}) == []


def ask_of(rows: Any) -> list[Row]:
    made = resampling.resample([rows], questions.Resample("tickets", "1m"))
    return listed(pa.table({n: arrow_column(c, n == "time") for n, c in made.items()}))

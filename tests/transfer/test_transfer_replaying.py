"""Replaying a day: every row once, in order of time over all tables, at its pace, and never where it came from."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answering import PlainAnswers
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import Refused, UnknownTable
from plant.rows.columns import Columns
from plant.rows.tables import schema_of
from plant.rows.times import time_slices
from plant.runtime.settings import load
from plant.transfer.replaying import play, refuse_same, replayable_tables, rows_of

SCHEMA = schema_of()


def trade(time_: int, seq: int, sym: str = "A") -> dict[str, Any]:
    return {"time": time_, "sym": sym, "price": 1.0, "size": None, "source": "x", "trade_id": str(seq), "seq": seq}


def quote(time_: int, seq: int, sym: str = "A") -> dict[str, Any]:
    return {"time": time_, "sym": sym, "bid": 1.0, "ask": float(seq), "bid_size": 1.0, "ask_size": 1.0, "source": "x",
            "seq": seq}  # fmt: skip


def played(rows: Any, speed: float = 0, skip: int = 0) -> list[tuple[str, int, str]]:
    found: list[tuple[str, int, str]] = []

    def emit(table: str, columns: Columns) -> None:
        number = columns["trade_id"].tolist() if table == "trades" else [f"{a:g}" for a in columns["ask"].tolist()]
        found.extend(zip([table] * len(number), columns["time"].tolist(), number, strict=True))

    play(rows, speed, emit, skip)
    return found


ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.sampled_from("AB")), max_size=40)


@given(ROWS, st.integers(1, 10), st.integers(0, 45))
def test_rows_come_once_in_order_of_time_and_seq_whatever_the_slices(
    given_rows: list[tuple[bool, int, str]], most: int, skip: int
) -> None:
    rows = [(is_trade, moment, seq, sym) for seq, (is_trade, moment, sym) in enumerate(given_rows)]
    db = PlainAnswers(
        trades=[trade(moment, seq, sym) for is_trade, moment, seq, sym in rows if is_trade],
        quotes=[quote(moment, seq, sym) for is_trade, moment, seq, sym in rows if not is_trade],
    )
    expected = [
        ("trades" if is_trade else "quotes", moment, str(seq))
        for is_trade, moment, seq, sym in sorted(rows, key=lambda r: (r[1], r[2]))
        if 2 <= moment < 18 and sym == "A"
    ]
    found = rows_of(db, SCHEMA, ["quotes", "trades"], ["A"], 2, 18, most)
    assert played(found, skip=skip) == expected[skip:]


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 8))
def test_slices_hold_every_row_once_and_few_unless_they_share_a_time(times: list[int], rows: int) -> None:
    held = np.array(times)
    slices = list(time_slices(lambda start, end: int(((held >= start) & (held < end)).sum()), 0, 101, rows))
    assert sorted(slices) == slices
    covered = [t for start, end in slices for t in times if start <= t < end]
    assert sorted(covered) == sorted(times)
    for start, end in slices:
        assert 1 <= sum(start <= t < end for t in times) <= rows or end - start == 1


def test_speed_is_the_pace_of_the_rows_own_time() -> None:
    db = PlainAnswers(trades=[trade(10**9 * i, i) for i in range(5)])
    start = time.monotonic()
    assert len(played(rows_of(db, SCHEMA, ["trades"], None, 0, 10**10), speed=40)) == 5
    assert 0.1 <= time.monotonic() - start < 5


def test_a_value_that_an_older_row_has_not_becomes_the_default() -> None:
    db = PlainAnswers(trades=[{**trade(1, 1), "trade_id": None, "source": None}])
    ((_, columns),) = rows_of(db, SCHEMA, ["trades"], None, 0, 10)
    assert (columns["trade_id"].tolist(), columns["source"].tolist()) == ([""], [""])
    assert np.isnan(columns["size"]).all()


def test_tables_that_would_take_effect_are_never_replayed_and_the_plants_own_only_by_name() -> None:
    assert replayable_tables(SCHEMA) == ["bars", "trades", "quotes", "trade_corrections"]
    assert replayable_tables(SCHEMA, ["signals"]) == ["signals"]
    assert replayable_tables(SCHEMA, ["plots"]) == ["plots"]
    trading = (
        "instruments strategies commands runs strategy_events orders fills positions equity round_trips metrics "
        "risk_events"
    )
    for name in ("days", "amendments", "imports", *trading.split()):
        with pytest.raises(Refused, match=f"rows of {name} are not replayed"):
            replayable_tables(SCHEMA, [name])
    with pytest.raises(UnknownTable):
        replayable_tables(SCHEMA, ["trade"])


def test_the_plant_that_is_read_is_refused_as_the_target(tmp_path: Path) -> None:
    made = []
    for name, port, data in (
        ("one", 5000, "data"),
        ("two", 6000, "../one/data"),
        ("three", 5000, "x"),
        ("four", 7000, "y"),
    ):
        (tmp_path / name).mkdir()
        config = tmp_path / name / "plant.toml"
        config.write_text(f'[plant]\ndata = "{data}"\n[tickerplant]\ningest_port = {port}\njournal_port = {port + 2}\n')
        made.append(load(config))
    one, two, three, four = made
    for other, what in ((one, "the same ports"), (two, "the same data folder"), (three, "the same ports")):
        with pytest.raises(Refused, match=f"--into names the plant that is read .{what}"):
            refuse_same(one, other)
    refuse_same(one, four)

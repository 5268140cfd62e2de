"""A time beside the first that is not known, on its whole way: published in every form, kept, asked, exported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from running import RunningPlant

from plant.client.connection import Connection
from plant.errors import BadRows
from plant.rows.schema import UNKNOWN_TIME

START = 1_795_100_000_000_000_000
HOUR = 3_600 * 10**9
SETTLEMENTS = """
[[tables]]
name = "settlements"
key = ["sym", "time", "settles"]
columns = [["time", "time"], ["sym", "symbol"], ["settles", "time"], ["price", "float"], ["heard", "time"]]
"""
ROWS = [
    {"time": START, "sym": "A", "settles": START + HOUR, "price": 1.0, "heard": None},
    {"time": START + 1, "sym": "A", "settles": None, "price": 2.0, "heard": START + 2},
    {"time": START + 2, "sym": "B", "settles": START + HOUR, "price": 3.0, "heard": START + 3},
    {"time": START + 3, "sym": "B", "settles": None, "price": 4.0, "heard": None},
]
"""What is there in the end; each is published more than once, with another price before."""

ALL = "select settles, count(*) n, count(heard) known, min(heard) first from settlements group by all order by settles"


def in_forms() -> list[Any]:
    """Return the rows in every form, each form with prices of its own; those of the last are right."""
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    times = {name: pd.to_datetime(columns[name], utc=True) for name in ("time", "settles", "heard")}
    arrow = pa.table({**columns, **{n: pa.array(columns[n], pa.timestamp("ns", "UTC")) for n in times}})
    stamps = {n: np.array([UNKNOWN_TIME if ns is None else ns for ns in columns[n]]).view("M8[ns]") for n in times}
    return [
        {**columns, **stamps, "price": [100.0] * 4},
        pd.DataFrame({**columns, **times}).assign(price=101.0),
        arrow.set_column(3, "price", pa.array([102.0] * 4)),
        pl.DataFrame(pl.from_arrow(arrow)).with_columns(price=pl.lit(103.0)),
        {**columns, "price": [104.0] * 4},
        *({**row, "price": 105.0} for row in ROWS),
        *({**row, "settles": row["settles"] and pd.Timestamp(row["settles"]), "price": 106.0} for row in ROWS),
        ROWS,
    ]


def plant_command(running: RunningPlant, *arguments: str) -> str:
    code = "from plant.command.app import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows of an answer with times as int ns."""
    for i, column in enumerate(table.columns):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(i, table.column_names[i], column.cast(pa.int64()))
    return table.to_pylist()


def check(db: Connection) -> None:
    """Fail unless a connection answers what was published."""
    found = db.select("settlements", frames="arrow")
    assert str(found.schema.field("settles").type) == str(found.schema.field("heard").type) == "timestamp[ns, tz=UTC]"
    assert plain(found) == ROWS
    assert plain(db.last("settlements", frames="arrow")) == [ROWS[1], ROWS[3]]
    assert db.select("settlements", frames="pandas")["settles"].isna().tolist() == [False, True, False, True]
    assert db.select("settlements", frames="polars")["settles"].null_count() == 2
    assert db.select("settlements", frames="pandas-arrow")["settles"].isna().sum() == 2
    as_numpy = db.select("settlements", frames="numpy")["settles"]
    assert (as_numpy.dtype, np.isnat(as_numpy).tolist()) == (np.dtype("M8[ns]"), [False, True, False, True])
    for operator, count in ((">", 2), ("<=", 0), ("!=", 2), ("==", 0), ("<", 0)):
        assert db.count("settlements", where=("settles", operator, START)) == count, operator
    assert plain(db.sql(ALL, frames="arrow")) == [
        {"settles": START + HOUR, "n": 2, "known": 1, "first": START + 3},
        {"settles": None, "n": 2, "known": 1, "first": START + 2},
    ]
    hours = db.sql("select epoch_ns(settles + interval '1 hour') x from settlements order by time", frames="arrow")
    assert hours["x"].to_pylist() == [START + 2 * HOUR, None, START + 2 * HOUR, None]
    at = db.asof("trades", "settlements", frames="arrow")
    assert [row["heard"] for row in plain(at)] == [START + 2, None]
    ranges = {"first": ("min", "heard"), "n": ("count", "heard")}
    window = db.window("trades", "settlements", "-1h", "0s", ranges, frames="arrow")
    assert [(row["first"], row["n"]) for row in plain(window)] == [(START + 2, 1), (START + 3, 1)]


@pytest.mark.soak
def test_a_time_that_is_not_known_is_that_everywhere(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_plant("tickerplant", "rdb", "hdb", hdb="part_s = 0.2\n", toml=SETTLEMENTS)
    feed = running.publisher("feed")
    for form in in_forms():
        feed.publish("settlements", form)
        feed.flush()
    sizes = {"price": [1.0, 1.0], "size": [1.0, 1.0]}
    feed.publish("trades", {"time": [START + 10] * 2, "sym": ["A", "B"], **sizes})
    with pytest.raises(BadRows, match=r"settlements\.time: .*missing time"):
        feed.publish("settlements", {**ROWS[0], "time": None}, strict=True)
    with pytest.raises(BadRows, match=r"settlements\.heard: .*it looks like ms"):
        feed.publish("settlements", [{**row, "heard": START // 10**6} for row in ROWS])
    feed.publish("settlements", {**ROWS[0], "settles": np.datetime64("2101-01-01", "ns")})
    feed.flush()

    rdb, hdb = running.ask("rdb"), running.ask("hdb")
    eventually(lambda: rdb.count("rejects") == 1)
    assert "settles must lie between 1970 and 2100" in rdb.select("rejects", frames="arrow")["reason"][0].as_py()
    check(rdb)
    assert "settlements" in plant_command(running, "verify")
    plant_command(running, "end-of-day", "--again")
    eventually(lambda: hdb.count("settlements") == 4 and rdb.count("settlements") == 0)
    check(hdb)
    check(running.whole())
    feed.publish("settlements", ROWS[3])
    feed.flush()
    eventually(lambda: rdb.count("settlements") == 1)
    check(running.whole())
    plant_command(running, "verify")

    path = tmp_path / "settlements.csv"
    plant_command(running, "export", "settlements", "--to", str(path))
    told = plant_command(running, "import", str(path), "--table", "settlements")
    assert "4 the same (not written)" in told
    assert "0 revised" in told

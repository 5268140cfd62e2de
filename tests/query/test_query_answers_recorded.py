"""Answers over recorded days of the US equity tape against the vendor's own bars and against pandas.

Source of the files: QuantConnect/Lean, Data/equity/usa (prices in US dollars x 10,000, times New York + offset in ms).
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from plain_rows import MINUTE, NOON, SCHEMA
from recordings import RECORDINGS

from plant.intake.forms import columns_of
from plant.memory.table import MemoryTable
from plant.query import questions
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.rows.columns import Symbols

FOLDER = RECORDINGS / "lean_us_equity"
BATCH = 5000

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded US equity ticks at {FOLDER}")


def ticks(name: str) -> pd.DataFrame:
    table = pq.read_table(FOLDER / "tick" / name)
    time = pc.cast(pc.cast(table.column("ts_utc"), pa.timestamp("ns", "UTC")), pa.int64())
    return table.set_column(table.column_names.index("ts_utc"), "time", time).to_pandas()


def table_of_columns(name: str, columns: dict[str, object], sym: str) -> MemoryTable:
    """A table in memory, filled in batches."""
    table = MemoryTable(SCHEMA[name])
    count = len(columns["time"])  # type: ignore[arg-type]
    given = {**columns, "sym": Symbols([sym], np.zeros(count, dtype=np.int32))}
    whole = columns_of(SCHEMA[name], given)
    for seq, start in enumerate(range(0, count, BATCH), 1):
        part = {n: c[start : start + BATCH] for n, c in whole.items()}
        table.append(Batch(name, part, seq, seq, NOON, SCHEMA[name].key))
    return table


def trades_of(sym: str, day: str) -> MemoryTable:
    found = ticks(f"{sym}_{day}_trades.parquet")
    columns = {
        "time": found["time"].to_numpy(np.int64),
        "price": found["price_e4"].to_numpy(float) / 1e4,
        "size": found["size"].to_numpy(float),
    }
    return table_of_columns("trades", columns, sym)


def quotes_of(sym: str, day: str) -> MemoryTable:
    """Quotes of one side each, the other side carried forward."""
    found = ticks(f"{sym}_{day}_quotes.parquet")
    columns = {"time": found["time"].to_numpy(np.int64)}
    for side in ("bid", "ask"):
        price, size = (found[f"{side}_{what}"].astype(float) for what in ("price_e4", "size"))
        given = price > 0
        columns[side] = (price.where(given).ffill().fillna(0) / 1e4).to_numpy()
        columns[f"{side}_size"] = size.where(given).ffill().fillna(0).to_numpy()
    return table_of_columns("quotes", columns, sym)


@pytest.mark.parametrize("sym", ["IBM", "BAC"])
@pytest.mark.parametrize("day", ["20131007", "20131008"])
def test_resampled_ticks_have_the_volume_of_the_vendors_minute_bars(sym: str, day: str) -> None:
    """All but the 2 to 5 minutes a day that hold the auction prints, reported late."""
    trades = trades_of(sym, day)
    found = Answerer({"trades": trades}).answer(questions.Resample("trades", "1m")).to_pandas()
    bars = pd.read_csv(FOLDER / "minute" / f"{sym}_20131007_20131008_minute_tradebars.csv")
    bars = bars[bars["date"] == int(day)]
    bars["time"] = pd.to_datetime(bars["ts_utc"], utc=True)

    both = found.merge(bars, on="time", how="outer", suffixes=("", "_vendor"), indicator=True)
    matched = both[both["_merge"] == "both"]
    assert len(matched) > 350
    assert (both["_merge"] != "both").sum() <= 5
    assert (matched["volume"] != matched["volume_vendor"]).sum() <= 5
    assert found["volume"].sum() == sum(trades.snapshot().column("size"))
    for price in ("open", "high", "low", "close"):
        assert (abs(matched[price] * 1e4 - matched[f"{price}_e4"]) < 0.5).mean() > 0.75
        assert (abs(matched[price] * 1e4 / matched[f"{price}_e4"] - 1) < 1e-3).mean() > 0.98
    assert (found["time"].astype("int64") % MINUTE == 0).all()


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("tolerance_ms", [None, 50])
def test_asof_of_recorded_trades_on_quotes_equals_merge_asof(strict: bool, tolerance_ms: int | None) -> None:
    tables = {"trades": trades_of("IBM", "20131007"), "quotes": quotes_of("IBM", "20131007")}
    tolerance = None if tolerance_ms is None else tolerance_ms * 10**6
    found = Answerer(tables).answer(questions.Asof("trades", "quotes", tolerance=tolerance, strict=strict)).to_pandas()
    left, right = ({n: t.snapshot().column(n) for n in t.declaration.names} for t in tables.values())
    names = ["time", "bid", "ask", "bid_size", "ask_size"]
    expected = pd.merge_asof(
        pd.DataFrame({"time": left["time"], "price": left["price"]}),
        pd.DataFrame({n: right[n] for n in names}).assign(quotes_time=pd.to_datetime(right["time"], utc=True)),
        on="time",
        tolerance=tolerance,
        allow_exact_matches=not strict,
    )
    assert len(found) == len(expected) == 24293
    assert found["price"].tolist() == expected["price"].tolist()
    assert found["bid"].notna().mean() > 0.5
    for name in names[1:]:
        np.testing.assert_array_equal(found[name].to_numpy(), expected[name].to_numpy())
    assert found["quotes_time"].equals(expected["quotes_time"])


def test_most_recorded_trades_lie_between_bid_and_ask_in_the_regular_session() -> None:
    tables = {"trades": trades_of("IBM", "20131007"), "quotes": quotes_of("IBM", "20131007")}
    start, end = (pd.Timestamp(f"2013-10-07 {t}Z").as_unit("ns").value for t in ("13:35", "19:55"))
    found = Answerer(tables).answer(questions.Asof("trades", "quotes", start=start, end=end)).to_pandas()
    slack = 0.0005 * found["price"]  # quotes of single exchanges, not the best of all
    inside = (found["price"] >= found["bid"] - slack) & (found["price"] <= found["ask"] + slack)
    assert len(found) > 15_000
    assert inside.mean() > 0.9

"""One name for each length of a bar, on the way in and in questions."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plant.errors import BadRows, QueryError
from plant.intake.forms import columns_of
from plant.query.questions import Resample
from plant.query.resampling import Grid
from plant.rows.columns import Symbols
from plant.rows.intervals import interval_name, interval_ns, interval_of
from plant.rows.tables import schema_of

SCHEMA = schema_of()
NOON = 1_763_640_000_000_000_000


@pytest.mark.parametrize(
    ("given", "name"),
    [
        *((text, "1m") for text in ("1m", "1Min", "1min", "1 minute", "60s", "m", "1T", "60000ms")),
        *((text, "1h") for text in ("1H", "1h", "60m", "60min", "3600s", "hour")),
        *((text, "1d") for text in ("D", "1D", "1d", "day", "daily")),
        *((text, "1w") for text in ("W", "1w", "1week")),
        *((text, "1M") for text in ("1M", "M", "1mo", "1month")),
        ("90s", "90s"), ("90m", "90m"), ("24h", "24h"), ("500ms", "500ms"), ("05m", "5m"), ("3M", "3M"),
    ],
)  # fmt: skip
def test_a_length_has_one_name(given: str, name: str) -> None:
    assert interval_name(given) == name
    assert interval_name(name) == name


@pytest.mark.parametrize("text", ["60", "", "0m", "-5m", "5x", "1.5h", "m5", "five", "5m5s", "99999999d"])
def test_what_is_no_length_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(QueryError, match="expected an interval"):
        interval_name(text)


def test_a_number_alone_is_refused_and_what_it_might_be_is_told() -> None:
    with pytest.raises(QueryError, match=r'found \'60\', perhaps "60m" or "60s"'):
        interval_name("60")


@pytest.mark.parametrize(
    ("given", "name"),
    [(pd.Timedelta("5min"), "5m"), (dt.timedelta(hours=1), "1h"), (pd.Timedelta("500ms"), "500ms"), ("5min", "5m")],
)
def test_timedeltas_are_lengths(given: Any, name: str) -> None:
    assert interval_of(given) == name


@pytest.mark.parametrize("form", [lambda names: names, Symbols.of])
def test_bars_come_in_under_the_one_name(form: Any) -> None:
    names = ["1Min", "60s", "1H", "1m"]
    prices = {n: np.ones(4) for n in ("open", "high", "low", "close", "volume")}
    rows = {"time": np.full(4, NOON), "sym": Symbols.of(["A"] * 4), "interval": form(names), **prices}
    rows["source"] = Symbols.of(["s"] * 4)
    assert columns_of(SCHEMA["bars"], rows)["interval"].tolist() == ["1m", "1m", "1h", "1m"]
    with pytest.raises(BadRows, match=r"bars.interval: expected an interval like"):
        columns_of(SCHEMA["bars"], {**rows, "interval": form(["60"] * 4)})


@pytest.mark.parametrize(("interval", "frequency"), [("1M", "MS"), ("3M", "QS"), ("1w", "W-MON"), ("500ms", "500ms")])
def test_bars_of_weeks_months_and_parts_of_a_second_begin_where_pandas_begins_them(
    interval: str, frequency: str
) -> None:
    times = np.sort(np.random.default_rng(1).integers(0, 4_000 * 86_400 * 10**9, 500))
    if interval == "500ms":
        times = times % (3600 * 10**9)
    grid = Grid(Resample("trades", interval))
    stamps = pd.DatetimeIndex(times)
    offset = pd.tseries.frequencies.to_offset(frequency)
    expected = stamps.floor("500ms") if interval == "500ms" else pd.DatetimeIndex(
        [offset.rollback(day) for day in stamps.normalize()]
    )  # fmt: skip
    np.testing.assert_array_equal(grid.starts(times), expected.as_unit("ns").asi8)
    between = grid.between(int(grid.starts(times).min()), int(grid.starts(times).max()))
    assert set(grid.starts(times).tolist()) <= set(between.tolist())
    assert interval_ns("1M") == 31 * 86_400 * 10**9

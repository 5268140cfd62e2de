"""What may be computed over bars that come along with a request."""

import asyncio
import json
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api.answers.problems import Problem
from api.answers.rows import plain_columns
from api.routes import indicators
from api.routes.indicators import declaration_over_bars
from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.scalar import Scalar


def test_an_input_that_no_bar_has_is_refused() -> None:
    with pytest.raises(Problem, match=r"no bar has a column 'hcl3'.*did you mean 'hlc3'") as problem:
        declaration_over_bars("ema", {"input": "hcl3"})
    assert problem.value.code == "invalid"


@pytest.mark.parametrize("name", ["ema", "vwap", "EMA", "VWAP", "MAVP", "MIN", "T3", "BBANDS", "CDL3INSIDE"])
def test_an_indicator_takes_in_a_bar_that_has_what_a_request_tells(name: str) -> None:
    needed = {key: "close" for key, usual in CATALOGUE[name].inputs if key and not usual}
    indicator = Scalar(declaration_over_bars(name, needed))
    indicator.update(Bar(0, 1.0, 2.0, 0.5, 1.5, 10.0))


@pytest.mark.parametrize(("rows", "thread"), [(1_000, "MainThread"), (20_000, "answers")])
def test_many_values_are_written_beside_the_event_loop(rows: int, thread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote: list[str] = []

    def noted(table: pa.Table, times: str) -> dict[str, list[Any]]:
        wrote.append(threading.current_thread().name.partition("_")[0])
        return plain_columns(table, times)

    monkeypatch.setattr(indicators, "plain_columns", noted)
    stamps = pa.array(np.arange(rows) * 60 * 10**9, pa.timestamp("ns", "UTC"))
    names = {"sym": pa.array(["A"] * rows), "interval": pa.array(["1m"] * rows)}
    found = pa.table({"time": stamps, **names, "ema_9": pa.array(np.full(rows, np.nan))})
    answer = asyncio.run(indicators._answered({"sym": "A", "seq": 7}, found, "ms"))
    told = json.loads(bytes(answer.body))
    assert (told["seq"], len(told["time"]), told["outputs"]) == (7, rows, {"ema_9": [None] * rows})
    assert wrote == [thread]

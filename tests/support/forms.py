"""The same rows in every form that a user may hold, with times in every unit and type."""

import datetime as dt
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from plant.rows.schema import UNKNOWN_TIME, Column, Table

NOON = 1_795_176_000_000_000_000
TABLE = Table(
    "fills",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("price", "float"),
        Column("venue", "symbol"),
        Column("remark", "text"),
        Column("count", "int"),
        Column("settles", "time"),
    ),
)
"""A table with every kind of column."""

Rows = dict[str, list[Any]]
"""Columns as lists of plain values; times int ns since 1970 UTC, None for one that is missing."""

_NEW_YORK = ZoneInfo("America/New_York")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def good_rows(chance: random.Random, count: int) -> Rows:
    """Return rows that any form can hold: times of whole milliseconds, from 1971 on; `settles` may be None."""
    names = chance.choice([["A"], ["A", "Bé", "C D"], [f"S{i}" for i in range(300)]])
    times = [NOON + chance.choice([0, 1, -1, 10**7, -(10**9)]) * chance.randrange(10**3) * 10**6 for _ in range(count)]
    often = chance.choice([0.0, 0.0, 0.3, 1.0])
    return {
        "time": times,
        "sym": chance.choices(names, k=count),
        "price": [chance.choice([0.5, -2.25, 1e300, float("inf"), 7.0]) for _ in range(count)],
        "venue": chance.choices(["", "x", "nan", "Ä€𝄞"], k=count),
        "remark": [chance.choice(["", "x", "long " * 20, "Ä€𝄞", "\0", str(i)]) for i in range(count)],
        "count": [chance.choice([0, 1, -5, 2**53 + 1, 2**63 - 1, -(2**63)]) for _ in range(count)],
        "settles": [None if chance.random() < often else ns for ns in times[::-1]],
    }


def _aware(ns: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=ns // 1000)


def _iso(ns: int) -> str:
    return _aware(ns).isoformat()


MOMENTS: dict[str, Callable[[int], Any]] = {
    "int": int,
    "np.int64": np.int64,
    "datetime": lambda ns: _aware(ns).replace(tzinfo=None),
    "datetime UTC": _aware,
    "datetime New York": lambda ns: _aware(ns).astimezone(_NEW_YORK),
    "datetime +05:30": lambda ns: _aware(ns).astimezone(dt.timezone(dt.timedelta(minutes=330))),
    "Timestamp": lambda ns: pd.Timestamp(ns),
    "Timestamp UTC": lambda ns: pd.Timestamp(ns, tz="UTC"),
    "Timestamp New York ms": lambda ns: pd.Timestamp(ns, tz="America/New_York").as_unit("ms"),
    "datetime64[ns]": lambda ns: np.datetime64(ns, "ns"),
    "datetime64[ms]": lambda ns: np.datetime64(ns // 10**6, "ms"),
    "ISO": _iso,
    "ISO Z": lambda ns: _iso(ns).replace("+00:00", "Z"),
    "ISO blank": lambda ns: _iso(ns)[:-6].replace("T", " "),
    "ISO ns": lambda ns: f"{_iso(ns)[:19]}.{ns % 10**9:09}",
    "ISO -04:00": lambda ns: _aware(ns).astimezone(dt.timezone(dt.timedelta(hours=-4))).isoformat(),
}
"""A moment as users write it, from int ns."""


def _with_times(rows: Rows, make: Callable[[list[int]], Any]) -> dict[str, Any]:
    return {name: make(column) if name in ("time", "settles") else column for name, column in rows.items()}


def _int64(times: list[Any]) -> np.ndarray:
    return np.array([UNKNOWN_TIME if ns is None else ns for ns in times], dtype="<i8")


def _frame(times: Callable[[list[int]], Any], **dtypes: str) -> Callable[[Rows], Any]:
    return lambda rows: pd.DataFrame(_with_times(rows, times)).astype(dtypes)


def _stamps(unit: str, zone: str | None) -> Callable[[list[int]], Any]:
    def stamps(times: list[int]) -> Any:
        found = pd.DatetimeIndex(_int64(times).view("M8[ns]")).as_unit(unit)
        return found.tz_localize("UTC").tz_convert(zone) if zone else found

    return stamps


def _arrow(times: pa.DataType, strings: pa.DataType, parts: int = 1) -> Callable[[Rows], Any]:
    def table(rows: Rows) -> pa.Table:
        columns = {n: pa.array(c, pa.int64() if n in _INTS else None) for n, c in rows.items()}
        for name in ("time", "settles"):
            columns[name] = columns[name].cast(pa.timestamp("ns")).cast(times)
        for name in ("sym", "venue", "remark"):
            columns[name] = columns[name].cast(strings)
        whole = pa.table(columns)
        cuts = [len(whole) * i // parts for i in range(parts + 1)]
        return pa.concat_tables([whole.slice(a, b - a) for a, b in pairwise(cuts)])

    return table


def _polars(unit: Any, zone: str | None, strings: Any) -> Callable[[Rows], Any]:
    def frame(rows: Rows) -> pl.DataFrame:
        moment = [pl.from_epoch(name, "ns").cast(pl.Datetime(unit)) for name in ("time", "settles")]
        found = pl.DataFrame(rows, schema_overrides=dict.fromkeys(_INTS, pl.Int64)).with_columns(moment)
        if zone:
            aware = [pl.col(n).dt.replace_time_zone("UTC").dt.convert_time_zone(zone) for n in ("time", "settles")]
            found = found.with_columns(aware)
        return found.with_columns(pl.col("sym", "venue").cast(strings))

    return frame


def _dicts(moment: Callable[[int], Any], missing: Any = None) -> Callable[[Rows], Any]:
    def dicts(rows: Rows) -> list[dict[str, Any]]:
        columns = _with_times(rows, lambda times: [missing if ns is None else moment(ns) for ns in times])
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    return dicts


def _arrays(strings: Any, times: str) -> Callable[[Rows], Any]:
    def arrays(rows: Rows) -> dict[str, Any]:
        return {
            name: np.array(column, dtype=strings if name in ("sym", "venue") else object if name == "remark" else None)
            for name, column in _with_times(rows, lambda t: _int64(t).view("M8[ns]").astype(times)).items()
        }

    return arrays


_ARROW_TIME = {"time": "timestamp[us][pyarrow]"}
_INTS = ("time", "settles", "count")
_UTC_US = pa.timestamp("us", "UTC")

FORMS: dict[str, Callable[[Rows], Any]] = {
    **{f"dicts, {name}": _dicts(moment) for name, moment in MOMENTS.items()},
    "dicts, Timestamp, NaT": _dicts(pd.Timestamp, pd.NaT),
    "lists": dict,
    "tuples": lambda rows: {name: tuple(column) for name, column in rows.items()},
    "arrays": _arrays(object, "<i8"),
    "arrays U, M8[ms]": _arrays(None, "M8[ms]"),
    "arrays, M8[ns]": _arrays(object, "M8[ns]"),
    "every second of arrays": lambda rows: {
        name: np.repeat(np.array(column, dtype=object if isinstance(column[0], str) else None), 2)[::2]
        for name, column in _with_times(rows, _int64).items()
    },
    "Series": lambda rows: {name: pd.Series(column) for name, column in _with_times(rows, _int64).items()},
    "DatetimeIndex": lambda rows: _with_times(rows, _stamps("ns", "UTC")),
    "frame ns UTC": _frame(_stamps("ns", "UTC")),
    "frame us": _frame(_stamps("us", None)),
    "frame ms New York": _frame(_stamps("ms", "America/New_York")),
    "frame of objects": _frame(_stamps("ns", "UTC"), sym="object", venue="object", remark="object"),
    "frame of categories": _frame(_stamps("ns", None), sym="category", venue="category"),
    "frame of Arrow": _frame(
        _stamps("ns", None), sym="string[pyarrow]", price="double[pyarrow]", count="int64[pyarrow]", **_ARROW_TIME
    ),
    "frame nullable": _frame(_stamps("ns", None), price="Float64", count="Int64", sym="string"),
    "frame, every second row": lambda rows: pd.DataFrame(
        {name: [value for value in column for _ in "12"] for name, column in _with_times(rows, _int64).items()}
    ).iloc[::2],
    "Arrow ns": _arrow(pa.timestamp("ns"), pa.string()),
    "Arrow us UTC, large": _arrow(_UTC_US, pa.large_string()),
    "Arrow ms, dictionaries": _arrow(pa.timestamp("ms"), pa.dictionary(pa.int32(), pa.string())),
    "Arrow int8 dictionaries": _arrow(_UTC_US, pa.dictionary(pa.int16(), pa.large_string())),
    "Arrow int64": _arrow(pa.int64(), pa.string()),
    "Arrow in parts": _arrow(_UTC_US, pa.string(), 3),
    "Arrow dictionaries in parts": _arrow(_UTC_US, pa.dictionary(pa.int32(), pa.string()), 3),
    "Arrow view": _arrow(_UTC_US, pa.string_view()),
    "Arrow batch": lambda rows: _arrow(_UTC_US, pa.string())(rows).combine_chunks().to_batches()[0],
    "Polars": _polars("us", None, pl.String),
    "Polars ms Berlin": _polars("ms", "Europe/Berlin", pl.String),
    "Polars categorical": _polars("ns", "UTC", pl.Categorical),
}  # fmt: skip
"""What makes each form of some rows, at least one."""

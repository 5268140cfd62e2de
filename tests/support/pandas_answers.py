"""The questions of plant.query.questions answered by pandas, from a plain list of rows: what an answer must equal."""

from typing import Any

import numpy as np
import pandas as pd
from model_answers import OHLCV, OPERATORS, Answer, Grouped, ModelAnswers
from plain_rows import Row

from plant.query import questions
from plant.rows.intervals import interval_ns
from plant.rows.schema import META_COLUMNS, Table

DAY = "1d"


class PandasAnswers(ModelAnswers[pd.DataFrame]):
    """Answers by pandas."""

    def grouped(self, asked: Grouped) -> Answer:
        rows = self.frames[asked.table]
        rows = rows[(rows["time"] >= asked.start) & (rows["time"] < asked.end)]
        step = asked.bucket_s * 10**9
        rows = rows.assign(bucket=rows["time"] // step * step if step else 0)
        found = []
        for (sym, bucket), own in rows.groupby(["sym", "bucket"]):
            known = own[asked.number].dropna().tolist()
            numbers = (sum(known), min(known), max(known)) if known else (None, None, None)
            ends = (_plain_value(own[asked.number].iloc[place]) for place in (0, -1))
            found.append((sym, bucket, len(own), len(known), *numbers, *ends))
        return ["sym", "bucket", "n", "known", "total", "low", "high", "open", "close"], found

    @staticmethod
    def _frame(table: Table, rows: list[Row]) -> pd.DataFrame:
        kinds = {c.name: c.kind for c in table.columns} | dict.fromkeys(META_COLUMNS, "int")
        types = {"time": "Int64", "int": "Int64", "float": "float64", "symbol": object, "text": object}
        columns = {
            name: pd.Series([row[name] for row in rows], dtype=types[kind]) for name, kind in kinds.items()
        }  # fmt: skip
        found = pd.DataFrame(columns).astype({"time": "int64"})
        if table.key:
            found = found.drop_duplicates(list(table.key), keep="last")
        return found.sort_values("time", kind="stable", ignore_index=True)

    @staticmethod
    def _plain(frame: pd.DataFrame) -> Answer:
        columns = [[_plain_value(v) for v in frame[name].astype(object).tolist()] for name in frame]
        return list(frame), list(zip(*columns, strict=True))

    def _met(self, table: str, question: Any) -> pd.DataFrame:
        found = self.frames[table]
        if question.sym is not None:
            found = found[found["sym"].isin(list(question.sym))]
        if getattr(question, "start", None) is not None:
            found = found[found["time"] >= question.start]
        if getattr(question, "end", None) is not None:
            found = found[found["time"] < question.end]
        for name, how, value in getattr(question, "where", ()):
            unknown = how == "!=" and self.schema[table].column(name).kind != "time"
            found = found[OPERATORS[how](found[name], value).astype("boolean").fillna(unknown).astype(bool)]
        return found

    def _select(self, question: questions.Select) -> pd.DataFrame:
        found = self._met(question.table, question)
        if question.first is not None:
            found = found.head(question.first)
        if question.last is not None:
            found = found.tail(question.last)
        return found[self._names(question)]

    def _last(self, question: questions.Last) -> pd.DataFrame:
        found = self._met(question.table, question)
        if question.at is not None:
            found = found[found["time"] <= question.at]
        newest = found.drop_duplicates("sym", keep="last").sort_values("sym")
        return newest[self._names(question)]

    def _resample(self, question: questions.Resample) -> pd.DataFrame:
        rows = self._met(question.table, question)
        if question.table == "trades":
            rows = rows.assign(**dict.fromkeys(("open", "high", "low", "close", "typical"), rows["price"]))
        else:
            rows = rows.assign(size=rows["volume"], typical=(rows["high"] + rows["low"] + rows["close"]) / 3)
        rows = rows.assign(value=rows["typical"] * rows["size"], time=_starts(rows["time"], question))
        by = rows.groupby(["time", "sym"], as_index=False, sort=True)
        bars = by.agg(
            open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"),
            volume=("size", "sum"), value=("value", "sum"),
        )  # fmt: skip
        bars["vwap"] = bars["value"] / bars["volume"].where(bars["volume"] > 0)
        if question.empty == "fill":
            bars = _filled(bars, question)
        bars["interval"] = question.interval
        return bars[["time", "sym", "interval", *OHLCV]].sort_values(["time", "sym"], kind="stable")

    def _asof(self, question: questions.Asof) -> pd.DataFrame:
        left, right = self._met(question.left, question), self.frames[question.right]
        own = [n for n in self.schema[question.right].names if n not in self.schema[question.left].names]
        right = right.assign(**{f"{question.right}_time": right["time"].astype("Int64")})
        joined = pd.merge_asof(
            left,
            right[["time", "sym", f"{question.right}_time", *own]],
            on="time",
            by="sym",
            tolerance=question.tolerance,
            allow_exact_matches=not question.strict,
        )
        return joined[[*self.schema[question.left].names, f"{question.right}_time", *own]]

    def _window(self, question: questions.Window) -> pd.DataFrame:
        left, right = self._met(question.left, question), self.frames[question.right]
        found: dict[str, list[Any]] = {name: [] for name, *_ in question.aggregates}
        for time, sym in zip(left["time"].tolist(), left["sym"].tolist(), strict=True):
            others = right[(right["sym"] == sym) & (right["time"] <= time + question.after)]
            opens = time + question.before
            inside = others[others["time"] >= opens]
            if question.prevailing and not (inside["time"] == opens).any():
                before = right[(right["sym"] == sym) & (right["time"] < opens)]
                inside = pd.concat([before.tail(1), inside])
            for name, function, *columns in question.aggregates:
                found[name].append(_aggregate(function, inside, *columns))
        own = left[list(self.schema[question.left].names)]
        return own.assign(**{name: pd.Series(values, own.index, dtype=object) for name, values in found.items()})


def _starts(times: pd.Series, question: questions.Resample) -> pd.Series:
    """Return where the bar of each time begins."""
    moments = pd.DatetimeIndex(pd.to_datetime(times.to_numpy(), unit="ns", utc=True))
    if question.interval == "1M":
        starts = moments.tz_localize(None).to_period("M").start_time.tz_localize("UTC")
    elif question.interval == "1w":
        starts = moments.tz_localize(None).to_period("W-SUN").start_time.tz_localize("UTC")
    elif question.at is None and question.zone is None:
        starts = moments.floor(pd.Timedelta(interval_ns(question.interval), "ns"))
    else:
        day = _session_starts(moments, question)
        if question.interval == DAY:
            starts = day
        else:
            step = pd.Timedelta(interval_ns(question.interval), "ns")
            starts = day + (moments - day) // step * step
    return pd.Series(starts.as_unit("ns").asi8, times.index)


def _session_starts(moments: pd.DatetimeIndex, question: questions.Resample) -> pd.DatetimeIndex:
    zone, at = question.zone or "UTC", pd.Timedelta(f"{question.at or '00:00'}:00")
    wall = moments.tz_convert(zone).tz_localize(None)
    day = (wall - at).normalize()
    starts = (day + at).tz_localize(zone).tz_convert("UTC")
    earlier = (day - pd.Timedelta("1D") + at).tz_localize(zone).tz_convert("UTC")
    return pd.DatetimeIndex(np.where(starts <= moments, starts, earlier), tz="UTC")


def _filled(bars: pd.DataFrame, question: questions.Resample) -> pd.DataFrame:
    found = []
    for sym, own in bars.groupby("sym"):
        first, last = own["time"].min(), own["time"].max()
        grid = _starts(pd.Series(np.arange(first, last + 1, _HOUR)), question)
        whole = own.set_index("time").reindex(sorted({*grid.tolist(), *own["time"].tolist()}))
        absent = whole["close"].isna()
        close = whole["close"].ffill()
        whole.loc[absent, "volume"] = 0.0
        found.append(
            whole.assign(sym=sym, **{n: whole[n].where(~absent, close) for n in ("open", "high", "low", "close")})
            .rename_axis("time").reset_index()
        )  # fmt: skip
    return pd.concat(found) if found else bars


_HOUR = 3600 * 10**9
"""Some step of so much lies in every bar that is asked for here, whatever the clocks do."""


def _aggregate(function: str, rows: pd.DataFrame, name: str, weights: str = "") -> Any:
    values = rows[name]
    if function in ("first", "last"):
        return None if not len(values) else values.iloc[0 if function == "first" else -1]
    known = values[values.notna()]
    if function == "count":
        return len(known)
    if function == "sum":
        return sum(known.tolist(), 0 if values.dtype == "Int64" else 0.0)
    if function == "wavg":
        both = rows[rows[name].notna() & rows[weights].notna()].astype({name: float, weights: float})
        total = both[weights].sum()
        return (both[name] * both[weights]).sum() / total if total else None
    return None if not len(known) else getattr(known, function)()


def _plain_value(value: Any) -> Any:
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value

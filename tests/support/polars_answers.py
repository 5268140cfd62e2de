"""The questions of plant.query.questions answered by Polars, from a plain list of rows: what an answer must equal."""

from typing import Any

import polars as pl
from model_answers import OHLCV, OPERATORS, Answer, Grouped, ModelAnswers
from plain_rows import Row

from plant.query import questions
from plant.rows.intervals import interval_ns
from plant.rows.schema import META_COLUMNS, Table

_TYPES = {"time": pl.Int64, "int": pl.Int64, "float": pl.Float64, "symbol": pl.String, "text": pl.String}
_TIME, _PLACE = pl.col("time"), "place_of_left_row"


class PolarsAnswers(ModelAnswers[pl.DataFrame]):
    """Answers by Polars."""

    def grouped(self, asked: Grouped) -> Answer:
        number, step = pl.col(asked.number), asked.bucket_s * 10**9
        total = pl.when(number.is_not_null().any()).then(number.sum())
        rows = self.frames[asked.table].filter((asked.start <= _TIME) & (asked.end > _TIME))
        by = rows.group_by("sym", bucket=_TIME // step * step if step else pl.lit(0))
        found = by.agg(
            n=pl.len(), known=number.count(), total=total, low=number.min(), high=number.max(),
            open=number.first(), close=number.last(),
        )  # fmt: skip
        return self._plain(found.sort("sym", "bucket"))

    @staticmethod
    def _frame(table: Table, rows: list[Row]) -> pl.DataFrame:
        kinds = {c.name: c.kind for c in table.columns} | dict.fromkeys(META_COLUMNS, "int")
        found = pl.DataFrame(
            {n: [row[n] for row in rows] for n in kinds}, {n: _TYPES[kind] for n, kind in kinds.items()}
        )
        found = found.with_columns(pl.selectors.float().fill_nan(None))
        if table.key:
            found = found.unique(list(table.key), keep="last", maintain_order=True)
        return found.sort("time", maintain_order=True)

    @staticmethod
    def _plain(frame: pl.DataFrame) -> Answer:
        return frame.columns, frame.rows()

    def _met(self, table: str, question: Any) -> pl.DataFrame:
        found = self.frames[table]
        if question.sym is not None:
            found = found.filter(pl.col("sym").is_in(list(question.sym)))
        if getattr(question, "start", None) is not None:
            found = found.filter(question.start <= _TIME)
        if getattr(question, "end", None) is not None:
            found = found.filter(question.end > _TIME)
        for name, how, value in getattr(question, "where", ()):
            unknown = how == "!=" and self.schema[table].column(name).kind != "time"
            found = found.filter(OPERATORS[how](pl.col(name), value).fill_null(unknown))
        return found

    def _select(self, question: questions.Select) -> pl.DataFrame:
        found = self._met(question.table, question)
        found = found if question.first is None else found.head(question.first)
        found = found if question.last is None else found.tail(question.last)
        return found.select(self._names(question))

    def _last(self, question: questions.Last) -> pl.DataFrame:
        found = self._met(question.table, question)
        found = found if question.at is None else found.filter(question.at >= _TIME)
        newest = found.unique("sym", keep="last", maintain_order=True).sort("sym")
        return newest.select(self._names(question))

    def _resample(self, question: questions.Resample) -> pl.DataFrame:
        rows = self._met(question.table, question)
        if question.table == "trades":
            rows = rows.with_columns(**{n: pl.col("price") for n in ("open", "high", "low", "close", "typical")})
        else:
            typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
            rows = rows.with_columns(size=pl.col("volume"), typical=typical)
        bars = (
            rows.with_columns(time=_starts(question))
            .group_by("time", "sym", maintain_order=True)
            .agg(
                pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
                volume=pl.col("size").sum(), value=(pl.col("typical") * pl.col("size")).sum(),
            )
            .with_columns(vwap=pl.when(pl.col("volume") > 0).then(pl.col("value") / pl.col("volume")))
        )  # fmt: skip
        if question.empty == "fill":
            bars = _filled(bars, question)
        return bars.select("time", "sym", pl.lit(question.interval).alias("interval"), *OHLCV).sort("time", "sym")

    def _asof(self, question: questions.Asof) -> pl.DataFrame:
        left, other = self._met(question.left, question), f"{question.right}_time"
        own = [n for n in self.schema[question.right].names if n not in self.schema[question.left].names]
        joined = left.join_asof(
            self.frames[question.right].with_columns(_TIME.alias(other)).select("time", "sym", other, *own),
            on="time",
            by="sym",
            tolerance=question.tolerance,
            allow_exact_matches=not question.strict,
            check_sortedness=False,
        )
        return joined.select(*self.schema[question.left].names, other, *own)

    def _window(self, question: questions.Window) -> pl.DataFrame:
        left = self._met(question.left, question).select(self.schema[question.left].names).with_row_index(_PLACE)
        right = self.frames[question.right].with_row_index("place").rename({"time": "at"})
        opens = _TIME + question.before
        keep = ["place", "at", *(n for n in right.columns if n not in ("place", "at", "sym"))]
        pairs = left.select(_PLACE, "time", "sym").join(right.select("sym", *keep), on="sym", how="inner")
        inside = pairs.filter((pl.col("at") >= opens) & (pl.col("at") <= _TIME + question.after))
        if question.prevailing:
            open_at_start = inside.filter(pl.col("at") == opens).select(_PLACE).unique()
            before = pairs.filter(pl.col("at") < opens).join(open_at_start, on=_PLACE, how="anti")
            newest = before.sort("place").unique(_PLACE, keep="last", maintain_order=True)
            inside = pl.concat([newest, inside])
        wanted = [_aggregate(*one) for one in question.aggregates]
        found = inside.sort("place").group_by(_PLACE, maintain_order=True).agg(*wanted)
        zero = [pl.col(name).fill_null(0) for name, how, *_ in question.aggregates if how in ("sum", "count")]
        return left.join(found, on=_PLACE, how="left").sort(_PLACE).drop(_PLACE).with_columns(*zero)


def _starts(question: questions.Resample) -> pl.Expr:
    """Return where the bar of a time begins."""
    moment = _TIME.cast(pl.Datetime("ns", "UTC"))
    if question.interval in ("1M", "1w"):
        return moment.dt.truncate({"1M": "1mo", "1w": "1w"}[question.interval]).cast(pl.Int64)
    step = interval_ns(question.interval)
    if question.at is None and question.zone is None:
        return _TIME // step * step
    zone, at = question.zone or "UTC", question.at or "00:00"
    hours, minutes = map(int, at.split(":"))
    wall = moment.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    day = wall.dt.offset_by(f"-{hours}h{minutes}m").dt.truncate("1d")

    def begins(of_day: pl.Expr) -> pl.Expr:
        return of_day.dt.offset_by(f"{hours}h{minutes}m").dt.replace_time_zone(zone).dt.convert_time_zone("UTC")

    start = begins(day)
    start = pl.when(start <= moment).then(start).otherwise(begins(day.dt.offset_by("-1d"))).cast(pl.Int64)
    return start if question.interval == "1d" else start + (_TIME - start) // step * step


def _filled(bars: pl.DataFrame, question: questions.Resample) -> pl.DataFrame:
    if bars.is_empty():
        return bars
    ends = bars.group_by("sym").agg(first=_TIME.min(), last=_TIME.max())
    hours = ends.select("sym", time=pl.int_ranges("first", pl.col("last") + 1, 3600 * 10**9)).explode("time")
    grid = pl.concat([hours.with_columns(time=_starts(question)), bars.select("sym", "time")]).unique()
    whole = grid.join(bars, on=["sym", "time"], how="left").sort("sym", "time")
    before = pl.col("close").forward_fill().over("sym")
    prices = [pl.when(pl.col("close").is_null()).then(before).otherwise(pl.col(n)).alias(n) for n in OHLCV[:4]]
    return whole.with_columns(*prices, pl.col("volume").fill_null(0.0))


def _aggregate(name: str, function: str, column: str, weights: str = "") -> pl.Expr:
    values = pl.col(column) if column != "time" else pl.col("at")
    if function == "wavg":
        weight = pl.when(values.is_not_null()).then(pl.col(weights)).cast(pl.Float64)
        total = weight.sum()
        return pl.when(total != 0).then((values * weight).sum() / total).alias(name)
    if function == "count":
        return values.count().cast(pl.Int64).alias(name)
    return getattr(values, function)().alias(name)

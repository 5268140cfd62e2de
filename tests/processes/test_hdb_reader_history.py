"""Views over files of history against a plain list of rows: closed days, months, parts, revisions, earlier seqs."""

import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest
from chance import examples
from history_files import HOURS, journaled, write_file, write_history
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import NOON, SCHEMA, Row, bar, quote, trade

from hdb.reader.footers import Footers, MissingFile
from hdb.reader.history import HistoryView
from hdb.reader.runs import joined_columns
from plant.errors import HistoryError, QueryError, QueryLimit, UnknownColumn
from plant.history.catalogue import Catalogue, Part
from plant.history.layout import part_path
from plant.query.limits import Budget, Limits
from plant.query.view import Terms
from plant.rows.columns import Columns, taken
from plant.rows.schema import UNKNOWN_TIME, Column, Table

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)

SYMS = ["AAPL", "Tésla", "", "MSFT", "Z"]
UNIT = 10 * HOURS
TIMES = st.integers(0, 7)
SEQS = st.integers(0, 12)
NUMBERS = st.sampled_from([1.0, 2.0, float("nan")])
BARS, QUOTES, TRADES = SCHEMA["bars"], SCHEMA["quotes"], SCHEMA["trades"]


def batches_of(row: Any) -> st.SearchStrategy[list[list[Row]]]:
    """Batches of rows of any symbols, many of them of one time."""
    one = st.sampled_from(SYMS[:3]).flatmap(row)
    return st.lists(st.lists(one, min_size=1, max_size=4), min_size=1, max_size=12)


def bars(sym: str) -> st.SearchStrategy[Row]:
    interval = st.sampled_from(["1m", "1m", "5m"])
    close = st.sampled_from([1.0, 2.0, 3.0])
    return st.builds(lambda t, i, c: bar(NOON + t * UNIT, sym, i, c), st.sampled_from([0, 1, 4]), interval, close)


def quotes(sym: str) -> st.SearchStrategy[Row]:
    return st.builds(lambda t, b, a: quote(NOON + t * UNIT, sym, b, a), TIMES, NUMBERS, NUMBERS)


TERMS = st.builds(
    lambda sym, start, end, where, limit, n, beyond: Terms(
        sym,
        None if start is None else NOON + start * UNIT,
        None if end is None else NOON + end * UNIT,
        where,
        **({limit: n} if limit else {}),
        beyond=beyond,
    ),
    st.sampled_from([None, None, ("AAPL",), ("Tésla", "nobody", "AAPL"), (), ("",)]),
    st.sampled_from([None, None, None, 1, 3, 6]),
    st.sampled_from([None, None, None, 2, 4, 9]),
    st.sampled_from([(), "number", "number", (("source", "==", "test"),), (("seq", "<", 6),), (("sym", "!=", ""),)]),
    st.sampled_from(["", "first", "last"]),
    st.integers(0, 5),
    st.sampled_from([0, 0, 0, 3, 8]),
)
CUTS = st.lists(st.integers(0, 9), max_size=3, unique=True)
THROUGH = st.sampled_from([0, 3, 6, 8, 10, 12])
LAYOUT = st.fixed_dictionaries({"cuts": CUTS, "part_ends": st.lists(SEQS, max_size=3), "by_month": st.booleans()})
ROWS_AT_ONCE = st.sampled_from([1, 3, 100_000])
"""Rows of a row group, of a piece that is read at once, and of a part."""


def in_force(rows: list[Row], key: tuple[str, ...]) -> list[Row]:
    if key:
        newest = {tuple(row[k] for k in key): i for i, row in enumerate(rows)}
        rows = [row for i, row in enumerate(rows) if newest[tuple(row[k] for k in key)] == i]
    return sorted(rows, key=lambda r: (r["time"], r["seq"]))


def met(rows: list[Row], terms: Terms) -> list[Row]:
    compare = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", ">": "__gt__"}
    found = [
        row
        for row in rows
        if (terms.sym is None or row["sym"] in terms.sym)
        and (terms.start is None or row["time"] >= terms.start)
        and (terms.end is None or row["time"] < terms.end)
        and row["seq"] > terms.beyond
        and all(getattr(row[name], compare[how])(value) is True for name, how, value in terms.where)
    ]
    if terms.last is not None:
        return found[max(len(found) - terms.last, 0) :]
    return found if terms.first is None else found[: terms.first]


def listed(columns: Columns) -> list[Row]:
    values = {name: column.tolist() for name, column in columns.items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def same(found: Columns, expected: list[Row]) -> None:
    assert repr(listed(found)) == repr([{name: row[name] for name in found} for row in expected])


def is_grouped(part: Columns) -> bool:
    """Return whether a part has each symbol's rows in one run, in order of time."""
    syms, times = part["sym"].tolist(), part["time"].tolist()
    runs = [sym for i, sym in enumerate(syms) if i == 0 or syms[i - 1] != sym]
    ordered = all(a <= b for sym, other, a, b in zip(syms, syms[1:], times, times[1:], strict=False) if sym == other)
    return len(runs) == len(set(runs)) and ordered


def put_together(parts: list[Columns]) -> Columns:
    """Return the rows of parts, symbol by symbol, by time, those of one time as they come."""
    names = tuple(parts[-1]) if parts else ()
    rows = joined_columns(parts, names)
    order = sorted(range(len(rows["time"])), key=lambda i: (rows["sym"].tolist()[i], rows["time"][i]))
    return taken(rows, np.array(order, dtype=np.int64))


@pytest.fixture(scope="module")
def folders() -> Any:
    made = Path(tempfile.mkdtemp())
    yield (made / str(i) for i in range(10**6))
    shutil.rmtree(made)


def check(
    folder: Path, table: Table, rows: list[Row], layout: Any, through: int, terms: Terms, as_of: Any, at_once: int
) -> None:
    with (
        mock.patch("plant.history.partition_file.ROW_GROUP_ROWS", at_once),
        mock.patch("hdb.reader.files.PIECE_ROWS", at_once),
        mock.patch("hdb.reader.runs.PART_ROWS", at_once),
    ):
        _check(folder, table, rows, layout, through, terms, as_of)


def _check(folder: Path, table: Table, rows: list[Row], layout: Any, through: int, terms: Terms, as_of: Any) -> None:
    cuts = [c for c in layout["cuts"] if c <= through]
    catalogue = write_history(folder, {table: rows}, through, **{**layout, "cuts": cuts})
    if as_of is not None:
        as_of = as_of if as_of > max([0, *cuts]) else max([c for c in cuts if c <= as_of], default=0)
    view = HistoryView(table, folder, Footers(), catalogue, as_of)
    held = in_force([r for r in rows if r["seq"] <= min(through, through if as_of is None else as_of)], table.key)
    expected = met(held, terms)
    names = (*table.names[::-1], "received", "seq_row", "seq")
    same(view.select(terms, names), expected)
    assert view.count(terms) == len(expected)
    if terms.first is None and terms.last is None:
        by_symbol = sorted(expected, key=lambda r: r["sym"])
        same(view.by_symbol(terms, ("sym", "time", "seq", "seq_row", "source")), by_symbol)
        parts = list(view.parts(terms, ("sym", "time", "seq", "seq_row", "source")))
        assert all(is_grouped(part) for part in parts)
        same(put_together(parts), by_symbol)
        newest = {row["sym"]: row for row in expected}
        same(view.last(terms, names), [newest[sym] for sym in sorted(newest)])
    there = met(held, Terms(beyond=terms.beyond))
    times = [r["time"] for r in there]
    assert view.extent(terms.beyond) == (len(there), min(times, default=None), max(times, default=None))
    arrow = view.arrow(("seq", "time"), terms.beyond)
    assert sorted(arrow.column("seq").to_pylist()) == sorted(r["seq"] for r in there)


@law
@given(batches_of(quotes), LAYOUT, THROUGH, TERMS, st.none() | SEQS, ROWS_AT_ONCE)
def test_rows_are_those_of_the_list(
    folders: Any, batches: Any, layout: Any, through: int, terms: Terms, as_of: int | None, at_once: int
) -> None:
    terms = _numbered(terms, "bid")
    check(next(folders), QUOTES, journaled(batches), layout, through, terms, as_of, at_once)


@law
@given(batches_of(bars), LAYOUT, THROUGH, TERMS, st.none() | SEQS, ROWS_AT_ONCE)
def test_of_a_key_only_the_newest_revision_is_there_wherever_it_lies(
    folders: Any, batches: Any, layout: Any, through: int, terms: Terms, as_of: int | None, at_once: int
) -> None:
    terms = _numbered(terms, "close")
    check(next(folders), BARS, journaled(batches), layout, through, terms, as_of, at_once)


ONE_TIME = st.sampled_from(SYMS[:3]).flatmap(
    lambda sym: st.builds(lambda t, n: trade(NOON + t * UNIT, sym, 1.0, 1.0, str(n)), st.integers(0, 1), TIMES)
)


@law
@given(
    st.lists(st.lists(ONE_TIME, min_size=2, max_size=6), min_size=3, max_size=6),
    st.lists(st.integers(1, 6), max_size=2, unique=True),
    st.sampled_from([{}, {}, {"sym": ("AAPL",)}, {"sym": ("AAPL", "Tésla")}]),
    st.sampled_from(["first", "last", "sym"]),
    st.integers(1, 8),
    st.sampled_from([1, 16]),
)
def test_rows_of_one_time_and_seq_are_in_the_order_they_came_in_every_file(
    folders: Any, batches: Any, cuts: list[int], sym: Any, limit: str, count: int, sparse: int
) -> None:
    rows = journaled(batches)
    catalogue = write_history(folder := next(folders), {TRADES: rows}, 6, cuts)
    terms = Terms(**sym, **({} if limit == "sym" else {limit: count}))
    expected = met(in_force(rows, ()), terms)
    with mock.patch("hdb.reader.files.SPARSE", sparse):
        for asked in (
            ("sym", "trade_id"),
            ("seq", "seq_row", "sym"),
        ):  # its place is sorted by, whether asked for or not
            same(HistoryView(TRADES, folder, Footers(), catalogue).select(terms, asked), expected)


def _numbered(terms: Terms, column: str) -> Terms:
    if terms.where != "number":
        return terms
    return Terms(terms.sym, terms.start, terms.end, ((column, ">", 1.0),), terms.first, terms.last, terms.beyond)


def trade_files(folder: Path, cuts: tuple[int, ...] = (3,)) -> Catalogue:
    """Write four days of trades: seq 1 to 3 closed, 4 in a part."""
    rows = journaled([[trade(NOON + day * 24 * HOURS, sym, 100.0 + day)] for day, sym in enumerate("ABAB")])
    return write_history(folder, {TRADES: rows}, 4, cuts)


def view_of(folder: Path, catalogue: Catalogue, table: Table = TRADES, as_of: int | None = None) -> HistoryView:
    return HistoryView(table, folder, Footers(), catalogue, as_of)


def prices(view: HistoryView, **terms: Any) -> list[float]:
    return view.select(Terms(**terms), ("price",))["price"].tolist()


def test_a_revision_of_a_closed_bar_is_as_of_the_close_before_it_what_it_was(tmp_path: Path) -> None:
    rows = journaled([[bar(NOON, close=1.0)], [bar(NOON, close=2.0)], [bar(NOON, close=3.0)], [bar(NOON, close=4.0)]])
    catalogue = write_history(tmp_path, {BARS: rows}, 4, cuts=(1, 3))
    found = {as_of: view_of(tmp_path, catalogue, BARS, as_of) for as_of in (None, 4, 3, 1, 0)}
    closes = {as_of: view.select(Terms(), ("close",))["close"].tolist() for as_of, view in found.items()}
    assert closes == {None: [4.0], 4: [4.0], 3: [3.0], 1: [1.0], 0: []}
    assert {as_of: view.count(Terms()) for as_of, view in found.items()} == {None: 1, 4: 1, 3: 1, 1: 1, 0: 0}


def test_a_question_reads_only_the_files_of_its_days_and_symbols(tmp_path: Path) -> None:
    catalogue = trade_files(tmp_path)
    for file in catalogue.days_of("trades")[1:]:
        (tmp_path / file.path).unlink()
    view = view_of(tmp_path, catalogue)
    assert prices(view, end=NOON + HOURS) == [100.0]
    assert prices(view, last=1) == [103.0]
    assert prices(view, first=1) == [100.0]
    assert prices(view, beyond=3) == [103.0]
    assert view.count(Terms()) == 4
    assert view.extent() == (4, NOON, NOON + 72 * HOURS)
    assert view.last(Terms(("B",)), ("price",))["price"].tolist() == [103.0]


def test_a_missing_file_is_named_and_told_what_to_do(tmp_path: Path) -> None:
    catalogue = trade_files(tmp_path)
    lost = tmp_path / catalogue.days_of("trades")[1].path
    lost.unlink()
    with pytest.raises(MissingFile, match=rf"{lost} is missing; restore it .* `plant rebuild`"):
        prices(view_of(tmp_path, catalogue))


@pytest.mark.parametrize("damage", ["cut", "grown", "emptied", "a flipped bit", "no footer"])
def test_a_damaged_file_is_named_and_other_days_are_answered(tmp_path: Path, damage: str) -> None:
    catalogue = trade_files(tmp_path)
    path = tmp_path / catalogue.days_of("trades")[1].path
    good = path.read_bytes()
    price = pq.read_metadata(path).row_group(0).column(2)
    last = (price.dictionary_page_offset or price.data_page_offset) + price.total_compressed_size - 1
    footer = 8 + int.from_bytes(good[-8:-4], "little")
    changed = {
        "cut": good[:-7],
        "grown": good + b"PAR1",
        "emptied": b"",
        "a flipped bit": good[:last] + bytes([good[last] ^ 1]) + good[last + 1 :],
        "no footer": good[:-footer] + bytes(footer - 8) + good[-8:],
    }[damage]
    path.write_bytes(changed)
    view = view_of(tmp_path, catalogue)
    with pytest.raises(HistoryError, match=f"{path} is damaged: .*; restore it"):
        prices(view)
    assert prices(view, start=NOON + 48 * HOURS) == [102.0, 103.0]


def test_bars_of_many_files_are_made_of_a_few_pieces_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hdb.reader.runs.PART_ROWS", 1)
    rows = journaled([[trade(NOON + day * 24 * HOURS, sym, 100.0 + day) for sym in "AB"] for day in range(40)])
    view = view_of(tmp_path, write_history(tmp_path, {TRADES: rows}, 40, (40,)))
    read: list[Any] = []
    whole = view._rows_in.read
    monkeypatch.setattr(view._rows_in, "read", lambda piece, *rest: read.append(piece) or whole(piece, *rest))
    budget = Budget(60, Limits(max_rows=2))
    parts = iter(view.parts(Terms(budget=budget), ("time", "sym", "price")))
    for part in parts:
        assert part["price"].tolist() == [100.0, 100.0]
        break
    assert 1 <= len(read) < 20
    rest = [price for part in parts for price in part["price"].tolist()]
    assert rest == [100.0 + day for day in range(1, 40) for _ in "AB"]


def test_a_column_added_later_is_null_in_older_files_of_every_kind(tmp_path: Path) -> None:
    catalogue = trade_files(tmp_path)
    more = [Column("a", "float"), Column("b", "int"), Column("c", "symbol"), Column("d", "text"), Column("e", "time")]
    grown = Table("trades", (*TRADES.columns, *more))
    new = {"a": 1.5, "b": 2, "c": "new", "d": "text", "e": NOON}
    rows = journaled([[{**trade(NOON + 96 * HOURS), **new}]], 5)
    part = Part(5, 5, files=(write_file(tmp_path, part_path("trades", 5, 5, "2026-11-24"), grown, rows),))
    catalogue = catalogue.changed(through=5, parts=(*catalogue.parts, part))
    view = view_of(tmp_path, catalogue, grown)
    found = view.select(Terms(), (*new, "time"))
    assert listed(found)[-1] == {**new, "time": NOON + 96 * HOURS}
    assert np.isnan(found["a"][:4]).all()
    assert [column.tolist()[:4] for name, column in found.items() if name in "bcd"] == [[None] * 4] * 3
    assert found["e"].tolist()[:4] == [UNKNOWN_TIME] * 4
    arrow = view.arrow((*new, "seq")).sort_by("seq")
    assert [arrow.column(name).to_pylist()[:4] for name in new] == [[None] * 4] * 5
    assert view.count(Terms(where=(("b", "==", 2),))) == view.count(Terms(where=(("c", "==", "new"),))) == 1
    assert view.count(Terms(where=(("b", "!=", 2),))) == view.count(Terms(where=(("d", "!=", "text"),))) == 4
    assert view.count(Terms(where=(("e", "!=", 5),))) == view.count(Terms(where=(("e", ">", 5),))) == 1
    assert view.count(Terms(where=(("b", "==", 0),))) == view.count(Terms(where=(("d", "==", ""),))) == 0


def test_a_column_that_was_taken_away_is_not_answered(tmp_path: Path) -> None:
    fewer = Table("trades", TRADES.columns[:3])
    view = view_of(tmp_path, trade_files(tmp_path), fewer)
    assert prices(view) == [100.0, 101.0, 102.0, 103.0]
    with pytest.raises(UnknownColumn, match="trades has no column 'size'"):
        view.select(Terms(), ("size",))


def test_conditions_are_checked_even_where_there_are_no_files(tmp_path: Path) -> None:
    view = view_of(tmp_path, Catalogue())
    for ask in (view.count, lambda terms: view.select(terms, ("time",)), lambda terms: view.last(terms, ("time",))):
        with pytest.raises(QueryError, match=r"trades\.price is a number; found the condition == 'x'"):
            ask(Terms(where=(("price", "==", "x"),)))
    assert listed(view.last(Terms(), TRADES.names)) == listed(view.select(Terms(), TRADES.names)) == []
    assert view.extent() == (0, None, None)


def test_a_question_ends_when_its_budget_does(tmp_path: Path) -> None:
    view = view_of(tmp_path, trade_files(tmp_path))
    with pytest.raises(QueryLimit, match="rows, at most 2 are answered at once"):
        view.select(Terms(budget=Budget(9, Limits(max_rows=2))), ("time",))
    with pytest.raises(QueryLimit, match="stopped after"):
        view.count(Terms(("A",), budget=Budget(0.0)))


def test_a_symbol_of_many_row_groups_is_found_by_bisection_and_only_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plant.history.partition_file.ROW_GROUP_ROWS", 4)
    counts = {"A": 3, "B": 9, "Bé": 1, "C": 4, "D": 2, "E": 1, "F": 7}
    rows = journaled([[trade(NOON + i, sym, i + 1.0)] for sym, n in counts.items() for i in range(n)])
    catalogue = write_history(tmp_path, {TRADES: rows}, len(rows), (len(rows),))
    footers = Footers()
    footer = footers.of(tmp_path, catalogue.files[0])
    assert footer.metadata.num_row_groups > 6
    assert footer.symbols(TRADES) == tuple(counts)
    view = HistoryView(TRADES, tmp_path, footers, catalogue)
    read: list[int] = []
    whole = type(footer).read
    monkeypatch.setattr(
        type(footer), "read", lambda self, groups, *rest: read.extend(groups) or whole(self, groups, *rest)
    )
    for sym, n in counts.items():
        read.clear()
        assert prices(view, sym=(sym,)) == [i + 1.0 for i in range(n)]
        assert len(read) == -(-n // 4) if n > 2 else len(read) == 1
    read.clear()
    assert prices(view, sym=("B",), start=NOON + 8) == [9.0]
    assert prices(view, sym=("nobody",)) == prices(view, sym=("Az",)) == []
    assert len(read) == 1

"""What is exported is imported again as the same rows, in every form; what a sheet cannot hold is refused."""

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plant.errors import BadRows
from plant.intake.forms import columns_of
from plant.rows.arrow import arrow_column
from plant.rows.schema import LATEST, Column, Table
from plant.rows.tables import schema_of
from plant.transfer.exporting import export
from plant.transfer.importing import read_file
from plant.transfer.reader import Reader

OWN = Table(
    "own",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("order_id", "int"),
        Column("venue", "symbol"),
        Column("value", "float"),
        Column("seen", "time"),
        Column("remark", "text"),
    ),
)
SCHEMA = schema_of([OWN])
T = 1_709_544_600_000_000_000

_TIMES = st.integers(0, LATEST - 1) | st.integers(0, LATEST // 10**6 - 1).map(lambda ms: ms * 10**6)
_CONTROL = "\r" + "".join(map(chr, range(32))).replace("\t", "").replace("\n", "")
_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters=_CONTROL + "\ufffe\uffff")
_TEXTS = st.text(_LETTERS, max_size=6) | st.sampled_from(
    ["=1+1", "=A1", "#N/A", "007", "1e5", '"', "a,b", "a\nb", "nan", " x "]
)
_SYMS = _TEXTS.map(str.strip)
_ANY = st.floats().filter(lambda value: abs(value) != sys.float_info.max)  # which some vendors write for "no price"
_KNOWN = st.floats(0, sys.float_info.max, exclude_min=True, exclude_max=True)
_SIZE = st.floats(0, sys.float_info.max, exclude_max=True) | st.just(np.nan)
_VALUES: dict[str, dict[str, Any]] = {
    "own": {
        "order_id": st.integers(-(2**63), 2**63 - 1),
        "venue": _SYMS,
        "value": _ANY,
        "seen": _TIMES | st.none(),
        "remark": _TEXTS,
    },
    "trades": {
        "price": _KNOWN,
        "size": _SIZE,
        "source": _SYMS,
        "trade_id": _TEXTS,
        "conditions": _TEXTS,
        "tape": _SYMS,
        "exchange": _SYMS,
        "venue_seq": st.integers(0, 2**63 - 1),
    },
    "quotes": {**dict.fromkeys(("bid", "ask", "bid_size", "ask_size"), _SIZE), "source": _SYMS},
}


class Held:
    """A connection to rows in memory: what `export` asks."""

    def __init__(self, table: Table, rows: dict[str, list[Any]]) -> None:
        columns = columns_of(table, rows)
        columns = {n: c[np.argsort(columns["time"], kind="stable")] for n, c in columns.items()}
        kinds = {c.name: c.kind for c in table.columns}
        self.rows = pa.table({n: arrow_column(c, is_time=kinds[n] == "time") for n, c in columns.items()})
        self.times = columns["time"]
        self.name = table.name

    def _cut(self, start: int | None, end: int | None) -> slice:
        found = np.searchsorted(self.times, [0 if start is None else start, 2**63 - 1 if end is None else end])
        return slice(*found.tolist())

    def count(self, table: str, sym: Any = None, start: int | None = None, end: int | None = None) -> int:
        return len(self.times[self._cut(start, end)])

    def select(self, table: str, sym: Any = None, start: Any = None, end: Any = None, **options: Any) -> pa.Table:
        rows = self.rows[self._cut(start, end)]
        seq = pa.array(range(2**60, 2**60 + rows.num_rows), pa.int64())
        return rows.append_column("seq", seq).append_column("received", rows["time"]) if "columns" in options else rows

    def tables(self, **options: Any) -> pa.Table:
        ends = [self.rows["time"][i] if len(self.times) else None for i in (0, -1)]
        return pa.table({"table": [self.name], "rows": [len(self.times)], "first": [ends[0]], "last": [ends[1]]})


def imported(path: Path, table: Table) -> pa.Table:
    """Return the rows that an import of a file would publish."""
    file = read_file(Reader(table.name, schema=SCHEMA, unit="", decimal="."), table, path)
    assert file.reasons == []
    kinds = {c.name: c.kind for c in table.columns}
    return pa.table({n: arrow_column(c, is_time=kinds[n] == "time") for n, c in file.columns.items()})


def plain(rows: pa.Table) -> list[tuple[Any, ...]]:
    columns = [
        (c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist()
        for c in rows.select(sorted(rows.column_names)).columns
    ]
    return sorted(zip(*columns, strict=True), key=repr)


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "arrow"])
@pytest.mark.parametrize("name", list(_VALUES))
@settings(max_examples=examples(5), deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_any_rows_exported_and_imported_are_the_same(tmp_path: Path, name: str, form: str, data: st.DataObject) -> None:
    table, count = SCHEMA[name], data.draw(st.integers(1, 6))
    kinds = {"time": _TIMES, "sym": _SYMS.filter(bool), **_VALUES[name]}
    rows = {c: data.draw(st.lists(kinds[c], min_size=count, max_size=count)) for c in table.names}
    held, path = Held(table, rows), tmp_path / f"x.{form}"
    assert export(held, name, path, most=2) == count
    assert plain(imported(path, table)) == plain(held.rows)


def exported(tmp_path: Path, **values: Any) -> Path:
    """Return a sheet with one row of the table own."""
    row = {"time": T, "sym": "A", "order_id": 1, "venue": "", "value": 1.0, "seen": T, "remark": "", **values}
    path = tmp_path / "x.xlsx"
    export(Held(OWN, {name: [value] for name, value in row.items()}), "own", path)
    return path


def test_a_text_in_a_sheet_is_a_text_and_a_time_a_time(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(exported(tmp_path, sym="=A1", remark="=1+1")).active
    cells = dict(zip([c.value for c in sheet[1]], sheet[2], strict=True))
    assert [(cells[n].value, cells[n].data_type) for n in ("sym", "remark")] == [("=A1", "s"), ("=1+1", "s")]
    assert cells["time"].value == dt.datetime(2024, 3, 4, 9, 30)
    fine = openpyxl.load_workbook(exported(tmp_path, seen=T + 1)).active
    assert [c.value for c in fine[2]][5] == "2024-03-04T09:30:00.000000001Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\x0bb",
            r"remark: 'a\\x0bb' has the character '\\x0b', which a sheet cannot hold; export as .csv or .parquet",
        ),
        ("a\rb", "which a sheet cannot hold"),
        ("x" * 32_768, "remark: a text of 32,768 characters, and a cell holds 32,767"),
    ],
)
def test_a_text_that_a_sheet_cannot_hold_is_refused_with_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadRows, match=message):
        exported(tmp_path, remark=text)
    assert list(tmp_path.iterdir()) == []

"""What docs/storage.md tells users of other tools does what it says."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from history_files import HOURS, journaled, write_file, write_history
from plain_rows import NOON, SCHEMA, trade

from plant.history.catalogue import Catalogue
from plant.history.layout import day_path
from plant.rows.schema import Column, Table

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"


def examples() -> list[str]:
    """The Python of the section on other tools."""
    section = PAGE.read_text().split("## Reading the files with other tools")[1]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def plant_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a plant's folder that has a history of 30 trades of two months, the last five of them in a part."""
    rows = journaled([[trade(NOON + i * 12 * HOURS, ("AAPL", "MSFT")[i % 2], 100.0 + i)] for i in range(30)])
    folder = tmp_path / "data" / "history"
    write_history(folder, {SCHEMA["trades"]: rows}, 30, cuts=(25,)).save(folder)
    monkeypatch.chdir(tmp_path)
    return folder


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_polars_and_duckdb_read_the_files(plant_folder: Path) -> None:
    polars, duckdb, catalogue, pandas, *_ = examples()
    assert run(polars)["one"].height == 11  # every second of the 21 until 30 November 12:00
    assert run(duckdb.replace("duckdb.sql(", "found = duckdb.sql("))["found"][0][1] == 100.0
    assert run(catalogue)["count"] == 30
    assert len(run(pandas)["frame"]) == 25


def test_a_column_that_a_table_got_later_is_there_and_null_in_older_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = (Column("time", "time"), Column("sym", "symbol"), Column("rate", "float"))
    before, after = Table("funding", base), Table("funding", (*base, Column("mark", "float")))
    folder = tmp_path / "data" / "history"
    files = []
    for day, table in ((0, before), (1, after)):
        row = {
            "time": NOON + day * 24 * HOURS,
            "sym": "BTC",
            "rate": 0.5,
            "mark": 7.0,
            "seq": day + 1,
            "received": NOON,
        }
        path = day_path("funding", f"2026-11-{20 + day}", day + 1)
        files.append(write_file(folder, path, table, [row]))
    Catalogue().changed(through=2, closed=2, closed_day="2026-11-21", files=files, replaced=(), parts=()).save(folder)
    monkeypatch.chdir(tmp_path)
    polars, duckdb, catalogue, pandas, *_ = (code.replace("trades", "funding") for code in examples())
    expected = [None, 7.0]
    assert run(polars.split("one =")[0])["funding"].collect()["mark"].to_list() == expected
    assert run(catalogue)["funding"].collect()["mark"].to_list() == expected
    asked = duckdb.replace("price, size", "mark").replace("where sym = 'AAPL' and month = '2026-11'", "order by time")
    found = run(asked.replace("duckdb.sql(", "found = duckdb.sql("))["found"]
    assert [mark for _, mark in found] == expected
    assert run(pandas)["frame"]["mark"].astype(object).where(lambda m: m.notna(), None).tolist() == expected


def test_arcticdb_takes_the_rows(plant_folder: Path) -> None:
    if not importlib.util.find_spec("arcticdb"):
        pytest.skip("arcticdb is not installed")
    names = run("\n".join(examples()[3:5]))
    assert len(names["frame"]) == 25

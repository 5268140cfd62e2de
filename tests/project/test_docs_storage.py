"""What docs/storage.md tells users of other tools does what it says."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from history_files import HOURS, journaled, write_history
from plain_rows import NOON, SCHEMA, trade

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
    polars, duckdb, catalogue, *_ = examples()
    assert run(polars)["one"].height == 11  # every second of the 21 until 30 November 12:00
    assert run(duckdb.replace("duckdb.sql(", "found = duckdb.sql("))["found"][0][1] == 100.0
    assert run(catalogue)["count"] == 30


def test_arcticdb_takes_the_rows(plant_folder: Path) -> None:
    if not importlib.util.find_spec("arcticdb"):
        pytest.skip("arcticdb is not installed")
    names = run(examples()[3])
    assert len(names["frame"]) == 25

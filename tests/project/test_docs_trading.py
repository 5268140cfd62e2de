"""docs/trading.md is true: its code runs, its lists are those of the code; so does the example."""

import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest
from made_up_bars import walk

from trading.backtests.metrics import NAMES
from trading.run import PRESETS
from trading.strategy import Strategy

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/trading.md").read_text()


def test_its_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "docs/trading.md", "exec"), names)
    said = capsys.readouterr().out
    assert "total_return" in said
    assert "no look-ahead: 5 cuts" in said
    assert len(names["grid"]) == 4  # type: ignore[arg-type]


def test_its_metrics_are_all_of_them_in_their_order() -> None:
    page = TEXT.partition("| metric | is |")[2].partition("\n\n")[0]
    first = [name for line in page.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(",")]
    listed = [name.strip() for name in first if name.strip().isidentifier()]
    assert sorted(listed) == sorted(NAMES)


def test_its_presets_are_those_of_the_code() -> None:
    careful = PRESETS["careful"]
    told = (careful.volume_share, careful.through_ticks, careful.slippage_ticks, careful.half_spread_ticks)
    assert '| `"careful"` (default) | 0.025 | 1 | 1, 0 | 0 | true | true |' in TEXT
    assert told == (0.025, 1, 1, 0)
    plain = PRESETS["tradingview"]
    assert (plain.volume_share, plain.through_ticks, plain.slippage_ticks, plain.fees, plain.sessions) == (
        None,
        0,
        0,
        False,
        False,
    )


def test_the_strategies_it_lists_are_the_shipped_ones_each_documented_and_short() -> None:
    listed = re.findall(r"^\| `(trading\.strategies\.\w+)\.(\w+)", TEXT, re.MULTILINE)
    there = {file.stem for file in (ROOT / "trading/strategies").glob("*.py")} - {"__init__", "symbol_rules"}
    assert {module.rpartition(".")[2] for module, _ in listed} == there
    for module, name in listed:
        found = getattr(importlib.import_module(module), name)
        assert found.__doc__
        if isinstance(found, type) and module.rpartition(".")[2] not in ("conditions", "frame"):
            assert issubclass(found, Strategy)
            assert len((ROOT / f"{module.replace('.', '/')}.py").read_text().splitlines()) < 40
            assert all(parameter.help for parameter in found.parameters.values())


def test_the_example_runs(tmp_path, capsys, monkeypatch) -> None:
    walk(200).to_csv(tmp_path / "prices.csv", index=False)
    monkeypatch.setattr(sys, "argv", ["my_strategy.py", str(tmp_path / "prices.csv")])
    runpy.run_path(str(ROOT / "examples/my_strategy.py"), run_name="__main__")
    assert "max_drawdown" in capsys.readouterr().out
    assert len((ROOT / "examples/my_strategy.py").read_text().splitlines()) < 25

"""docs/queries.md is true: what it types answers as it shows, and its q, pandas and SQL mean the same."""

import ast
import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import RunningPlant

from plant.client.connection import Connection

PAGE = Path(__file__).parents[2] / "docs/queries.md"
FENCE = re.compile(r"^```([a-z ]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> Iterator[Any]:
    for section in PAGE.read_text().split("\n### ")[1:]:
        title, _, text = section.partition("\n")
        blocks = dict(FENCE.findall(text.partition("\n## ")[0]))
        if blocks and ">>>" not in blocks["python"]:
            yield pytest.param(blocks, id=title.partition(":")[0])


@pytest.fixture
def db(market: RunningPlant) -> Connection:
    return market.ask()


def run(code: str, names: dict[str, Any]) -> Any:
    """Run the statements and return the value of the last one, an expression."""
    *statements, last = ast.parse(code).body
    exec(compile(ast.Module(statements, []), str(PAGE), "exec"), names)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)


def plain(answer: Any) -> list[Any]:
    """Return an answer as rows of plain values, in an order that does not depend on how it was asked."""
    if isinstance(answer, pd.DataFrame):
        rows = [{"".join(k): _plain(v) for k, v in row.items()} for row in answer.to_dict("records")]
        return sorted(rows, key=repr)
    return [_plain(v) for v in (answer if isinstance(answer, list | np.ndarray) else [answer])]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat()
    if isinstance(value, str):
        return value
    return None if value is None or pd.isna(value) else round(float(value), 9)


@pytest.mark.parametrize("blocks", list(sections()))
def test_here_pandas_and_sql_give_the_same_answer(db: Connection, blocks: dict[str, str]) -> None:
    tables = {name: db.select(name) for name in ("trades", "quotes", "bars")}
    ours = plain(run(blocks["python"], {"db": db}))
    assert ours
    assert plain(run(blocks["python pandas"], {"pd": pd, **tables})) == ours
    if "sql" in blocks:
        frame = db.sql(blocks["sql"])
        one_column = not isinstance(ours[0], dict)
        assert plain(list(frame.iloc[:, 0]) if one_column else frame) == ours
    else:
        assert "db.sql" in blocks["python"] or "strict" in blocks["python"], "no SQL"


def test_the_page_answers_as_it_shows(market: RunningPlant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(market.config))
    text = re.sub(r"^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, "queries.md", str(PAGE), 0)
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    with pd.option_context("display.width", 120):
        result = doctest.DocTestRunner(optionflags=flags).run(test, out=report.append)
    assert result.failed == 0, "".join(report)
    assert result.attempted > 25


def test_a_kdb_user_finds_each_verb() -> None:
    text = PAGE.read_text()
    for verb in ("select", "exec", "by", "xbar", "aj", "aj0", "wj", "wj1", "ej", "lj", "fby", "upsert", "uj", "prev"):
        assert re.search(rf"\b{verb}\b", text), f"docs/queries.md does not say what {verb} is"

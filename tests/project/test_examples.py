"""The examples in the docstrings of what a user calls are true, on a real plant; and every public method has one."""

import doctest
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from running import RunningPlant

import plant
import rdb
from plant.client import aio, arguments, asker, connect, connection, table_view, watch
from plant.query import frames, questions

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = (aio, arguments, asker, connect, connection, frames, questions, table_view, watch)
CLASSES = (connection.Connection, table_view.TableView, aio.AsyncConnection)


def cases() -> Iterator[Any]:
    for module in MODULES:
        for test in doctest.DocTestFinder().find(module, extraglobs={}):
            if test.examples:
                yield pytest.param(module, test, id=test.name)


@pytest.mark.parametrize(("module", "example"), list(cases()))
def test_an_example_is_true(
    module: ModuleType, example: doctest.DocTest, market: RunningPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(market.config))
    report: list[str] = []
    with rdb.connect() as db, pd.option_context("display.width", 120):
        example.globs |= {
            "db": db,
            "rdb": rdb,
            "plant": plant,
            "asyncio": __import__("asyncio"),
            "pd": pd,
            "questions": questions,
        }
        result = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert result.failed == 0, "".join(report)


def public_callables() -> Iterator[Any]:
    for kind in CLASSES:
        yield kind.__name__, kind
        for name, method in inspect.getmembers(kind):
            if not name.startswith("_") and (callable(method) or isinstance(method, property)):
                yield f"{kind.__name__}.{name}", method
    for module in (connect, aio):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == module.__name__ and name != "subscriber_of":
                yield f"{module.__name__}.{name}", function


@pytest.mark.parametrize(("name", "thing"), list(public_callables()))
def test_every_public_method_has_an_example(name: str, thing: Any) -> None:
    assert ">>> " in (inspect.getdoc(thing) or ""), f"{name} has no example"

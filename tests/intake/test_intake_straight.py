"""Every form gives the same rows, and each straight way what the look at each value gives: rows, or the same error.

`make test` tries 100 sets of rows, `make soak` 3,000; TICKPLANT_SEED=... repeats a run.
"""

import contextlib
import datetime as dt
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from chance import SEED, cases
from forms import FORMS, MOMENTS, NOON, TABLE, Rows, good_rows
from random_rows import bits

from plant.errors import BadRows
from plant.intake import values
from plant.intake.forms import columns_of
from plant.intake.straight import straight
from plant.rows.columns import Columns
from plant.rows.schema import UNKNOWN_TIME
from plant.rows.tables import schema_of
from plant.stream.gathering import Gathering

Answer = dict[str, list[Any]] | str
BARS = schema_of()["bars"]


def columns(given: Any, unit: str | None = "ns") -> Answer:
    """Return what becomes of rows, or the sentence by which they are refused."""
    try:
        return bits(columns_of(TABLE, given, None, unit))
    except BadRows as error:
        return str(error)


def chances(numbers: range, times: int = 1) -> Iterator[random.Random]:
    """Yield the chance of each case."""
    print(f"TICKPLANT_SEED={SEED}")
    for number in range(times * numbers.start, times * numbers.stop):
        yield random.Random(f"{SEED} {number}")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str | None], Answer]:
    """Return `columns` without any straight way."""

    def answer(given: Any, unit: str | None = "ns") -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(values, "straight", lambda *_: None)
            return columns(given, unit)

    return answer


def gathered(rows: list[dict[str, Any]]) -> Columns:
    """Return rows that were published one by one."""
    gathering = Gathering(TABLE, {}, None)
    for row in rows:
        gathering.add(row)
    assert not gathering.refused
    found = gathering.take()
    assert found is not None
    return found


def check_forms(chance: random.Random) -> None:
    """Check that some rows are the same in every form."""
    rows = good_rows(chance, chance.choice([1, 1, 2, 3, 10, 40]))
    expected = bits(columns_of(TABLE, rows))
    assert expected["settles"] == [UNKNOWN_TIME if ns is None else ns for ns in rows["settles"]]
    for name, make in FORMS.items():
        assert columns(make(rows)) == expected, name
        if name.startswith("dicts"):
            assert bits(gathered(make(rows))) == expected, name


@cases(few=40, soak=3000, at_once=50)
def test_every_form_gives_the_same_rows(numbers: range) -> None:
    for chance in chances(numbers):
        check_forms(chance)


def moments(chance: random.Random) -> Callable[[int], Any]:
    """Return what makes a moment, now and then an odd one."""
    ways = chance.sample(list(MOMENTS.values()), chance.choice([1, 1, 2]))
    often = chance.choice([0.2, 1.0])
    odd = chance.choice(
        [
            [],
            ["2024-01-02T03:04:05", "2024-01-02 03:04", "2024-01-02", "2024-01-02T03", "2024-01-02T03:04:05.1"],
            ["2024-01-02T03:04:05Z", "2024-01-02 03:04:05+05:30", "2024-01-02T03:04:05-04", "2024-01-02T03:04Z"],
            [None, pd.NaT, float("nan")],
            ["2024-02-30", "2024-W01-1", "20240102", "24:00", "2024-01-02T24:00:00", "now", "", "2024-01-02T03:04"],
            ["2024-01-02T03:04:05.1234567891", "2024-01-02 03:04:05+0530", "2024-01-02T03:04:05 Z", " 2024-01-02"],
            ["0001-01-01T00:00:00", dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, tzinfo=dt.UTC)],
            [dt.date(2024, 1, 2), pd.Timestamp("1600-01-01")],
            [dt.datetime(1969, 12, 31), "1970-01-01T00:00:00", pd.Timestamp(5), dt.datetime(2261, 1, 1)],
            [True, 1.5, 2**63, 2**70, -(2**63), 5, NOON // 10**9, "5", b"2024-01-02", object],
        ]
    )  # fmt: skip
    return lambda ns: chance.choice(odd) if odd and chance.random() < often else chance.choice(ways)(ns)


def nasty_rows(chance: random.Random) -> dict[str, list[Any]]:
    """Return rows of which some cannot be read."""
    count = chance.choice([0, 1, 2, 5, 9, 20])
    rows: dict[str, list[Any]] = dict(good_rows(chance, count))
    rows["time"] = [*map(moments(chance), rows["time"])]
    given = moments(chance) if chance.random() < 0.4 else int
    rows["settles"] = [chance.choice([None, pd.NaT]) if ns is None else given(ns) for ns in rows["settles"]]
    numbers = [
        None,
        float("nan"),
        3,
        2**70,
        -(2**63) - 1,
        2**64,
        "1.5",
        "7",
        " 2",
        "1e5",
        "nan",
        True,
        b"1",
        1.5,
        "x",
        "\ud800",
    ]
    strings = [None, " A", "A\t", "", 5, "\ud800", float("nan"), b"A", np.str_("A"), "A"]
    for name, odd in (
        ("price", numbers),
        ("count", numbers),
        ("sym", strings),
        ("venue", strings),
        ("remark", strings),
    ):
        some = chance.sample(odd, chance.choice([1, 1, 3])) if chance.random() < 0.3 else []
        rows[name] = [chance.choice(some) if some and chance.random() < 0.4 else value for value in rows[name]]
    return rows


CANNOT_HOLD = (
    TypeError, ValueError, OverflowError, AttributeError, pa.ArrowException, pl.exceptions.PolarsError
)  # fmt: skip
"""What a library raises that cannot hold odd rows, and so has nothing to give us."""


def in_forms(rows: dict[str, list[Any]]) -> dict[str, Any]:
    """Return odd rows in each form that can hold them."""
    made: dict[str, Callable[[], Any]] = {
        "lists": lambda: rows,
        "dicts": lambda: [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)],
        "arrays": lambda: {name: np.array(column) for name, column in rows.items()},
        "objects": lambda: {name: np.array(column, dtype=object) for name, column in rows.items()},
        "frame": lambda: pd.DataFrame(rows),
        "frame of objects": lambda: pd.DataFrame(rows, dtype=object),
        "frame of categories": lambda: pd.DataFrame(rows).astype({"sym": "category", "venue": "category"}),
        "frame of Arrow": lambda: pd.DataFrame({n: pd.Series(pd.array(pa.array(c))) for n, c in rows.items()}),
        "nullable frame": lambda: pd.DataFrame(rows).convert_dtypes(),
        "Arrow": lambda: pa.table(rows),
        "Arrow dictionaries": lambda: pa.table({n: pa.array(c).dictionary_encode() for n, c in rows.items()}),
        "Polars": lambda: pl.DataFrame(rows, strict=True),
        "Polars objects": lambda: pl.DataFrame({n: pl.Series(n, c, dtype=pl.Object) for n, c in rows.items()}),
    }  # fmt: skip
    forms = {}
    kinds = [set(map(type, rows[name])) for name in ("time", "settles")]
    ends_the_process = any({np.datetime64, np.int64} <= some for some in kinds)  # pa.array of both, in pyarrow 26.0.1
    for name, make in made.items():
        if ends_the_process and "Arrow" in name:
            continue
        with contextlib.suppress(*CANNOT_HOLD):
            forms[name] = make()
    assert {"lists", "objects"} <= forms.keys()  # which hold anything
    return forms


@cases(few=40, soak=3000, at_once=50)
@pytest.mark.filterwarnings("ignore")
def test_a_straight_way_gives_what_a_look_at_each_value_gives(
    numbers: range, looked_at: Callable[[Any, str | None], Answer]
) -> None:
    for chance in chances(numbers, times=5):
        rows, unit = nasty_rows(chance), chance.choice(["ns", None, "ms"])
        for name, form in in_forms(rows).items():
            assert columns(form, unit) == looked_at(form, unit), (name, unit, rows)


@cases(few=40, soak=3000, at_once=50)
@pytest.mark.filterwarnings("ignore")
def test_rows_one_by_one_are_taken_or_refused_as_each_would_be(numbers: range) -> None:
    for chance in chances(numbers, times=5):
        rows, unit = nasty_rows(chance), chance.choice(["ns", None, "ms"])
        gathering, expected = Gathering(TABLE, {}, unit), []
        for row in zip(*rows.values(), strict=True):
            given = dict(zip(rows, row, strict=True))
            alone = columns(given, unit)
            if not isinstance(alone, str):
                expected.append([column[0] for column in alone.values()])
            try:
                gathering.add(given)
            except BadRows as error:
                gathering.refused.append(({}, error))
        taken = gathering.take() or {}
        assert [list(row) for row in zip(*bits(taken).values(), strict=True)] == expected, (unit, rows)
        assert len(gathering.refused) + len(expected) == len(rows["time"])


@pytest.mark.parametrize("name", FORMS)
def test_common_forms_are_taken_straight(name: str) -> None:
    rows: Rows = good_rows(random.Random(SEED), 20)
    from plant.intake.forms import by_name

    given = by_name(FORMS[name](rows))
    slow = [column.name for column in TABLE.columns if straight(given[column.name], column.kind, "ns") is None]
    nullable = "frame nullable"
    assert slow == (["price", "count"] if name == nullable else []), name


def test_numbers_of_a_frame_are_not_copied() -> None:
    price = np.arange(5.0)
    given = {**good_rows(random.Random(SEED), 5), "price": price}
    for form in (given, pa.table({**given, "price": pa.array(price)})):
        assert np.shares_memory(columns_of(TABLE, form)["price"], price)


def test_the_names_of_bars_lengths_are_the_same_by_every_way() -> None:
    row = {
        "time": dt.datetime(2026, 1, 2),
        "sym": " A",
        "interval": "1Min",
        **dict.fromkeys(("open", "high", "low", "close"), 1.0),
    }
    gathering = Gathering(BARS, {"source": "x"}, None)
    for _ in range(3):
        gathering.add(row)
    found = gathering.take()
    assert found is not None
    assert (found["interval"].tolist(), found["sym"].tolist()) == (["1m"] * 3, ["A"] * 3)


def test_a_missing_time_of_numpy_is_refused() -> None:
    for missing in (np.datetime64("NaT", "ms"), np.datetime64("NaT", "ns"), np.datetime64("NaT", "D")):
        for given in ([missing], [missing, np.datetime64(NOON, "ns")], np.array([missing])):
            with pytest.raises(BadRows, match="missing time"):
                columns_of(BARS, {"time": given, "sym": ["A"] * len(given), "interval": ["1m"] * len(given)})
        with pytest.raises(BadRows, match="missing time"):
            Gathering(BARS, {}, None).add({"time": missing, "sym": "A", "interval": "1m"})


def test_a_time_that_is_a_word_is_refused() -> None:
    """pandas reads "now" as another moment for each value, beside others as microseconds taken for ns."""
    for given in (["now"], [pd.Timestamp(NOON), "today"], ["2024-01-02", "now"]):
        with pytest.raises(BadRows, match="which is not ISO 8601"):
            columns_of(BARS, {"time": given, "sym": ["A"] * len(given), "interval": ["1m"] * len(given)})

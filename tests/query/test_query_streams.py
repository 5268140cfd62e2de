"""The bytes of an answer: put together for a small one, they are those that Arrow writes."""

import numpy as np
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import QueryLimit, WireError
from plant.query.limits import Limits
from plant.query.streams import SMALL_ROWS, from_ipc, small_ipc, to_ipc
from plant.rows.arrow import arrow_column
from plant.rows.columns import NULL, Columns, Symbols, Texts
from plant.rows.schema import UNKNOWN_TIME

law = settings(max_examples=examples(60), deadline=None, derandomize=True, database=None)

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5)
NAMES = ["time", "sym", "received", "n", "seq", "price", "size", "source", "note", "detail", "settles", "expires"]
TIMES = frozenset(("time", "received", "settles", "expires"))
KINDS = {"sym": "symbol", "source": "symbol", "note": "text", "detail": "text", "price": "float", "size": "float"}


def by_arrow(columns: Columns, facts: dict[str, str]) -> bytes:
    arrays = [arrow_column(column, name in TIMES) for name, column in columns.items()]
    table = pa.Table.from_arrays(arrays, list(columns)).replace_schema_metadata(facts)
    return bytes(to_ipc(table).to_pybytes())


@st.composite
def answers(draw: st.DrawFn) -> Columns:
    rows = draw(st.integers(1, 9))
    found: Columns = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)):
        kind = KINDS.get(name, "int")
        if kind == "symbol":
            names = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
            codes = draw(st.lists(st.integers(0, len(names) - 1), min_size=rows, max_size=rows))
            found[name] = Symbols(names, np.array(codes, dtype=np.int32))
        elif kind == "text":
            found[name] = Texts.of(draw(st.lists(TEXT, min_size=rows, max_size=rows)))
        else:
            least = -(2**63) + (name in ("time", "received"))
            number = st.floats() if kind == "float" else st.integers(least, 2**63 - 1)
            if name in ("settles", "expires"):
                number |= st.just(UNKNOWN_TIME)
            values = draw(st.lists(number, min_size=rows, max_size=rows))
            found[name] = np.array(values, dtype=np.float64 if kind == "float" else np.int64)
    return found


@law
@given(answers(), st.dictionaries(st.sampled_from(["released", "through", "seq"]), st.integers(0, 2**40).map(str)))
def test_a_small_answer_is_what_arrow_writes(columns: Columns, facts: dict[str, str]) -> None:
    assert small_ipc(columns, TIMES, facts, Limits().budget()) == by_arrow(columns, facts)


@law
@given(answers(), st.integers(0, 5), st.integers(1, 3))
def test_columns_that_are_views_are_taken_as_they_are_seen(columns: Columns, start: int, step: int) -> None:
    seen = {
        name: column[start:] if isinstance(column, Symbols | Texts) else column.repeat(step)[::step][start:]
        for name, column in columns.items()
    }
    if len(next(iter(seen.values()))):
        assert small_ipc(seen, TIMES, {}, Limits().budget()) == by_arrow(seen, {})


@pytest.mark.parametrize(
    "column",
    [
        Symbols(["A"], np.array([0, NULL], dtype=np.int32)),
        Texts(np.array([0, 1, 1]), b"A", np.array([False, True])),
        np.ma.MaskedArray(np.array([1, 2]), np.array([False, True])),
        np.array([True, False]),
        np.zeros(SMALL_ROWS + 1),
        np.zeros(0),
    ],
)
def test_what_is_not_small_or_has_values_that_are_not_there_is_left_to_arrow(column: object) -> None:
    assert small_ipc({"x": column}, TIMES, {}, Limits().budget()) is None


def test_a_small_answer_keeps_to_its_limits() -> None:
    columns: Columns = {"n": np.arange(100)}
    with pytest.raises(QueryLimit, match="100 rows, at most 99"):
        small_ipc(columns, TIMES, {}, Limits(max_rows=99).budget())
    with pytest.raises(QueryLimit, match="at once; ask for fewer columns"):
        small_ipc(columns, TIMES, {}, Limits(max_bytes=800).budget())
    with pytest.raises(QueryLimit, match="stopped after"):
        small_ipc(columns, TIMES, {}, Limits(seconds=0).budget())


def test_other_bytes_are_no_stream() -> None:
    with pytest.raises(WireError, match="expected an Arrow IPC stream"):
        from_ipc(b"no arrow")

"""Questions: what travels is what was asked, and what cannot be answered is refused with a reason, never a crash."""

from typing import Any

import msgpack
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import QueryError
from plant.query import checks, questions
from plant.rows.intervals import interval_ns

law = settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)

QUESTIONS = [
    questions.Tables(),
    questions.Select("bars"),
    questions.Select(
        "bars", ("AAPL", "Tésla"), -5, 2**63 - 1, ("close",), (("close", ">", 1.5), ("sym", "!=", "x")), last=3
    ),
    questions.Select("bars", first=0),
    questions.Last("bars", (), at=7, columns=("time",), where=(("volume", ">=", 0),)),
    questions.Count("trades", ("A",), 1, 2, (("size", "<", 3),)),
    questions.Resample("trades", "5m", ("A",), 1, 2, (("price", "==", 1.0),)),
    questions.Resample("trades", "5m", at="09:30", zone="America/New_York", empty="fill", beyond=7),
    questions.Asof("trades", "quotes", ("A",), 1, 2, tolerance=0, strict=True),
    questions.Window(
        "trades", "quotes", -5, 0, (("b", "max", "bid"), ("w", "wavg", "bid", "bid_size")), prevailing=False
    ),
    questions.Sql("select 1"),
    questions.Recompute(1, 2, ("A",)),
    questions.Calculate("ema", ("A",), "5m", '{"period": 3}', 1, 2, 3),
    questions.Candles(("A",), "3m", None, 2, 3, "extended"),
]


def refusal(**request: Any) -> str:
    with pytest.raises(QueryError) as caught:
        questions.question_of(request)
    return str(caught.value)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.ask)
def test_a_question_is_the_same_after_its_journey(question: questions.Question) -> None:
    fields = msgpack.unpackb(msgpack.packb(question.to_wire()))

    assert questions.question_of(fields) == question


def test_every_kind_of_question_is_known_by_its_word() -> None:
    assert list(questions.KINDS) == [
        "tables",
        "select",
        "last",
        "count",
        "resample",
        "asof",
        "window",
        "sql",
        "recompute",
        "calculate",
        "candles",
    ]
    assert {type(q) for q in QUESTIONS} == set(questions.KINDS.values())


def test_an_unknown_question_is_told_which_there_are() -> None:
    known = "tables, select, last, count, resample, asof, window, sql, recompute, calculate, candles"
    message = f"unknown question 'selekt'; questions are {known}"
    assert refusal(ask="selekt") == message
    assert "unknown question None" in refusal()
    assert "unknown question ['select']" in refusal(ask=["select"])


def test_an_unknown_term_is_told_the_nearest_one() -> None:
    assert refusal(ask="count", table="bars", symb=["A"]) == (
        "count: unknown term 'symb' (did you mean 'sym'?); terms are table, sym, start, end, where, beyond, as_of"
    )
    assert "unknown term 'columns'" in refusal(ask="count", table="bars", columns=["close"])


def test_terms_of_unlike_types_are_refused_too() -> None:
    with pytest.raises(QueryError, match="unknown term b'x'"):
        questions.question_of({"ask": "select", "table": "bars", b"x": 1, "y": 2})


def test_a_missing_term_is_named() -> None:
    assert "missing 1 required positional argument: 'table'" in refusal(ask="select")
    assert "'interval'" in refusal(ask="resample", table="bars")


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"table": 5}, "table must be a string, found 5"),
        ({"table": None}, "table must be a string, found None"),
        ({"sym": "AAPL"}, "sym must be a list of strings, found 'AAPL'"),
        ({"sym": ["AAPL", 1]}, "sym must be a list of strings, found ('AAPL', 1)"),
        ({"columns": "close"}, "columns must be a list of strings, found 'close'"),
        ({"start": "09:30"}, "start must be a whole number (times are ns since 1970 UTC), found '09:30'"),
        ({"end": 1.0}, "end must be a whole number"),
        ({"start": True}, "start must be a whole number"),
        ({"start": 2**63}, "start must be a whole number"),
        ({"first": -1}, "first must be 0 or more, found -1"),
        ({"last": -1}, "last must be 0 or more, found -1"),
        ({"last": "3"}, "last must be a whole number"),
        ({"first": 1, "last": 1}, "give first or last, not both"),
        ({"first": 0, "last": 0}, "give first or last, not both"),
        ({"where": 5}, "where must be a list of conditions, found 5"),
        ({"where": None}, "where must be a list of conditions, found None"),
        ({"where": {"close": 1}}, "where must be a list of conditions"),
        ({"where": "close > 1"}, "where must be a list of conditions"),
        ({"where": ["close", ">", 1]}, "a condition is [column, operator, value]"),
        ({"where": [["close", ">"]]}, "a condition is [column, operator, value]"),
        ({"where": [["close", "=", 1]]}, "an operator of == != < <= > >=, found ('close', '=', 1)"),
        ({"where": [["close", ["=="], 1]]}, "a condition is [column, operator, value]"),
        ({"where": [[1, "==", 1]]}, "a condition is [column, operator, value]"),
        ({"where": [["close", "==", None]]}, "a condition is [column, operator, value]"),
        ({"where": [["sym", "==", ["A", "B"]]]}, "a condition is [column, operator, value]"),
    ],
)
def test_a_term_of_the_wrong_kind_is_refused_with_what_was_found(terms: dict[str, Any], message: str) -> None:
    assert message in refusal(ask="select", **{"table": "bars", **terms})


def test_terms_of_asof_and_sql_are_checked() -> None:
    assert "strict must be true or false, found 1" in refusal(ask="asof", left="trades", right="quotes", strict=1)
    assert "tolerance must be 0 or more, found -1" in refusal(ask="asof", left="trades", right="quotes", tolerance=-1)
    assert "right must be a string" in refusal(ask="asof", left="trades", right=None)
    assert "query must be a string" in refusal(ask="sql", query=["select 1"])


@pytest.mark.parametrize(
    ("interval", "ns"),
    [("1s", 10**9), ("90s", 90 * 10**9), ("5m", 300 * 10**9), ("1h", 3600 * 10**9), ("1d", 86400 * 10**9)],
)
def test_an_interval_is_a_number_and_a_unit(interval: str, ns: int) -> None:
    assert interval_ns(interval) == ns


@pytest.mark.parametrize("interval", ["", "5", "0m", "-5m", "5x", "\u0665m", "1.5m"])
def test_anything_else_is_no_interval(interval: str) -> None:
    with pytest.raises(QueryError, match='expected an interval like "30s", "5m", "1h"'):
        interval_ns(interval)


def test_an_interval_that_no_int64_holds_is_refused() -> None:
    assert interval_ns("106751d") < 2**63
    with pytest.raises(QueryError, match="less than 292 years, found '106752d'"):
        interval_ns("106752d")


def test_lists_nested_deeper_than_any_question_has_them_are_refused() -> None:
    nested: list[Any] = []
    for _ in range(600):
        nested = [nested]
    for name in ("sym", "columns", "where", "table", "first"):
        assert refusal(ask="select", **{"table": "bars", name: nested}).startswith("select: ")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)
WINDOW = {
    "ask": "window",
    "left": "trades",
    "right": "quotes",
    "before": -5,
    "after": 0,
    "aggregates": [["b", "max", "bid"]],
}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"before": None}, "before must be a whole number"),
        ({"after": 0.5}, "after must be a whole number"),
        ({"after": -6}, "before must not be after `after`, found -5 and -6"),
        ({"after": 10**19}, "after must be a whole number"),
        ({"after": 4 * 10**18}, "at most 100 years long"),
        ({"aggregates": []}, "aggregates must be a list of them, found ()"),
        ({"aggregates": {"b": "max"}}, "aggregates must be a list of them"),
        ({"aggregates": ["max"]}, "an aggregate is [name, function, column]"),
        ({"aggregates": [["b", "max"]]}, "an aggregate is [name, function, column]"),
        ({"aggregates": [["b", "median", "bid"]]}, "min, max, sum, mean, count, first, last, wavg"),
        ({"aggregates": [["b", "max", "bid", "ask"]]}, "an aggregate is [name, function, column]"),
        ({"aggregates": [["b", "wavg", "bid"]]}, "wavg: and a column of weights"),
        ({"aggregates": [["b", "max", 5]]}, "an aggregate is [name, function, column]"),
        ({"aggregates": [["b", "max", "bid"], ["b", "min", "bid"]]}, "two aggregates are named 'b'"),
        ({"prevailing": 1}, "prevailing must be true or false, found 1"),
        ({"beyond": -1}, "beyond must be 0 or more"),
        ({"beyond": None}, "beyond must be a whole number"),
    ],
)
def test_a_window_that_makes_no_sense_is_told_why(terms: dict[str, Any], message: str) -> None:
    questions.question_of(WINDOW)
    assert message in refusal(**{**WINDOW, **terms})


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"at": "9"}, "expected a time of day like \"09:30\", found '9'"),
        ({"at": "24:00"}, "expected a time of day"),
        ({"at": "09:30\n"}, "expected a time of day"),
        ({"at": 930}, "expected a time of day"),
        ({"zone": "New York"}, "expected a time zone like \"America/New_York\", found 'New York'"),
        ({"zone": "../secret"}, "expected a time zone"),
        ({"zone": ""}, "expected a time zone"),
        ({"zone": 5}, "expected a time zone"),
        ({"at": "09:30", "interval": "2d"}, "bars that begin anew every day are at most 1d long"),
        ({"zone": "UTC", "interval": "25h"}, "bars that begin anew every day are at most 1d long"),
        ({"empty": "zero"}, "empty must be 'skip' or 'fill', found 'zero'"),
        ({"empty": None}, "empty must be 'skip' or 'fill'"),
    ],
)
def test_a_session_that_makes_no_sense_is_told_why(terms: dict[str, Any], message: str) -> None:
    assert message in refusal(**{"ask": "resample", "table": "trades", "interval": "5m", **terms})


NAMES = st.sampled_from(
    [f for kind in questions.KINDS.values() for f in kind.__dataclass_fields__]  # type: ignore[attr-defined]
)


@law
@given(st.sampled_from(list(questions.KINDS)), st.dictionaries(NAMES | st.text(max_size=3), PLAIN, max_size=4))
def test_whatever_is_asked_is_a_question_or_a_query_error(ask: str, terms: dict[str, Any]) -> None:
    fields = msgpack.unpackb(msgpack.packb({**terms, "ask": ask}))
    try:
        question = questions.question_of(fields)
    except QueryError:
        return
    assert type(question) is questions.KINDS[ask]


TERMS = st.dictionaries(
    st.sampled_from(
        ["table", "sym", "columns", "where", "start", "first", "last", "beyond", "before", "strict", "other"]
    ),
    st.sampled_from(
        [None, 0, 7, -1, 2**63 - 1, 2**63, -(2**63), True, 1.5, "A", "", (), ("A",), ("A", 5), ["A"],
         (("a", ">", 1),), b"x"]
    ),
)  # fmt: skip


def said(check: Any, terms: dict[str, Any]) -> str:
    try:
        check("select", terms)
    except QueryError as error:
        return str(error)
    return ""


@law
@given(TERMS)
def test_terms_that_are_let_through_at_a_glance_are_those_that_each_check_passes(terms: dict[str, Any]) -> None:
    assert said(checks.check_terms, terms) == said(checks._check_each, terms)


@pytest.mark.parametrize("question", [q for q in QUESTIONS if q.ask in ("tables", "count", "asof", "sql")])
def test_a_question_without_conditions_is_let_through_at_a_glance(question: questions.Question) -> None:
    assert checks._right({**vars(question), "where": ()})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ask": "calculate", "kind": "ema", "sym": ["A", "B"], "interval": "1m"}, "sym must be one symbol"),
        ({"ask": "calculate", "kind": 3, "sym": ["A"], "interval": "1m"}, "kind must be a string"),
        ({"ask": "candles", "sym": ["A"], "interval": "60"}, "expected an interval"),
        ({"ask": "candles", "sym": ["A"], "interval": "1m", "session": "night"}, "regular or extended"),
    ],
)
def test_what_the_processor_alone_answers_is_of_one_symbol_and_a_known_length(fields: Any, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        questions.question_of(fields)

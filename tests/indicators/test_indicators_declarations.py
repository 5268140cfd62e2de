"""[[indicators]] of plant.toml: what is declared, and every refusal with its place and the nearest right name."""

import re

import pytest

from plant.conditions.tokens import WORDS
from plant.errors import SettingsError
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, RESERVED, computing_order, declaration_of, declared
from plant.rows.schema import Column
from plant.rows.tables import TABLES

DEFAULT_COLUMNS = [
    *("sma_20", "ema_20", "ema_50", "rsi_14", "macd", "macd_signal", "macd_histogram"),
    *("bb_upper", "bb_middle", "bb_lower"),
]


def test_the_defaults_are_the_columns_of_today() -> None:
    assert [column for one in DEFAULTS for column in one.columns] == DEFAULT_COLUMNS
    for one in DEFAULTS:
        assert one == declaration_of({"name": one.name, "kind": one.kind, **one.parameters})


def test_a_declaration_has_all_parameters_its_columns_and_whom_it_is_for() -> None:
    entry = {"name": "bands", "kind": "bollinger", "deviations": 3, "input": "hl2", "intervals": ["60s"]}
    one = declaration_of(entry | {"symbols": ["AAPL", "BTC*"]})
    assert one.columns == ("bands_upper", "bands_middle", "bands_lower")
    assert one.parameters == {"period": 20, "deviations": 3.0}
    assert isinstance(one.parameters["deviations"], float)
    assert (one.inputs, one.intervals) == (("hl2",), ("1m",))
    assert [one.covers(sym, "1m") for sym in ("AAPL", "AAPLW", "BTC-USD")] == [True, False, True]
    assert not one.covers("AAPL", "5m")
    assert str(one) == "bollinger(period=20, deviations=3.0) of hl2"
    upper = Column("bands_upper", "float", "upper of bollinger(period=20, deviations=3.0) of hl2")
    assert one.table_columns()[0] == upper


def test_one_of_ones_own_is_declared_without_being_imported() -> None:
    one = declaration_of({"name": "mine", "kind": "no.such_module:Mine", "length": 5, "outputs": ["a", "b"]})
    assert (one.columns, one.parameters, one.inputs) == (("mine_a", "mine_b"), {"length": 5}, ())
    assert declaration_of({"name": "mine", "kind": "m:Mine"}).columns == ("mine",)


def test_an_input_may_be_another_column_which_is_computed_first() -> None:
    entries = [
        {"name": "smooth", "kind": "sma", "period": 3, "input": "gap"},
        {"name": "gap", "kind": "ema", "period": 3, "input": "macd_histogram"},
        {"name": "paired", "kind": "CORREL", "price0": "smooth", "price1": "close"},
    ]
    found = declared(entries)
    assert [one.name for one in found[-3:]] == ["smooth", "gap", "paired"]
    order = [one.name for one in computing_order(found)]
    assert order.index("macd") < order.index("gap") < order.index("smooth") < order.index("paired")
    assert len(order) == len(found)


def test_without_the_defaults_their_names_are_free() -> None:
    (one,) = declared([{"name": "sma_20", "kind": "ema", "period": 7}], defaults=False)
    assert one.columns == ("sma_20",)


def test_columns_of_a_bar_are_reserved() -> None:
    (bars,) = (table for table in TABLES if table.name == "bars")
    assert {*bars.names, "seq", "received", "hl2", "session", *WORDS} <= RESERVED


SMA = {"name": "x", "kind": "sma"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "sma"}, "[[indicators]] number 1: name: expected a-z, 0-9 and _, a letter first, found None"),
        ({"name": "X", "kind": "sma"}, "expected a-z, 0-9 and _, a letter first, found 'X'"),
        ({"name": "x"}, "[[indicators]] number 1, 'x': unknown kind None;"),
        ({"name": "x", "kind": "smaa"}, "unknown kind 'smaa'; did you mean 'sma' or 'SMA'"),
        ({"name": "x", "kind": "my module:X"}, "unknown kind 'my module:X'"),
        (SMA | {"perod": 3}, "number 1, 'x': unknown key 'perod', did you mean 'period'? sma has period, input"),
        ({"name": "x", "kind": "atr", "input": "close"}, "unknown key 'input'; atr has period"),
        (SMA | {"period": 0}, "period of sma (bars): expected a whole number from 1 to 5,000, found 0"),
        (SMA | {"period": 5_001}, "expected a whole number from 1 to 5,000, found 5001"),
        (SMA | {"period": 9.5}, "expected a whole number from 1 to 5,000, found 9.5"),
        (SMA | {"period": True}, "expected a whole number from 1 to 5,000, found True"),
        (SMA | {"period": "9"}, "expected a whole number from 1 to 5,000, found '9'"),
        ({"name": "x", "kind": "supertrend", "multiplier": float("nan")}, "expected a number from 0.0 to 1,000.0"),
        ({"name": "x", "kind": "BBANDS", "nbdevup": float("inf")}, "expected a number, found inf"),
        ({"name": "x", "kind": "ut_bot", "heikin_ashi": 1}, "expected true or false, found 1"),
        ({"name": "x", "kind": "SMA", "timeperiod": 0}, "expected a whole number from 1 to 100,000, found 0"),
        (SMA | {"input": "closing"}, "number 1, 'x': no column 'closing' to take in, did you mean 'close'?"),
        (SMA | {"input": "session"}, "no column 'session' to take in"),
        (SMA | {"input": 3}, "input of sma: expected the name of a column, found 3"),
        ({"name": "x", "kind": "MAVP"}, "periods of MAVP: expected the name of a column, found ''"),
        (SMA | {"outputs": ["a"]}, "the outputs of sma are the main one; leave out the key `outputs`"),
        (SMA | {"intervals": ["1m", "soon"]}, "intervals: expected an interval like"),
        (SMA | {"intervals": "1m"}, "intervals: expected a list of texts, found '1m'"),
        (SMA | {"symbols": [1]}, "symbols: expected a list of texts, found [1]"),
        ({"name": "close", "kind": "sma"}, "the name 'close' is a column of every bar"),
        ({"name": "rsi_14", "kind": "rsi"}, "the name 'rsi_14' is a column of 'rsi_14', always there"),
        ({"name": "bb", "kind": "sma"}, "the name 'bb' is a column of 'bb', always there"),
        ({"name": "x", "kind": "m:X", "input": "close"}, "takes whole bars; leave out the key `input`"),
        ({"name": "x", "kind": "m:X", "outputs": ["a", "a"]}, "outputs: the same name twice"),
        ({"name": "x", "kind": "m:X", "outputs": ["A"]}, "outputs: expected a-z"),
        ({"name": "x", "kind": "m:X", "a-b": 1}, "'a-b' cannot be an argument"),
        ({"name": "x" * 60, "kind": "macd"}, "is longer than a column's 63 letters"),
    ],
)
def test_a_bad_declaration_is_refused_with_its_place_and_the_remedy(entry: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        declared([entry])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([SMA, SMA], "number 2, 'x': the name 'x' is taken by number 1, 'x'"),
        (
            [{"name": "x", "kind": "m:X", "outputs": ["k"]}, {"name": "x_k", "kind": "sma"}],
            "number 2, 'x_k': the name 'x_k'",
        ),
        ([SMA | {"input": "x"}], "inputs in a circle, x -> x"),
        ([SMA | {"input": "y"}, {"name": "y", "kind": "ema", "input": "x"}], "inputs in a circle"),
        ([SMA, {"name": "y", "kind": "ema", "input": "xx"}], "number 2, 'y': no column 'xx' to take in"),
    ],
)
def test_declarations_that_do_not_go_together_are_refused(entries: list[dict[str, object]], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        declared(entries)


def test_bounds_of_every_parameter_hold_its_default() -> None:
    for kind in CATALOGUE.values():
        for parameter in kind.parameters:
            assert not parameter.wrong(parameter.default), (kind.name, parameter)
        assert len(set(kind.outputs)) == len(kind.outputs)
        assert kind.pane in ("price", "own")

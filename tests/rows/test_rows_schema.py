"""Declarations of tables: what can be declared, what cannot, and what its rows must meet."""

from typing import Any

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from

from plant.errors import SchemaError, UnknownColumn, UnknownTable
from plant.rows.columns import Symbols
from plant.rows.schema import LATEST, META_COLUMNS, Column, Schema, Table
from plant.rows.tables import TABLES, schema_of

TIME_SYM = (Column("time", "time"), Column("sym", "symbol"))
NEWS = {"name": "news", "columns": [["time", "time"], ["sym", "symbol"], ["headline", "text", "what happened"]]}


def table(*columns: tuple[str, str], key: tuple[str, ...] = (), name: str = "mine") -> Table:
    return Table(name, (*TIME_SYM, *(Column(*c) for c in columns)), key)


def test_the_tables_of_the_plant_are_those_of_the_design() -> None:
    assert {t.name: t.key for t in TABLES} == {
        "bars": ("sym", "interval", "time"),
        "trades": (),
        "quotes": (),
        "indicators": ("sym", "interval", "time"),
        "signals": ("sym", "interval", "time", "signal"),
        "heartbeats": (),
        "rejects": (),
        "gaps": (),
        "queries": (),
        "days": (),
        "amendments": (),
        "imports": (),
        "trade_corrections": (),
        "bar_closes": (),
        "alerts": (),
        "instruments": ("sym", "time", "since"),
        "strategies": (),
        "commands": (),
        "runs": (),
        "strategy_events": (),
        "plots": ("sym", "time", "run", "interval", "name", "market_time"),
        "orders": (),
        "fills": ("sym", "time", "fill_id"),
        "positions": (),
        "broker_reports": (),
        "equity": (),
        "round_trips": ("sym", "time", "run", "number"),
        "metrics": ("sym", "time", "run", "name"),
        "risk_events": (),
        "annotations": (),
        "api_keys": (),
        "permissions": (),
        "audit": (),
    }
    assert schema_of()["quotes"].names == ("time", "sym", "bid", "ask", "bid_size", "ask_size", "source")
    assert all(c.meaning for t in TABLES for c in t.columns)


def test_schema_ids_never_change_because_journals_hold_them() -> None:
    """A changed id is a changed declaration, which publishers of yesterday do not know: change on purpose only."""
    schema = schema_of()
    found = {name: schema[name].schema_id for name in ("bars", "trades", "quotes")}
    assert found == {"bars": 0x222D0571, "trades": 0x5BE5144A, "quotes": 0xFDF18B5A}
    assert len({t.schema_id for t in TABLES}) == len(TABLES)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: Table("mine", TIME_SYM[::-1]),
            r"the first columns must be time \(time\) and sym \(symbol\), found sym",
        ),
        (lambda: Table("mine", TIME_SYM[:1]), "the first columns must be"),
        (lambda: Table("mine", ()), "the first columns must be"),
        (lambda: table(name="Mine"), "'Mine' is not a name"),
        (lambda: table(name="my table"), "'my table' is not a name"),
        (lambda: table(name="mine\n"), r"'mine\\n' is not a name"),
        (lambda: table(name="m" * 64), "is not a name"),
        (lambda: table(("a.b", "float")), "'a.b' is not a name"),
        (lambda: table(("", "float")), "'' is not a name"),
        (lambda: table(("price", "float"), ("price", "float")), "'price' is used twice or reserved"),
        (lambda: table(("seq", "int")), "'seq' is used twice or reserved"),
        (lambda: table(("received", "time")), "'received' is used twice or reserved"),
        (
            lambda: table(("price", "double")),
            "mine.price: unknown kind 'double'; kinds are time, float, int, symbol, text",
        ),
        (lambda: table(key=("time", "sym", "id")), "mine has no column 'id'"),
        (lambda: table(key=("sym",)), "a key holds time and sym, found sym"),
        (lambda: table(("p", "float"), key=("time", "sym", "p")), "key column 'p' must be a time, symbol or int"),
        (lambda: table(("p", "text"), key=("time", "sym", "p")), "key column 'p' must be a time, symbol or int"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(make: Any, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        make()


@pytest.mark.parametrize("declared", TABLES, ids=lambda t: t.name)
def test_a_declaration_as_data_gives_the_same_table_back(declared: Table) -> None:
    again = Table.declared(declared.declaration())
    assert again == declared
    assert again.schema_id == declared.schema_id
    assert [c.meaning for c in again.columns] == [c.meaning for c in declared.columns]


def test_a_users_table_gets_the_checks_every_table_has() -> None:
    news = Table.declared(NEWS)
    assert [c.reason for c in news.checks] == [c.reason for c in TABLES[0].checks[:2]]
    assert news.column("headline").meaning == "what happened"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "news"},
        {"columns": NEWS["columns"]},
        NEWS | {"columns": 5},
        NEWS | {"columns": "time"},
        NEWS | {"columns": [["time"]]},
        NEWS | {"columns": [["time", "time", "a", "b"]]},
        NEWS | {"columns": [5]},
        NEWS | {"key": 5},
        NEWS | {"keys": ["time", "sym"]},
        ["news"],
        "news",
        None,
        5,
    ],
    ids=repr,
)
def test_data_that_is_no_declaration_is_refused(fields: Any) -> None:
    with pytest.raises(SchemaError):
        Table.declared(fields)


def test_a_misspelt_key_is_named_and_not_passed_over() -> None:
    with pytest.raises(SchemaError, match=r"a table needs name, columns .* \(unknown 'keys'\)"):
        Table.declared(NEWS | {"keys": ["time", "sym"]})


def test_the_wire_order_is_fixed_columns_then_symbols_then_texts() -> None:
    mixed = table(("a", "text"), ("b", "float"), ("c", "symbol"), ("d", "int"), ("e", "text"))
    assert [c.name for c in mixed.wire_order] == ["time", "b", "d", "sym", "c", "a", "e"]


def test_schema_answers_by_name_and_id_and_names_the_nearest() -> None:
    schema = schema_of([Table.declared(NEWS)])
    assert list(schema) == [*(t.name for t in TABLES), "news"]
    assert schema.by_id[schema["news"].schema_id] is schema["news"]
    assert len(schema) == len(TABLES) + 1
    assert "news" in schema
    assert "olds" not in schema
    with pytest.raises(
        UnknownTable, match=r"unknown table 'trade' \(did you mean 'trades'\?\); tables are: bars, trades"
    ):
        schema["trade"]
    with pytest.raises(UnknownTable):
        schema[["trades"]]  # type: ignore[index]
    with pytest.raises(UnknownColumn, match=r"news has no column 'headlin' \(did you mean 'headline'\?\)"):
        schema["news"].column("headlin")


def test_a_table_declared_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="table 'trades' is declared twice"):
        schema_of([table(name="trades")])
    with pytest.raises(SchemaError, match="declared twice"):
        Schema([table(), table()])


GOOD: dict[str, dict[str, Any]] = {
    "bars": {
        "interval": "1m",
        "open": 2.0,
        "high": 3.0,
        "low": 1.0,
        "close": 2.5,
        "volume": 0.0,
        "source": "",
        "vwap": float("nan"),
        "trades": float("nan"),
    },
    "trades": {"price": 1e-9, "size": 0.0, "source": "", "trade_id": "", "conditions": "", "venue_seq": 0},
    "trade_corrections": {"source": "", "trade_id": "7", "action": "correct", "price": 1.0, "size": 1.0},
    "quotes": {"bid": 0.0, "ask": 1.0, "bid_size": 0.0, "ask_size": 0.0, "source": ""},
}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("bars", {}, None),
        ("bars", {"open": 2.0, "high": 2.0, "low": 2.0, "close": 2.0}, None),
        *[
            ("bars", {c: v}, f"{c} must be a positive")
            for c in ("open", "high", "low", "close")
            for v in (0, -1, NAN, INF)
        ],
        *[("bars", {"volume": v}, "volume must be a finite number, 0 or more") for v in (-1, NAN, INF)],
        ("bars", {"high": 2.4}, "high must be the highest"),
        ("bars", {"high": 1.9, "open": 2.0, "close": 1.5}, "high must be the highest"),
        ("bars", {"low": 2.1}, "low must be the lowest"),
        ("bars", {"low": 2.2, "open": 2.5, "close": 2.1}, "low must be the lowest"),
        ("bars", {"interval": ""}, "interval must not be empty"),
        ("bars", {"interval": "1Min"}, "interval must be by its one name: 1m, 5m, 1h, 1d (not 1Min, 60s, D)"),
        *[("bars", {c: v}, f"{c} must be a finite number") for c in ("vwap", "trades") for v in (INF, -INF)],
        ("bars", {"trades": -1}, "trades must be a finite number"),
        ("bars", {"vwap": 2.0, "trades": 3.0}, None),
        ("trade_corrections", {}, None),
        ("trade_corrections", {"action": "cancel", "price": NAN, "size": NAN}, None),
        ("trade_corrections", {"action": "amend"}, "action must be cancel or correct"),
        *[("trade_corrections", {"price": v}, "price must be a positive finite number") for v in (0, NAN, INF)],
        *[("trades", {"price": v}, "price must be a positive") for v in (0, -1, NAN, INF, -INF)],
        *[("trades", {"size": v}, "size must be a finite") for v in (-1, INF)],
        ("trades", {"size": NAN}, None),
        *[("quotes", {c: v}, f"{c} must be") for c in ("bid", "ask", "bid_size", "ask_size") for v in (-1, INF)],
        *[("quotes", {c: NAN}, None) for c in ("bid", "ask", "bid_size", "ask_size")],  # one side, or no sizes
        ("quotes", {"bid": 2.0}, None),  # crossed: an auction, or two venues
        *[("trades", {"time": v}, "time must lie between") for v in (-1, LATEST, 2**63 - 1)],
        *[("trades", {"time": v}, None) for v in (0, LATEST - 1)],
        ("trades", {"sym": ""}, "sym must not be empty"),
    ],
)
def test_a_row_meets_its_tables_checks_or_fails_with_the_reason_alone_and_in_company(
    name: str, change: dict[str, Any], reason: str | None
) -> None:
    declared = schema_of()[name]
    row = {"time": 1, "sym": "A"} | GOOD[name] | change
    columns = columns_from(declared, {k: [v, v, v] for k, v in row.items()})
    alone = [check.reason for check in declared.checks if not check.good(row)]
    company = [check.reason for check in declared.checks if not np.all(check.good(columns))]
    assert alone == company
    assert alone == [] if reason is None else alone[0].startswith(reason)


def test_an_empty_sym_is_found_wherever_it_stands() -> None:
    check = next(c for c in TABLES[0].checks if c.reason == "sym must not be empty")
    assert check.good({"sym": Symbols.of(["A", "", "B", ""])}).tolist() == [True, False, True, False]


def test_no_name_of_a_table_is_used_for_a_column_of_all_tables() -> None:
    assert not {t.name for t in TABLES} & {*META_COLUMNS, "time", "sym"}


PRICE = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, NAN, INF, -INF])


@settings(max_examples=examples(400), deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(*[PRICE] * 7, st.sampled_from([-1, 0, 5, LATEST]), st.sampled_from(["", "A"])),
        min_size=1,
        max_size=4,
    )
)
def test_the_quick_look_at_bars_says_what_their_checks_say(rows: list[tuple[float, ...]]) -> None:
    bars = schema_of()["bars"]
    names = ("open", "high", "low", "close", "volume", "vwap", "trades", "time", "sym")
    values = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns = {n: np.array(v) for n, v in values.items()} | {"sym": Symbols.of(list(values["sym"]))}
    columns["interval"] = Symbols.of(["1m"] * len(rows))
    one_by_one = np.ones(len(rows), dtype=bool)
    for check in bars.checks:
        one_by_one &= check.good(columns)
    assert bars.all_good is not None
    assert (bars.all_good(columns) & np.ones(len(rows), dtype=bool)).tolist() == one_by_one.tolist()
    for row, good in zip(rows, one_by_one.tolist(), strict=True):
        assert bool(bars.all_good(dict(zip(names, row, strict=True)) | {"interval": "1m"})) == good

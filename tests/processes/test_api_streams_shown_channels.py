"""What a client may subscribe to."""

from typing import Any

import pytest

from api.streams.shown.channels import CHANNELS, TERMS, Refused, wanted_of
from plant.rows.schema import Schema
from plant.rows.tables import schema_of

SCHEMA: Schema = schema_of()


def test_every_channel_is_of_a_table_that_has_what_it_compares() -> None:
    for name, channel in CHANNELS.items():
        table = SCHEMA[channel.table or "bars"]
        for column in (*channel.terms.values(), *channel.ids):
            assert column == "chart" or table.column(column).kind == "symbol", f"{name}: {column}"


def test_a_wish_is_brought_to_one_form() -> None:
    one = wanted_of({"channel": "bars", "sym": "AAPL", "interval": "2Min"}, SCHEMA)
    assert one == wanted_of({"channel": "bars", "sym": ["AAPL", "AAPL"], "interval": ["2m"], "last": 500}, SCHEMA)
    assert one.where == (("interval", ("2m",)),)
    assert one.conflates
    assert not one.by_time


@pytest.mark.parametrize(
    ("given", "conflates", "by_time"),
    [
        ({"channel": "trades"}, False, False),
        ({"channel": "trades", "conflate": True}, True, True),
        ({"channel": "bars", "conflate": True}, True, False),
        ({"channel": "last"}, True, True),
        ({"channel": "status"}, True, True),
        ({"channel": "orders"}, False, False),
        ({"channel": "charts"}, True, False),
        ({"channel": "table", "table": "signals"}, True, False),
        ({"channel": "table", "table": "rejects"}, False, False),
    ],
)
def test_only_keyed_rows_and_newest_ones_stand_for_others(given: Any, conflates: bool, by_time: bool) -> None:
    wanted = wanted_of(given, SCHEMA)
    assert (wanted.conflates, wanted.by_time) == (conflates, by_time)


@pytest.mark.parametrize(
    ("given", "code", "part"),
    [
        ({}, "unknown_channel", "channels are bars, trades"),
        ({"channel": ["bars"]}, "unknown_channel", "channels are"),
        ({"channel": "table"}, "unknown_table", "there is no table null"),
        ({"channel": "trades", "interval": "1m"}, "invalid", "interval"),
        ({"channel": "trades", "table": "quotes"}, "invalid", "table"),
        ({"channel": "trades", "sym": []}, "invalid", "sym must be"),
        ({"channel": "trades", "sym": [1]}, "invalid", "sym must be"),
        ({"channel": "trades", "last": 50_001}, "invalid", "50,000"),
        ({"channel": "trades", "last": True}, "invalid", "whole number"),
        ({"channel": "trades", "conflate": 1}, "invalid", "true or false"),
        ({"channel": "last", "interval": "1m"}, "invalid", "no column interval"),
        ({"channel": "last", "table": "bars", "interval": ["1m", "5m"]}, "invalid", "one interval"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(given: Any, code: str, part: str) -> None:
    with pytest.raises(Refused) as refused:
        wanted_of(given, SCHEMA)
    assert refused.value.code == code
    assert part in refused.value.detail


def test_tables_of_keys_and_audit_are_secret_by_every_channel() -> None:
    for channel in ("table", "last"):
        for table in ("api_keys", "audit"):
            assert wanted_of({"channel": channel, "table": table}, SCHEMA).secret


def test_every_term_has_one_list() -> None:
    assert {"channel", "sym", "last", "conflate", "table", "interval", "run_id", "chart"} <= set(TERMS)


def test_a_snapshot_that_would_not_fit_into_memory_is_refused() -> None:
    many = [f"S{i}" for i in range(300)]
    for given in (
        {"channel": "signals", "signal": many, "side": many, "interval": ["1m", "5m"]},
        {"channel": "trades", "sym": many, "last": 1000},
        {"channel": "bars", "sym": many, "interval": ["1m", "5m"]},
    ):
        with pytest.raises(Refused, match="at most") as refused:
            wanted_of(given, SCHEMA)
        assert refused.value.code == "invalid"
    for given in (
        {"channel": "bars", "sym": many, "interval": ["1m", "5m"], "last": 400},
        {"channel": "trades", "last": 50_000},
        {"channel": "last", "sym": many * 10, "last": 50_000},
        {"channel": "orders", "strategy": many, "account": many, "last": 50_000},
        {"channel": "charts", "sym": many, "chart": many, "last": 50_000},
    ):
        wanted_of(given, SCHEMA)

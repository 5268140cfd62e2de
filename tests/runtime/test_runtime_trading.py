"""[trading], [[accounts]] and [[instruments]]: what they mean, and every mistake in them."""

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from plant.errors import SettingsError
from plant.rows.schema import UNKNOWN_TIME
from plant.rows.tables_trading import TRADING_TABLES
from plant.runtime.settings import Settings, load
from plant.runtime.trading import AccountSection, InstrumentSection


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "plant.toml"
    file.write_text(text)
    return load(file)


def test_without_accounts_there_is_one_on_paper(tmp_path: Path) -> None:
    for text in ("", "accounts = []\n"):
        (account,) = loaded(tmp_path, text).accounts
        assert (account.name, account.broker, account.mode, account.currency) == ("paper", "paper", "paper", "USD")
        assert (account.capital, account.fills, account.fills_on) == (1e6, "careful", "")
    trading = loaded(tmp_path, "").trading
    assert (trading.port, trading.live, trading.reconcile_s) == (5012, False, 60.0)
    assert loaded(tmp_path, "").strategies_folder == tmp_path / "strategies"


def test_an_account_says_what_its_orders_must_keep(tmp_path: Path) -> None:
    text = '[[accounts]]\nname = "a-1"\nbroker = "alpaca"\nmode = "live"\nlimits = { max_drawdown = 0.2 }\n'
    (account,) = loaded(tmp_path, text).accounts
    assert (account.limits.max_drawdown, account.limits.max_orders_per_minute) == (0.2, None)
    assert (account.limits.price_band, account.limits.stale_s, account.limits.max_order_qty) == (0.1, 60.0, None)


def test_an_instrument_becomes_a_row_of_the_table(tmp_path: Path) -> None:
    text = '[[instruments]]\nsym = "BTC/*"\ntick = 0.1\ncalendar = "XNYS"\nshortable = false\nsince = 2026-01-02\n'
    (found,) = loaded(tmp_path, text).instruments
    (table,) = (table for table in TRADING_TABLES if table.name == "instruments")
    assert {"time", *found.row} == set(table.names)
    assert (found.row["shortable"], found.row["source"], found.row["since"]) == (0, "plant.toml", 1_767_312_000 * 10**9)
    assert math.isnan(found.row["min_notional"])
    assert InstrumentSection(sym="X").row["since"] == UNKNOWN_TIME
    assert loaded(tmp_path, text).calendars.code("BTC/USDT", "venue") == "XNYS"


def test_settings_are_the_same_after_they_were_written_down() -> None:
    given: Any = {"sym": "X", "since": "2026-01-02"}
    for one in (InstrumentSection(**given), AccountSection(limits={"max_drawdown": 0.5})):  # type: ignore[arg-type]
        assert type(one).model_validate(one.model_dump(mode="json")) == one


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[trading]\nprot = 1", r"unknown key trading.prot \(did you mean trading.port\?\)"),
        ('[[accounts]]\nbrokr = "paper"', r"unknown key accounts.0.brokr \(did you mean accounts.0.broker\?\)"),
        ("[[accounts]]\nlimits = { max_order_qyt = 1 }", r"qyt \(did you mean accounts.0.limits.max_order_qty"),
        ('[[instruments]]\nsym = "X"\ntik = 1.0', r"instruments.0.tik \(did you mean instruments.0.tick\?\)"),
        ('[[instrument]]\nsym = "X"', r"unknown key instrument \(did you mean instruments\?\)"),
        ('[[accounts]]\nname = "Paper"', "accounts.0.name: .*found 'Paper'"),
        ('[[accounts]]\nname = "abcdefghij"', "accounts.0.name"),
        ('[[accounts]]\nbroker = "ib"', "accounts.0.broker: .*'paper', 'alpaca' or 'binance', found 'ib'"),
        ('[[accounts]]\nmode = "live"', "needs a broker, alpaca or binance"),
        ('[[accounts]]\nmode = "live"\nbroker = "alpaca"\nlimits = { stale_s = 0 }', "stale_s = 0 .* is refused"),
        ('[[accounts]]\nurl = "ftp://here"', "accounts.0.url: .*begins with http:// or https://"),
        ('[[accounts]]\nstream_url = "http://here"', "accounts.0.stream_url: .*begins with ws:// or wss://"),
        ('[[accounts]]\nurl = "http://far.example/v2"', "keys would go to far.example in the clear; expected https://"),
        ('[[accounts]]\nbroker = "binance"\nurl = "https://x.example"', "give both, or none"),
        ('[[accounts]]\nfills = "hopeful"', "expected careful, tradingview, or a table"),
        ("[[accounts]]\nlimits = { max_order_qty = 0 }", "max_order_qty: .*greater than 0, found 0"),
        ("[[accounts]]\nlimits = { max_drawdown = nan }", "accounts.0.limits.max_drawdown"),
        ("[[accounts]]\nlimits = { price_band = -1.0 }", "accounts.0.limits.price_band"),
        ("[[accounts]]\n[[accounts]]", "two \\[\\[accounts\\]\\] are called 'paper'"),
        ('[[instruments]]\nsym = "X"\ntick = inf', "instruments.0.tick"),
        ('[[instruments]]\nsym = "X"\nsince = "soon"', "instruments.0.since: .*expected a time"),
        ('[[instruments]]\nsym = "X"\n[[instruments]]\nsym = "X"', "two \\[\\[instruments\\]\\] are called"),
        ('[[feeds]]\nkind = "simulated"\nname = "trading"', "cannot be called 'trading'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_nearest_right_name(tmp_path: Path, text: str, told: str) -> None:
    tomllib.loads(text)
    with pytest.raises(SettingsError, match=told):
        loaded(tmp_path, text)

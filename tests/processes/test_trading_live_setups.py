"""What a run is told before it begins: who fills its orders, and that real money needs every switch."""

import json
from pathlib import Path
from typing import Any

import pytest
from state_rows import journaled

from feedhandler.instruments import instrument_row
from plant.errors import SettingsError
from plant.runtime.settings import Settings, load
from plant.state.instruments import Instruments
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted
from trading.live.setups import fills_told, prepared, risk_told

LIVE = 'broker = "alpaca"\nmode = "live"\nlimits = { max_order_qty = 5 }\n'
NOON = 1_763_640_000_000_000_000


def settings_of(tmp_path: Path, account: str, live: bool = False) -> Settings:
    file = tmp_path / "plant.toml"
    file.write_text(f'[trading]\nlive = {str(live).lower()}\n[[accounts]]\nname = "swing-1"\n{account}')
    return load(file)


def told(settings: Settings, mode: str, before: Any = None, instrument: Any = None, **changes: Any) -> Any:
    names = ("definition", "code_sha", "account", "note", "who")
    own = {"sym": "s", "class_name": "RsiReversal", "symbols": '["AAPL"]', "interval": "1m", "parameters": "{}"}
    row = dict.fromkeys(names, "") | own | {"mode": mode, "seq": 7, "seq_row": 0, "received": NOON, **changes}
    known = Instruments()
    if instrument is not None:
        known.take(journaled("instruments", [{"time": NOON - 1, **instrument}]))
    return prepared(
        Wanted("r", row), before, settings, Catalogue(settings.strategies_folder), known, lambda table, sym: False
    )


def test_the_broker_of_the_account_fills_and_a_restart_finds_the_same(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'broker = "alpaca"\n')
    found = told(settings, "paper")
    assert (found.setup.broker, found.setup.simulated, found.setup.mode) == ("alpaca", False, "paper")
    assert json.loads(fills_told(found.setup))["broker"] == "alpaca"
    before = {"run": "r", "fills": fills_told(found.setup), "risk": risk_told(found.setup)}
    assert told(settings, "paper", before).setup == found.setup
    with pytest.raises(
        SettingsError, match="run r began with broker = 'alpaca', and account 'swing-1' now has 'paper'"
    ):
        told(settings_of(tmp_path, ""), "paper", before)


def test_a_paper_account_says_nothing_of_a_broker(tmp_path: Path) -> None:
    found = told(settings_of(tmp_path, ""), "paper")
    assert found.setup.simulated
    assert "broker" not in json.loads(fills_told(found.setup))


def test_a_run_that_began_before_runs_shared_goes_on_by_itself(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    found = told(settings, "paper").setup
    fills = json.loads(fills_told(found))
    assert (found.shared, fills["shared"]) == (True, True)
    before = {"run": "r", "fills": fills_told(found), "risk": risk_told(found)}
    assert told(settings, "paper", before).setup == found
    del fills["shared"]
    older = told(settings, "paper", {**before, "fills": json.dumps(fills)}).setup
    assert not older.shared
    assert json.loads(fills_told(older)) == fills
    brokered = told(settings_of(tmp_path, 'broker = "alpaca"\n'), "paper").setup
    assert "shared" not in json.loads(fills_told(brokered))


@pytest.mark.parametrize(
    ("account", "live", "mode", "error"),
    [
        (LIVE, False, "live", r"needs \[trading\] live = true"),
        (
            'broker = "alpaca"\nmode = "paper"\n',
            True,
            "live",
            "needs an account whose mode is live; 'swing-1' is paper",
        ),
        ('broker = "alpaca"\nmode = "live"\n', True, "live", "needs limits = { max_order_qty = ..., ... }"),
        (LIVE, True, "paper", "account 'swing-1' is of real money"),
        (LIVE, True, "live", r"needs the tick and lot of AAPL; give them in \[\[instruments\]\]"),
    ],
)
def test_real_money_needs_every_switch(tmp_path: Path, account: str, live: bool, mode: str, error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        told(settings_of(tmp_path, account, live), mode)


def test_prices_in_another_currency_than_the_accounts_are_refused_live_and_told_on_paper(tmp_path: Path) -> None:
    euro = instrument_row("AAPL", "EUR", "equity", 0.01, 1.0) | {"source": "plant.toml"}
    with pytest.raises(
        SettingsError, match="AAPL is quoted in EUR, and the account counts USD; give the account currency"
    ):
        told(settings_of(tmp_path, LIVE, True), "live", instrument=euro)
    found = told(settings_of(tmp_path, ""), "paper", instrument=euro)
    assert [each.partition(":")[0] for each in found.assumed] == [
        "AAPL is quoted in EUR, and the account counts USD",
        "no commission of AAPL is known",
    ]
    same = told(settings_of(tmp_path, 'currency = "EUR"\n'), "paper", instrument=euro | {"taker_bps": 1.0})
    assert same.assumed == ()

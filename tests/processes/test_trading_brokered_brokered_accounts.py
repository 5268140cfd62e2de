"""The accounts of plant.toml that a broker holds: which rows are whose, one tick of a symbol, and waking up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from fake_broker import KEY, SECRET

from plant.errors import SettingsError
from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.runtime.settings import load
from trading.brokered.brokered_accounts import BrokeredAccounts, Wake
from trading.instruments import Instrument
from trading.run import RunSetup
from trading.strategy import Strategy

TOML = "".join(f'[[accounts]]\nname = "{name}"\nbroker = "{broker}"\n' for name, broker in
               (("paper", "paper"), ("one", "alpaca"), ("two", "alpaca")))  # fmt: skip


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[BrokeredAccounts]:
    file = tmp_path / "plant.toml"
    file.write_text(TOML)
    made = BrokeredAccounts(load(file), Instrument, lambda table, row: None, lambda run: False, "test".__eq__)
    made.schema = load(file).table_schema  # type: ignore[attr-defined]
    yield made
    made.close()


def setup(run: str, account: str = "one", broker: str = "alpaca", **instrument: Any) -> RunSetup:
    told = {"symbols": ("A",), "instruments": {"A": Instrument("A", **instrument)}, "mode": "paper"}
    return RunSetup(run=run, strategy="s", strategy_class=Strategy, account=account, broker=broker, **told)


def test_an_account_is_given_its_own_rows(accounts: BrokeredAccounts) -> None:
    schema = accounts.schema  # type: ignore[attr-defined]
    fill = {
        "time": 1_763_640_000_000_000_000,
        "sym": "A",
        "order_id": "o",
        "side": "buy",
        "price": 1.0,
        "commission": 0.0,
    }
    rows = [
        {**fill, "fill_id": f"f{number}", "account": name, "qty": float(number), "run": "r"}
        for number, name in enumerate(("paper", "one", "two", "one"), 1)
    ]
    rows.append({**rows[1], "fill_id": "f9", "run": "test"})
    accounts.take(Batch("fills", columns_of(schema["fills"], rows), 7, 7, 7), schema)
    accounts.take(Batch("bars", {}, 8, 8, 8), schema)
    accounts.made("fills", rows[0])
    accounts.made("orders", {"account": "paper"})
    accounts.made("broker_reports", {"account": "one", "kind": "cash"})
    assert {name: one.books.positions() for name, one in accounts._by_name.items()} == {
        "one": {"A": 6},
        "two": {"A": 3},
    }


def test_runs_of_an_account_count_in_one_tick(accounts: BrokeredAccounts) -> None:
    accounts.admit(setup("r1"))
    accounts.admit(setup("r2"))
    accounts.admit(setup("r3", "two", tick=0.05))
    accounts.admit(setup("r4", broker="paper", tick=0.05))
    with pytest.raises(
        SettingsError, match=r"'one' is traded in A with tick 0\.01 and lot 1; this run has 0\.05 and 1"
    ):
        accounts.admit(setup("r5", tick=0.05))
    accounts.left("r1")
    accounts.left("r2")
    accounts.admit(setup("r5", tick=0.05))


def test_one_without_credentials_says_so_in_the_state_and_names_none(
    accounts: BrokeredAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALPACA_API_KEY", "ALPACA_API_SECRET", "ALPACA_API_KEY_TWO", "ALPACA_API_SECRET_TWO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALPACA_API_KEY_ONE", KEY)
    assert accounts.trouble.startswith("account one: waits until its runs are made again; account two: waits")
    accounts.step(lambda name: (True, None))
    first, second = accounts.trouble.split("; account two: ")
    assert "the environment has ALPACA_API_KEY_ONE but no ALPACA_API_SECRET_ONE" in first
    assert "account 'two' has no credentials" in second
    assert KEY not in accounts.trouble
    assert SECRET not in accounts.trouble


def test_another_thread_ends_a_wait() -> None:
    wake, poller = Wake(), zmq.Poller()
    poller.register(wake.socket, zmq.POLLIN)
    assert not poller.poll(0)
    for _ in range(3):
        wake()
    assert poller.poll(1000)
    wake.heard()
    assert not poller.poll(0)
    wake.heard()
    wake.close()
    wake()

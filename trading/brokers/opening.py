"""The broker of an account of plant.toml, with its keys; live money only where all three switches say so."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from plant.errors import SettingsError
from trading.brokers import alpaca, binance
from trading.brokers.broker import Broker, Instruments
from trading.brokers.credentials import credentials_of

BROKERS = ("alpaca", "binance")
"""Those that a row of [[accounts]] may name besides `paper`, which is the simulated exchange of the engine."""


def broker_of(
    account: str,
    broker: str,
    mode: str,
    live_allowed: bool,
    limits: Mapping[str, object],
    currency: str,
    symbols: Iterable[str],
    instruments: Instruments,
    environment: Mapping[str, str],
    folder: Path,
    url: str = "",
    stream_url: str = "",
) -> Broker:
    """Return the adapter of an account, not yet connected.

    mode          "paper": the broker's own paper endpoint or testnet; "live": real money
    live_allowed  `[trading] live`; limits: the account's, of which `mode = "live"` needs some
    currency      what cash is counted in; Alpaca: USD
    symbols       those that are traded, which Binance has to be asked for one by one
    environment, folder   where the keys are (`credentials.py`)
    url, stream_url       of another server that speaks as the broker does; "": the broker's own

    Raises SettingsError: an unknown broker or mode, live without its switches, no keys, no ccxt.
    """
    if broker not in BROKERS:
        raise SettingsError(
            f"account {account!r}: expected broker = {' or '.join(map(repr, BROKERS))}, found {broker!r}"
        )
    if mode not in ("paper", "live"):
        raise SettingsError(f"account {account!r}: expected mode = 'paper' or 'live', found {mode!r}")
    live = mode == "live"
    if live and not live_allowed:
        raise SettingsError(f'account {account!r} has mode = "live", which needs [trading] live = true')
    if live and not limits:
        raise SettingsError(
            f'account {account!r} has mode = "live", which needs limits = {{ max_order_qty = ..., ... }}'
        )
    credentials = credentials_of(account, broker, environment, folder)
    if broker == "alpaca":
        return alpaca.Alpaca(credentials, instruments, url or (alpaca.LIVE if live else alpaca.PAPER), stream_url)
    own, stream = (binance.LIVE, binance.LIVE_STREAM) if live else (binance.TESTNET, binance.TESTNET_STREAM)
    return binance.Binance(credentials, instruments, symbols, currency, url or own, stream_url or stream)

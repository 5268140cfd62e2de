"""What a run is told before it begins, made of the strategy's row, plant.toml and what is known of its symbols.

A run that goes on after a restart is told what its first row of `runs` has, whatever plant.toml says by then.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from plant.errors import SettingsError
from plant.runtime.settings import Settings
from plant.runtime.trading import AccountSection
from plant.state.instruments import COMMISSIONS, Instruments
from plant.state.newest import Row
from plant.state.strategies import PYTHON, RESERVED
from trading.instruments import Instrument
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted
from trading.risk import Limits, limits_of
from trading.run import PAPER, RunSetup, fill_rules
from trading.strategy import Strategy

TIMES_WARM_UP = 10
"""So many times the bars that its indicators need, a run is warmed up with."""


def assumptions(sym: str, row: Row | None, currency: str) -> tuple[str, ...]:
    """Return what is taken for granted of a symbol, as sentences.

    row        of `instruments`, None: nothing is known
    currency   of the account
    """
    if row is None:
        return (f"no instrument {sym}: its tick is taken as 0.01, lot 1, multiplier 1, currency USD",)
    found = []
    if row["currency"] not in ("", currency):
        found.append(
            f"{sym} is quoted in {row['currency']}, and the account counts {currency}: one is taken for the other; "
            "give the account that currency"
        )
    if all(row[name] != row[name] for name in COMMISSIONS):
        found.append(f"no commission of {sym} is known: it is taken as 0; give taker_bps in [[instruments]]")
    return tuple(found)


def why_not_live(sym: str, row: Row | None, currency: str) -> str:
    """Return why a symbol cannot be ordered for real money in an account of this currency, "" if it can.

    row   of `instruments`, None: nothing is known
    """
    if row is None:
        return f'mode = "live" needs the tick and lot of {sym}; give them in [[instruments]]'
    if row["currency"] not in ("", currency):
        return (
            f"{sym} is quoted in {row['currency']}, and the account counts {currency}; give the account currency = "
            f"{row['currency']!r}"
        )
    return ""


class Prepared(NamedTuple):
    """What a run begins with: its setup, SHA-256 of its class's source, what was taken for granted."""

    setup: RunSetup
    code_sha: str
    assumed: tuple[str, ...]


def prepared(
    wanted: Wanted,
    before: Row | None,
    settings: Settings,
    catalogue: Catalogue,
    instruments: Instruments,
    has: Callable[[str, str], bool],
    known_seq: int = -1,
) -> Prepared:
    """Return what a run is told.

    before        its newest row of `runs`; None: it begins now
    instruments   what was known of them when it began
    has           whether the plant has rows of a table (quotes, trades) of a symbol
    known_seq     up to which seq `instruments` are; -1: that of the run's row

    Raises SettingsError for what cannot be run.
    """
    row = wanted.row
    if row["sym"] in RESERVED:
        raise SettingsError(f"no strategy may be called {row['sym']!r}: orders by hand are; give it another name")
    definition = json.loads(row["definition"] or "{}")
    found = catalogue.named(row["class_name"], definition)
    parameters = json.loads(row["parameters"] or "{}")
    own_limits = parameters.pop("limits", {})
    if definition and PYTHON not in definition:
        parameters["definition"] = row["definition"]
    symbols = tuple(json.loads(row["symbols"] or "[]"))
    if not symbols or not row["interval"]:
        raise SettingsError(
            f"strategy {row['sym']!r}: expected symbols and an interval, found {symbols} and {row['interval']!r}"
        )
    told_before: dict[str, Any] = json.loads(before["risk"]) if before is not None else {}
    account = account_of(settings, str(told_before.get("account", row["account"])))
    if why := why_not(settings, account, row["mode"]):
        raise SettingsError(f"strategy {row['sym']!r}: {why}")
    known: dict[str, Instrument] = {}
    assumed: list[str] = []
    for sym in symbols:
        told = instruments.at(sym, row["received"])
        if why := why_not_live(sym, told, account.currency) if row["mode"] == "live" else "":
            raise SettingsError(f"strategy {row['sym']!r}: {why}")
        assumed += assumptions(sym, told, account.currency)
        known[sym] = instrument_of(sym, told)
    calendars = settings.calendars
    codes = {sym: calendars.code(sym) or known[sym].calendar for sym in symbols}
    fills_on = "" if before is not None else account.fills_on or _fills_on(symbols, has)
    setup = setup_of(
        *told_of_account(account, before, own_limits, fills_on, known_seq),
        run=wanted.run,
        strategy=row["sym"],
        strategy_class=found.made_of,
        symbols=symbols,
        parameters=parameters,
        instruments=known,
        interval=row["interval"],
        account=account.name,
        mode=row["mode"],
        seed=zlib.crc32(wanted.run.encode()),
        start_seq=wanted.first_seq,
        sessions={sym: calendars.sessions(code) for sym, code in codes.items() if code},
    )
    return Prepared(setup, found.code_sha, tuple(assumed))


def told_of_account(
    account: AccountSection, before: Row | None, own_limits: dict[str, Any], fills_on: str, known_seq: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how a run is filled and its limits and money, as its row of `runs` has them.

    before      that row, which stays as it was; None: what plant.toml says by now, `own_limits` of the strategy,
                `fills_on` and `known_seq` (RunSetup) count

    Raises SettingsError if the account has another broker by now.
    """
    if before is not None:
        fills = json.loads(before["fills"])
        if (broker := fills.get("broker", PAPER)) != account.broker:
            raise SettingsError(
                f"run {before['run']} began with broker = {broker!r}, and account {account.name!r} now has "
                f"{account.broker!r}; start the strategy again"
            )
        return fills, json.loads(before["risk"])
    shared = {"shared": True} if account.broker == PAPER else {}
    return {**asdict(fill_rules(account.fills)), "fills_on": fills_on, "broker": account.broker, **shared}, {
        "capital": account.capital,
        "currency": account.currency,
        "limits": asdict(limits_of(own_limits)),
        "account_limits": asdict(Limits(**account.limits.model_dump())),
        "known_seq": known_seq,
    }


def setup_of(fills: dict[str, Any], risk: dict[str, Any], **told: Any) -> RunSetup:
    """Return a setup of what `told_of_account` returns and the rest, by the names of RunSetup."""
    return RunSetup(
        capital=risk["capital"],
        currency=risk["currency"],
        fills=fill_rules(
            {name: value for name, value in fills.items() if name not in ("fills_on", "broker", "shared")}
        ),
        shared=fills.get("shared", False),
        broker=fills.get("broker", PAPER),
        fills_on=fills["fills_on"],
        limits=limits_of(risk["limits"]),
        account_limits=limits_of(risk["account_limits"]),
        known_seq=risk.get("known_seq", -1),
        **told,
    )


def fills_told(setup: RunSetup) -> str:
    """Return how a run is filled, as its row of `runs` has it, JSON."""
    how: dict[str, Any] = {"broker": setup.broker}
    if setup.simulated:
        how = {"shared": True} if setup.shared else {}
    return json.dumps({**asdict(setup.fills), "fills_on": setup.fills_on, **how})


def risk_told(setup: RunSetup) -> str:
    """Return the limits and the money of a run, as its row of `runs` has them, JSON."""
    limits = {"limits": asdict(setup.limits), "account_limits": asdict(setup.account_limits)}
    known = {"known_seq": setup.known_seq} if setup.known_seq >= 0 else {}
    return json.dumps(
        {"account": setup.account, "capital": setup.capital, "currency": setup.currency, **limits, **known}
    )


def hears(setup: RunSetup, callback: str) -> bool:
    """Return whether a run's strategy has a callback of its own."""
    return getattr(setup.strategy_class, callback) is not getattr(Strategy, callback)


def account_of(settings: Settings, name: str) -> AccountSection:
    """Return one of [[accounts]], the first for "". Raises SettingsError."""
    for account in settings.accounts:
        if name in ("", account.name):
            return account
    names = ", ".join(each.name for each in settings.accounts)
    raise SettingsError(f"no account {name!r} in plant.toml; accounts are {names}")


def instrument_of(sym: str, row: Row | None) -> Instrument:
    """Return what is known of a symbol as the engine has it; `row` of `instruments`, None: nothing is known."""
    if row is None:
        return Instrument(sym)
    names = (
        "tick",
        "lot",
        "multiplier",
        "currency",
        "asset_class",
        "maker_bps",
        "taker_bps",
        "fee_per_unit",
        "calendar",
    )
    told: dict[str, Any] = {name: row[name] for name in names if row[name] == row[name]}
    least = row["min_notional"]
    return Instrument(sym, **told, min_notional=least if least == least else 0.0, shortable=bool(row["shortable"]))


def why_not(settings: Settings, account: AccountSection, mode: str) -> str:
    """Return why a strategy of a mode cannot give orders to an account, as a sentence; "": it can.

    Real money needs three switches: the strategy's mode, [trading] live, and limits of an account whose mode is live.
    """
    if mode != "live":
        if account.mode == "live":
            return f'account {account.name!r} is of real money; mode = "paper" needs an account whose mode is paper'
        return ""
    if not settings.trading.live:
        return 'mode = "live" needs [trading] live = true in plant.toml'
    if account.mode != "live":
        return f'mode = "live" needs an account whose mode is live; {account.name!r} is {account.mode}'
    if not account.limits.model_fields_set:
        return f'mode = "live" needs limits = {{ max_order_qty = ..., ... }} of account {account.name!r}'
    return ""


def _fills_on(symbols: tuple[str, ...], has: Callable[[str, str], bool]) -> str:
    for table in ("quotes", "trades"):
        if all(has(table, sym) for sym in symbols):
            return table
    return "bars"

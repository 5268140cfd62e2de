"""What a run is told before it begins: strategy, symbols, account, how orders are filled, from when to when.

And `Clock`, which cuts its time into sessions by what events say, not by the time of day.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from plant.calendars.sessions import DAY_NS, REGULAR, Sessions
from plant.errors import SettingsError, nearest_names
from trading.instruments import Instrument, exact, money_of
from trading.orders import check_run
from trading.risk import Limits

MODES = ("backtest", "replay", "paper", "live")
FILLS_ON = ("bars", "trades", "quotes")
PAPER = "paper"
"""The broker that is none: orders are filled by the simulated exchange."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class FillRules:
    """How the simulated exchange fills; the defaults are those of `careful`.

    volume_share        of a bar's or trade's volume that may be filled, over all orders of the account; None: any, also
                        without volume
    through_ticks       ticks beyond a limit that the price must go
    slippage_ticks, slippage_bps   against market and stop orders
    half_spread_ticks   likewise, on bars and trades; on quotes the spread is in them
    sized_at            when a share of the equity becomes lots: "fill": at its price; "order": at the last price when
                        it is placed, as TradingView does
    fees                whether the instrument's commission counts
    sessions            whether day orders expire, and market orders wait for the open
    """

    volume_share: float | None = 0.025
    through_ticks: int = 1
    slippage_ticks: int = 1
    slippage_bps: float = 0.0
    half_spread_ticks: int = 0
    sized_at: str = "fill"
    fees: bool = True
    sessions: bool = True

    def __post_init__(self) -> None:
        share = self.volume_share
        if share is not None and not (_number(share) and 0 < share <= 1):
            raise SettingsError(f"fills: volume_share must be more than 0 and at most 1, or None, found {share!r}")
        for name in ("through_ticks", "slippage_ticks", "half_spread_ticks"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise SettingsError(f"fills: {name} must be a whole number, 0 or more, found {value!r}")
        if not _number(self.slippage_bps) or self.slippage_bps < 0:
            raise SettingsError(f"fills: slippage_bps must be a number, 0 or more, found {self.slippage_bps!r}")
        if self.sized_at not in ("fill", "order"):
            raise SettingsError(f'fills: sized_at must be "fill" or "order", found {self.sized_at!r}')
        for name in ("fees", "sessions"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"fills: {name} must be true or false, found {getattr(self, name)!r}")

    def slippage(self, level: int) -> int:
        """Return the ticks that a market or stop order at a level loses, rounded up."""
        if not self.slippage_bps:
            return self.slippage_ticks
        return self.slippage_ticks + math.ceil(Fraction(abs(level)) * exact(self.slippage_bps) / 10_000)


PRESETS: Mapping[str, FillRules] = {
    "careful": FillRules(),
    "tradingview": FillRules(None, 0, 0, fees=False, sessions=False),
}
"""Fill rules by name."""


def fill_rules(told: str | Mapping[str, Any] | FillRules) -> FillRules:
    """Return the rules of a preset, or of a mapping: fields of FillRules, and `preset`, whose the others are.

    >>> fill_rules({"preset": "tradingview", "slippage_ticks": 2}).slippage_ticks
    2

    Raises SettingsError for a name or field there is not, and values out of range.
    """
    if isinstance(told, FillRules):
        return told
    given = {"preset": told} if isinstance(told, str) else dict(told)
    name = given.pop("preset", "careful")
    if name not in PRESETS:
        raise SettingsError(f"fills: expected one of {', '.join(PRESETS)} or a mapping, found {name!r}")
    fields = list(FillRules.__dataclass_fields__)
    for key in given:
        if key not in fields:
            near = nearest_names(key, fields, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"fills: unknown key {key!r}{hint}; keys are: preset, {', '.join(fields)}")
    return replace(PRESETS[name], **given)


_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class RunSetup:
    """All that decides what a run does, beside its events.

    run            its id, 1 to 16 of [a-z0-9-]
    strategy       its name; strategy_class the class, parameters those that are not the default
    instruments    by symbol, one for each of `symbols`
    account, capital   of the account, and what it begins with, currency
    broker         who fills its orders: "paper", the simulated exchange; else one of trading.brokers
    limits         of the strategy; those of the account hold besides
    time           the run's own time, ns: rows of a backtest and a replay are stamped with it plus a count
    start_at       events before it are warm-up: orders are off. None: none are
    start_seq      and those up to this seq: what a run that follows the plant is warmed up with
    known_seq      what is known of instruments is what rows up to this seq say; -1: up to start_seq
    sample_every   bars from one row of equity and positions to the next; 0: at session closes only
    sessions       by symbol, of its exchange's calendar; a symbol without has the days of UTC
    shared         what older runs of the account took of an event is not there for it (trading.turns); False: it began
                   before runs did so
    standing       it has no symbols of its own: they are listed as orders come, and instruments and sessions grow with
                   them. `fills_on` may then be "": quotes where the symbol has them, else trades, else bars
    """

    run: str
    strategy: str
    strategy_class: type
    symbols: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    interval: str = ""
    account: str = "paper"
    mode: str = "backtest"
    broker: str = PAPER
    capital: float = 1e6
    currency: str = "USD"
    fills: FillRules = PRESETS["careful"]
    fills_on: str = "bars"
    limits: Limits = _DEFAULT_LIMITS
    account_limits: Limits = _DEFAULT_LIMITS
    seed: int = 0
    time: int = 0
    start_at: int | None = None
    start_seq: int = -1
    known_seq: int = -1
    sample_every: int = 1
    sessions: Mapping[str, Sessions] = field(default_factory=dict)
    shared: bool = True
    standing: bool = False

    def __post_init__(self) -> None:
        check_run(self.run)
        if self.mode not in MODES:
            raise SettingsError(f"run {self.run}: mode must be one of {', '.join(MODES)}, found {self.mode!r}")
        if self.fills_on not in (*FILLS_ON, *("",) * self.standing):
            raise SettingsError(f"fills_on must be one of {', '.join(FILLS_ON)}, found {self.fills_on!r}")
        if not _number(self.capital) or not 0 < self.capital < 1e10:
            raise SettingsError(f"capital must be a number, more than 0 and less than 1e10, found {self.capital!r}")
        if self.mode == "live" and self.broker == PAPER:
            raise SettingsError(f"run {self.run}: mode live needs a broker, found {PAPER!r}")
        if self.mode == "live" and not (self.limits.stale_s and self.account_limits.stale_s):
            raise SettingsError(f"run {self.run}: stale_s = 0 lets orders go on prices of any age; live needs seconds")
        if not self.symbols and not self.standing:
            raise SettingsError(f"run {self.run}: expected one symbol or more")
        for sym in self.symbols:
            if sym not in self.instruments:
                raise SettingsError(f"run {self.run}: no instrument for {sym!r}; its tick and lot are needed")

    @property
    def simulated(self) -> bool:
        """Whether orders are filled by the simulated exchange."""
        return self.broker == PAPER

    @property
    def start_money(self) -> int:
        """The capital in 1e-8 of the currency."""
        return money_of(self.capital)


class Clock:
    """The sessions of one calendar, as events pass through them: opens and closes, each once, in order.

    Without a calendar a session is a day of UTC. `next` is the time of the next boundary, ns; it is due before the
    first event that is known later than that. `since` is the boundary before the time it began at.
    """

    __slots__ = ("_at", "_closing", "_times", "code", "next", "since")

    def __init__(self, sessions: Sessions | None) -> None:
        self.code = "" if sessions is None else sessions.code
        self._times: np.ndarray | None = None if sessions is None or sessions.continuous else sessions.boundaries()
        self._at, self._closing, self.next, self.since = 0, False, 0, 0

    def begin(self, time: int) -> None:
        """Start in the stretch that `time` lies in: what was before is not told."""
        if self._times is None:
            self.since = time // DAY_NS * DAY_NS
            self.next, self._closing = self.since + DAY_NS, True
            return
        self._at = int(np.searchsorted(self._times, time, side="right"))
        self.since = int(self._times[self._at - 1]) if self._at else 0
        self._set()

    def _set(self) -> None:
        times = self._times
        assert times is not None
        self._closing = self._at % 2 == 1
        self.next = int(times[self._at]) if self._at < len(times) else 2**62

    def passed(self) -> tuple[int, str]:
        """Return the boundary that is due, (time, "open" or "close"), and go on to the next."""
        time, kind = self.next, "close" if self._closing else "open"
        if self._times is not None:
            self._at += 1
            self._set()
        elif self._closing:  # the next day opens in the same moment
            self._closing = False
        else:
            self.next, self._closing = time + DAY_NS, True
        return time, kind


def in_session(sessions: Sessions | None, time: int) -> bool:
    """Return whether a time lies in a regular session; always, without a calendar."""
    if sessions is None or sessions.continuous:
        return True
    return bool(sessions.kinds(np.array([time], dtype=np.int64))[0] == REGULAR)

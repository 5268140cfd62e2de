"""A seeded random market that needs no account, no key and no network.

Every bar is a function of (seed, sym, minute) and of nothing else: neither of the moment at which the process
started, nor of what it published before. A restart therefore sends its history again as identical revisions, and
fills in the minutes that it missed.

How a day is made. Log price levels at midnight UTC come from value noise: hashed normal values on grids of 1, 2, 4
... 128 days, interpolated and added up, which gives any day's level without walking there from an epoch, and keeps a
symbol near its base level. Between two midnights runs a Brownian bridge of 1,440 x 30 steps of 2 s, whose variance
per step is a time of day factor (busiest around 14:30 and 21:00 UTC) times a slowly moving log-volatility
(clustering). As the bridge ends at the level where the next day begins, there is no jump at midnight. The volume of a
step grows with its activity, its volatility and the size of its price change. Prices have 2 decimals.

References: Perlin, "An Image Synthesizer" (1985), for noise with random access; Taylor (1986), log-AR(1) volatility.
The bars are the same wherever numpy is; another numpy or processor may differ by a cent now and then.
"""

import hashlib
import math
import time
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from feedhandler.feed import NS_PER_MINUTE, NS_PER_SECOND, SIMULATED, Batch
from feedhandler.settings import FeedSettings, Symbols

STEPS_PER_MINUTE = 30
MINUTES_PER_DAY = 1_440
MAX_ROWS_PER_POLL = 20_000

BASE_LEVELS = {"AAPL": 270.0, "TSLA": 400.0, "GOOG": 290.0}
"""Price around which a symbol moves, US dollars; any other symbol has one between 20 and 500 from its hash."""

_STEP_NS = NS_PER_MINUTE // STEPS_PER_MINUTE
_DAILY_VOLATILITY = 0.016
_NIGHTLY_OCTAVES = 8
_NIGHTLY_AMPLITUDE = 0.008
_VOLUME_PER_STEP = 900.0


class SimulatedFeedSettings(FeedSettings):
    """[[feeds]] kind = "simulated": a seeded random market."""

    symbols: Symbols = Field(("AAPL", "TSLA", "GOOG"), description="symbols of the market")
    spool_mb: int = Field(
        0, ge=0, description="kept on disk while the plant is down, MiB; 0: it waits, and misses nothing"
    )
    seed: int = Field(7, description="another seed is another market")
    history_minutes: int = Field(360, ge=0, description="minute bars sent at start, for each symbol")
    update_s: float = Field(2.0, gt=0, description="seconds between revisions of the forming bar; it moves every 2 s")


class _Day(NamedTuple):
    """One symbol's day: `cents` and `volume` are int32[1440, 30], price at and volume of each 2 s step."""

    cents: np.ndarray
    volume: np.ndarray


class SimulatedFeed:
    """Minute bars of `symbols`: history first, then the forming bar every `update_s` seconds, then its final revision.

    A machine that slept gets the minutes that it missed. When the clock steps back, the feed waits for it rather
    than turning a closed bar into a forming one.

    Memory: about 350 KB per symbol.
    """

    Settings = SimulatedFeedSettings
    replayable = False

    def __init__(self, settings: SimulatedFeedSettings) -> None:
        self._symbols = list(settings.symbols)
        self._seed = settings.seed
        self._history_minutes = settings.history_minutes
        self._update_ns = round(settings.update_s * NS_PER_SECOND)
        self._minute: int | None = None  # first minute (since 1970) whose final bar is not out yet
        self._next_update_ns = 0
        self._days: dict[str, tuple[int, _Day]] = {}

    def start(self, accepted: int) -> None:
        """Begin; history is counted back from the time of the first poll."""

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        minute = now_ns // NS_PER_MINUTE
        if self._minute is None:
            self._minute = minute - self._history_minutes
        if self._minute < minute:
            # History, the minute just over, and what a sleeping machine missed are one case: minutes not yet closed.
            last = min(minute, self._minute + max(1, MAX_ROWS_PER_POLL // len(self._symbols)))
            batch = self._closed(self._minute, last)
            self._minute = last
            return [batch]
        if minute < self._minute or now_ns < self._next_update_ns:
            due_ns = max(self._minute * NS_PER_MINUTE, self._next_update_ns)
            time.sleep(max(0.0, min(timeout_s, (due_ns - now_ns) / NS_PER_SECOND)))
            return []
        self._next_update_ns = min((now_ns // self._update_ns + 1) * self._update_ns, (minute + 1) * NS_PER_MINUTE)
        return [self._forming(minute, (now_ns - minute * NS_PER_MINUTE) // _STEP_NS + 1)]

    @property
    def finished(self) -> bool:
        return False

    def status(self) -> str:
        return f"simulating {len(self._symbols)} symbols, seed {self._seed}"

    def close(self) -> None:
        self._days.clear()

    def _closed(self, first: int, last: int) -> Batch:
        """Final bars of the minutes [first, last) of every symbol, in order of time, then of `symbols`."""
        bars = np.empty((len(self._symbols), last - first, 5))
        for row, sym in enumerate(self._symbols):
            for day in range(first // MINUTES_PER_DAY, (last - 1) // MINUTES_PER_DAY + 1):
                begin = max(first, day * MINUTES_PER_DAY)
                end = min(last, (day + 1) * MINUTES_PER_DAY)
                within = slice(begin - day * MINUTES_PER_DAY, end - day * MINUTES_PER_DAY)
                cents, volume = self._day(sym, day)
                bars[row, begin - first : end - first] = _bars(cents[within], volume[within])
        times = np.repeat(np.arange(first, last, dtype=np.int64) * NS_PER_MINUTE, len(self._symbols))
        return "bars", self._columns(times, bars.transpose(1, 0, 2).reshape(-1, 5))

    def _forming(self, minute: int, steps: int) -> Batch:
        """The bar of `minute` after its first `steps` steps, of every symbol."""
        day, index = divmod(minute, MINUTES_PER_DAY)
        days = [self._day(sym, day) for sym in self._symbols]
        cents = np.stack([each.cents[index, :steps] for each in days])
        volume = np.stack([each.volume[index, :steps] for each in days])
        times = np.full(len(days), minute * NS_PER_MINUTE, dtype=np.int64)
        return "bars", self._columns(times, _bars(cents, volume))

    def _columns(self, times: np.ndarray, bars: np.ndarray) -> dict[str, Any]:
        names = ("open", "high", "low", "close", "volume")
        return {
            "time": times,
            "sym": self._symbols * (len(times) // len(self._symbols)),
            "interval": ["1m"] * len(times),
            **{name: np.ascontiguousarray(bars[:, k]) for k, name in enumerate(names)},
            "source": [SIMULATED] * len(times),
        }

    def _day(self, sym: str, day: int) -> _Day:
        kept = self._days.get(sym)
        if kept is None or kept[0] != day:
            kept = self._days[sym] = (day, simulated_day(self._seed, sym, day))
        return kept[1]


def simulated_day(seed: int, sym: str, day: int) -> _Day:
    """Return the steps of `day` (days since 1970-01-01 UTC): cents and volume, int32[1440, 30] each."""
    numbers = _generator(seed, sym, "day", day)
    minutes, steps = MINUTES_PER_DAY, MINUTES_PER_DAY * STEPS_PER_MINUTE
    heat = _clustered(numbers, minutes)
    activity = np.repeat(_time_of_day(minutes) * np.exp(0.35 * heat), STEPS_PER_MINUTE)

    variance = activity**2 / np.sum(activity**2) * (_DAILY_VOLATILITY * _temper(seed, sym)) ** 2
    shocks = numbers.standard_normal(steps)
    walk = np.concatenate(([0.0], np.cumsum(np.sqrt(variance) * shocks)))
    clock = np.concatenate(([0.0], np.cumsum(variance))) / np.sum(variance)
    begin, end = midnight_level(seed, sym, day), midnight_level(seed, sym, day + 1)
    path = begin + walk - clock * (walk[-1] - (end - begin))
    cents = np.maximum(np.rint(np.exp(path[:-1]) * 100.0), 1.0)

    luck = np.exp(0.6 * numbers.standard_normal(steps) - 0.18)
    lots = _VOLUME_PER_STEP * activity**1.5 * (0.4 + np.abs(shocks)) * luck
    shape = (minutes, STEPS_PER_MINUTE)
    return _Day(cents.astype(np.int32).reshape(shape), lots.astype(np.int32).reshape(shape))


def midnight_level(seed: int, sym: str, day: int) -> float:
    """Return the log price at 00:00 UTC of `day`; the end of one day's path and the beginning of the next one's."""
    level = math.log(_base_level(sym))
    for octave in range(_NIGHTLY_OCTAVES):
        cell, offset = divmod(day, 1 << octave)
        left, right = (_generator(seed, sym, f"level {octave}", at).standard_normal() for at in (cell, cell + 1))
        blend = offset / (1 << octave)
        level += _NIGHTLY_AMPLITUDE * _temper(seed, sym) * math.sqrt(1 << octave) * ((1 - blend) * left + blend * right)
    return level


def _bars(cents: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Turn int32[n, steps] into float64[n, 5]: open, high, low, close, volume."""
    prices = np.stack([cents[:, 0], cents.max(axis=1), cents.min(axis=1), cents[:, -1]], axis=1) / 100.0
    return np.column_stack([prices, volume.sum(axis=1, dtype=np.int64)])


def _generator(seed: int, sym: str, purpose: str, index: int) -> np.random.Generator:
    # Python's own hash() differs from process to process; this one must not.
    digest = hashlib.blake2b(f"{seed}|{sym}|{purpose}|{index}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def _base_level(sym: str) -> float:
    return BASE_LEVELS.get(sym) or float(np.exp(_generator(0, sym, "base", 0).uniform(math.log(20.0), math.log(500.0))))


def _temper(seed: int, sym: str) -> float:
    """How lively the symbol is, 0.7 to 1.7 times the ordinary volatility."""
    return float(_generator(seed, sym, "temper", 0).uniform(0.7, 1.7))


def _time_of_day(minutes: int) -> np.ndarray:
    minute = np.arange(minutes)
    return 0.5 + 1.6 * np.exp(-(((minute - 870) / 50) ** 2)) + 1.2 * np.exp(-(((minute - 1255) / 40) ** 2))


def _clustered(numbers: np.random.Generator, count: int) -> np.ndarray:
    """Return `count` values of a stationary AR(1) with coefficient 0.97 and variance 1 (its last 200 terms)."""
    kernel = 0.97 ** np.arange(200)
    return np.convolve(numbers.standard_normal(count + 199), kernel / np.sqrt(np.sum(kernel**2)), "valid")

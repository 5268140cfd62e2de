"""Pulse: how the processes of the plant are, looked at every half second beside the page, which never waits for it.

Tickerplant, rdb, processor and hdb are asked how they are; a feed, which answers nobody, is judged by its heartbeats in
the rdb. `judged` is pure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from dashboard.freshness import age_text, utc_nanoseconds
from plant.errors import PlantError
from plant.runtime.sections import MISCONFIGURED
from plant.wire.messages import ACKS_WAIT

LOOK_S = 0.5
ANSWER_S = 1.0  # with LOOK_S and a page that is drawn every second: seen within 2.5 s
WARN_BEATS, ERROR_BEATS = 4, 10  # heartbeats missed, as `plant status` has it
ASKED = ("tickerplant", "rdb", "processor", "hdb")

Level = Literal["up", "starting", "down", "unknown"]


@dataclass(frozen=True)
class Look:
    """What a process said of itself: `state`, or the `error` if it did not answer, `since` then (s since the epoch)."""

    state: str = ""
    error: str = ""
    since: float | None = None


@dataclass(frozen=True)
class Health:
    """One process for people: `word` is how it is, `detail` why."""

    process: str
    level: Level
    word: str
    detail: str = ""


class Pulse:
    """Looks at processes, each in a thread of its own, from the first `looks()` on; `every_s` 0: at every `looks()`.

    `asks` has for each process what returns its status, a dict with "state"; whatever it raises is its error.
    """

    def __init__(self, asks: Mapping[str, Callable[[], dict[str, Any]]], every_s: float = LOOK_S) -> None:
        self._asks = dict(asks)
        self._every_s = every_s
        self._found: dict[str, Look] = {}
        self._lock = threading.Lock()
        self._started = False
        self._first = threading.Barrier(len(self._asks) + 1) if every_s else None

    def looks(self) -> dict[str, Look]:
        """Return the newest look at each process; the first time it waits for one at each."""
        with self._lock:
            if not self._every_s:
                for name in self._asks:
                    self._look(name)
            elif not self._started:
                for name in self._asks:
                    threading.Thread(target=self._run, args=(name,), name=f"pulse-{name}", daemon=True).start()
                assert self._first is not None
                self._first.wait()
                self._started = True
        return dict(self._found)

    def _run(self, name: str) -> None:
        self._look(name)
        assert self._first is not None
        self._first.wait()
        while True:
            time.sleep(self._every_s)
            self._look(name)

    def _look(self, name: str) -> None:
        before = self._found.get(name, Look())
        try:
            self._found[name] = Look(str(self._asks[name]().get("state", "")))
        except Exception as error:  # whatever it is: were the thread to end, its last look would stand for good
            said = str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}"
            self._found[name] = Look(error=said, since=before.since or time.time())


def judged(
    looks: Mapping[str, Look], feeds: Sequence[str], beats: pd.DataFrame | None, at: float | None, heartbeat_s: float
) -> list[Health]:
    """Return how each process is, those that were asked first, then the `feeds` of plant.toml.

    `beats` has the newest row of `heartbeats` of each process, `at` is when the rdb answered so, None if it does not
    answer now. What they say of feeds counts while rdb and tickerplant, through which they come, are well.
    """
    found = [_asked(name, look) for name, look in looks.items()]
    told = all(health.level == "up" for health in found if health.process in ("tickerplant", "rdb"))
    newest: dict[str, tuple[float, str]] = {}
    if beats is not None and at is not None:
        for sym, time_ns, state in zip(
            beats["sym"], utc_nanoseconds(beats["time"]).tolist(), beats["state"], strict=True
        ):
            newest[str(sym)] = (at - time_ns / 1e9, str(state))
    for feed in feeds:
        found.append(_beating(f"feed-{feed}", newest.get(f"feed-{feed}"), heartbeat_s, told and at is not None))
    return found


def capture_stopped(looks: Mapping[str, Look], now: float) -> str:
    """Return why nothing is captured, for people; "" while the tickerplant keeps what comes."""
    look = looks.get("tickerplant", Look("ok"))
    if look.error:
        return f"the tickerplant has not answered for {age_text(now - (look.since or now))}: {look.error}"
    return "" if look.state == "ok" or look.state.startswith(ACKS_WAIT) else f"the tickerplant says: {look.state}"


def _asked(name: str, look: Look) -> Health:
    if look.error:
        return Health(name, "down", "down", look.error)
    if look.state == "ok" or look.state.startswith("closing "):
        return Health(name, "up", "up", look.state)
    if look.state in ("replaying the journal", "starting"):
        return Health(name, "starting", "starting", look.state)
    return Health(name, "down", "not well", look.state)


def _beating(name: str, beat: tuple[float, str] | None, heartbeat_s: float, told: bool) -> Health:
    if not told:
        return Health(
            name,
            "unknown",
            "not known",
            "its heartbeats come through tickerplant and rdb, while the page is not paused",
        )
    if beat is None:
        return Health(name, "down", "silent", "no heartbeat yet; `plant status` tells more")
    age_s, state = beat
    if state.startswith(MISCONFIGURED):
        return Health(name, "down", MISCONFIGURED, state.removeprefix(f"{MISCONFIGURED}: "))
    if age_s > ERROR_BEATS * heartbeat_s:
        return Health(name, "down", "silent", f"last heartbeat {age_text(age_s)} ago; {state}")
    if age_s > WARN_BEATS * heartbeat_s:
        return Health(name, "starting", "late", f"last heartbeat {age_text(age_s)} ago; {state}")
    return Health(name, "up", "up", state)

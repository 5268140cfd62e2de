"""How the page learns how the processes are: from a real tickerplant, and as a pure judgement."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from running import RunningPlant, all_stopped

from dashboard.connections import live_connections
from dashboard.pulse import Look, Pulse, capture_stopped, judged
from plant.errors import Unavailable
from plant.wire.messages import ACKS_WAIT

WELL = {name: Look("ok") for name in ("tickerplant", "rdb", "processor", "hdb")}


def beats(age_s: float, state: str = "sending") -> pd.DataFrame:
    return pd.DataFrame({"time": [pd.Timestamp((1000 - age_s) * 1e9, tz="UTC")], "sym": ["feed-x"], "state": [state]})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_tickerplant_that_stops_is_told_within_three_seconds_less_a_redraw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with all_stopped() as plants:
        plant = RunningPlant(tmp_path / "plant")
        plants.append(plant)
        plant.start("tickerplant")
        monkeypatch.setenv("PLANT_CONFIG", str(plant.config))
        pulse = live_connections().pulse
        _until(lambda: not capture_stopped(pulse.looks(), time.time()))
        began = time.monotonic()
        plant.kill("tickerplant", number)
        _until(lambda: bool(capture_stopped(pulse.looks(), time.time())))
        assert time.monotonic() - began < 2.0
        if number == signal.SIGSTOP:
            plant.kill("tickerplant", signal.SIGCONT)
        else:
            plant.start("tickerplant")
        _until(lambda: not capture_stopped(pulse.looks(), time.time()))


def test_a_process_that_hangs_delays_no_look_at_the_others() -> None:
    def hangs() -> dict[str, str]:
        time.sleep(0.2)
        raise Unavailable("no answer")

    pulse = Pulse({"tickerplant": hangs, "rdb": lambda: {"state": "ok"}}, every_s=0.01)
    assert set(pulse.looks()) == {"tickerplant", "rdb"}
    since = pulse.looks()["tickerplant"].since
    started = time.monotonic()
    assert pulse.looks()["rdb"] == Look("ok")
    assert time.monotonic() - started < 0.1
    _until(lambda: pulse.looks()["tickerplant"].since == since)


def test_a_look_that_fails_as_nobody_foresaw_is_told_and_another_one_is_taken() -> None:
    answers = [{"state": "ok"}]
    pulse = Pulse({"rdb": lambda: answers.pop()}, every_s=0.01)
    assert pulse.looks()["rdb"] == Look("ok")
    _until(lambda: pulse.looks()["rdb"].error == "IndexError: pop from empty list")
    answers += [{"state": "ok"}] * 1000
    _until(lambda: pulse.looks()["rdb"] == Look("ok"))


@pytest.mark.parametrize(
    ("look", "level"),
    [
        (Look("ok"), "up"),
        (Look("closing 2026-11-20"), "up"),
        (Look("replaying the journal"), "starting"),
        (Look("write: No space left on device"), "down"),
        (Look(error="no answer", since=1.0), "down"),
    ],
)
def test_a_process_is_as_it_says(look: Look, level: str) -> None:
    assert judged({"tickerplant": look}, [], None, None, 1.0)[0].level == level
    assert bool(capture_stopped({"tickerplant": look}, 5.0)) == (look.state != "ok")


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (beats(1), "up"),
        (beats(6), "late"),
        (beats(60), "silent"),
        (beats(1, "misconfigured: no key"), "misconfigured"),
        (None, "silent"),
    ],
)
def test_a_feed_is_judged_by_its_heartbeats(found: pd.DataFrame | None, word: str) -> None:
    assert judged(WELL, ["x"], found, 1000.0, 1.0)[-1].word == word


def test_a_feed_whose_heartbeats_cannot_come_is_not_judged() -> None:
    away = {**WELL, "tickerplant": Look(error="no answer", since=1.0)}
    assert judged(away, ["x"], beats(60), 1000.0, 1.0)[-1].level == "unknown"
    assert judged(WELL, ["x"], beats(60), None, 1.0)[-1].level == "unknown"


def _until(holds: Callable[[], bool], limit_s: float = 15.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)


def test_a_tickerplant_whose_acknowledgements_wait_captures() -> None:
    silent = Look(f"{ACKS_WAIT} for the mirror, it told of seq 7 last: see the process mirror in `plant status`")
    assert capture_stopped({"tickerplant": silent}, time.time()) == ""
    full = Look("cannot write: No space left on device")
    assert capture_stopped({"tickerplant": full}, time.time()) == "the tickerplant says: " + full.state

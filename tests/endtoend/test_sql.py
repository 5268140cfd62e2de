"""SQL asked of real processes over their sockets: what it may cost, who notices, what is left of it."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from chance import SEED, times
from running import RunningPlant

from plant.errors import QueryError, QueryLimit, Unavailable

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"
HUGE = "select sum(length(repeat('x', 1000000000) || i)) from range(100000) t(i)"
SMALL = "select sym, count(*) n, max(price) m from trades group by sym order by sym"
ROWS = 4000
QUICK = "part_s = 0.2\npart_rows = 2000\n"
START = 1_795_100_000_000_000_000


def trades() -> dict[str, Any]:
    """Return trades of two symbols, a second and a nanosecond apart."""
    numbers = np.arange(ROWS)
    return {
        "time": START + numbers * (10**9 + 1),
        "sym": [("A", "B")[n % 2] for n in numbers.tolist()],
        "price": 100.0 + numbers % 10,
        "size": np.ones(ROWS),
    }


def end_day(running: RunningPlant) -> None:
    """Close the day, and wait for that."""
    command = [sys.executable, "-c", "from plant.command.app import main; main()", "end-of-day", "--again"]
    done = subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(params=["rdb", "hdb"])
def who(request: pytest.FixtureRequest) -> str:
    """Which process is asked."""
    return str(request.param)


@pytest.fixture
def running(start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], who: str) -> RunningPlant:
    """A plant with trades; those of the hdb are closed."""
    made = start_plant("tickerplant", "rdb", "hdb", hdb=QUICK)
    feed = made.publisher("feed")
    feed.publish("trades", trades())
    feed.flush()
    eventually(lambda: made.ask().count("trades") == ROWS)
    if who == "hdb":
        end_day(made)
        eventually(lambda: made.ask("hdb").count("trades") == ROWS)
    return made


def workers(running: RunningPlant, who: str) -> list[psutil.Process]:
    """Return the processes that work on SQL for a process of the plant."""
    return [p for child in psutil.Process(running.processes[who].pid).children() for p in child.children()]


def at_work(*functions: Callable[[], None]) -> list[threading.Thread]:
    """Return threads that have begun, and outlive no test that failed."""
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_select_without_measure_is_ended_and_nobody_else_notices(
    running: RunningPlant, who: str, eventually: Callable[..., Any]
) -> None:
    process = psutil.Process(running.processes[who].pid)
    expected = running.ask(who).sql(SMALL).to_dict("list")
    before, stop = process.memory_info().rss, threading.Event()
    ended, others, most = list[tuple[float, str]](), list[float](), list[int]()
    wrong = list[object]()

    def unmeasured(text: str) -> None:
        db, started = running.ask(who), time.monotonic()
        try:
            db.sql(text, timeout_s=4)
        except QueryLimit as error:
            ended.append((time.monotonic() - started, str(error)))

    def others_ask() -> None:
        db = running.ask(who)
        while not stop.is_set():
            started = time.monotonic()
            if db.sql(SMALL).to_dict("list") != expected or len(db.trades.tail(5)) != 5:
                wrong.append("another answer")
            others.append(time.monotonic() - started)
            most.append(sum(p.memory_info().rss for p in workers(running, who)))

    threads = at_work(partial(unmeasured, HUGE), partial(unmeasured, ENDLESS))
    others_threads = at_work(others_ask)
    feed = running.publisher("meanwhile")
    quote = {"time": "2026-11-20 14:30", "sym": "A", "bid": 1.0, "ask": 2.0, "bid_size": 1.0, "ask_size": 1.0}
    lags = []
    try:
        for n in range(20):
            started = time.monotonic()
            feed.publish("quotes", {**quote, "bid": float(n)})
            feed.flush()
            eventually(lambda n=n: running.processes["rdb"].poll() is None and running.ask().count("quotes") == n + 1)  # type: ignore[misc]
            lags.append(time.monotonic() - started)
        join(threads)
    finally:
        stop.set()
        join(others_threads)
    assert not wrong
    assert len(ended) == 2, ended
    for seconds, message in ended:
        assert seconds < 5
        assert "stopped after 4 s" in message or "needs more than 2 GB of memory; ask for less" in message
    assert max(others) < 3
    assert max(lags) < 3
    assert process.memory_info().rss - before < 3e8
    assert max(most) < 5e9
    assert running.ask(who).sql(SMALL).to_dict("list") == expected


@times("kills", soak=100)
def test_a_worker_killed_under_load_comes_back(running: RunningPlant, who: str, kills: int) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    chance, stop = random.Random(SEED), threading.Event()
    expected = running.ask(who).sql(SMALL).to_dict("list")
    right, ended, wrong = list[int](), list[QueryLimit](), list[object]()

    def load() -> None:
        db = running.ask(who)
        while not stop.is_set():
            try:
                (right if db.sql(SMALL).to_dict("list") == expected else wrong).append(1)
            except QueryLimit as error:
                ended.append(error)
            except Exception as error:
                wrong.append(error)

    threads = at_work(load, load)
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.0, 0.3))
            known, deadline = len(right), time.monotonic() + 10
            while not (there := workers(running, who)):
                assert time.monotonic() < deadline, "no process works on SQL"
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(there).send_signal(signal.SIGKILL)
            while len(right) < known + 3:
                assert time.monotonic() < deadline, f"nothing is answered any more: {ended[-1:]}, {wrong[-1:]}"
                time.sleep(0.01)
    finally:
        stop.set()
        join(threads)
    assert not wrong
    assert len(ended) <= kills


def test_nothing_that_worked_on_sql_outlives_a_process_that_is_killed(running: RunningPlant, who: str) -> None:
    db = running.ask(who)

    def endless() -> None:
        with pytest.raises((Unavailable, QueryLimit)):
            db.sql(ENDLESS, timeout_s=6)

    thread = threading.Thread(target=endless)
    thread.start()
    deadline = time.monotonic() + 5
    while not any(p.cpu_times().user > 0.1 for p in workers(running, who)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    family = psutil.Process(running.processes[who].pid).children(recursive=True)
    assert len(family) >= 2
    running.kill(who)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    running.start(who)
    assert len(running.ask(who).sql("select 1 x")) == 1
    thread.join()


def test_times_are_instants_and_clocks_have_no_zone(running: RunningPlant, who: str) -> None:
    db = running.ask(who)
    rows = db.select("trades", frames="pandas")
    middle = rows["time"].sort_values().iloc[ROWS // 2 + 1]  # a time of ns, not of whole us
    text = middle.tz_convert("America/New_York").isoformat(sep=" ")
    (count,) = db.sql(f"select count(*) n from trades where time >= '{text}' and time < now() + interval '1000 days'")[
        "n"
    ]
    assert count == (rows["time"] >= middle).sum()
    found = db.sql(
        "select time, time at time zone 'America/New_York' clock, date_trunc('minute', time) as minute,"
        " sum(seq) over () s from trades order by time"
    )
    assert found["time"].dtype == rows["time"].dtype == found["minute"].dtype
    assert found["clock"].dt.tz is None
    assert (found["clock"] == found["time"].dt.tz_convert("America/New_York").dt.tz_localize(None)).all()
    assert (found["minute"] == found["time"].dt.floor("1min")).all()
    assert found["s"].dtype == np.int64
    assert "trades" in db.sql("show tables")["name"].tolist()
    with pytest.raises(QueryError, match="2 columns of the answer are called 'time'"):
        db.sql("select a.time, b.time from trades a join trades b using (seq)")
    assert isinstance(found["time"].iloc[0], pd.Timestamp)

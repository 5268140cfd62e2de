"""The whole plant: real processes, real sockets, real files."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
import zmq
from running import RunningPlant

from plant.errors import Unavailable

Start = Callable[..., RunningPlant]
ROOT = Path(__file__).parents[2]
EQKER = """
[[feeds]]
kind = "recorded"
paths = ["{folder}/*_1min.csv"]
time_zone = "America/New_York"
stamp = "end"
"""


def bars(count: int, sym: str = "AAPL", first_minute: int = 0, **columns: Any) -> pd.DataFrame:
    """Return minute bars of a day in 2026."""
    minutes = np.arange(first_minute, first_minute + count)
    close = 100 + np.sin(minutes / 7)
    frame = pd.DataFrame({
        "time": pd.Timestamp("2026-11-19T14:30Z") + pd.to_timedelta(minutes, "min"), "sym": sym, "interval": "1m",
        "open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 10.0 + minutes,
    })  # fmt: skip
    return frame.assign(**columns)


def test_bars_reach_rdb_processor_and_subscriber_once(start_plant: Start, eventually: Any) -> None:
    plant = start_plant()
    feed, db, processor = plant.publisher("feed"), plant.ask(), plant.ask("processor")
    live = plant.subscriber("bars", since=None)
    eventually(lambda: live.poll(0.05) == [] and live.caught_up)
    feed.publish("bars", bars(60))
    seq = feed.flush()
    eventually(lambda: db.count("bars") == 60 and processor.count("indicators") == 60)
    batches: list[Any] = []
    eventually(lambda: batches.extend(live.poll(0.05)) or batches)
    assert [(b.seq, len(b)) for b in batches] == [(seq, 60)]
    pd.testing.assert_frame_equal(
        db.select("bars", columns=list(bars(0).columns), where={"source": "feed"}), bars(60), check_dtype=False,
        check_categorical=False,
    )  # fmt: skip
    rsi = processor.select("indicators")["rsi_14"].to_numpy()
    np.testing.assert_allclose(rsi, talib.RSI(bars(60)["close"].to_numpy(), 14), rtol=1e-9)


def test_a_forming_bar_is_one_bar_and_one_indicator_row(start_plant: Start, eventually: Any) -> None:
    plant = start_plant(timer_s=0.1)
    feed, db = plant.publisher("feed"), plant.ask()
    feed.publish("bars", bars(30))
    for volume in range(10):
        feed.publish("bars", bars(1, first_minute=30, volume=float(volume)))
        feed.flush()
        eventually(lambda v=volume: db.last("bars")["volume"].tolist() == [float(v)])
    eventually(lambda: db.select("indicators", last=1)["volume"].tolist() == [9.0])
    eventually(lambda: db.count("indicators") >= 31)  # closed bars may come after the one that forms
    assert (db.count("bars"), db.count("indicators")) == (31, 31)


def test_a_signal_is_published_once_however_often_the_processor_restarts(start_plant: Start, eventually: Any) -> None:
    plant = start_plant(timer_s=0.1)
    feed, db = plant.publisher("feed"), plant.ask()
    feed.publish("bars", bars(200))
    feed.flush()
    eventually(lambda: db.count("indicators") == 200)
    signals = db.count("signals")
    assert signals > 5
    for _ in range(2):
        plant.restart("processor")
    eventually(lambda: plant.ask("processor").status()["caught_up"])
    feed.publish("bars", bars(1, first_minute=200))
    feed.flush()
    eventually(lambda: db.count("indicators") == 201)

    def journaled() -> int:
        return sum(len(b) for b in plant.journal("signals"))

    eventually(lambda: db.count("signals") == journaled() == plant.ask("processor").count("signals"))
    assert not db.select("signals").duplicated(["sym", "interval", "time", "signal"]).any()
    assert journaled() - signals <= 2, "only the new bar may have raised signals"


@pytest.mark.parametrize("victim", ["tickerplant", "rdb", "processor", "feedhandler simulated"])
def test_counts_are_whole_after_a_sigkill_while_the_feed_runs(start_plant: Start, eventually: Any, victim: str) -> None:
    toml = '[[feeds]]\nkind = "simulated"\nhistory_minutes = 30\nupdate_s = 0.1\n'
    plant = start_plant("tickerplant", "rdb", "processor", "feedhandler simulated", toml=toml)
    feed, db, processor = plant.publisher("mine"), plant.ask(timeout_s=10.0), plant.ask("processor", timeout_s=10.0)
    for i in range(150):
        feed.publish("bars", bars(1, "MINE", first_minute=i))
        if i == 75:
            plant.restart(victim)
    feed.flush(timeout_s=15)
    eventually(lambda: _count(db, "bars", "MINE") == 150, 30, lambda: db)
    eventually(lambda: _count(processor, "indicators", "MINE") == 150, 30, lambda: processor)
    assert sum(len(b) for b in plant.journal("bars") for b in [b] if b.columns["sym"].names == ["MINE"]) == 150
    known = db.sql("select count(*) n, count(distinct (sym, time)) d from bars").iloc[0]
    assert known.n == known.d


def test_recorded_bars_equal_their_files_and_indicators_equal_ta_lib(
    start_plant: Start, eventually: Any, market_data: Path
) -> None:
    folder = market_data / "eqker_1min"
    plant = start_plant("tickerplant", "rdb", "processor", "feedhandler recorded", toml=EQKER.format(folder=folder))
    db, processor = plant.ask(), plant.ask("processor")
    eventually(lambda: (processor.count("indicators"), db.count("bars")) == (7792, 7792), 30, lambda: (processor, db))
    assert sum(len(b) for b in plant.journal("bars")) == 7792
    for sym in ("AAPL", "MSFT", "TSLA", "SPY"):
        file = pd.read_csv(folder / f"{sym}_1min.csv").iloc[::-1].reset_index(drop=True)
        ends = pd.to_datetime(file["datetime"]).dt.tz_localize("America/New_York").dt.tz_convert("UTC")
        stored = db.select("bars", sym=sym)
        assert (stored["time"] == ends - pd.Timedelta("1min")).all()
        for column in ("open", "high", "low", "close", "volume"):
            assert (stored[column] == file[column]).all(), (sym, column)
        _assert_equal_to_talib(processor.select("indicators", sym=sym), stored["close"].to_numpy())


def test_a_recorded_feed_killed_on_the_way_goes_on_where_it_was(
    start_plant: Start, eventually: Any, market_data: Path
) -> None:
    toml = EQKER.format(folder=market_data / "eqker_1min").replace("*_1min", "SPY_1min") + "speed = 80000.0\n"
    plant = start_plant("tickerplant", "rdb", "feedhandler recorded", toml=toml)
    db = plant.ask()
    eventually(lambda: db.count("bars") > 100)
    plant.restart("feedhandler recorded")
    eventually(lambda: db.count("bars") == 1950, 60, lambda: db)
    assert sum(len(b) for b in plant.journal("bars")) == 1950, "a bar was journaled twice"


def test_bad_input_on_every_socket_harms_nothing(start_plant: Start, eventually: Any) -> None:
    plant = start_plant()
    settings, feed, db = plant.settings, plant.publisher("feed"), plant.ask()
    mixed = bars(6)
    mixed.loc[1, "high"] = 1.0
    mixed.loc[2, "volume"] = -5.0
    mixed.loc[3, "close"] = np.nan
    feed.publish("bars", mixed)
    feed.flush()
    generator = random.Random(5)
    ports = settings.tickerplant
    for port in (ports.ingest_port, ports.publish_port, ports.journal_port, settings.rdb.port, settings.processor.port):
        socket = zmq.Context.instance().socket(zmq.SUB if port == ports.publish_port else zmq.DEALER)
        socket.connect(settings.address(port))
        for size in (0, 1, 71, 72, 500, 70_000):
            frames = [generator.randbytes(size) for _ in range(generator.randint(1, 4))]
            if port == ports.publish_port:
                socket.subscribe(generator.randbytes(min(size, 200)))
            else:
                socket.send_multipart(frames)
        if port != ports.publish_port:
            assert socket.poll(5000), f"no error answer on port {port}"
        socket.close(0)
    with _raw_connection(settings.address(ports.ingest_port)) as raw:  # not even ZeroMQ
        raw.sendall(generator.randbytes(5000))
    feed.publish("bars", bars(5, first_minute=100))
    feed.flush()
    eventually(lambda: db.count("bars") == 8, what=lambda: db)
    reasons = db.select("rejects")["reason"].tolist()
    assert [r.split(" must")[0] for r in reasons] == ["high", "volume", "close"]
    assert all(p.poll() is None for p in plant.processes.values())


def test_two_plants_run_side_by_side(start_plant: Start, eventually: Any) -> None:
    one, two = start_plant(name="one"), start_plant(name="two")
    for plant, count in ((one, 10), (two, 20)):
        feed = plant.publisher("feed")
        feed.publish("bars", bars(count))
        feed.flush()
    eventually(lambda: one.ask().count("bars") == 10 and two.ask().count("bars") == 20)
    eventually(lambda: one.ask("processor").count("indicators") == 10)
    assert (one.folder / "data" / "journal").is_dir()
    assert (two.folder / "data" / "journal").is_dir()


def test_a_restarted_rdb_answers_once_it_has_read_the_journal_and_never_with_fewer_rows(start_plant: Start) -> None:
    plant = start_plant("tickerplant", "rdb")
    feed = plant.publisher("mine")
    for i in range(20):
        feed.publish("bars", bars(2_000, f"S{i}"))
    feed.flush(timeout_s=15)
    for _ in range(5):
        plant.restart("rdb")
        assert plant.ask().count("bars") == 40_000, "the first answer has all that was acknowledged"
    plant.kill("tickerplant")
    plant.restart("rdb")
    with pytest.raises(
        Unavailable, match="rows would be missing: the rdb has read nothing yet, no tickerplant answers"
    ):
        plant.ask(timeout_s=0.5).count("bars")


def test_start_order_does_not_matter(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("processor", "rdb")
    with pytest.raises(Unavailable, match="plant status"):
        plant.publisher("early", timeout_s=0.2)
    plant.start("tickerplant")
    feed = plant.publisher("feed")
    feed.publish("bars", bars(10))
    feed.flush()
    eventually(lambda: plant.ask("processor").count("indicators") == 10)


def test_the_examples_run_and_are_short(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant", "rdb")
    for name in ("my_publisher", "my_subscriber"):
        lines = (ROOT / "examples" / f"{name}.py").read_text().splitlines()
        code = [line for line in lines if line.strip()]
        assert len(code) < 25, f"{name} has {len(code)} lines"
        script = f"import {name}; {name}.main(5)"
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "examples", env=plant.environment,
                              capture_output=True, text=True, timeout=30, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
    eventually(lambda: plant.ask().count("trades", sym="COIN") == 5)


def test_a_user_table_of_plant_toml_is_served(start_plant: Start, eventually: Any) -> None:
    toml = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text", "what"]]\n'
    plant = start_plant("tickerplant", "rdb", toml=toml)
    feed = plant.publisher("wire")
    feed.publish("news", {"time": time.time_ns(), "sym": "AAPL", "headline": "Zürich: Äpfel"})
    feed.flush()
    eventually(lambda: plant.ask().count("news") == 1)
    assert plant.ask().select("news")["headline"].tolist() == ["Zürich: Äpfel"]


def test_settings_that_cannot_be_used_end_a_process_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("[rdb]\nprot = 1\n")
    done = subprocess.run([sys.executable, "-m", "rdb"], cwd=tmp_path, capture_output=True, text=True, timeout=30,
                          check=False, env={k: v for k, v in os.environ.items() if k != "PLANT_CONFIG"})  # fmt: skip
    assert done.returncode == 78
    assert "unknown key rdb.prot" in done.stderr.splitlines()[-1]


def test_the_last_line_of_a_log_is_how_the_process_ended(start_plant: Start) -> None:
    plant = start_plant("rdb")
    process = plant.processes["rdb"]
    process.terminate()
    assert process.wait(20) == 0
    assert "stopped process=rdb reason=SIGTERM" in plant.log("rdb").splitlines()[-1]


def _assert_equal_to_talib(rows: pd.DataFrame, close: np.ndarray) -> None:
    assert (rows["close"].to_numpy() == close).all()
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    same = {
        "sma_20": talib.SMA(close, 20), "ema_20": talib.EMA(close, 20), "ema_50": talib.EMA(close, 50),
        "rsi_14": talib.RSI(close, 14), "bb_upper": upper, "bb_middle": middle, "bb_lower": lower,
    }  # fmt: skip
    for name, expected in same.items():
        np.testing.assert_allclose(rows[name], expected, rtol=1e-9, err_msg=name)
    # TA-Lib seeds the fast EMA of its MACD elsewhere; the difference is below 1e-9 of the price from bar 125 on
    for name, expected in zip(("macd", "macd_signal", "macd_histogram"), talib.MACD(close, 12, 26, 9), strict=True):
        np.testing.assert_allclose(rows[name][150:], expected[150:], atol=1e-9 * close.mean(), rtol=0, err_msg=name)


def _count(connection: Any, table: str, sym: str) -> int:
    try:
        return int(connection.count(table, sym=sym))
    except Unavailable:
        return -1


def _raw_connection(address: str) -> Any:
    import socket

    host, port = address.removeprefix("tcp://").split(":")
    return socket.create_connection((host, int(port)))

"""Alerts of a running plant, received by a real HTTP server: each once, over restarts and kills."""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_server import AlertServer
from chance import SEED, times
from running import RunningPlant

from plant.stream.publisher import Publisher

Eventually = Callable[..., Any]

BEGUN = time.time_ns() // 10**9 * 10**9


@pytest.fixture
def server() -> Iterator[AlertServer]:
    with AlertServer() as running:
        yield running


def toml(server: AlertServer, **keys: Any) -> str:
    section = {"signals": ["*"], "to": f"{server.address}/hook", "every_s": 0.0, "within_s": 3600.0, **keys}
    return "[[alerts]]\n" + "".join(f"{k} = {v!r}\n".replace("'", '"') for k, v in section.items())


def raise_signal(feed: Publisher, number: int, state: str = "", sym: str = "AAPL") -> None:
    """Publish a signal of a bar that has just ended; of the same number it is the same signal."""
    row = {"time": BEGUN - 60 * 10**9, "sym": sym, "interval": "1m", "signal": f"cross_{number}", "side": "buy"}
    feed.publish("signals", {**row, "price": 101.5, "detail": "sma_20 crossed above ema_50", "state": state})
    feed.flush()


def states(plant: RunningPlant, **where: Any) -> dict[str, list[str]]:
    """Return the states of each alert, in the order of the journal, by its event."""
    found: dict[str, list[str]] = {}
    for batch in plant.journal("alerts"):
        for row in batch.rows():
            if all(row[name] == value for name, value in where.items()):
                found.setdefault(row["event"], []).append(row["state"])
    return found


def test_a_signal_is_told_once_also_over_a_restart_and_withdrawn_once(
    start_plant: Callable[..., RunningPlant], server: AlertServer, eventually: Eventually
) -> None:
    disk = toml(server, signals=[], events=["disk"], to=f"{server.address}/disk")
    rules = f"{toml(server)}{disk}[monitor]\ndisk_free_gb = 1e6\n"
    plant = start_plant("tickerplant", "monitor", toml=rules)
    eventually(lambda: states(plant) == {"disk": ["sending", "sent"]}, 20, lambda: plant.log("monitor"))
    feed = plant.publisher("strategy")
    raise_signal(feed, 0)
    eventually(lambda: states(plant).get("cross_0") == ["sending", "sent"], 20, lambda: plant.log("monitor"))
    assert server.titles()[1].startswith("cross_0 AAPL 1m, bar of ")
    assert server.received[1]["message"] == "buy at 101.5: sma_20 crossed above ema_50"
    plant.restart("monitor")
    raise_signal(feed, 1)
    eventually(lambda: len(server.received) == 3, 20, lambda: plant.log("monitor"))
    raise_signal(feed, 0, "withdrawn")
    eventually(lambda: len(server.received) == 4, 20, lambda: plant.log("monitor"))
    assert [title.split()[0] for title in server.titles()] == ["the", "cross_0", "cross_1", "withdrawn:"]
    eventually(lambda: states(plant)["cross_0"] == ["sending", "sent"] * 2)


@times("kills", soak=100, timeout_s=1200)
def test_killed_between_sending_and_noting_it_is_unknown_and_not_sent_again(
    start_plant: Callable[..., RunningPlant], server: AlertServer, eventually: Eventually, kills: int
) -> None:
    """The server kills the monitor while it answers, or a moment later; so every alert gets there once."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    plant = start_plant("tickerplant", "monitor", toml=toml(server))
    feed = plant.publisher("strategy")
    at_once = {0, 1, *(n for n in range(kills) if chance.random() < 0.5)}
    for number in range(kills):
        if number in at_once:
            server.before = lambda alert: plant.kill("monitor")
        raise_signal(feed, number)
        eventually(lambda n=number: len(server.received) > n, 20, lambda: plant.log("monitor"))
        if number not in at_once:
            time.sleep(chance.random() * 0.05)
            plant.kill("monitor")
        eventually(lambda: plant.processes["monitor"].poll() is not None)
        server.before = lambda alert: None
        plant.start("monitor")
    eventually(lambda: all(s[-1] in ("sent", "unknown") for s in states(plant).values()), 20, lambda: states(plant))
    found = states(plant)
    assert [found[f"cross_{n}"] for n in at_once] == [["sending", "unknown"]] * len(at_once)
    assert Counter(title.split()[0] for title in server.titles()) == {f"cross_{n}": 1 for n in range(kills)}
    assert all(s in (["sending", "unknown"], ["sending", "sent"]) for s in found.values())


def test_a_service_that_hangs_holds_up_no_other_and_no_secret_is_written(
    start_plant: Callable[..., RunningPlant],
    server: AlertServer,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setenv("ALERT_TOKEN", "hush%2Fhush-4711")
    with AlertServer() as other:
        server.hang.clear()
        rules = toml(server) + toml(other, to=f"json://me:${{ALERT_TOKEN}}@127.0.0.1:{other.port}/${{ALERT_TOKEN}}")
        other.status = 500
        plant = start_plant("tickerplant", "rdb", "monitor", toml=rules)
        feed = plant.publisher("strategy")
        raise_signal(feed, 0)
        eventually(lambda: other.received, 20, lambda: plant.log("monitor"))
        assert "hush-4711" in other.paths[0]
        eventually(lambda: "failed" in states(plant)["cross_0"], 10, lambda: plant.log("monitor"))
        other.status = 200
        named = f"json://me:${{ALERT_TOKEN}}@127.0.0.1:{other.port}/${{ALERT_TOKEN}}"
        retried = ["sending", "failed", "sending", "sent"]
        eventually(lambda: states(plant, service=named) == {"cross_0": retried}, 10, lambda: plant.log("monitor"))
        assert states(plant, service=f"{server.address}/hook") == {"cross_0": ["sending"]}
    server.hang.set()
    eventually(lambda: states(plant)["cross_0"].count("sent") == 2)
    rows = plant.ask("rdb").select("alerts")
    assert "500" in rows[rows["state"] == "failed"]["detail"].iloc[0]
    assert "hush-4711" not in rows.to_csv()
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and b"hush-4711" in f.read_bytes()]


@pytest.mark.soak
def test_a_process_that_is_down_is_told_also_without_a_tickerplant_and_that_it_is_back(
    start_plant: Callable[..., RunningPlant], server: AlertServer, eventually: Eventually
) -> None:
    down = toml(server, signals=[], events=["process_down"], symbols=["rdb", "tickerplant"])
    plant = start_plant("tickerplant", "rdb", "monitor", toml=down)
    time.sleep(1.5)  # it has seen both
    plant.kill("rdb")
    eventually(lambda: server.titles() == ["rdb is down"], 20, lambda: plant.log("monitor"))
    eventually(lambda: states(plant) == {"process_down": ["sending", "sent"]})
    plant.restart("monitor")
    plant.start("rdb")
    eventually(lambda: server.titles()[1:] == ["over: rdb is down"], 20, lambda: plant.log("monitor"))
    plant.kill("tickerplant")
    eventually(lambda: server.titles()[2:] == ["tickerplant is down"], 20, lambda: plant.log("monitor"))
    plant.start("tickerplant")
    eventually(lambda: server.titles()[3:] == ["over: tickerplant is down"], 20, lambda: plant.log("monitor"))
    told = ["sending", "sent"]
    eventually(lambda: states(plant) == {"process_down": told * 4}, 20, lambda: states(plant))


def test_the_example_of_the_documents_sends_what_it_says(
    start_plant: Callable[..., RunningPlant],
    server: AlertServer,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALERT_TOKEN", "hush-4711")
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    plant = start_plant(
        "tickerplant", "rdb", "monitor", toml=example.replace("127.0.0.1:9000", f"127.0.0.1:{server.port}")
    )
    feed = plant.publisher("venue")
    now = time.time_ns()
    row = {"time": now - 60 * 10**9, "interval": "1m", "signal": "golden_cross", "side": "buy", "price": 101.5}
    feed.publish("signals", [{**row, "sym": sym, "detail": "ema_50 crossed"} for sym in ("AAPL", "TSLA")])
    feed.publish("trades", {"time": now, "sym": "AAPL", "price": -1.0, "size": 1.0})
    feed.flush()
    eventually(lambda: len(server.received) >= 2, 20, lambda: plant.log("monitor"))
    found = dict(zip(server.paths, server.titles(), strict=True))
    assert found.keys() == {"/hook", "/hush-4711"}
    assert found["/hook"].startswith("golden_cross AAPL 1m, bar of ")
    assert found["/hush-4711"] == "rows of venue are rejected"
    eventually(lambda: states(plant) == {"golden_cross": ["sending", "sent"], "rejects": ["sending", "sent"]})
    (query,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    rows = plant.ask("rdb").sql(query)
    assert sorted(rows["state"]) == ["sending", "sending", "sent", "sent"]
    assert "hush-4711" not in rows.to_csv()

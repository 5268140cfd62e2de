"""The trader in a plant of real processes: strategies on paper, what becomes of them, and what it says of itself."""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chance import SEED, times
from forked import Forker
from running import all_stopped
from state_rows import journaled
from trading_plant import TradingPlant, closed_bars
from typer.testing import CliRunner

from plant.errors import BadRows, QueryError, Refused
from plant.state.commands import OBEYED_NS
from plant.state.orders import Orders
from trading.accounts.neighbours import run_of_event
from trading.backtests.backtest import backtest
from trading.command import app
from trading.connection import TradingConnection
from trading.instruments import Instrument, money_of
from trading.live.catalogue import Catalogue
from trading.live.reading import OUTPUTS

Eventually = Callable[..., Any]

SYMS = ("A", "B")


def by_hand(feed: Any, name: str, sym: str, **arguments: Any) -> None:
    """Publish a command `order`."""
    row = {"time": time.time_ns(), "sym": sym, "id": name, "command": "order", "who": "test"}
    feed.publish("commands", {**row, "arguments": json.dumps(arguments)})


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[TradingPlant]:
    with all_stopped() as plants:
        made = TradingPlant(tmp_path / "plant", forker)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "trading")
        yield made


def everything_is_as_made_once(plant: TradingPlant) -> None:
    """Check that the rows of every run are those of the run made again, none missing, none twice; and identities."""
    rows = {table: plant.rows(table) for table in OUTPUTS}
    for run in sorted({row["run"] for row in rows["runs"]}):
        found, made = plant.again(run), [row for table in OUTPUTS for row in rows[table] if row["run"] == run]
        risks = sum(run_of_event(row) == run for row in plant.rows("risk_events"))
        assert (found.difference, found.missing, found.compared) == ("", 0, len(made) + risks), run
    position: dict[tuple[str, str], float] = {}
    for fill in rows["fills"]:
        key = fill["strategy"], fill["sym"]
        position[key] = position.get(key, 0.0) + fill["qty"] * (1 if fill["side"] == "buy" else -1)
        assert fill["position_after"] == position[key]
    orders = Orders()
    for row in rows["orders"]:
        orders.take(journaled("orders", [row]))
    for name, order in orders.items():
        fills = [fill["qty"] for fill in rows["fills"] if fill["order_id"] == name]
        assert order["filled"] == sum(fills), name
    assert len({fill["fill_id"] for fill in rows["fills"]}) == len(rows["fills"])
    assert not orders.open


def account_is_the_sum(plant: TradingPlant, account: str = "paper", capital: float = 1e6) -> None:
    """Check that the newest row of equity tells the plain sum over all fills there were, and the newest marks."""
    lots: dict[str, float] = {}
    cash = money_of(capital)
    for fill in (row for row in plant.rows("fills") if row["account"] == account):
        signed = fill["qty"] * (1 if fill["side"] == "buy" else -1)
        lots[fill["sym"]] = lots.get(fill["sym"], 0.0) + signed
        cash -= money_of(signed * fill["price"]) + money_of(fill["commission"])
    newest = {(row["strategy"], row["sym"]): row for row in plant.rows("positions") if row["account"] == account}
    value = sum(money_of(row["value"]) for row in newest.values())
    told = [row for row in plant.rows("equity") if row["sym"] == account][-1]
    assert (money_of(told["cash"]), money_of(told["value"])) == (cash, value)
    assert money_of(told["equity"]) == cash + value
    held = {sym: sum(row["qty"] for (_, name), row in newest.items() if name == sym) for sym in lots}
    assert held == lots


def test_a_paper_strategy_trades_on_closed_bars_and_stops_when_it_is_to(
    plant: TradingPlant, eventually: Eventually
) -> None:
    trader = TradingConnection("trading", plant.settings.address(plant.settings.trading.port))
    eventually(lambda: plant.rows("instruments"))
    known = {each["name"]: each for each in trader.classes()}
    assert known["Cross"]["parameters"]["properties"]["length"]["default"] == 3
    assert known["Cross"]["doc"] == "Long above the mean of the last bars, short below it."
    seq = plant.cross()
    eventually(lambda: plant.rows("runs"), 30.0, lambda: plant.log("trading"))
    (run,) = plant.rows("runs")
    assert (run["state"], run["first_seq"], run["mode"], run["sym"]) == ("running", seq, "paper", "cross")
    feed = plant.publisher("bars")
    for row in closed_bars(random.Random(7), 60):
        feed.publish("bar_closes", row)
    feed.flush()
    eventually(lambda: len(plant.rows("plots")) == 58, 30.0, lambda: plant.log("trading"))
    plant.change("cross", wanted="paused")
    eventually(lambda: plant.rows("runs")[-1]["state"] == "paused", 30.0, lambda: plant.log("trading"))
    plant.change("cross", wanted="stopped")
    eventually(lambda: plant.rows("runs")[-1]["state"] == "completed", 30.0, lambda: plant.log("trading"))
    fills, orders, trips = (plant.rows(table) for table in ("fills", "orders", "round_trips"))
    assert len(fills) > 10
    assert {row["run"] for row in (*fills, *orders, *trips)} == {run["run"]}
    assert sum(row["qty"] * (1 if row["side"] == "buy" else -1) for row in fills) == fills[-1]["position_after"]
    assert trader.count("fills") == len(fills)
    assert trader.last("runs", frames="arrow").to_pylist()[0]["state"] == "completed"
    assert not [row for row in plant.rows("rejects") if row["source"] == "trading"]
    everything_is_as_made_once(plant)
    trader.close()
    result = backtest(
        Catalogue(plant.folder / "strategies").named("Cross", {}).made_of,
        bars=plant.whole(frames="arrow"),
        sym="A",
        interval="1m",
        as_seen=True,
        run=run["run"],
        called="cross",
        account="paper",
        fills={"preset": "careful", "volume_share": 1.0},
        instruments={"A": Instrument("A", tick=0.01, lot=1.0, taker_bps=1.0)},
        limits={"stale_s": 0},
    )
    for table, rows in (("fills", fills), ("round_trips", trips)):
        names = [name for name in plant.settings.table_schema[table].names if name != "time"]
        again = [[row[name] for name in names] for row in result.rows[table] if not row.get("open")]
        assert again == [[row[name] for name in names] for row in rows], table


def test_a_run_wanted_before_the_trader_was_there_has_the_instruments_of_plant_toml(
    tmp_path: Path, forker: Forker, eventually: Eventually
) -> None:
    with all_stopped() as plants:
        plant = TradingPlant(tmp_path / "plant", forker)
        plants.append(plant)
        plant.start("tickerplant", "rdb", "hdb")
        plant.cross()
        feed = plant.publisher("bars")
        bars = list(closed_bars(random.Random(7), 40))
        feed.publish("bar_closes", bars[0])
        by_hand(feed, "first", "A", side="buy", qty=5)
        feed.flush()
        plant.start("trading")
        eventually(lambda: {row["sym"] for row in plant.rows("runs")} == {"cross", "manual"}, 30.0)
        for row in bars[1:]:
            feed.publish("bar_closes", row)
        feed.flush()
        eventually(lambda: len(plant.rows("plots")) == 38, 30.0, lambda: plant.log("trading"))
        fills = plant.rows("fills")
        assert {fill["strategy"] for fill in fills} == {"cross", "manual"}
        for fill in fills:
            assert fill["commission"] == pytest.approx(fill["qty"] * fill["price"] * 1e-4, abs=1e-8)
        (told,) = plant.rows("instruments")
        assert all(run["first_seq"] < told["seq"] <= json.loads(run["risk"])["known_seq"] for run in plant.rows("runs"))
        assert not [row["detail"] for row in plant.rows("strategy_events") if "taken as" in row["detail"]]
        before = len(plant.rows("runs"))
        plant.kill("trading")
        plant.start("trading")
        eventually(lambda: plant.ask("trading").status()["state"] == "ok", 30.0, lambda: plant.log("trading"))
        assert len(plant.rows("runs")) == before
        for run in {row["run"] for row in plant.rows("runs")}:
            eventually(lambda run=run: plant.again(run).missing == 0, 30.0)
            assert plant.again(run).difference == ""


@pytest.mark.soak
@times("kills", soak=200, timeout_s=3600)
def test_trader_and_tickerplant_are_killed_at_any_moment_and_nothing_is_lost_or_doubled(
    plant: TradingPlant, eventually: Eventually, kills: int
) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    chance = random.Random(SEED)
    plant.cross(syms=SYMS)
    plant.cross("other", parameters={"length": 3, "limits": {"stale_s": 0}})
    feed = plant.publisher("bars")
    each = 16
    bars = iter(closed_bars(random.Random(SEED), each * (kills + 2), SYMS))
    published = 0
    for number in range(kills + 1):
        by_hand(feed, f"c{number}", "A", side="buy", qty=chance.randint(1, 9))
        for row in itertools.islice(bars, each * len(SYMS)):
            feed.publish("bar_closes", row)
            published += 1
            if chance.random() < 0.2:
                time.sleep(chance.random() * 0.02)
        if number == kills:
            break
        by_hand(feed, f"c{number}", "A", side="buy", qty=1)  # the id is used
        plant.change("other", parameters={"length": 4 + number % 5, "limits": {"stale_s": 0}})  # another run takes over
        for victim in chance.choice((("trading",), ("trading",), ("tickerplant",), ("trading", "tickerplant"))):
            time.sleep(chance.random() * 0.1)
            plant.restart(victim)
    feed.flush(60.0)

    def plots() -> int:
        return int(plant.db.count("plots", where=[("run", "==", run)]))

    run = eventually(lambda: next((r["run"] for r in plant.rows("runs") if r["sym"] == "cross"), ""), 60.0)
    wanted = published - 2 * len(SYMS)
    eventually(lambda: plots() >= wanted, 60.0 + 3 * kills, lambda: f"{plots()} of {wanted}: {plant.log('trading')}")
    for name in ("cross", "other"):
        plant.change(name, wanted="stopped")

    def going() -> list[str]:
        newest = {row["run"]: row for row in plant.rows("runs")}
        return [name for name, row in newest.items() if row["state"] != "completed" and row["sym"] != "manual"]

    eventually(lambda: not going(), 60.0, lambda: f"{going()}: {plant.log('trading')}")
    obeyed = {row["id"] for row in plant.rows("commands") if row["received"] - row["time"] <= OBEYED_NS}
    if obeyed:
        last = next(bars)  # of A, which is held by hand
        feed.publish("bar_closes", last)
        # The run of orders by hand may be behind: rows of before come after this bar as well.
        eventually(
            lambda: plant.rows("equity")[-1]["market_time"] == last["market_time"], 30.0, lambda: plant.log("trading")
        )
        account_is_the_sum(plant)
    everything_is_as_made_once(plant)
    assert plots() == wanted
    adopted = sum(row["action"] == "adopted" for row in plant.rows("risk_events"))
    assert adopted  # some of its versions took over; others were replaced before they had begun
    assert len({row["order_id"] for row in plant.rows("orders") if row["strategy"] == "manual"}) == len(obeyed)
    print(
        f"{kills} kills, {published} bars, {len(plant.rows('fills'))} fills, {len(obeyed)} by hand, {adopted} adopted"
    )


def test_strategies_are_kept_by_the_command(plant: TradingPlant, eventually: Eventually) -> None:
    def told(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--config", str(plant.config)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.stdout.split())

    options = ("--class", "Cross", "--sym", "A", "--interval", "1m")
    told("strategy", "create", "mine", *options, "--set", "length=4", "--start")
    with pytest.raises(Refused, match="there is a strategy 'mine' already"):
        told("strategy", "create", "mine", *options)
    with pytest.raises(BadRows, match=r"parameters \$\.length: expected 1 or more, found 0"):
        told("strategy", "update", "mine", "--set", "length=0")
    with pytest.raises(BadRows, match=r"no class 'Cros' \(did you mean 'Cross'\?\)"):
        told("strategy", "update", "mine", "--class", "Cros")
    with pytest.raises(QueryError, match=r"no strategy 'main' \(did you mean 'mine'\?\)"):
        told("strategy", "stop", "main")
    eventually(lambda: plant.rows("runs"), 30.0, lambda: plant.log("trading"))
    (listed,) = json.loads(told("strategy", "list", "--json"))
    assert (listed["strategy"], listed["version"], listed["wanted"], listed["state"]) == (
        "mine",
        1,
        "running",
        "running",
    )
    assert "Cross length=3, size=10.0 Long above" in told("strategy", "classes")
    feed = plant.publisher("bars")
    for row in closed_bars(random.Random(7), 30):
        feed.publish("bar_closes", row)
    eventually(lambda: plant.rows("fills"), 30.0, lambda: plant.log("trading"))
    assert "halted at seq" in told("kill")
    eventually(
        lambda: [r["action"] for r in plant.rows("risk_events")] == ["halted"], 30.0, lambda: plant.log("trading")
    )
    assert json.loads(told("orders", "--json")) == []
    assert "version 2, wanted stopped" in told("strategy", "stop", "mine")
    eventually(lambda: plant.rows("runs")[-1]["state"] == "completed", 30.0, lambda: plant.log("trading"))
    assert "rows made again, all the same" in told("strategy", "again", listed["run"])
    assert "version 3" in told("strategy", "delete", "mine")
    assert json.loads(told("strategy", "list", "--json")) == []


@pytest.mark.soak
def test_a_backtest_is_a_process_of_its_own_whose_rows_are_published(
    plant: TradingPlant, eventually: Eventually
) -> None:
    feed = plant.publisher("bars")
    for row in closed_bars(random.Random(7), 400):
        told = {name: row[name] for name in ("sym", "interval", "open", "high", "low", "close", "volume")}
        feed.publish("bars", {**told, "time": row["market_time"]})
    feed.flush()
    eventually(lambda: plant.rows("instruments") and plant.db.count("bars") == 400)
    options = ("--class", "Cross", "--sym", "A", "--interval", "1m", "--config", str(plant.config))
    told = CliRunner().invoke(app, ["backtest", *options, "--json"], catch_exceptions=False)
    found = json.loads(told.stdout)
    assert found["bars"] == 400
    (run,) = {row["run"] for row in plant.rows("runs")}
    assert run == found["run"]
    newest = plant.rows("runs")[-1]
    assert (newest["state"], newest["mode"], newest["progress"], newest["sym"]) == (
        "completed",
        "backtest",
        1.0,
        "Cross",
    )
    fills, trips = plant.rows("fills"), plant.rows("round_trips")
    assert found["metrics"]["trades"] == sum(not row["open"] for row in trips)
    assert len(fills) > 100
    given = plant.rows("commands")[-1]["received"]
    assert all(given < row["time"] < given + 10**6 for row in (*fills, *trips))
    with pytest.raises(Refused, match=r"is failed: Cross has no parameter 'lenght' \(did you mean 'length'\?\)"):
        CliRunner().invoke(app, ["backtest", *options, "--set", "lenght=3"], catch_exceptions=False)
    checked = CliRunner().invoke(app, ["backtest", *options, "--check"], catch_exceptions=False)
    assert (checked.exit_code, "no look-ahead" in checked.stdout) == (0, True)


@pytest.mark.soak
def test_a_replay_goes_at_its_pace_and_hears_what_is_said(plant: TradingPlant, eventually: Eventually) -> None:
    feed = plant.publisher("bars")
    for row in closed_bars(random.Random(7), 60):
        told = {name: row[name] for name in ("sym", "interval", "open", "high", "low", "close", "volume")}
        feed.publish("bars", {**told, "time": row["market_time"]})
    feed.flush()
    eventually(lambda: plant.rows("instruments") and plant.db.count("bars") == 60)

    def command(name: str, word: str, **arguments: Any) -> None:
        row = {"time": time.time_ns(), "sym": "re", "id": name, "command": word, "arguments": json.dumps(arguments)}
        feed.publish("commands", {**row, "who": "test"})
        feed.flush()

    def newest() -> Any:
        return next((row for row in reversed(plant.rows("runs")) if row["run"] == "re"), {"state": "", "bars": 0})

    told = {"class_name": "Cross", "sym": "A", "interval": "1m", "warm_up": 20, "bars_per_s": 0.01}
    command("re", "replay", **told)
    eventually(lambda: len(plant.rows("plots")) == 18, 60.0, lambda: plant.log("trading"))
    command("c1", "pause_run", run="re")
    eventually(lambda: newest()["state"] == "paused", 30.0, newest)
    command("c2", "step", run="re")
    eventually(lambda: len(plant.rows("plots")) == 19, 30.0, lambda: plant.log("trading"))
    eventually(
        lambda: (newest()["mode"], newest()["state"], newest()["bars"]) == ("replay", "paused", 21), 30.0, newest
    )
    command("c3", "cancel_run", run="re")
    eventually(lambda: newest()["state"] == "cancelled", 30.0, newest)
    command("quick", "replay", **{**told, "bars_per_s": 1000})
    eventually(lambda: plant.rows("runs")[-1]["state"] == "completed", 60.0, lambda: plant.log("trading"))
    assert len([row for row in plant.rows("plots") if row["run"] == "quick"]) == 58


def test_a_strategy_that_fails_ends_its_run_alone(plant: TradingPlant, eventually: Eventually) -> None:
    (plant.folder / "strategies" / "broken.py").write_text(
        "from trading.strategy import Strategy\nclass Broken(Strategy):\n    def on_bar(self, bar):\n        1 / 0\n"
    )
    plant.cross("good")
    plant.cross("bad", class_name="Broken", parameters={})
    plant.cross("absent", class_name="Nobody", parameters={})
    feed = plant.publisher("bars")
    for row in closed_bars(random.Random(3), 10):
        feed.publish("bar_closes", row)
    feed.flush()

    def newest() -> dict[str, tuple[str, str]]:
        return {row["sym"]: (row["state"], row["detail"]) for row in plant.rows("runs")}

    eventually(lambda: len(newest()) == 3 and len(plant.rows("plots")) == 8, 30.0, lambda: plant.log("trading"))
    eventually(lambda: newest()["bad"][0] == "failed", 30.0, lambda: plant.log("trading"))
    assert newest()["good"][0] == "running"
    assert newest()["bad"] == ("failed", "ZeroDivisionError: division by zero")
    assert newest()["absent"][0] == "failed"
    assert "there is no class 'Nobody'" in newest()["absent"][1]

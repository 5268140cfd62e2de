"""An account in a plant of real processes: orders by hand, runs that follow one another, halts, limits, history."""

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked import Forker
from running import all_stopped
from trading_plant import TradingPlant, closed_bars
from typer.testing import CliRunner

from plant.errors import QueryError, Refused, SettingsError
from plant.journal.files import name_of, segment_paths
from plant.journal.journal import CONFIRMED
from trading.command import app
from trading.live.reading import rows_of

Eventually = Callable[..., Any]


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[TradingPlant]:
    with all_stopped() as plants:
        made = TradingPlant(tmp_path / "plant", forker, hdb="part_s = 0.2\n", segment_hours=1e-4)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "trading")
        yield made


class Bars:
    """Publishes bars of A that wander."""

    def __init__(self, plant: TradingPlant) -> None:
        self._feed = plant.publisher("bars")
        self._bars = iter(closed_bars(random.Random(7), 1000))

    def publish(self, count: int) -> int:
        """Publish the next bars; return the seq of the last."""
        for row in itertools.islice(self._bars, count):
            self._feed.publish("bar_closes", row)
        return int(self._feed.flush(30.0))


@pytest.fixture
def told(plant: TradingPlant) -> Callable[..., Any]:
    def told(*arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--config", str(plant.config)], catch_exceptions=False)
        return json.loads(result.stdout) if "--json" in arguments else " ".join(result.stdout.split())

    return told


def whole_rows(plant: TradingPlant, table: str) -> list[dict[str, Any]]:
    with plant.whole(frames="arrow") as connection:
        return rows_of(connection, plant.settings.table_schema, table, [])


def all_made_again(plant: TradingPlant) -> None:
    for run in sorted({row["run"] for row in plant.rows("runs")}):
        found = plant.again(run)
        assert (found.difference, found.missing) == ("", 0), run
        assert found.compared > 0


def test_an_order_by_hand_is_told_what_became_of_it(
    plant: TradingPlant, told: Callable[..., Any], eventually: Eventually
) -> None:
    bars = Bars(plant)
    bars.publish(5)
    eventually(lambda: plant.rows("instruments"))
    (order,) = told("order", "A", "buy", "3", "--tag", "mine", "--json")
    assert (order["state"], order["run"], order["tag"], order["qty"]) == ("accepted", "manual-paper", "mine", 3.0)
    bars.publish(1)
    eventually(lambda: [row["qty"] for row in plant.rows("fills")] == [3.0], 30.0, lambda: plant.log("trading"))
    (stop,) = told("order", "A", "sell", "3", "--stop", "95", "--tif", "gtc", "--json")
    plant.restart("trading")
    (cancelled,) = told("orders", "cancel", stop["order_id"], "--json")
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled by hand")
    with pytest.raises(Refused, match="is cancelled already"):
        told("orders", "cancel", stop["order_id"])
    with pytest.raises(QueryError, match=r"no order 'tp-manual-paper-nothing'"):
        told("orders", "cancel", "tp-manual-paper-nothing")
    with pytest.raises(Refused, match="no bar, trade or quote of NOBODY"):
        told("order", "NOBODY", "buy", "1")
    with pytest.raises(Refused, match="order refused: tif must be one of day"):
        told("order", "A", "buy", "1", "--tif", "never")
    with pytest.raises(SettingsError, match="side must be buy or sell, found 'hold'"):
        told("order", "A", "hold", "1")
    assert "max_order_qty = 2" in told("limits", "--set", "max_order_qty=2")
    assert "max_order_value = 1000" in told("limits", "-s", "max_order_value=1000")
    assert told("limits") == "max_order_qty = 2 max_order_value = 1000"
    with pytest.raises(Refused, match="max_order_qty allows 2, this is 4"):
        told("order", "A", "buy", "4")
    assert told("limits", "-s", "max_order_qty=null", "-s", "max_order_value=null")
    assert told("order", "A", "buy", "4", "--json")[0]["state"] == "accepted"
    bars.publish(1)
    eventually(lambda: len(plant.rows("fills")) == 2, 30.0, lambda: plant.log("trading"))
    all_made_again(plant)
    assert not [row for row in plant.rows("rejects") if row["source"] == "trading"]


def test_runs_of_an_account_follow_one_another_and_halts_outlast_them(
    plant: TradingPlant, told: Callable[..., Any], eventually: Eventually
) -> None:
    bars, trader = Bars(plant), lambda: plant.log("trading")
    plant.cross()
    bars.publish(20)
    eventually(lambda: plant.rows("fills"), 30.0, trader)
    told("strategy", "update", "cross", "--set", "length=5", "--set", 'limits={"stale_s": 0}')
    bars.publish(10)
    eventually(lambda: [r for r in plant.rows("risk_events") if r["action"] == "adopted"], 30.0, trader)
    first, second = dict.fromkeys(row["run"] for row in plant.rows("runs"))
    left = [row for row in plant.rows("positions") if row["run"] == first][-1]
    (adopted,) = [row for row in plant.rows("risk_events") if row["action"] == "adopted"]
    assert (adopted["value"], adopted["strategy"]) == (left["qty"], "cross")
    bars.publish(10)
    eventually(lambda: [row for row in plant.rows("fills") if row["run"] == second], 30.0, trader)
    fill = next(row for row in plant.rows("fills") if row["run"] == second)
    assert fill["position_after"] == left["qty"] + fill["qty"] * (1 if fill["side"] == "buy" else -1)
    told("kill")
    plant.restart("trading")
    plant.cross("late")
    bars.publish(20)

    def of_late() -> list[dict[str, Any]]:
        return [row for row in plant.rows("orders") if row["strategy"] == "late"]

    eventually(lambda: [row for row in of_late() if row["state"] == "refused"], 30.0, trader)
    assert {row["reason"] for row in of_late() if row["state"] == "refused"} == {"risk: halted (killed by hand)"}
    told("resume")
    bars.publish(20)
    eventually(lambda: [row for row in of_late() if row["state"] == "filled"], 30.0, trader)
    both = {("cross", "A"), ("late", "A")}
    eventually(lambda: {(row["strategy"], row["sym"]) for row in plant.rows("positions")} == both, 30.0, trader)
    all_made_again(plant)


def test_after_a_run_diverged_the_next_takes_over_and_waits_for_a_resume(
    plant: TradingPlant, told: Callable[..., Any], eventually: Eventually
) -> None:
    bars, trader = Bars(plant), lambda: plant.log("trading")
    plant.cross()
    bars.publish(20)
    eventually(lambda: plant.rows("fills"), 30.0, trader)
    last = bars.publish(1)
    eventually(lambda: plant.rows("equity")[-1]["seq"] > last, 30.0, trader)
    plant.kill("trading")
    file = plant.folder / "strategies" / "cross.py"
    file.write_text(file.read_text() + "\n")
    plant.start("trading")
    eventually(lambda: plant.rows("runs")[-1]["state"] == "failed", 30.0, trader)
    states = {row["order_id"]: row["state"] for row in plant.rows("orders")}
    assert not {"accepted", "submitting", "created"} & set(states.values())
    held = plant.rows("positions")[-1]["qty"]
    told("strategy", "start", "cross")
    bars.publish(10)
    eventually(lambda: [r for r in plant.rows("orders") if r["reason"].startswith("risk: halted (div")], 30.0, trader)
    assert [row["value"] for row in plant.rows("risk_events") if row["action"] == "adopted"] == [held] * bool(held)
    told("resume")
    fills = len(plant.rows("fills"))
    bars.publish(10)
    eventually(lambda: len(plant.rows("fills")) > fills, 30.0, trader)
    found = plant.again(plant.rows("runs")[-1]["run"])
    assert (found.difference, found.missing) == ("", 0)


def traded_and_closed(plant: TradingPlant, told: Callable[..., Any], eventually: Eventually, bars: Bars) -> str:
    """Have a strategy and an order by hand filled, and the day closed; return the run of that order."""
    trader = partial(plant.log, "trading")
    plant.cross()
    bars.publish(20)
    eventually(lambda: plant.rows("fills"), 30.0, trader)
    (order,) = told("order", "A", "buy", "2", "--json")
    bars.publish(10)
    eventually(lambda: [row for row in plant.rows("fills") if row["run"] == order["run"]], 30.0, trader)
    ended = subprocess.run(
        [sys.executable, "-c", "from plant.command.app import main; main()", "end-of-day"],
        env=plant.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return str(order["run"])


def test_runs_go_on_when_the_journal_no_longer_has_their_beginning(
    plant: TradingPlant, told: Callable[..., Any], eventually: Eventually
) -> None:
    bars = Bars(plant)
    by_hand = traded_and_closed(plant, told, eventually, bars)
    through = eventually(lambda: plant.position()["confirmed"])
    for name in ("trading", "tickerplant"):
        plant.kill(name)
    folder = plant.settings.plant.data / "journal"
    for file, following in itertools.pairwise(segment_paths(folder)):
        if int(name_of(following)) <= through + 1:
            for each in folder.glob(f"{name_of(file)}.*"):
                each.unlink()
    plant.start("tickerplant", "trading")
    assert plant.position()["confirmed"] == through
    last = bars.publish(10)
    bars_left = [batch.seq for batch in plant.journal("bar_closes")]
    assert min(bars_left) > min(row["first_seq"] for row in whole_rows(plant, "runs")), "the journal has all"
    eventually(
        lambda: {row["run"] for row in whole_rows(plant, "equity") if row["seq"] > last} == {by_hand, *runs(plant)},
        60.0,
        lambda: plant.log("trading"),
    )
    assert not [row for row in whole_rows(plant, "runs") if row["state"] == "failed"]
    for run in (by_hand, *runs(plant)):
        found = plant.again(run)
        assert (found.difference, found.missing) == ("", 0), run


def test_runs_go_on_when_the_rdb_has_let_go_of_a_day_that_the_trader_does_not_know_to_be_closed(
    plant: TradingPlant, told: Callable[..., Any], eventually: Eventually
) -> None:
    bars = Bars(plant)
    by_hand = traded_and_closed(plant, told, eventually, bars)
    eventually(lambda: plant.position()["confirmed"])
    eventually(lambda: plant.ask("rdb").status()["released"])
    for name in ("trading", "tickerplant"):
        plant.kill(name)
    (plant.settings.plant.data / "journal" / CONFIRMED).unlink()
    plant.start("tickerplant", "trading")
    assert plant.position()["confirmed"] == 0
    last = bars.publish(10)
    eventually(
        lambda: {row["run"] for row in whole_rows(plant, "equity") if row["seq"] > last} == {by_hand, *runs(plant)},
        60.0,
        lambda: plant.log("trading"),
    )
    assert not [row for row in whole_rows(plant, "runs") if row["state"] == "failed"]


def runs(plant: TradingPlant) -> set[str]:
    return {row["run"] for row in whole_rows(plant, "runs") if row["sym"] == "cross"}

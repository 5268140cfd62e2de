"""Orders by hand as a machine: a symbol is looked up at its first order, followed while something is left of it."""

import json
from typing import Any

import pytest

from plant.errors import Unavailable
from plant.state.commands import GivenCommand
from plant.state.newest import Row
from trading.accounts.lookup import Listed
from trading.accounts.standing_machine import StandingMachine
from trading.instruments import Instrument
from trading.live.machine import Made
from trading.risk import Limits
from trading.run import RunSetup, fill_rules
from trading.strategies.manual import Manual

START, MINUTE = 1_795_100_400_000_000_000, 60 * 10**9
LIMITS = Limits(stale_s=0, max_orders_per_minute=None)


def bar(seq: int, sym: str = "A", price: float = 100.0, interval: str = "1m") -> Row:
    at = START + seq * MINUTE
    prices = {"open": price, "high": price + 1, "low": price - 1, "close": price}
    row = {"time": at + MINUTE, "sym": sym, "market_time": at, "interval": interval, **prices, "volume": 1e6}
    return {**row, "by_clock": 0, "bar_seq": 0, "seq": seq, "seq_row": 0, "received": at + MINUTE}


def command(seq: int, name: str = "order", sym: str = "A", id: str = "", **arguments: Any) -> Row:
    at = START + seq * MINUTE
    told = {"time": at, "sym": sym, "id": id or f"c{seq}", "command": name, "arguments": json.dumps(arguments)}
    return {**told, "who": "me", "seq": seq, "seq_row": 0, "received": at}


class Plant:
    """Knows bars of A up to any seq, nothing of others; may be away."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.away = False
        self.refused = ""

    def __call__(self, told: GivenCommand) -> Listed:
        if self.away:
            raise Unavailable("the rdb is away")
        self.asked.append((told.sym, told.seq))
        priced = bar(told.seq - 1) if told.sym == "A" else None
        assumed = (f"no instrument {told.sym}",)
        return Listed(Instrument(told.sym), None, "1m", "bars", "bar_closes", priced, assumed, self.refused)


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def run(plant: Plant) -> StandingMachine:
    told: dict[str, Any] = {"run": "manual-paper", "strategy": "manual", "symbols": (), "standing": True}
    told |= {"strategy_class": Manual, "instruments": {}, "sessions": {}, "mode": "paper", "start_seq": 10}
    told |= {"fills": fill_rules({"volume_share": 1.0}), "fills_on": "", "limits": LIMITS, "account_limits": LIMITS}
    began = {"seq": 10, "seq_row": 0, "received": START, "time": START, "wanted": "running", "version": 0, "note": ""}
    return StandingMachine(RunSetup(**told), began, "sha", plant, "paper")


def of(made: list[Made], table: str) -> list[Row]:
    return [each.row for each in made if each.table == table]


def states(made: list[Made]) -> list[tuple[str, str]]:
    return [(row["sym"], row["state"]) for row in of(made, "orders")]


def test_an_order_is_filled_by_the_next_bar_and_its_symbol_followed_until_it_is_closed(
    run: StandingMachine, plant: Plant
) -> None:
    assert run.take("bar_closes", bar(11)) == []
    made = run.take("commands", command(12, side="buy", qty=3, tag="mine", client_order_id="x 1"))
    assert states(made) == [("A", "created"), ("A", "submitting"), ("A", "accepted")]
    order = of(made, "orders")[-1]
    assert (order["order_id"], order["cause_seq"], order["run"]) == ("tp-manual-paper-c-0", 12, "manual-paper")
    assert (order["strategy"], order["client_order_id"], order["tag"]) == ("manual", "x 1", "mine")
    assert [row["detail"] for row in of(made, "strategy_events")] == ["no instrument A", ""]
    assert run.follows == {"A": "1m"}
    assert run.take("bar_closes", bar(13, interval="5m")) == []
    assert [row["position_after"] for row in of(run.take("bar_closes", bar(13)), "fills")] == [3]
    made = run.take("commands", command(14, "flatten", sym="A"))
    assert of(made, "orders")[0]["side"] == "sell"
    made = run.take("bar_closes", bar(15))
    assert [row["position_after"] for row in of(made, "fills")] == [0]
    assert of(made, "round_trips")[0]["qty"] == 3
    assert run.follows == {}
    assert run.take("bar_closes", bar(16)) == []
    assert states(run.take("commands", command(17, side="sell", qty=1)))[-1] == ("A", "accepted")
    assert plant.asked == [("A", 12), ("A", 17)]


def test_what_cannot_be_ordered_is_a_row_that_says_why(run: StandingMachine) -> None:
    made = run.take("commands", command(12, sym="NOBODY", side="buy", qty=3))
    assert states(made) == [("NOBODY", "created"), ("NOBODY", "refused")]
    assert "no bar, trade or quote of NOBODY" in of(made, "orders")[-1]["reason"]
    made = run.take("commands", command(13, side="buy", qty=0))
    assert of(made, "orders")[-1]["reason"] == "a quantity must be more than 0, found 0"
    made = run.take("commands", command(14, qty=1))
    assert of(made, "strategy_events")[-1]["detail"].startswith("order refused: order: side must be buy or sell")
    assert of(made, "strategy_events")[-1]["detail"].endswith("(command c14)")
    assert run.follows == {}


def test_what_real_money_may_not_order_is_refused_with_its_reason_until_that_is_gone(
    run: StandingMachine, plant: Plant
) -> None:
    plant.refused = 'mode = "live" needs the tick and lot of A; give them in [[instruments]]'
    made = run.take("commands", command(12, side="buy", qty=3))
    assert states(made) == [("A", "created"), ("A", "refused")]
    assert of(made, "orders")[-1]["reason"] == plant.refused
    assert run.follows == {}
    plant.refused = ""
    made = run.take("commands", command(13, side="buy", qty=3))
    assert states(made)[-1] == ("A", "accepted")
    assert "no instrument A" in [row["detail"] for row in of(made, "strategy_events")]


def test_money_is_ordered_by_whole_lots_at_the_last_price(run: StandingMachine) -> None:
    assert of(run.take("commands", command(12, side="buy", notional=350.0)), "orders")[0]["qty"] == 3
    assert states(run.take("commands", command(13, side="buy", notional=1.0)))[-1] == ("A", "refused")


def test_an_id_counts_once_and_other_accounts_are_not_its_own(run: StandingMachine) -> None:
    assert run.take("commands", command(12, account="other", side="buy", qty=1)) == []
    assert run.take("commands", command(13, id="one", account="paper", side="buy", qty=1, limit=95.0))
    assert run.take("commands", command(14, id="one", account="paper", side="buy", qty=1, limit=95.0)) == []
    (order,) = {row["order_id"] for row in of(run.take("commands", command(15, "kill", "*")), "orders")}
    assert order == "tp-manual-paper-d-0"
    assert states(run.take("commands", command(16, side="buy", qty=1)))[-1] == ("A", "refused")


def test_a_row_is_taken_again_if_the_plant_could_not_be_asked(run: StandingMachine, plant: Plant) -> None:
    plant.away = True
    with pytest.raises(Unavailable):
        run.take("commands", command(12, side="buy", qty=1))
    plant.away = False
    assert states(run.take("commands", command(12, side="buy", qty=1)))[-1] == ("A", "accepted")

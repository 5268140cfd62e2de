"""Exits of one entry at a broker: which go out together, and which is refused before it is sent, with a sentence."""

from typing import Any

import pytest

from trading import Strategy
from trading.desk.ledger import Cancel, Place, TableRow
from trading.engine import Engine
from trading.events import Bar, Fill, OrderReport, Side
from trading.instruments import Instrument
from trading.orders import Kind, order_id
from trading.run import PRESETS, RunSetup

ENTRY = "tp-r1-1-0"


class Run:
    """A run at a broker that enters by 10 lots with its first bar."""

    def __init__(self, broker: str, **exits: float) -> None:
        class Enters(Strategy):
            def on_bar(self, bar: Bar) -> None:
                self.enter("long", 10, **exits)

        names = {"run": "r1", "strategy": "s", "symbols": ("X",), "instruments": {"X": Instrument("X", tick=1)}}
        mode = {"mode": "live", "broker": broker} if broker != "paper" else {"mode": "paper", "broker": broker}
        self.engine = Engine(RunSetup(strategy_class=Enters, fills=PRESETS["tradingview"], **names, **mode))
        self.engine.take(Bar("X", 0, 1, 1, 0, "1m", 60 * 10**9, 100, 101, 99, 100, 1e6))

    def filled(self, seq: int, name: str, qty: int, side: Side = Side.BUY, state: str = "") -> list[Any]:
        fill = Fill("X", seq, seq, seq, 0, f"f{seq}", name, side, qty, 100, 0, "taker")
        return self.told(seq, name, state, fill=fill)

    def told(self, seq: int, name: str, state: str, **given: Any) -> list[Any]:
        return list(self.engine.take(OrderReport("X", seq, seq, seq, 0, name, state, **given)))


def sent(actions: list[Any]) -> list[tuple[Kind, int]]:
    return [(one.order.kind, one.order.qty) for one in actions if isinstance(one, Place)]


def refused(actions: list[Any]) -> dict[str, str]:
    rows = [one.row for one in actions if isinstance(one, TableRow) and one.table == "orders"]
    return {row["tag"]: row["reason"] for row in rows if row["state"] == "refused"}


@pytest.mark.parametrize(
    ("broker", "exits", "go_out", "gives_way"),
    [
        ("alpaca", {"stop_loss": 90}, [Kind.STOP], ""),
        ("alpaca", {"take_profit": 110}, [Kind.LIMIT], ""),
        ("alpaca", {"trailing_stop": 5}, [Kind.TRAILING], ""),
        ("alpaca", {"stop_loss": 90, "take_profit": 110}, [Kind.STOP, Kind.LIMIT], ""),
        ("alpaca", {"take_profit": 110, "trailing_stop": 5}, [Kind.TRAILING], "take_profit"),
        ("alpaca", {"stop_loss": 90, "trailing_stop": 5}, [Kind.STOP], "trailing_stop"),
        ("alpaca", {"stop_loss": 90, "take_profit": 110, "trailing_stop": 5}, [Kind.STOP, Kind.LIMIT], "trailing_stop"),
        ("binance", {"stop_loss": 90, "take_profit": 110}, [Kind.STOP, Kind.LIMIT], ""),
        ("binance", {"take_profit": 110, "trailing_stop": 5}, [Kind.LIMIT], "trailing_stop"),
        ("binance", {"stop_loss": 90, "trailing_stop": 5}, [Kind.STOP], "trailing_stop"),
        ("binance", {"trailing_stop": 5}, [Kind.TRAILING], ""),
    ],
)
def test_what_a_broker_does_not_take_together_is_refused_before_it_is_sent(
    broker: str, exits: dict[str, float], go_out: list[Kind], gives_way: str
) -> None:
    actions = Run(broker, **exits).filled(50, ENTRY, 10)
    assert sent(actions) == [(kind, 10) for kind in go_out]
    assert list(refused(actions)) == [gives_way] * bool(gives_way)
    for reason in refused(actions).values():
        assert reason.startswith(f"not sent: {broker} holds the position for ")
        assert "takes a stop_loss with a take_profit" in reason


def test_on_paper_all_three_are_there() -> None:
    run = Run("paper", stop_loss=90, take_profit=110, trailing_stop=5)
    actions = list(run.engine.take(Bar("X", 60 * 10**9, 1, 2, 0, "1m", 120 * 10**9, 100, 101, 99, 100, 1e6)))
    rows = [one.row for one in actions if isinstance(one, TableRow) and one.table == "orders"]
    assert {row["tag"] for row in rows if row["state"] == "accepted"} >= {"stop_loss", "take_profit", "trailing_stop"}
    assert refused(actions) == {}


def test_an_entry_that_is_filled_in_parts_has_a_pair_for_each_part() -> None:
    run = Run("alpaca", stop_loss=90, take_profit=110)
    assert sent(run.filled(50, ENTRY, 4)) == [(Kind.STOP, 4), (Kind.LIMIT, 4)]
    assert sent(run.filled(60, ENTRY, 6)) == [(Kind.STOP, 6), (Kind.LIMIT, 6)]
    stop, target = order_id("r1", 50, 0), order_id("r1", 50, 1)
    for name in (stop, target):
        run.told(70, name, "accepted")
    actions = run.filled(71, stop, 4, Side.SELL)
    cancelled = [(one.order.order_id, one.order.reason) for one in actions if isinstance(one, Cancel)]
    assert cancelled == [(target, f"{stop} of its group was filled")], "the pair of the other part stays"


def test_a_target_that_is_filled_in_part_cancels_nothing_by_itself() -> None:
    run = Run("alpaca", stop_loss=90, take_profit=110)
    run.filled(50, ENTRY, 10)
    stop, target = order_id("r1", 50, 0), order_id("r1", 50, 1)
    assert [one for one in run.filled(60, target, 6, Side.SELL) if isinstance(one, Cancel | Place)] == []
    run.told(61, stop, "", qty=4)
    assert run.engine.ledger.orders.get(stop).qty == 4  # type: ignore[union-attr]
    run.filled(62, stop, 4, Side.SELL)
    assert run.engine.ledger.orders.get(stop).state == "filled"  # type: ignore[union-attr]
    assert run.engine.ledger.positions["X"].lots == 0

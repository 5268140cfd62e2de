"""An account that runs share: each sees the plain sum over all fills, whatever comes between."""

import random
from typing import Any

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import through_the_plant

from trading.account import Account
from trading.accounts.shared import SharedAccount, held_of
from trading.desk.rows import position_row
from trading.events import Fill, Side
from trading.instruments import Instrument, money_of

INSTRUMENTS = (Instrument("ES", tick=0.25, lot=1, multiplier=50), Instrument("COIN", tick=1e-8, lot=0.003, taker_bps=3))
START = money_of(1e6)
NAMES = ("one", "two", "three")


class Run:
    """A run of a strategy: its books, and the account as it sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.books = Account("paper", START)
        self.shared = SharedAccount(self.books)
        self.positions = {each.sym: self.books.position(name, each) for each in INSTRUMENTS}

    def told(self) -> list[dict[str, Any]]:
        """Return its rows of `positions`, as the plant has them."""
        rows = [position_row(1, p, "paper", self.name, 1) for p in self.positions.values() if p.moved]
        return [through_the_plant("positions", row) for row in rows]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(INSTRUMENTS),
        st.sampled_from(Side),
        st.integers(1, 50),
        st.integers(1, 20_000),
        st.integers(0, 10**6),
    ),
    max_size=10,
)


@settings(max_examples=examples(20), deadline=None)
@given(ACTIONS, st.integers(0, 2**32))
def test_each_run_sees_the_sum_over_all_fills_once_it_was_told_of_them(actions: list, seed: int) -> None:
    chance, runs = random.Random(seed), {name: Run(name) for name in NAMES}
    waiting: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    cash, lots, marks, paid = START, dict.fromkeys([i.sym for i in INSTRUMENTS], 0), {}, 0
    for number, (name, instrument, side, qty, price, commission) in enumerate(actions):
        run = runs[name]
        fill = Fill(instrument.sym, 0, 0, number, 0, f"f{number}", "o", side, qty, price, commission, "taker")
        run.books.book(run.positions[instrument.sym], fill)
        cash -= side.sign * instrument.value(qty, price) + commission
        paid += commission
        lots[instrument.sym] += side.sign * qty
        marks[name, instrument.sym] = price
        for other in NAMES:
            if other != name:
                waiting[other] += run.told()
                while waiting[other] and chance.random() < 0.6:
                    row = waiting[other].pop(0)
                    runs[other].shared.told(row["strategy"], row["sym"], held_of(row))
    for name, run in runs.items():
        for row in waiting[name]:
            run.shared.told(row["strategy"], row["sym"], held_of(row))
        shared = run.shared
        value = sum(
            i.value(runs[n].positions[i.sym].lots, marks[n, i.sym])
            for n in NAMES
            for i in INSTRUMENTS
            if (n, i.sym) in marks
        )
        assert (shared.cash, shared.value, shared.equity, shared.commission) == (cash, value, cash + value, paid)
        assert shared.equity == START + shared.realised + shared.unrealised - shared.commission
        assert {i.sym: shared.lots(i) for i in INSTRUMENTS} == lots
        assert shared.gross == sum(r.books.gross for r in runs.values())


@settings(max_examples=examples(12), deadline=None)
@given(ACTIONS, ACTIONS)
def test_the_next_run_of_a_strategy_goes_on_where_the_one_before_ended(before: list, after: list) -> None:
    """Its books are then those of one run that made all the fills; the account is what it was."""
    whole, first, other = Run("one"), Run("one"), Run("two")
    for number, (_, instrument, side, qty, price, commission) in enumerate(before):
        fill = Fill(instrument.sym, 0, 0, number, 0, f"f{number}", "o", side, qty, price, commission, "taker")
        for run in (whole, first):
            run.books.book(run.positions[instrument.sym], fill)
    following = Run("one")
    for row in first.told():
        for run in (following, other):
            run.shared.told("one", row["sym"], held_of(row))
    seen = (other.shared.cash, other.shared.equity)
    assert (following.shared.cash, following.shared.equity) == seen == (whole.books.cash, whole.books.equity)
    for instrument in INSTRUMENTS:
        if (held := following.shared.released("one", instrument.sym)) is not None:
            position = following.positions[instrument.sym]
            lots = (1 if held.qty >= 0 else -1) * instrument.lots(abs(held.qty))
            mark = instrument.ticks(held.price)
            following.books.adopt(position, lots, mark, held.cost, held.realised, held.commission)
    assert (following.shared.cash, following.shared.equity) == seen
    assert following.books.began == following.books.equity
    for number, (_, instrument, side, qty, price, commission) in enumerate(after):
        fill = Fill(instrument.sym, 0, 0, number, 0, f"g{number}", "o", side, qty, price, commission, "taker")
        for run in (whole, following):
            run.books.book(run.positions[instrument.sym], fill)
            run.books.mark(instrument.sym, price)
    for sym in whole.positions:
        one, two = whole.positions[sym], following.positions[sym]
        for name in ("lots", "cost", "mark", "value", "realised", "commission"):
            assert getattr(one, name) == getattr(two, name), name
    assert following.shared.cash == whole.books.cash


def test_orders_of_others_count_until_they_are_done_or_their_run_is_over() -> None:
    shared = SharedAccount(Account("paper", START))
    instrument = Instrument("X", tick=1, lot=0.5)
    order = {"sym": "X", "side": "buy", "qty": 3.0, "filled": 1.0, "parent": "", "state": "accepted"}
    for name, run in (("a", "r1"), ("b", "r2"), ("c", "r1")):
        shared.order({**order, "order_id": name, "run": run})
    shared.order({**order, "order_id": "a", "run": "r1", "state": "filled"})
    assert (shared.open_orders, shared.ahead(instrument, Side.BUY), shared.ahead(instrument, Side.SELL)) == (2, 8, 0)
    shared.order({**order, "order_id": "d", "run": "r2", "parent": "b", "side": "sell"})
    shared.order({**order, "order_id": "c", "run": "r1", "state": "cancelling"})
    assert (shared.open_orders, shared.ahead(instrument, Side.BUY), shared.ahead(instrument, Side.SELL)) == (3, 4, 0)
    shared.ended("r1")
    assert shared.open_orders == 2


def test_a_drawdown_is_that_of_the_whole_account_once_there_are_others() -> None:
    shared = SharedAccount(Account("paper", START))
    assert (shared.peak, shared.drawdown) == (START, 0.0)
    row = {"qty": 1.0, "price": 1.0, "market_time": 1, "cost": 0.0, "value": 1e5, "realised": 0.0, "commission": 0.0}
    shared.told("other", "X", held_of(row))
    assert shared.peak == money_of(1.1e6)
    shared.told("other", "X", held_of({**row, "value": 0.0}))
    assert shared.drawdown == (1e6 - 1.1e6) / 1.1e6
    shared.passed(money_of(2e6))
    assert shared.drawdown == -0.5

"""Accounts: the identities that hold after every fill and every mark, as == on ints, whatever the instruments are."""

from fractions import Fraction

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.account import Account
from trading.events import Fill, Side
from trading.instruments import Instrument, money_of

INSTRUMENTS = (
    Instrument("EURUSD", tick=1e-5, lot=1.0),
    Instrument("BTC/USDT", tick=0.01, lot=1e-5, taker_bps=7.5),
    Instrument("COIN", tick=1e-8, lot=0.003, maker_bps=1, taker_bps=3),  # a lot moves by a part of 1e-8 for a tick
    Instrument("ES", tick=0.25, lot=1, multiplier=50, fee_per_unit=1.19, min_fee=2.0),
)


def fill(number: int, instrument: Instrument, side: Side, qty: int, price: int | Fraction, commission: int) -> Fill:
    return Fill(instrument.sym, 0, 0, number, 0, f"f{number}", "o", side, qty, price, commission, "taker")


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(INSTRUMENTS),
        st.sampled_from(Side),
        st.integers(1, 50),
        st.one_of(st.integers(1, 200_000), st.fractions(1, 200_000, max_denominator=8)),
        st.integers(1, 200_000),
    ),
    max_size=40,
)


@settings(max_examples=examples(80), deadline=None)
@given(ACTIONS, st.integers(-(10**12), 10**12))
def test_the_identities_hold_after_every_fill_and_mark(actions: list, deposit: int) -> None:
    start = money_of(1e6)
    account = Account("paper", start)
    account.deposit(deposit)
    signed: dict[tuple[str, str], int] = {}
    flows: dict[tuple[str, str], int] = {}
    for number, (strategy, instrument, side, qty, price, mark) in enumerate(actions):
        position = account.position(strategy, instrument)
        commission = instrument.commission(qty, price, "taker")
        before_cash, before_realised = account.cash, position.realised
        account.book(position, fill(number, instrument, side, qty, price, commission))
        key = (strategy, instrument.sym)
        signed[key] = signed.get(key, 0) + side.sign * qty
        flows[key] = flows.get(key, 0) + account.cash - before_cash + commission
        if not position.lots:
            assert position.realised == flows[key], "realised from flat to flat is the cash that flowed"
            assert position.cost == 0
        assert isinstance(before_realised, int)
        account.mark(instrument.sym, mark)
        assert account.cash + sum(p.value for p in account.positions.values()) == account.equity
        assert {name: p.lots for name, p in account.positions.items() if p.lots} == {
            n: q for n, q in signed.items() if q
        }
        for sym in {name[1] for name in signed}:
            assert account.lots(sym) == sum(q for (_, s), q in signed.items() if s == sym)
        booked = start + deposit + account.realised + account.unrealised - account.commission
        assert account.equity == booked
        assert account.realised == sum(p.realised for p in account.positions.values())


def test_a_share_of_the_cost_is_floored_and_the_last_takes_the_rest() -> None:
    coin = Instrument("COIN", tick=1, lot=1e-8)  # a lot for a tick is 1e-8 of the currency
    account = Account("paper", money_of(100))
    position = account.position("s", coin)
    account.book(position, fill(1, coin, Side.BUY, 1, 10, 0))
    account.book(position, fill(2, coin, Side.BUY, 2, 5, 0))
    assert position.cost == 20
    realised = [account.book(position, fill(n, coin, Side.SELL, 1, 10, 0)).realised for n in (3, 4, 5)]
    assert realised == [4, 3, 3]
    assert account.cash == money_of(100) + 10


def test_a_reversal_is_a_close_and_an_open_at_one_price() -> None:
    euro = Instrument("EURUSD", tick=1e-5)
    account = Account("paper", money_of(1000))
    position = account.position("s", euro)
    account.book(position, fill(1, euro, Side.BUY, 3, 110000, 0))
    booking = account.book(position, fill(2, euro, Side.SELL, 8, 111000, 80))
    assert booking == (money_of(0.03), 3, 5)
    assert (position.lots, position.average, position.unrealised) == (-5, 1.11, 0)
    assert account.cash == money_of(1000 - 3.3 + 8.88) - 80


def test_a_loss_that_a_fill_realises_counts_as_drawdown() -> None:
    """The position is gone before it was ever marked at that price."""
    euro = Instrument("EURUSD", tick=1)
    account = Account("paper", money_of(1000))
    position = account.position("s", euro)
    account.book(position, fill(1, euro, Side.BUY, 1, 200, 0))
    account.book(position, fill(2, euro, Side.SELL, 1, 120, money_of(20)))
    assert (account.equity, account.worst, account.drawdown) == (money_of(900), -0.1, -0.1)


def test_a_short_has_its_proceeds_in_cash() -> None:
    euro = Instrument("EURUSD", tick=1e-5)
    account = Account("paper", money_of(10))
    account.book(account.position("s", euro), fill(1, euro, Side.SELL, 2, 150000, 0))
    assert (account.cash, account.value, account.equity) == (money_of(13), money_of(-3), money_of(10))
    account.mark("EURUSD", 175000)
    assert (account.equity, account.unrealised, account.worst) == (money_of(9.5), money_of(-0.5), -0.05)

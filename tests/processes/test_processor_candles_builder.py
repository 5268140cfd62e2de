"""Candles of the same trades are the same bars, in any batches and order, with restarts and corrections."""

import math
from typing import Any

import pytest
from candle_plant import MINUTE, CandlePlant
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.calendars.assignment import Calendars
from plant.errors import QueryLimit

START = 1_795_788_000_000_000_000 // MINUTE * MINUTE  # 2026-11-27, a half-day of XNYS


def trade(second: float, price: float, size: float = 1.0, **others: Any) -> dict[str, Any]:
    return {"time": START + int(second * 1e9), "sym": "A", "price": price, "size": size, "source": "venue", **others}


def model(rows: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[float, ...]]:
    """Return the 1m bars of trades, plainly; rows are in the order of the journal."""
    groups: dict[tuple[str, int], list[Any]] = {}
    for place, row in enumerate(rows):
        key = (row["sym"], row["time"] // MINUTE * MINUTE)
        groups.setdefault(key, []).append(((row["time"], row.get("venue_seq", 0), place), row["price"], row["size"]))
    found = {}
    for key, members in groups.items():
        members.sort()
        prices = [price for _, price, _ in members]
        volume = math.fsum(size for *_, size in members)
        value = math.fsum(price * size for _, price, size in members)
        vwap = value / volume if volume else math.nan
        found[key] = (prices[0], max(prices), min(prices), prices[-1], volume, vwap, float(len(members)))
    return found


def same(found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    assert found.keys() == wanted.keys()
    for key in wanted:
        assert found[key] == pytest.approx(wanted[key], rel=1e-14, nan_ok=True), key


TRADES = st.lists(
    st.builds(
        trade,
        st.integers(0, 900),
        st.integers(100, 200).map(lambda cents: cents / 100),
        st.integers(0, 300).map(lambda tenths: tenths / 10),
        sym=st.sampled_from(["A", "B"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=examples(30))
@given(TRADES, st.data())
def test_any_batches_and_restarts_give_the_bars_of_a_plain_computation(rows: list[dict[str, Any]], data: Any) -> None:
    plant = CandlePlant(intervals=("1m", "5m", "1h", "1d"), update_s=0.0)
    at, now = 0, START
    while at < len(rows):
        size = data.draw(st.integers(1, 7))
        now += data.draw(st.integers(0, 200)) * 10**9
        plant.send("trades", rows[at : at + size], now)
        at += size
        if data.draw(st.booleans()):
            plant.tick(now)
        if data.draw(st.booleans()):
            plant.restart(data.draw(st.integers(0, plant.settled)))
    plant.tick(now + 3600 * 10**9)
    same(plant.bars(), model(rows))
    for interval, length in (("5m", 5), ("1h", 60), ("1d", 1440)):
        same(plant.bars(interval), larger(plant.bars(), length * MINUTE))
    before = len(plant.published)
    plant.restart()
    plant.tick(now + 7200 * 10**9)
    assert plant.published[before:] == []


def larger(bars: dict[Any, Any], length: int) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for (sym, time), (o, h, low, c, volume, vwap, trades) in sorted(bars.items()):
        value = vwap * volume if volume else 0.0
        key = (sym, time // length * length)
        if key in found:
            p = found[key]
            found[key] = (p[0], max(p[1], h), min(p[2], low), c, p[4] + volume, p[5] + value, p[6] + trades)
        else:
            found[key] = (o, h, low, c, volume, value, trades)
    return {k: (*v[:5], v[5] / v[4] if v[4] else math.nan, v[6]) for k, v in found.items()}


@settings(deadline=None, max_examples=examples(25))
@given(TRADES, st.data())
def test_the_order_of_trades_that_differ_in_time_makes_no_difference(rows: list[dict[str, Any]], data: Any) -> None:
    once = list({(row["sym"], row["time"]): row for row in rows}.values())
    given_bars = []
    for rows in (once, data.draw(st.permutations(once))):
        plant = CandlePlant(intervals=("1m", "15m"), update_s=0.0)
        for at in range(0, len(rows), 5):
            plant.send("trades", rows[at : at + 5], START)
            plant.tick(START + 10**13)
        given_bars.append((plant.bars(), plant.bars("15m")))
    assert repr([sorted(each.items()) for each in given_bars[0]]) == repr([sorted(e.items()) for e in given_bars[1]])


@settings(deadline=None, max_examples=examples(25))
@given(TRADES, st.data())
def test_bars_are_made_of_trades_less_the_cancelled_with_the_corrected(rows: list[dict[str, Any]], data: Any) -> None:
    rows = [{**row, "trade_id": str(i)} for i, row in enumerate(rows)]
    plant, left = CandlePlant(intervals=("1m", "5m"), update_s=0.0), dict(enumerate(rows))
    plant.send("trades", rows, START)
    plant.tick(START + 10**12)
    for _ in range(data.draw(st.integers(1, 6))):
        i = data.draw(st.integers(0, len(rows) - 1))
        action = data.draw(st.sampled_from(["cancel", "correct"]))
        change = {"action": action, "price": 3.0, "size": 7.0, "trade_id": str(i)}
        plant.send("trade_corrections", [{**rows[i], **change}], START)
        if action == "cancel":
            left.pop(i, None)
        else:
            left[i] = {**rows[i], "price": 3.0, "size": 7.0}
        if data.draw(st.booleans()):
            plant.restart()
        if data.draw(st.booleans()):
            plant.tick(START + 10**12)
    plant.tick(START + 10**12)
    wanted = model([left[i] for i in sorted(left)])
    same(plant.bars(), wanted)
    same(plant.bars("5m"), larger(wanted, 5 * MINUTE))


def test_a_bar_that_forms_goes_out_at_most_every_update_and_at_once_when_its_minute_is_over() -> None:
    plant = CandlePlant()
    for second in range(60):
        plant.send("trades", [trade(second + 0.1, 1.0 + second)], START)
        for part in (2, 4, 6, 8):
            plant.tick(START + second * 10**9 + part * 10**8)
    assert 55 <= len(plant.published) <= 60
    before = len(plant.published)
    plant.send("trades", [trade(59.99, 9.0)], START)
    plant.tick(START + MINUTE + 1)
    plant.tick(START + MINUTE + 2)
    assert [row["close"] for _, row in plant.published[before:]] == [9.0]


def test_a_late_trade_revises_the_bar_of_its_time_once_the_rdb_answers() -> None:
    plant = CandlePlant(intervals=("1m", "5m"))
    plant.send("trades", [trade(60 * m, 1.0 + m) for m in range(30)], START)
    plant.tick(START + 10**13)
    plant.away = True
    plant.send("trades", [trade(30, 99.0)], START)
    plant.tick(START + 10**13)
    assert plant.bars()["A", START][1] == 1.0
    plant.away = False
    plant.tick(START + 2 * 10**13)
    assert plant.bars()["A", START] == (1.0, 99.0, 1.0, 99.0, 2.0, 50.0, 2.0)
    assert max(bar[1] for bar in plant.bars("5m").values()) == 99.0
    assert plant.builder.state == "candles of trades of venue 1, 1 late trades"


def test_the_builder_says_whose_trades_count_and_what_was_left_out_or_corrected() -> None:
    plant = CandlePlant(ranked=("venue",))
    assert plant.builder.state == "candles of trades of no feed yet"
    plant.send("trades", [trade(1, 1.0), {**trade(2, 2.0), "source": "other"}], START)
    plant.send("trades", [{**trade(3, 3.0), "sym": "B"}, {**trade(4, 4.0), "sym": "C", "source": "other"}], START)
    plant.send("trade_corrections", [{**trade(1, 1.0), "action": "cancel", "trade_id": "none"}], START)
    assert plant.builder.state == (
        "candles of trades of venue 2, other 1, 1 corrections, 1 trades of other sources left out, "
        "1 bars to be made anew"
    )
    assert CandlePlant(build="never").builder.state == ""


def test_an_interval_that_a_feed_sends_itself_is_not_built_and_its_rows_are_never_revised() -> None:
    plant = CandlePlant(intervals=("1m", "5m"))
    plant.send("trades", [trade(1, 1.0)], START)
    plant.tick(START + 10**9)
    bar = {"sym": "A", "interval": "1m", "open": 2.0, "high": 2.0, "low": 2.0, "close": 2.0, "volume": 5.0}
    plant.send("bars", [{**bar, "time": START, "source": "venue"}], START)
    plant.send("trades", [trade(2, 3.0), trade(61, 4.0)], START)
    plant.tick(START + 10**12)
    assert plant.bars()["A", START][:5] == (2.0, 2.0, 2.0, 2.0, 5.0)
    assert list(plant.bars()) == [("A", START)]
    assert [(row["interval"], row["source"]) for _, row in plant.published] == [
        ("1m", "built:venue"),
        ("5m", "built:venue"),
        ("5m", "built:venue"),
    ]
    assert [bar[:5] for bar in plant.bars("5m").values()] == [(2.0, 2.0, 2.0, 2.0, 5.0)]


def test_imported_bars_stay_and_keep_no_others_from_being_built() -> None:
    plant = CandlePlant(intervals=("1m", "5m"))
    prices = {"open": 2.0, "high": 2.0, "low": 2.0, "close": 2.0, "volume": 5.0}
    bars = [{"time": START + i * MINUTE, "sym": "A", "interval": "1m", "source": "import", **prices} for i in (0, 1)]
    plant.send("bars", bars, START)
    plant.send("trades", [trade(second, 3.0) for second in (90, 130, 190)], START)
    plant.tick(START + 10**12)
    plant.tick(START + 2 * 10**12)
    assert [bar[:5] for bar in plant.bars().values()] == [
        (2.0, 2.0, 2.0, 2.0, 5.0),
        (2.0, 2.0, 2.0, 2.0, 5.0),
        (3.0, 3.0, 3.0, 3.0, 1.0),
        (3.0, 3.0, 3.0, 3.0, 1.0),
    ]
    assert [bar[4] for bar in plant.bars("5m").values()] == [12.0]


def test_days_are_regular_sessions_with_the_closing_print_and_hours_begin_with_the_session() -> None:
    plant = CandlePlant(Calendars({"XNYS": ("A",)}, {}), ("1m", "1h", "1d"))
    opened = START - (START - 1_795_789_800_000_000_000)  # 14:30 UTC
    rows = [
        {**trade(0, 9.0), "time": opened - 1, "conditions": "12"},  # pre-market: form T counts
        {**trade(0, 10.0, 100.0), "time": opened},
        {**trade(0, 99.0, 5.0), "time": opened + 1, "conditions": "37"},  # an odd lot: volume alone
        {**trade(0, 12.0, 50.0), "time": opened + int(3.45 * 3600e9)},
        {**trade(0, 13.0, 1000.0), "time": opened + int(3.5 * 3600e9) + 5 * 10**9, "conditions": "8"},
    ]
    plant.send("trades", rows, START)
    plant.tick(START + 10**14)
    ((day, value),) = plant.bars("1d").items()
    assert day == ("A", opened - int(9.5 * 3600e9))
    assert value == pytest.approx((10.0, 13.0, 10.0, 13.0, 1155.0, (1000 + 495 + 600 + 13000) / 1155, 4.0))
    hours = [(time - opened) / 3600e9 for _, time in sorted(plant.bars("1h"))]
    assert hours == [-0.5, 0.0, 3.0, 3.5]
    before = len(plant.published)
    for trades_since in (0, len(plant.journal) + 1):
        plant.restart(trades_since)
        plant.tick(START + 10**14)
        assert plant.published[before:] == []


def test_another_source_takes_over_when_the_first_is_silent_and_gives_back() -> None:
    plant = CandlePlant(ranked=("best", "other"))
    sent = [("best", 0), ("other", 1), ("best", 10), ("other", 20), ("other", 27), ("other", 65), ("best", 70)]
    sent += [("other", 75), ("best", 130)]
    for source, second in sent:
        plant.send("trades", [trade(second, 1.0 if source == "best" else 2.0, source=source)], START + second * 10**9)
        plant.tick(START + second * 10**9)
    plant.tick(START + 10**12)
    assert [bar[:5] for bar in plant.bars().values()] == [
        (1.0, 1.0, 1.0, 1.0, 2.0),
        (2.0, 2.0, 2.0, 2.0, 2.0),
        (1.0, 1.0, 1.0, 1.0, 1.0),
    ]
    gaps = [row for table, row in plant.published if table == "gaps"]
    assert [row["state"] for row in gaps] == ["opened", "healed"]
    assert "no trade of best for 15 s; trades of other count from" in gaps[0]["detail"]
    before, told = plant.bars(), len(plant.published)
    plant.restart()
    plant.tick(START + 10**13)
    assert plant.bars() == before
    assert plant.published[told:] == []


def test_a_day_that_is_sent_again_is_asked_for_a_few_times() -> None:
    plant = CandlePlant(intervals=("1m", "2m", "5m", "1h", "1d"))
    plant.send("trades", [trade(60 * minute, 1.0 + minute) for minute in range(300)], START)
    plant.tick(START + 10**14)
    wanted, asked = {interval: plant.bars(interval) for interval in ("2m", "5m", "1h", "1d")}, plant.asked
    sent = [batch.columns for batch in plant.journal if batch.table == "bars"]
    for columns in sent:
        plant.send("bars", columns, START)
    plant.tick(START + 10**14)
    assert plant.asked - asked < 20
    assert {interval: plant.bars(interval) for interval in wanted} == wanted


class Refusing(CandlePlant):
    """Trades of B cannot be had."""

    def trades(self, sym: str, start: int, end: int) -> Any:
        """Return rows of `trades`."""
        if sym == "B":
            raise QueryLimit("too many rows")
        return super().trades(sym, start, end)


def test_bars_that_cannot_be_asked_for_hold_up_no_others() -> None:
    plant = Refusing(intervals=("1m",))
    plant.send("trades", [trade(60 * minute, 1.0) for minute in range(9)], START)
    plant.send("trades", [trade(3600 * hour, 1.0, sym="B") for hour in range(120)], START)
    plant.tick(START + 10**15)
    plant.send("trades", [trade(3600 * hour + 1, 1.0, sym="B") for hour in range(110)], START)
    plant.send("trades", [trade(30, 9.0)], START)
    for _ in range(5):
        if plant.tick(START + 10**15).bars is None:
            plant.builder.due(START + 10**15)
    assert plant.bars()["A", START][1] == 9.0
    assert "110 bars to be made anew" in plant.builder.state


@pytest.mark.parametrize("after", range(1, 7))
def test_a_larger_bar_over_the_end_of_a_day_has_the_last_minutes_that_only_history_has(after: int) -> None:
    plant = CandlePlant(intervals=("1m", "2m", "1h", "1d"), update_s=0.0)
    first = START // (60 * MINUTE) * 60 + 21
    for minute in range(7):
        plant.send("trades", [{**trade(0, 1.0 + minute), "time": (first + minute) * MINUTE}], START)
    plant.tick(START + 10**13)
    plant.restart_behind()
    for minute in range(7, 7 + after):
        plant.send("trades", [{**trade(0, 1.0 + minute), "time": (first + minute) * MINUTE}], START)
        plant.tick(START + 10**13)
        for interval, length in (("2m", 2), ("1h", 60), ("1d", 1440)):
            same(plant.bars(interval), larger(plant.bars(), length * MINUTE))


@settings(deadline=None, max_examples=examples(15))
@given(TRADES, TRADES, st.integers(0, 30))
def test_trades_of_a_time_that_only_history_has_revise_all_their_bars(
    before: list[dict[str, Any]], after: list[dict[str, Any]], later: int
) -> None:
    plant = CandlePlant(intervals=("1m", "2m", "5m", "1h", "1d"), update_s=0.0)
    plant.send("trades", before, START)
    plant.tick(START + 10**13)
    plant.restart_behind()
    for at in range(0, len(after), 4):
        rows = [{**row, "time": row["time"] + later * MINUTE} for row in after[at : at + 4]]
        plant.send("trades", rows, START)
        plant.tick(START + 10**13)
        for interval, length in (("2m", 2), ("5m", 5), ("1h", 60), ("1d", 1440)):
            same(plant.bars(interval), larger(plant.bars(), length * MINUTE))


@pytest.mark.parametrize(("price", "size"), [(1e200, 1e200), (1.0, 1e308), (1e308, 1.0), (-1e308, 1.0), (1.0, 2.0**99)])
def test_a_size_beyond_what_can_be_summed_adds_no_volume_and_sets_its_price(price: float, size: float) -> None:
    plant = CandlePlant(intervals=("1m", "5m"))
    plant.send("trades", [trade(1, 2.0, 3.0), trade(2, price, size)], START)
    plant.tick(START + 10**12)
    (bar,) = plant.bars().values()
    assert bar == (2.0, max(price, 2.0), min(price, 2.0), price, 3.0, 2.0, 2.0)
    assert list(plant.bars("5m").values()) == [bar]

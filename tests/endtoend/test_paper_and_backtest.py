"""A paper run and a backtest over what the plant has stored give the same orders, fills, round trips and plots."""

import itertools
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from candle_plant import columns_of_rows
from chance import SEED
from forked import Forker
from recorded_trades import FOLDER, recorded, trades_of
from running import all_stopped
from trading_plant import MINUTE, TradingPlant

from plant.rows.schema import UNKNOWN_TIME
from trading.backtests.backtest import backtest
from trading.backtests.result import Result
from trading.instruments import Instrument
from trading.live.catalogue import Catalogue

Eventually = Callable[..., Any]

BUSY = '''
from trading import Sma, Strategy


class Busy(Strategy):
    """Orders of every kind, by chance that the run's seed makes, and by what it has heard."""

    def start(self):
        self.means = {sym: self.use(Sma(3), sym) for sym in self.symbols}
        self.heard, self.skewed = 0, 0.0

    def on_trade(self, trade):
        self.heard += 1

    def on_quote(self, quote):
        self.skewed += quote.bid_size - quote.ask_size

    def on_fill(self, fill):
        self.plot(f"after {fill.fill_id}", fill.position_after)

    def on_order(self, order):
        if order.state == "cancelled":
            self.plot(f"cancelled {order.order_id}", order.qty)

    def on_bar(self, bar):
        mean, sym, tick = self.means[bar.sym], bar.sym, self.tick(bar.sym)
        chance = self.random.random()
        if not mean.ready:
            return
        self.plot("mean", mean.value)
        self.plot("heard", self.heard)
        self.plot("skewed", self.skewed)
        self.plot("equity", self.equity)
        side = "long" if bar.close > mean.value else "short"
        sign = 1 if side == "long" else -1
        if chance < 0.25:
            away = 8 * tick * sign
            self.enter(side, 5, sym=sym, stop_loss=bar.close - away, take_profit=bar.close + away)
        elif chance < 0.4:
            self.buy(3, limit=bar.close - 2 * tick, tif="gtc", id="low", sym=sym)
        elif chance < 0.5:
            self.sell(2, stop=bar.close - 3 * tick, id="down", sym=sym, trailing_stop=6 * tick)
        elif chance < 0.6:
            self.cancel("low")
        elif chance < 0.7:
            self.close(sym)
        elif chance < 0.8:
            self.buy("0.1% equity", tif="ioc", sym=sym)
        elif chance < 0.9:
            self.sell(4, trail=5 * tick, tif="gtc", id="trail", sym=sym)
'''

FILLS = {"preset": "careful", "volume_share": 1.0}
FREE = {"stale_s": 0, "max_orders_per_minute": 1_000_000}

TOML = (
    "".join(
        f'[[accounts]]\nname = "{name}"\nfills_on = "{name}"\n'
        'fills = { preset = "careful", volume_share = 1.0 }\n'
        "limits = { stale_s = 0, max_orders_per_minute = 1000000 }\n"
        for name in ("bars", "trades", "quotes")
    )
    + '[[instruments]]\nsym = "*"\ntick = 0.01\nlot = 1.0\ntaker_bps = 1.0\nmaker_bps = 0.5\n'
)

ID = re.compile("tp-[a-z0-9-]+")
PLACES = ("made_at", "cause_seq", "cause_row")


@pytest.fixture
def plant(tmp_path: Path, forker: Forker) -> Iterator[TradingPlant]:
    with all_stopped() as plants:
        made = TradingPlant(tmp_path / "plant", forker, toml=TOML, timer_s=0.0, processor='intervals = ["1m"]')
        (made.folder / "strategies" / "busy.py").write_text(BUSY)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor", "trading")
        yield made


def run_on_paper(
    plant: TradingPlant, eventually: Eventually, symbols: Mapping[str, Sequence[str]], publish: Callable[[], int]
) -> dict[str, dict[str, Any]]:
    """Run Busy on each account while `publish` sends a day and returns its bars; return each run's row of `runs`."""
    for account, syms in symbols.items():
        told = {"class_name": "Busy", "symbols": list(syms), "interval": "1m", "wanted": "running", "mode": "paper"}
        plant.change(account, "create", **told, account=account, parameters={"limits": FREE})

    def states() -> dict[str, str]:
        return {row["sym"]: row["state"] for row in plant.rows("runs")}

    def told() -> str:
        return f"{states()}\n{plant.log('trading')}\n{plant.log('processor')}"

    eventually(lambda: states() == dict.fromkeys(symbols, "running"), 30.0, told)
    bars = publish()
    eventually(lambda: plant.db.count("bar_closes") == bars, 600.0, told)
    for account in symbols:
        plant.change(account, wanted="stopped")
    eventually(lambda: states() == dict.fromkeys(symbols, "completed"), 600.0, told)
    return {row["sym"]: row for row in plant.rows("runs")}


def again(plant: TradingPlant, row: Mapping[str, Any], syms: Sequence[str], **terms: Any) -> Result:
    """Backtest over what the plant has stored."""
    return backtest(
        Catalogue(plant.folder / "strategies").named("Busy", {}).made_of,
        bars=plant.whole(frames="arrow"),
        sym=tuple(syms),
        interval="1m",
        run=row["run"],
        called=row["sym"],
        account=row["sym"],
        fills=FILLS,
        fills_on=row["sym"],
        seed=zlib.crc32(row["run"].encode()),
        instruments={sym: Instrument(sym, tick=0.01, lot=1.0, taker_bps=1.0, maker_bps=0.5) for sym in syms},
        limits=FREE,
        **terms,
    )


def compare(plant: TradingPlant, row: Mapping[str, Any], result: Result, without: Sequence[str] = ()) -> dict[str, int]:
    """Hold every row to be the same in all columns but `time` (and `without`), ids by their order; return how many.

    On paper the run ended by a word: what that cancelled is left out; and a trip is a row once it is closed.
    """
    counts = {}
    for table in ("orders", "fills", "round_trips", "plots"):
        names = [n for n in plant.settings.table_schema[table].names if n != "time" and n not in without]
        paper = [r for r in plant.rows(table) if r["run"] == row["run"] and r.get("reason") != "stopped by test"]
        theirs = [r for r in result.rows.get(table, ()) if not r.get("open")]
        one, other = plainly(paper, names, bool(without)), plainly(theirs, names, bool(without))
        for at, (mine, stored) in enumerate(zip(one, other, strict=False)):
            assert mine == stored, f"{table}, row {at}"
        assert len(one) == len(other), table
        counts[table] = len(one)
    return counts


def plainly(rows: Sequence[Mapping[str, Any]], names: Sequence[str], by_order: bool) -> list[dict[str, Any]]:
    """Return the columns of rows, unknown numbers and times as None; ids as the order in which they come up."""
    known: dict[str, str] = {}
    found = []
    for row in rows:
        plain = {n: None if row[n] != row[n] or row[n] == UNKNOWN_TIME else row[n] for n in names}
        if by_order:
            for name, value in plain.items():
                if isinstance(value, str):
                    plain[name] = ID.sub(lambda found: known.setdefault(found[0], f"id {len(known)}"), value)
        found.append(plain)
    return found


def made_up_day(chance: random.Random, minutes: int) -> dict[str, list[dict[str, Any]]]:
    """Return trades and quotes of A and B, some a minute, and bars of C; prices in steps of 0.01."""
    begin, last = 1_700_000_000 * 10**9 // MINUTE * MINUTE, {"A": 10_000, "B": 5_000, "C": 2_000}
    found: dict[str, list[dict[str, Any]]] = {"trades": [], "quotes": [], "bars": []}
    for minute in range(minutes):
        start = begin + minute * MINUTE
        for time in sorted(start + chance.randrange(MINUTE) for _ in range(12)):
            sym = chance.choice("AB")
            last[sym] += chance.randint(-6, 6)
            price, told = last[sym], {"time": time, "sym": sym, "source": "feed"}
            if chance.random() < 0.5:
                found["trades"].append({**told, "price": price / 100, "size": float(chance.randint(1, 9))})
            else:
                sizes = {name: float(chance.randint(0, 9)) for name in ("bid_size", "ask_size")}
                bid, ask = price - chance.randint(1, 3), price + chance.randint(1, 3)
                found["quotes"].append({**told, "bid": bid / 100, "ask": ask / 100, **sizes})
        first = last["C"]
        last["C"] = end = first + chance.randint(-9, 9)
        high, low = max(first, end) + chance.randint(0, 9), min(first, end) - chance.randint(0, 9)
        prices = {"open": first / 100, "high": high / 100, "low": low / 100, "close": end / 100}
        bar = {"time": start, "sym": "C", "interval": "1m", "source": "feed", **prices}
        found["bars"].append({**bar, "volume": float(chance.randint(0, 60))})
    return found


def test_a_paper_run_and_a_backtest_over_its_stored_day_are_equal(plant: TradingPlant, eventually: Eventually) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    day = made_up_day(random.Random(SEED), 60)

    def publish() -> int:
        feed = plant.publisher("feed")
        merged = [(row["time"], table, row) for table, rows in day.items() for row in rows]
        minutes = itertools.groupby(sorted(merged, key=lambda each: each[:2]), lambda each: each[0] // MINUTE)
        for closed, (_, rows) in enumerate(minutes):  # a bar is closed by the next one: then its orders meet the ticks
            for _, table, row in rows:
                feed.publish(table, row)
            feed.flush()
            eventually(lambda closed=closed: plant.db.count("bar_closes", "C") >= closed, 30.0, closed)
        minutes = {(row["sym"], row["time"] // MINUTE) for row in day["trades"]}
        return len(minutes) + len(day["bars"])

    symbols = {"bars": ("C",), "trades": ("A", "B"), "quotes": ("A", "B")}
    runs = run_on_paper(plant, eventually, symbols, publish)
    counts = {}
    db = plant.whole(frames="arrow")
    for account in ("trades", "quotes"):
        result = again(plant, runs[account], symbols[account], as_seen=True, trades=db, quotes=db)
        counts[account] = compare(plant, runs[account], result)
    counts["bars"] = compare(plant, runs["bars"], again(plant, runs["bars"], ("C",)), without=PLACES)
    print(counts)
    assert all(each["fills"] > 20 and each["round_trips"] > 5 for each in counts.values()), counts
    for row in runs.values():
        found = plant.again(row["run"])
        assert (found.difference, found.missing) == ("", 0)


@recorded
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_recorded_hour_of_two_stocks_is_equal_too(plant: TradingPlant, eventually: Eventually) -> None:
    symbols = {"trades": ("IBM", "BAC"), "quotes": ("IBM", "BAC")}
    day = {("trades", sym): trades_of(sym, "20131007") for sym in symbols["trades"]}
    day |= {("quotes", sym): quotes_of(sym, "20131007") for sym in symbols["trades"]}
    first, end = (pd.Timestamp(f"2013-10-07 {at}", tz="UTC").value for at in ("13:30", "14:30"))
    for name, rows in day.items():
        kept = (rows["time"] >= first) & (rows["time"] < end)
        day[name] = {column: values[kept] for column, values in rows.items()}

    def publish() -> int:
        feed = plant.publisher("vendor")
        bars = closed = 0
        for start in range(first, end, MINUTE):
            for (table, _), rows in day.items():
                place = slice(*np.searchsorted(rows["time"], (start, start + MINUTE)))
                if place.stop > place.start:
                    feed.publish(table, {name: column[place] for name, column in rows.items()})
                    bars += table == "trades"
            feed.flush(60.0)
            eventually(lambda closed=closed: plant.db.count("bar_closes") >= closed, 60.0, closed)
            closed = bars
        return bars

    runs = run_on_paper(plant, eventually, symbols, publish)
    db = plant.whole(frames="arrow", timeout_s=600.0)
    for account, syms in symbols.items():
        result = again(plant, runs[account], syms, as_seen=True, trades=db, quotes=db)
        counts = compare(plant, runs[account], result)
        print(account, counts)
        assert counts["fills"] > 20


def quotes_of(sym: str, day: str) -> dict[str, Any]:
    """Return the recorded quotes of a day as columns of `quotes`; each row of the vendor's has one side."""
    rows = pq.read_table(FOLDER / f"tick/{sym}_{day}_quotes.parquet")
    found = columns_of_rows("quotes", [{"time": 0, "sym": sym, "source": "vendor"}])
    found = {name: column[np.zeros(rows.num_rows, dtype=np.int64)] for name, column in found.items()}
    times = rows.column("ts_utc").to_pandas().astype("datetime64[ns, UTC]").astype("int64")
    found |= {"time": times.to_numpy()}
    for side in ("bid", "ask"):
        price = rows.column(f"{side}_price_e4").to_numpy() / 1e4
        found |= {side: np.where(price > 0, price, np.nan)}
        found |= {f"{side}_size": rows.column(f"{side}_size").to_numpy().astype(float)}
    return found

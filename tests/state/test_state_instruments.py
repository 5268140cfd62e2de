"""What is known of an instrument: its own row before a pattern's, the latest that has come by then."""

from state_rows import journaled, numbered

from plant.state.instruments import Instruments

UNIT = {"tick": 0.01, "lot": 1.0, "multiplier": 1.0}


def test_a_symbols_own_row_comes_before_the_longest_pattern_and_the_latest_since_counts() -> None:
    fold = Instruments()
    rows = [
        {**UNIT, "sym": "BTC/*", "since": None, "source": "wide"},
        {**UNIT, "sym": "*", "since": None, "source": "all"},
        {**UNIT, "sym": "BTC/USDT", "since": None, "source": "own"},
        {**UNIT, "sym": "BTC/USDT", "since": 10**18, "source": "later"},
        {**UNIT, "sym": "*", "since": None, "source": "all again"},
    ]
    fold.take(journaled("instruments", numbered(rows, range(5))))

    def source(sym: str, time: int) -> str:
        row = fold.at(sym, time)
        return row["source"] if row else ""

    assert source("BTC/USDT", 5) == "own"
    assert source("BTC/USDT", 10**18) == "later"
    assert source("BTC/EUR", 5) == "wide"
    assert source("AAPL", 5) == "all again"
    assert Instruments().at("AAPL", 5) is None


def test_plant_toml_comes_before_a_venue_s_list_and_tells_what_that_does_not_know() -> None:
    nan, fold = float("nan"), Instruments()
    venue = {**UNIT, "sym": "BTCUSDT", "since": None, "source": "binance", "tick": 0.5, "taker_bps": nan}
    rows = [
        {**UNIT, "sym": "BTCUSDT", "since": None, "source": "plant.toml", "taker_bps": 7.5},
        venue,
        {**venue, "sym": "ETHUSDT"},
        {**UNIT, "sym": "*USDT", "since": None, "source": "plant.toml", "taker_bps": 10.0},
    ]
    fold.take(journaled("instruments", numbered(rows, range(4))))
    known = {sym: fold.at(sym, 5) for sym in ("BTCUSDT", "ETHUSDT")}
    assert {sym: (row["source"], row["tick"], row["taker_bps"]) for sym, row in known.items() if row} == {
        "BTCUSDT": ("plant.toml", 0.01, 7.5),
        "ETHUSDT": ("binance", 0.5, 10.0),
    }

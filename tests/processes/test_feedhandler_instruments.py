"""A row of `instruments` has every column that the table wants of who publishes it."""

from feedhandler.instruments import instrument_row
from plant.rows.tables import schema_of
from trading.live.setups import instrument_of


def test_a_row_has_all_columns_and_is_what_trading_takes() -> None:
    row = instrument_row("BTCUSDT", "USDT", "crypto", 0.01, 1e-5, min_notional=5.0)
    table = schema_of()["instruments"]
    assert {*row, "time", "source"} == {column.name for column in table.columns}
    made = instrument_of("BTCUSDT", row)
    assert (made.tick, made.lot, made.min_notional, made.shortable) == (0.01, 1e-5, 5.0, False)

"""The processor: bars from trades, indicators and signals on closed bars."""

"""Backtests in a notebook: bars in, a run over them, what it gave as DataFrames."""

"""Conditions over bars and indicators: one grammar, one evaluator, for signals, strategies and backtests."""

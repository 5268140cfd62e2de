"""Backtests and replays as processes of their own: begun by the trader, their pace, what they do."""

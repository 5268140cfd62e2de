"""Candles: bars from trades, larger ones from smaller, and when they are closed; state machines without sockets."""

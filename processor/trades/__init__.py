"""Trades on their way into bars: which count, and what they set; folded so that order makes no difference."""

"""Trades that a venue sends again: which trade ids a source has sent of its newest days, and which come once more."""

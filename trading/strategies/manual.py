"""Orders by hand: the class of the run `manual-<account>` that every account has."""

from trading import Strategy


class Manual(Strategy):
    """Decides nothing; its orders are given by hand, `plant order`."""

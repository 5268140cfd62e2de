"""The trailing stop called UT Bot, for the alias of the one system that shows it: a state machine without sockets.

Definition: Chandrapalsingh12/Chandra-Shekhar-Trade-Platform-Fro, src/app/domain/services/utbot.py. ATR is the mean of
the last `period` true ranges. Long, the stop is the highest of close - multiple x ATR; a close below it turns it to
short, with the stop above; and so on. It begins long, with the first bar that has an ATR.
"""

from collections import deque
from typing import Literal

Action = Literal["BUY", "SELL", "HOLD"]


class UtBot:
    """Follows closed bars, one by one.

    position   "FLAT" until there is an ATR, then "LONG" or "SHORT"
    stop       quote currency, None while flat
    """

    def __init__(self, period: int = 10, multiple: float = 1.0) -> None:
        self._ranges: deque[float] = deque(maxlen=period)
        self._period, self._multiple = period, multiple
        self._close: float | None = None
        self.position: Literal["FLAT", "LONG", "SHORT"] = "FLAT"
        self.stop: float | None = None

    def take(self, high: float, low: float, close: float) -> Action:
        """Take a closed bar; return BUY or SELL if it turns the position."""
        before, self._close = self._close, close
        if before is not None:
            self._ranges.append(max(high - low, abs(high - before), abs(low - before)))
        if len(self._ranges) < self._period:
            return "HOLD"
        distance = self._multiple * sum(self._ranges) / self._period
        if self.stop is None:
            self.position, self.stop = "LONG", close - distance
            return "HOLD"
        if self.position == "LONG":
            self.stop = max(self.stop, close - distance)
            if close < self.stop:
                self.position, self.stop = "SHORT", close + distance
                return "SELL"
        else:
            self.stop = min(self.stop, close + distance)
            if close > self.stop:
                self.position, self.stop = "LONG", close - distance
                return "BUY"
        return "HOLD"

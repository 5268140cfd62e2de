"""Channel breakout: a stop order beyond the highest high and one beyond the lowest low of the last bars."""

from trading import Bar, Strategy, param


class ChannelBreakout(Strategy):
    """With every bar: long stop a tick above the channel, short stop a tick below it."""

    length: int = param(5, low=1, high=5000, help="bars of the channel")
    size: float = param(1.0, low=0, help="units")

    def on_bar(self, bar: Bar) -> None:
        past, tick = self.bars(self.length + 1), self.tick()
        if len(past.high) > self.length:  # as Pine: once there is a close before the channel
            self.enter("long", self.size, stop=float(past.high[1:].max()) + tick, id="ChBrkLE")
        low = past.low[-self.length :]
        stop = float(low.min()) - tick if len(low) == self.length else None  # no channel yet: a market order
        self.enter("short", self.size, stop=stop, id="ChBrkSE")

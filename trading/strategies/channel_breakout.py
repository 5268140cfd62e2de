"""Channel breakout: a stop order beyond the highest high and one beyond the lowest low of the last bars."""

from trading import Bar, Strategy, param


class ChannelBreakout(Strategy):
    """With every bar: long stop a tick above the channel, short stop a tick below it."""

    length: int = param(5, low=1, high=5000, help="bars of the channel")
    tick: float = param(0.01, low=0, help="how far beyond the channel, in prices")
    size: float = param(1.0, low=0, help="units")

    def on_bar(self, bar: Bar) -> None:
        past = self.bars(self.length)
        if len(past.high) < self.length:
            self.enter("short", self.size, id="ChBrkSE")  # as Pine: a stop that is not there yet is none
            return
        self.enter("long", self.size, stop=float(past.high.max()) + self.tick, id="ChBrkLE")
        self.enter("short", self.size, stop=float(past.low.min()) - self.tick, id="ChBrkSE")

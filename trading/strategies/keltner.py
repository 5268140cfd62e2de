"""Keltner channel: a stop order one tick beyond the bar that closed outside of the channel."""

from trading import Bar, Keltner, Strategy, param


class KeltnerChannel(Strategy):
    """Long stop above a bar that closed above the channel, short stop below one that closed below it."""

    period: int = param(20, low=1, high=500, help="bars of the middle, an EMA")
    multiplier: float = param(2.0, low=0.1, high=50, step=0.1, help="ATR from the middle to a side")
    atr_period: int = param(10, low=1, high=500, help="ATR length, bars")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.channel = self.use(Keltner(self.period, self.multiplier, self.atr_period))
        self.before: tuple[float, float, float] | None = None
        self.above = self.below = float("nan")

    def on_bar(self, bar: Bar) -> None:
        channel, before = self.channel.value, self.before
        if channel is None:
            return
        self.before = bar.close, channel.upper, channel.lower
        if before is None:
            return
        if bar.close < channel.middle or bar.high >= self.above:
            self.cancel("KltChLE")
        if bar.close > channel.middle or bar.low <= self.below:
            self.cancel("KltChSE")
        close, upper, lower = before
        if bar.close > channel.upper and close <= upper:
            self.above = bar.high + self.tick()
            self.enter("long", self.size, stop=self.above, id="KltChLE")
        if bar.close < channel.lower and close >= lower:
            self.below = bar.low - self.tick()
            self.enter("short", self.size, stop=self.below, id="KltChSE")

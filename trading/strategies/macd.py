"""MACD: long while the histogram is above zero, short while it is below."""

from trading import Bar, Ema, Strategy, param


class MacdCross(Strategy):
    """Reverse when the MACD crosses its signal line: each average begins as the plain mean of its first values."""

    fast: int = param(12, low=1, high=500, help="bars of the fast average")
    slow: int = param(26, low=2, high=500, help="bars of the slow average")
    signal: int = param(9, low=1, high=500, help="bars of the signal's average")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.quick, self.calm = self.use(Ema(self.fast)), self.use(Ema(self.slow))
        self.line = Ema(self.signal)
        self.before: float | None = None

    def on_bar(self, bar: Bar) -> None:
        if not (self.quick.ready and self.calm.ready):
            return
        macd = self.quick.value - self.calm.value
        self.line.update(macd)
        if not self.line.ready:
            return
        delta, before = self.plot("delta", macd - self.line.value), self.before
        self.before = delta
        if before is not None and delta > 0 and before <= 0:
            self.enter("long", self.size, id="MacdLE")
        if before is not None and delta < 0 and before >= 0:
            self.enter("short", self.size, id="MacdSE")

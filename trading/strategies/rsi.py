"""RSI reversal: long when the index comes up from below, short when it comes down from above."""

from trading import Bar, Rsi, Strategy, param


class RsiReversal(Strategy):
    """Long when the RSI crosses above `oversold`, short when it crosses below `overbought`; market orders."""

    period: int = param(14, low=2, high=500, help="RSI length, bars")
    oversold: float = param(30.0, low=0, high=100, step=1, help="long above it")
    overbought: float = param(70.0, low=0, high=100, step=1, help="short below it")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.rsi = self.use(Rsi(self.period))
        self.before: float | None = None

    def on_bar(self, bar: Bar) -> None:
        now, before = self.rsi.value, self.before
        self.before = now
        if now is None or before is None:
            return
        self.plot("rsi", now)
        if now > self.oversold and before <= self.oversold:
            self.enter("long", self.size, id="RsiLE")
        if now < self.overbought and before >= self.overbought:
            self.enter("short", self.size, id="RsiSE")

"""UT Bot: a flip between long and short when the close crosses an ATR trailing stop."""

from trading import Atr, Bar, Strategy, param


class UTBot(Strategy):
    """Flip when the close crosses an ATR trailing stop."""

    key: float = param(1.0, low=0.1, high=10, step=0.1, help="ATR multiples")
    period: int = param(10, low=1, high=200, help="ATR length, bars")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.atr = self.use(Atr(self.period))
        self.stop: float | None = None
        self.before = float("nan")

    def on_bar(self, bar: Bar) -> None:
        x, x1, self.before = bar.close, self.before, bar.close
        if not self.atr.ready:
            return
        p, loss = self.stop or 0.0, self.key * self.atr.value
        if x > p and x1 > p:
            stop = max(p, x - loss)
        elif x < p and x1 < p:
            stop = min(p, x + loss)
        else:
            stop = x - loss if x > p else x + loss
        if self.stop is not None and x > stop and x1 <= p:
            self.enter("long", self.size)
        if self.stop is not None and x < stop and x1 >= p:
            self.enter("short", self.size)
        self.stop = self.plot("trail", stop)

"""Supertrend: long while its direction is up, short while it is down."""

from trading import Bar, Strategy, Supertrend, param


class SupertrendTurn(Strategy):
    """Reverse by a market order when the Supertrend turns; the size is a share of the equity."""

    period: int = param(10, low=1, high=500, help="ATR length, bars")
    multiplier: float = param(3.0, low=0.1, high=50, step=0.1, help="ATR from the middle of the bar to the stop")
    percent: float = param(15.0, low=0.01, high=100, help="% of the equity, at the fill price")

    def start(self) -> None:
        self.trend = self.use(Supertrend(self.period, self.multiplier))
        self.before: float | None = None

    def on_bar(self, bar: Bar) -> None:
        if not self.trend.ready:
            return
        self.plot("supertrend", self.trend.value.supertrend)
        direction, before = self.trend.value.direction, self.before
        self.before = direction
        if before is not None and direction != before:
            size = f"{self.percent}% equity"
            if direction > 0:
                self.enter("long", size, id="My Long Entry Id")
            else:
                self.enter("short", size, id="My Short Entry Id")

"""Moving-average cross: long while the fast average is above the slow one, short while it is below."""

from trading import Bar, Sma, Strategy, param


class MovingAverageCross(Strategy):
    """Reverse when the fast simple average of the close crosses the slow one."""

    fast: int = param(50, low=1, high=5000, help="bars of the fast average")
    slow: int = param(200, low=2, high=5000, help="bars of the slow average")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.quick, self.calm = self.use(Sma(self.fast)), self.use(Sma(self.slow))
        self.above: bool | None = None

    def on_bar(self, bar: Bar) -> None:
        quick, calm = self.quick.value, self.calm.value
        if quick is None or calm is None or quick == calm:
            return
        above = quick > calm
        if above is not self.above:
            if self.above is not None:
                self.enter("long" if above else "short", self.size)
            self.above = above

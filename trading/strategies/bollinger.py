"""Bollinger bands: a stop order at the band that the close came back over."""

from trading import Bar, Bollinger, Strategy, param


class BollingerBands(Strategy):
    """Close crosses above the lower band: long stop at it; below the upper one: short stop at it; each for one bar."""

    period: int = param(20, low=2, high=500, help="bars of the mean")
    deviations: float = param(2.0, low=0.1, high=50, step=0.1, help="standard deviations to a band")
    size: float = param(1.0, low=0, help="units")

    def start(self) -> None:
        self.bands = self.use(Bollinger(self.period, self.deviations))
        self.before: tuple[float, float, float] | None = None

    def on_bar(self, bar: Bar) -> None:
        bands, before = self.bands.value, self.before
        if bands is None:
            return
        self.before = bar.close, bands.lower, bands.upper
        close, lower, upper = before or (bar.close, float("nan"), float("nan"))
        if bar.close > bands.lower and close <= lower:
            self.enter("long", self.size, stop=bands.lower, id="BBandLE", oco="BollingerBands")
        else:
            self.cancel("BBandLE")
        if bar.close < bands.upper and close >= upper:
            self.enter("short", self.size, stop=bands.upper, id="BBandSE", oco="BollingerBands")
        else:
            self.cancel("BBandSE")

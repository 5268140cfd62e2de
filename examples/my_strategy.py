"""Buy a close above the highest high before, leave by a trailing stop: python examples/my_strategy.py prices.csv"""

import sys

from trading import Atr, Strategy, backtest, param


class Breakout(Strategy):
    length: int = param(20, low=2, high=500, help="bars of the channel")
    atrs: float = param(3.0, low=0.1, high=20, help="ATR from the price to the stop")

    def start(self):
        self.atr = self.use(Atr(14))

    def on_bar(self, bar):
        before = self.bars(self.length + 1).high[:-1]
        if self.atr.ready and not self.position() and len(before) == self.length and bar.close > before.max():
            self.buy("10% equity", trailing_stop=self.atrs * self.atr.value)


if __name__ == "__main__":
    print(backtest(Breakout, bars=sys.argv[1]).metrics[["name", "value"]].to_string(index=False))

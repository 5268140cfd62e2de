"""An indicator of your own: how straight a price went. In plant.toml: kind = "my_indicator:Efficiency", period = 10."""

from collections import deque
from itertools import pairwise


class Efficiency:
    def __init__(self, period: int = 10) -> None:
        self.warm_up, self.closes = period, deque[float](maxlen=period + 1)

    def update(self, bar) -> float:
        self.closes.append(bar.close)
        way = sum(abs(b - a) for a, b in pairwise(self.closes))
        return abs(self.closes[-1] - self.closes[0]) / way if way else 0.0

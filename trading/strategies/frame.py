"""A function over DataFrames as a strategy: it is shown every bar's past and nothing else, so it cannot look ahead.

def run_strategy(frame):
    fast, slow = frame["close"].rolling(5).mean(), frame["close"].rolling(20).mean()
    return pd.DataFrame({"long_entry": fast > slow, "long_exit": fast < slow, "fast": fast})

backtest(frame_strategy(run_strategy), bars=...)
"""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

from trading.events import Bar
from trading.parameters import param
from trading.strategy import Strategy, Window

_SIGNALS = {
    "long_entry": ("long_entry", "long_condition"),
    "short_entry": ("short_entry", "short_condition"),
    "long_exit": ("long_exit",),
    "short_exit": ("short_exit",),
}


class Frame(Strategy):
    """With each bar, call `run_strategy(frame)` with the bars so far and act on the last row of what it returns.

    Columns long_entry, long_exit, short_entry, short_exit (or long_condition, short_condition) become orders at the
    market; other numbers are plotted. The function is called with every bar: its cost grows with the frame.
    """

    size: float = param(1.0, low=0, help="units")
    longest: int = param(5000, low=1, help="bars that the function is shown, the last ones")
    function: ClassVar[Callable[[Any], Any] | None] = None

    def on_bar(self, bar: Bar) -> None:
        function = type(self).function
        if function is None:
            raise TypeError("Frame has no function; make a class of it: frame_strategy(run_strategy)")
        frame = shown_frame(self.bars(self.longest, bar.sym))
        returned = function(frame)
        if len(returned) != len(frame):
            raise ValueError(f"run_strategy returned {len(returned)} rows for {len(frame)} bars; return one for each")
        last = returned.iloc[-1]
        names = {name for told in _SIGNALS.values() for name in told}
        for name, value in last.items():
            if name not in names and isinstance(value, Real) and not isinstance(value, bool):
                self.plot(str(name), float(value))
        told = {key: any(name in last and last[name] == True for name in of) for key, of in _SIGNALS.items()}  # noqa: E712
        held = self.position(bar.sym)
        if (told["long_exit"] and held > 0) or (told["short_exit"] and held < 0):
            self.close(bar.sym, tag="long_exit" if held > 0 else "short_exit")
        if told["long_entry"] and held <= 0:
            self.enter("long", self.size, id="long_entry", sym=bar.sym)
        elif told["short_entry"] and held >= 0:
            self.enter("short", self.size, id="short_entry", sym=bar.sym)


def shown_frame(past: Window) -> Any:
    """Return bars as the DataFrame that the function is shown: time (UTC), open, high, low, close, volume."""
    import pandas as pd

    frame = pd.DataFrame(past._asdict())
    frame["time"] = pd.DatetimeIndex(past.time.view("M8[ns]")).tz_localize("UTC")
    return frame


def frame_strategy(run_strategy: Callable[[Any], Any], name: str = "") -> type[Frame]:
    """Return a strategy class that runs a function of one DataFrame."""
    called = name or getattr(run_strategy, "__name__", "frame")
    return type(
        called, (Frame,), {"function": staticmethod(run_strategy), "__doc__": run_strategy.__doc__ or Frame.__doc__}
    )

"""The figure of a backtest: candles with entries and exits, what the strategy plotted, equity and drawdown."""

from typing import Any

import numpy as np

MOST_CANDLES = 5_000
"""Beyond so many bars several are drawn as one: a figure of a million candles helps nobody."""

_LONG, _SHORT = "#26a69a", "#ef5350"


def figure_of(result: Any, sym: str) -> Any:
    """Return a Plotly figure of one symbol of a Result. Raises KeyError for a symbol it does not have."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    if sym not in result.bars:
        raise KeyError(f"the backtest has no bars of {sym!r}; it has {', '.join(result.bars)}")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.6, 0.22, 0.18], vertical_spacing=0.03)
    time, open_, high, low, close = _candles(result.bars[sym])
    figure.add_trace(go.Candlestick(x=time, open=open_, high=high, low=low, close=close, name=sym), row=1, col=1)
    trips = result.round_trips
    trips = trips[trips["sym"] == sym]
    for side, colour, symbol in (("long", _LONG, "triangle-up"), ("short", _SHORT, "triangle-down")):
        chosen = trips[trips["side"] == side]
        figure.add_trace(
            go.Scatter(
                x=chosen["entry_at"],
                y=chosen["entry_price"],
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": 10},
                text=chosen["entry_tag"],
                name=f"{side} entry",
            ),
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Scatter(
            x=trips["exit_at"],
            y=trips["exit_price"],
            mode="markers",
            marker={"symbol": "x", "color": "#757575", "size": 7},
            text=trips["profit"].map("{:+.2f}".format),
            name="exit",
        ),
        row=1,
        col=1,
    )
    plots = result.plots
    for name, rows in plots[plots["sym"] == sym].groupby("name"):
        step = max(len(rows) // MOST_CANDLES, 1)
        shown = rows.iloc[::step]
        figure.add_trace(go.Scatter(x=shown["market_time"], y=shown["value"], mode="lines", name=name), row=1, col=1)
    equity = result.equity
    figure.add_trace(go.Scatter(x=equity["market_time"], y=equity["equity"], mode="lines", name="equity"), row=2, col=1)
    under = go.Scatter(
        x=equity["market_time"], y=100 * equity["drawdown"], mode="lines", fill="tozeroy", name="drawdown"
    )
    figure.add_trace(under, row=3, col=1)
    figure.update_yaxes(title_text="price", row=1, col=1)
    figure.update_yaxes(title_text="equity", row=2, col=1)
    figure.update_yaxes(title_text="drawdown, %", row=3, col=1)
    figure.update_layout(
        title=f"{result.strategy} on {sym}, {result.interval}", xaxis_rangeslider_visible=False, height=800
    )
    return figure


def _candles(window: Any) -> tuple[Any, ...]:
    """Return time, open, high, low, close, at most MOST_CANDLES of each: several bars are one."""
    step = -(-len(window.time) // MOST_CANDLES)
    first = np.arange(0, len(window.time), max(step, 1))
    last = np.append(first[1:], len(window.time)) - 1
    time = window.time[first].view("M8[ns]")
    if not len(first):
        return time, window.open, window.high, window.low, window.close
    high, low = np.maximum.reduceat(window.high, first), np.minimum.reduceat(window.low, first)
    return time, window.open[first], high, low, window.close[last]

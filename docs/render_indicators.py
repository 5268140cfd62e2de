"""Write docs/indicators.md from the catalogue in plant/indicators/: python docs/render_indicators.py."""

from pathlib import Path

from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS
from plant.indicators.kinds import Kind, Parameter
from plant.indicators.ours import OURS

HEAD = """# Indicators

Made from the catalogue in `plant/indicators/ours.py` by `make docs`; a test compares the two. `plant indicators` prints
it, and `plant indicators ut_bot` one kind. An indicator is declared in plant.toml, and becomes columns of the table
`indicators`:

    [[indicators]]
    name = "ema_9"                 # the column of the main output; another output's is ema_9_<output>
    kind = "ema"                   # from the tables below
    period = 9                     # the kind's parameters; the default if left out
    input = "close"                # or open, high, low, hl2, hlc3, ohlc4, volume, another indicator's column
    intervals = ["1m", "5m"]       # empty: all
    symbols = ["AAPL", "BTC*"]     # patterns; empty: all

A kind in whose inputs there is no `input` takes in those columns of the bar, always. A name that is a column already, a
kind or a key that there is not, a number out of its bounds, inputs in a circle: each is an error at start, with its
place and the nearest right name. Always there, unless `[processor] defaults = false`:

{defaults}

**Null.** A column is null (NaN) for the first bars of a series, `warm-up` many with the defaults, and for a bar with an
input that is not known (a volume that is NaN, a column that is null, a number beyond 1e150): that bar is otherwise as
though it had not been.

**Sessions.** A `vwap` begins anew with each trading day of the symbol's calendar ([candles.md](candles.md)), with
`[processor] session = "extended"` that is its pre-market; without a calendar with each day of UTC.

**Signals of the UT Bot.** A `ut_bot` called NAME raises signals called NAME by itself, for its symbols and intervals:
buy on the bar on which NAME_position becomes 1, sell on the one on which it becomes -1, from whatever else; 0 is a
price on its stop. On the first bar that has a stop there is none. No other signal may have its name
([signals.md](signals.md)).

**One value, two ways.** A strategy holds one indicator of one series, the processor those of all series in numpy arrays
(`processor/vectors/vector.py`); both make every sum in the same order and are equal to the last bit. No sum rolls, so
nothing drifts: a window is added up anew with each bar, by distances from its newest value.

    from plant.indicators.scalar import scalar

    fast = scalar("ema", period=9)
    fast.update(bar)               # a Bar, or a number where there is one input; returns the value
    fast.peek(forming)             # what update would return; changes nothing
    fast.value, fast.ready         # None, False until every output is there
    scalar("macd").value.signal    # several outputs are a named tuple; the main one is called as the kind

**On request.** `processor.connect()` computes any of them, declared or not, over history and today:

    processor.connect().calculate("rsi", sym="AAPL", interval="5m", period=21, last=500)   # time, sym, interval, rsi
    processor.connect().calculate("macd", "AAPL", "3m", start="2026-11-20")                # 3m bars are made of 1m

An interval that is not stored is made of a smaller one that is, of 1m if there is: counted from the opening of its
session; `1w` and `1M` are made of days. Sessions and what counts are those of the plant. What cannot be made so is
refused, as are an input that no bar has and a symbol without bars.

**One of your own** is a class with `update(bar)` that returns a float, or a tuple if it has `outputs`; `warm_up`,
`peek` and `copy` are optional. `examples/my_indicator.py` is complete: `kind = "my_indicator:Efficiency"` beside
plant.toml, or a module that is installed; other keys are what the class is made with. If a bar raises, its column is
null, a row of `rejects` says so, once in each run of the processor, and everything else goes on.
"""

OF_OURS = "Computed for all series at once. Definitions are those that TradingView shows."
OF_TALIB = "Computed series by series, under their own names; what they are is in TA-Lib's documentation."


def page() -> str:
    """Return the text of docs/indicators.md."""
    theirs = [kind for kind in CATALOGUE.values() if kind not in OURS]
    defaults = "\n".join(f"- {', '.join(f'`{column}`' for column in one.columns)}: {one}" for one in DEFAULTS)
    return (
        HEAD.replace("{defaults}", defaults)
        + f"\n## Ours\n\n{OF_OURS}\n\n"
        + _table(OURS, "source")
        + f"\n## TA-Lib\n\n{OF_TALIB}\n\n"
        + _table(theirs, "category")
    )


def _table(kinds: tuple[Kind, ...] | list[Kind], last: str) -> str:
    lines = [
        f"| kind | is | parameters | inputs | outputs | pane | warm-up | {last} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in kinds:
        levels = ", ".join(f"{level:g}" for level in kind.levels)
        cells = (
            f"`{kind.name}`",
            kind.title,
            "; ".join(map(_parameter, kind.parameters)),
            ", ".join(f"{key} = {column or '?'}" if key else column for key, column in kind.inputs),
            ", ".join(output or "main" for output in kind.outputs),
            f"{kind.pane}: {levels}" if levels else kind.pane,
            str(kind.warm_up(kind.defaults)),
            getattr(kind, last),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _parameter(parameter: Parameter) -> str:
    default = str(parameter.default).lower() if parameter.type is bool else f"{parameter.default:g}"
    bounds = parameter.range.removeprefix(" from ")
    return f"{parameter.name} = {default}{f' ({bounds})' if bounds else ''}"


if __name__ == "__main__":
    Path(__file__).with_name("indicators.md").write_text(page())

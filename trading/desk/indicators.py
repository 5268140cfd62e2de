"""The indicators of plant/indicators as a strategy writes them: Atr(14), Macd(12, 26, 9), Sma(20, input="hl2").

Each returns a Scalar at its beginning; parameters are those of docs/indicators.md, in their order or by name.
"""

from collections.abc import Callable
from typing import Any

from plant.errors import SettingsError
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.scalar import Scalar, scalar


def warm_up_of(indicator: Scalar) -> int:
    """Return how many bars at the beginning lack a value of an indicator, by its kind; of one's own what it says."""
    declaration = indicator.declaration
    kind = CATALOGUE.get(declaration.kind)
    if kind is not None:
        return kind.warm_up(dict(declaration.parameters))
    return int(getattr(indicator._step, "warm_up", 0))


def _named(kind: str) -> Callable[..., Scalar]:
    names = tuple(parameter.name for parameter in CATALOGUE[kind].parameters)

    def make(*values: float, input: str | None = None, **parameters: Any) -> Scalar:
        if len(values) > len(names):
            raise SettingsError(f"{kind} has {len(names)} parameters ({', '.join(names)}), found {len(values)} values")
        given: dict[str, Any] = dict(zip(names, values, strict=False))
        if twice := set(given) & set(parameters):
            raise SettingsError(f"{kind}: {', '.join(sorted(twice))} is told twice")
        return scalar(kind, input=input, **given, **parameters)

    make.__doc__ = f"Return {CATALOGUE[kind].title}: {', '.join(names) or 'no parameters'}."
    return make


Sma = _named("sma")
Ema = _named("ema")
Wma = _named("wma")
Rma = _named("rma")
Rsi = _named("rsi")
Macd = _named("macd")
Bollinger = _named("bollinger")
Stdev = _named("stdev")
Atr = _named("atr")
TrueRange = _named("true_range")
Vwap = _named("vwap")
Donchian = _named("donchian")
Keltner = _named("keltner")
Supertrend = _named("supertrend")
Stochastic = _named("stochastic")
Adx = _named("adx")
Obv = _named("obv")
VolumeSma = _named("volume_sma")
UtBot = _named("ut_bot")
HeikinAshi = _named("heikin_ashi")
Ichimoku = _named("ichimoku")
Psar = _named("psar")
Cci = _named("cci")
Mfi = _named("mfi")
WilliamsR = _named("williams_r")
Roc = _named("roc")
indicator = scalar
"""Any kind by its name, also TA-Lib's and one's own: indicator("talib_...", ...)."""

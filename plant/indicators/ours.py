"""Our own kinds of indicators: each computed for all symbols at once (processor/vectors/), and one bar at a time.

The definitions are those that TradingView shows. A bar with an input that is not known, infinite or beyond 1e150 has
no value and is otherwise as though it had not been. What is 0/0 on a price that has not moved is neutral, where
TradingView shows nothing and TA-Lib an extreme: an RSI, MFI or stochastic of 50, a Williams %R of -50, a CCI of 0.
"""

from plant.indicators.kinds import Input, Kind, Parameter, Parameters

LONGEST = 5_000
"""Bars of the longest window or average."""

_WILDER = "J. Welles Wilder, New Concepts in Technical Trading Systems (1978)"
_CLOSE, _HLC3, _VOLUME = Input("input", "close"), Input("input", "hlc3"), Input("", "volume")
_BAR = tuple(Input("", column) for column in ("open", "high", "low", "close"))
_HIGH_LOW, _HIGH_LOW_CLOSE = _BAR[1:3], _BAR[1:]
_BANDS = ("upper", "middle", "lower")


def _bars(name: str, default: int, meaning: str = "bars") -> Parameter:
    return Parameter(name, int, default, 1, LONGEST, meaning)


def _factor(name: str, default: float, meaning: str, least: float = 0.0, most: float = 1_000.0) -> Parameter:
    return Parameter(name, float, default, least, most, meaning)


def _one_less(p: Parameters) -> int:
    return int(p["period"]) - 1


def _period(p: Parameters) -> int:
    return int(p["period"])


def _average(name: str, title: str, default: int, source: str) -> Kind:
    return Kind(name, title, "trend", (_bars("period", default),), (_CLOSE,), ("",), "price", _one_less, source)


OURS = (
    _average("sma", "simple moving average", 20, "Pine ta.sma; TA-Lib SMA is the same"),
    _average(
        "ema",
        "exponential moving average, weight 2/(period+1)",
        20,
        "Pine ta.ema, begun as the mean of the first period; TA-Lib EMA is the same, q's ema begins as the first value",
    ),
    _average("wma", "moving average with linear weights, the newest most", 9, "Pine ta.wma; TA-Lib WMA is the same"),
    _average("rma", "Wilder's moving average, weight 1/period", 14, f"{_WILDER}; Pine ta.rma; TA-Lib RMA is the same"),
    Kind(
        "rsi",
        "relative strength index",
        "momentum",
        (_bars("period", 14),),
        (_CLOSE,),
        ("",),
        "own",
        _period,
        f"{_WILDER}; Pine ta.rsi; TA-Lib RSI is the same, but 0 where nothing moved",
        (30, 70),
        (0, 100),
    ),
    Kind(
        "macd",
        "convergence of two exponential averages",
        "momentum",
        (_bars("fast", 12), _bars("slow", 26), _bars("signal", 9, "bars of the average of the difference")),
        (_CLOSE,),
        ("", "signal", "histogram"),
        "own",
        lambda p: int(max(p["fast"], p["slow"]) + p["signal"]) - 2,
        "Pine ta.macd; TA-Lib MACD seeds the fast average later, and differs by 11/13 less with each bar",
        (0,),
    ),
    Kind(
        "bollinger",
        "Bollinger bands",
        "volatility",
        (_bars("period", 20), _factor("deviations", 2.0, "population's standard deviations to a band")),
        (_CLOSE,),
        _BANDS,
        "price",
        _one_less,
        "John Bollinger, Bollinger on Bollinger Bands (2001); Pine ta.bb; TA-Lib BBANDS is the same",
    ),
    Kind(
        "stdev",
        "standard deviation of the population",
        "volatility",
        (_bars("period", 20),),
        (_CLOSE,),
        ("",),
        "own",
        _one_less,
        "Pine ta.stdev (biased); TA-Lib STDDEV is the same to 8 digits, less where moves are small beside the price",
    ),
    Kind(
        "atr",
        "average true range",
        "volatility",
        (_bars("period", 14),),
        _HIGH_LOW_CLOSE,
        ("",),
        "own",
        _one_less,
        f"{_WILDER}; Pine ta.atr; TA-Lib ATR leaves out the first bar, and differs by 1/period less with each bar",
    ),
    Kind(
        "true_range",
        "true range",
        "volatility",
        (),
        _HIGH_LOW_CLOSE,
        ("",),
        "own",
        lambda p: 0,
        f"{_WILDER}; Pine ta.tr(true): high - low on the first bar, of which TA-Lib TRANGE has none",
    ),
    Kind(
        "vwap",
        "mean price of the session by volume, with bands",
        "volume",
        (_factor("deviations", 1.0, "standard deviations by volume to a band"),),
        (_HLC3, _VOLUME, Input("", "session")),
        ("", "upper", "lower"),
        "price",
        lambda p: 0,
        "Pine ta.vwap(source, anchor, stdev_mult), begun anew with each session; TA-Lib VWAP never begins anew",
    ),
    Kind(
        "donchian",
        "Donchian channel: highest high, lowest low",
        "trend",
        (_bars("period", 20),),
        _HIGH_LOW,
        _BANDS,
        "price",
        _one_less,
        "Pine ta.highest(high), ta.lowest(low), the bar itself included; TA-Lib DONCHIAN is the same",
    ),
    Kind(
        "keltner",
        "Keltner channel: an exponential average and average true ranges",
        "volatility",
        (_bars("period", 20), _factor("multiplier", 2.0, "average true ranges to a band"), _bars("atr_period", 10)),
        (_CLOSE, *_HIGH_LOW_CLOSE),
        _BANDS,
        "price",
        lambda p: int(max(p["period"], p["atr_period"])) - 1,
        "TradingView's Keltner Channels; TA-Lib KC takes its own ATR, which leaves out the first bar's range",
    ),
    Kind(
        "supertrend",
        "a stop some average true ranges away, and the side of it",
        "trend",
        (_bars("period", 10), _factor("multiplier", 3.0, "average true ranges from the middle of the bar")),
        _HIGH_LOW_CLOSE,
        ("", "direction"),
        "price",
        _one_less,
        "Pine ta.supertrend, whose direction has the other sign: here 1 is rising, -1 falling; TA-Lib SUPERTREND has "
        "its own ATR",
    ),
    Kind(
        "stochastic",
        "where the close is between lowest low and highest high",
        "momentum",
        (
            _bars("period", 14),
            _bars("smooth", 1, "bars of the mean that is k"),
            _bars("signal", 3, "bars of its mean, d"),
        ),
        _HIGH_LOW_CLOSE,
        ("k", "d"),
        "own",
        lambda p: int(p["period"] + p["smooth"] + p["signal"]) - 3,
        "Pine ta.stoch and ta.sma; TA-Lib STOCH is the same, but 0 where high and low are one",
        (20, 80),
        (0, 100),
    ),
    Kind(
        "adx",
        "strength of a trend, with +di and -di",
        "trend",
        (_bars("period", 14, "bars of +di and -di"), _bars("smoothing", 14, "bars of the average that is adx")),
        _HIGH_LOW_CLOSE,
        ("", "plus_di", "minus_di"),
        "own",
        lambda p: int(p["period"] + p["smoothing"]) - 1,
        f"{_WILDER}; Pine ta.dmi; TA-Lib ADX sums one bar less at first, and differs by 1/period less with each bar",
        (25,),
        (0, 100),
    ),
    Kind(
        "obv",
        "on balance volume",
        "volume",
        (),
        (_CLOSE, _VOLUME),
        ("",),
        "own",
        lambda p: 0,
        "Joseph Granville, New Key to Stock Market Profits (1963); Pine ta.obv; TA-Lib OBV begins with a volume",
    ),
    Kind(
        "volume_sma",
        "simple moving average of the volume",
        "volume",
        (_bars("period", 20),),
        (_VOLUME,),
        ("",),
        "own",
        _one_less,
        "Pine ta.sma(volume)",
    ),
    Kind(
        "ut_bot",
        "UT Bot: a trailing stop of average true ranges, and the side of it",
        "trend",
        (
            _factor("key", 1.0, "average true ranges from price to stop"),
            _bars("period", 10, "bars of the average true range"),
            Parameter("heikin_ashi", bool, False, None, None, "the price is the averaged candle's close"),
        ),
        _BAR,
        ("stop", "position"),
        "price",
        _one_less,
        "TradingView's UT Bot Alerts by QuantNomad; BUY is a position that becomes 1, SELL one that becomes -1",
    ),
    Kind(
        "heikin_ashi",
        "averaged candles",
        "trend",
        (),
        _BAR,
        ("open", "high", "low", "close"),
        "price",
        lambda p: 0,
        "TradingView's Heikin Ashi; TA-Lib HA is the same",
    ),
    Kind(
        "ichimoku",
        "Ichimoku cloud: middles of highs and lows",
        "trend",
        (
            _bars("conversion", 9),
            _bars("base", 26),
            _bars("span", 52, "bars of span b"),
            _bars("displacement", 26, "the cloud over a bar is that of so many bars before, that one counted"),
        ),
        _HIGH_LOW,
        ("conversion", "base", "span_a", "span_b"),
        "price",
        lambda p: int(max(p["conversion"], p["base"], p["span"]) + p["displacement"]) - 2,
        "TradingView's Ichimoku Cloud; its lagging span is the close, not known on its bar, and so left out",
    ),
    Kind(
        "psar",
        "parabolic stop and reverse",
        "trend",
        (
            _factor("start", 0.02, "acceleration at first", most=1.0),
            _factor("increment", 0.02, "more of it with each new extreme", most=1.0),
            _factor("most", 0.2, "acceleration at most", most=1.0),
        ),
        _HIGH_LOW_CLOSE,
        ("",),
        "price",
        lambda p: 1,
        f"{_WILDER}; Pine ta.sar: the first two closes tell its side; TA-Lib SAR takes the first two highs and lows",
    ),
    Kind(
        "cci",
        "commodity channel index",
        "momentum",
        (_bars("period", 20),),
        (_HLC3,),
        ("",),
        "own",
        _one_less,
        "Donald Lambert, Commodities (October 1980); Pine ta.cci; TA-Lib CCI is the same",
        (-100, 100),
    ),
    Kind(
        "mfi",
        "money flow index",
        "volume",
        (_bars("period", 14),),
        (_HLC3, _VOLUME),
        ("",),
        "own",
        _one_less,
        "Pine ta.mfi, one bar earlier than TA-Lib MFI: the first bar counts as rising and as falling",
        (20, 80),
        (0, 100),
    ),
    Kind(
        "williams_r",
        "Williams %R: how far below the highest high",
        "momentum",
        (_bars("period", 14),),
        _HIGH_LOW_CLOSE,
        ("",),
        "own",
        _one_less,
        "Pine ta.wpr; TA-Lib WILLR is the same, but 0 where high and low are one",
        (-80, -20),
        (-100, 0),
    ),
    Kind(
        "roc",
        "rate of change in percent",
        "momentum",
        (_bars("period", 9),),
        (_CLOSE,),
        ("",),
        "own",
        _period,
        "Pine ta.roc; TA-Lib ROC is the same, but 0 where the price was 0, of which there is no rate here",
        (0,),
    ),
)
"""In the order of the documentation."""

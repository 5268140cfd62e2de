"""TA-Lib's functions in the catalogue: the data are what the installed TA-Lib says, and it is imported late."""

import subprocess
import sys
from math import nan

import numpy as np
import pytest
import talib
import talib_description
from bars_for_indicators import columns_of, walk
from talib import abstract

from plant.errors import SettingsError
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.scalar import scalar


def test_the_data_are_what_the_installed_talib_says() -> None:
    written = talib_description.FILE.read_text()
    assert written == talib_description.text(), f"run: python {talib_description.__file__}"
    assert set(talib.get_functions()) == {name for name in CATALOGUE if name.isupper()}


def test_talib_is_imported_when_a_function_of_it_is_computed() -> None:
    code = """
import sys
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import declared
from plant.indicators.scalar import scalar
declared([{"name": "fast", "kind": "EMA", "timeperiod": 9}])
scalar("ema")
assert CATALOGUE["EMA"].warm_up({"timeperiod": 30}) == 29
assert "talib" not in sys.modules
assert CATALOGUE["EMA"].warm_up({"timeperiod": 9}) == 8
scalar("EMA")
assert "talib" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(talib.get_functions()))
def test_a_function_bar_by_bar_gives_what_it_gives_over_all_bars(name: str) -> None:
    start = 0.5 if name in ("ACOS", "ASIN") else 100.0
    bars = [bar._replace(volume=bar.volume + 5) for bar in walk(11, 140, 1e-3, start)]
    columns = columns_of(bars) | {"periods": columns_of(bars)["volume"]}
    function = abstract.Function(name)
    order = [key for keys in function.input_names.values() for key in ([keys] if isinstance(keys, str) else keys)]
    outputs = getattr(talib, name)(*(columns[key] for key in order))
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    lookback = function.lookback
    expected = np.array([np.where(np.arange(140) < lookback, nan, values) for values in outputs]).T
    indicator = scalar(name, **({"periods": "volume"} if name == "MAVP" else {}))
    found = np.array([np.atleast_1d(indicator.update(bar)) for bar in bars])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_parameters_that_do_not_go_together_are_refused() -> None:
    message = "TA-Lib refuses MAVP with minperiod=40, maxperiod=30, matype=0, though each is within its bounds"
    with pytest.raises(SettingsError, match=message):
        scalar("MAVP", periods="volume", minperiod=40)


def test_bars_that_are_not_known_are_passed_over_and_infinite_answers_are_none() -> None:
    indicator, plain = scalar("SMA", timeperiod=3), scalar("SMA", timeperiod=3)
    for price in (1.0, nan, 2.0, float("inf"), 6.0):
        found = indicator.update(price)
        assert np.isnan(found) or price == 6.0
        if np.isfinite(price):
            expected = plain.update(price)
    assert found == expected == 3.0
    assert np.isnan(scalar("LN").update(0.0))

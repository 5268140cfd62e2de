"""A backtest that takes too much memory or time fails with a sentence; it is its own process, so nothing else does."""

import subprocess
import sys

import pytest

from plant.errors import SettingsError
from plant.runtime.trading import TradingSettings
from trading.workers.bounds import TooDear, sentence_of

BOUND = """
from plant.runtime.trading import TradingSettings
from trading.workers.bounds import bind, sentence_of
settings = TradingSettings(backtest_memory_mb=64, backtest_cpu_s=0.5)
def spin():
    while True:
        pass
bind(settings)
try:
    {what}
except Exception as error:
    print(type(error).__name__, "|", sentence_of(error, settings))
"""


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("bytearray(200 * 2**20)", "MemoryError | it needs more than 64 MiB; [trading] backtest_memory_mb bounds it"),
        (
            "spin()",
            "TooDear | it used 0.5 s of CPU, which is all it may; [trading] backtest_cpu_s bounds it",
        ),
    ],
)
def test_beyond_its_bound_it_fails_with_a_sentence(what: str, sentence: str) -> None:
    command = [sys.executable, "-c", BOUND.format(what=what)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert sentence in done.stdout, done.stdout + done.stderr


def test_other_errors_are_told_as_they_are() -> None:
    settings = TradingSettings()
    assert (settings.backtest_memory_mb, settings.backtest_cpu_s) == (4096, 3600.0)
    assert sentence_of(SettingsError("no such parameter"), settings) == "no such parameter"
    assert sentence_of(ZeroDivisionError("division by zero"), settings) == "ZeroDivisionError: division by zero"
    assert isinstance(TooDear("x"), Exception)

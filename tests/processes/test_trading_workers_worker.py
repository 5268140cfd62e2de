"""What a command `backtest` says, as what `backtest` is called with; a class may come as its source."""

from pathlib import Path

import pytest

from plant.conditions.definition import definition_of
from plant.errors import ConditionError, SettingsError
from plant.runtime.settings import Settings, load
from trading.run import PRESETS
from trading.workers.worker import job_of, terms_of

SOURCE = """
from trading import Strategy, param

class Once(Strategy):
    size: float = param(2.0)

    def on_bar(self, bar):
        self.buy(self.size)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "plant.toml").touch()
    return load(tmp_path / "plant.toml")


def test_the_python_form_is_read_from_definition_and_from_python(settings: Settings) -> None:
    common = {"sym": "A", "interval": "1m", "parameters": {"size": 3.0, "limits": {"stale_s": 0}}}
    form = {"python": SOURCE}
    for told in (form, {"definition": form}, {"definition": form, "class_name": ""}):
        made_of, parameters, symbols, interval = job_of({**common, **told}, settings)
        assert (made_of.__name__, symbols, interval) == ("Once", ("A",), "1m")
        assert parameters == common["parameters"]
    with pytest.raises(SettingsError, match="its source cannot be used: ZeroDivisionError"):
        job_of({**common, "python": "1 / 0"}, settings)


def test_where_conditions_are_expected_the_python_form_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConditionError, match=r"\$\.python: a class's source is the other form of a strategy"):
        definition_of({"python": SOURCE})


def test_terms_are_those_of_backtest(settings: Settings) -> None:
    told = {"fills": "tradingview", "start": None, "capital": 5e5, "sym": "A", "interval": "1m"}
    assert terms_of(told) == {"fills": PRESETS["tradingview"], "capital": 5e5}
    with pytest.raises(SettingsError, match="unknown argument 'fast'"):
        job_of({"fast": 3}, settings)

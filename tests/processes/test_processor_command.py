"""The command `plant indicators`: the catalogue on the screen and as JSON."""

import json

import pytest
from typer.testing import CliRunner

from plant.errors import SettingsError
from plant.indicators.catalogue import CATALOGUE
from processor.command import app


def told(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(result.stdout.split())


def test_all_kinds_are_listed() -> None:
    shown = told()
    assert "bollinger Bollinger bands period=20, deviations=2.0 NAME_upper, NAME_middle, NAME_lower" in shown
    assert all(f" {name} " in f" {shown} " for name in CATALOGUE)


def test_one_kind_is_shown_with_its_parameters() -> None:
    shown = told("rsi")
    assert "rsi relative strength index" in shown
    assert "drawn a pane of its own, with lines at 30, 70" in shown
    assert "period int 14 1 5,000 bars" in shown
    assert "outputs NAME_stop, NAME_position" in told("ut_bot")
    assert "timeperiod int 14 2 100,000" in told("RSI")


def test_json_is_the_whole_of_it() -> None:
    found = json.loads(told("--json"))
    assert [kind["name"] for kind in found] == list(CATALOGUE)
    macd = json.loads(told("macd", "--json"))
    assert macd["parameters"]["fast"] == {"type": "int", "default": 12, "min": 1, "max": 5000, "description": "bars"}
    assert (macd["outputs"], macd["pane"], macd["levels"], macd["warm_up"]) == (
        ["", "signal", "histogram"],
        "own",
        [0],
        33,
    )


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="no kind of indicator 'rsii'; did you mean 'rsi'"):
        told("rsii")

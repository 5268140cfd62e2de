"""Indicators of one's own: classes, found by name, wrapped; what is wrong with one is said in a sentence."""

import re
from pathlib import Path

import pytest
from bars_for_indicators import walk

from plant.errors import SettingsError
from plant.indicators.bars import Bar
from plant.indicators.declarations import declaration_of
from plant.indicators.own import OwnStep, load_own, outputs_of
from plant.indicators.scalar import Scalar, scalar

EXAMPLES = Path(__file__).parents[2] / "examples"


class Spread:
    outputs = ("wide", "half")
    warm_up = 2

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.bars = factor, []

    def update(self, bar: Bar) -> tuple[float, float | None]:
        self.bars.append(bar)
        return self.factor * (bar.high - bar.low), None if len(self.bars) == 4 else (bar.high - bar.low) / 2


class Count:
    def __init__(self) -> None:
        self.count = 0

    def update(self, bar: Bar) -> int:
        self.count += 1
        return self.count

    def peek(self, bar: Bar) -> int:
        return self.count + 1

    def copy(self) -> "Count":
        twin = Count()
        twin.count = self.count
        return twin


def bar(high: float = 3.0, low: float = 1.0) -> Bar:
    return Bar(0, low, high, low, low, 1.0)


def test_the_example_is_an_indicator_of_under_15_lines() -> None:
    assert len((EXAMPLES / "my_indicator.py").read_text().splitlines()) < 15
    indicator = scalar("my_indicator:Efficiency", folder=EXAMPLES, period=3)
    found = [indicator.update(bar(price, price)) for price in (1.0, 2.0, 3.0, 4.0, 3.0)]
    assert found[3:] == [1.0, 1 / 3]
    assert [x == x for x in found] == [False, False, False, True, True]
    with pytest.raises(SettingsError, match=r"Efficiency cannot be made with perod=3: TypeError: .*perod"):
        scalar("my_indicator:Efficiency", folder=EXAMPLES, perod=3)


def test_value_and_ready_are_those_of_a_bar_with_all_outputs_after_the_warm_up() -> None:
    indicator = scalar(Spread, factor=3.0)
    seen = []
    for _ in range(5):
        indicator.update(bar())
        seen.append((indicator.ready, indicator.value))
    assert [ready for ready, _ in seen] == [False, False, True, False, True]
    assert seen[2][1]._asdict() == {"wide": 6.0, "half": 1.0}
    assert seen[3][1] is None


def test_peek_and_copy_are_the_class_s_or_made_for_it() -> None:
    for own in (Spread, Count):
        indicator = scalar(own)
        for _ in range(2):
            indicator.update(bar())
        twin = indicator.copy()
        peeked = [repr(indicator.peek(bar(9.0))) for _ in range(2)]
        twin.update(bar(7.0))
        assert [repr(indicator.update(bar(9.0)))] * 2 == peeked
        assert repr(twin.value) != repr(indicator.value) or own is Count


def test_a_declaration_names_it_and_its_outputs() -> None:
    entry = {"name": "mine", "kind": f"{__name__}:Spread", "outputs": ["wide", "half"], "factor": 2.0}
    assert declaration_of(entry).columns == ("mine_wide", "mine_half")
    with pytest.raises(SettingsError, match=re.escape("Spread has the outputs 'wide', 'half', the declaration ''")):
        Scalar(declaration_of({"name": "mine", "kind": "m:Spread"}), own=Spread)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no_such_module:X", "'no_such_module:X' cannot be imported: ModuleNotFoundError"),
        ("math:Nothing", "'math:Nothing' cannot be imported: AttributeError"),
        ("math:sin", "'math:sin' is no indicator: expected a class with update(bar), found <built-in"),
        ("pathlib:Path", "'pathlib:Path' is no indicator"),
    ],
)
def test_what_is_no_indicator_is_refused(kind: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_own(kind)


def test_a_module_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken_indicator.py").write_text("1 / 0")
    with pytest.raises(SettingsError, match="cannot be imported: ZeroDivisionError: division by zero"):
        load_own("broken_indicator:X", tmp_path)


def test_wrong_members_are_told() -> None:
    wrong = type("Wrong", (Count,), {"outputs": "a"})
    with pytest.raises(SettingsError, match=r"Wrong.outputs: expected a tuple of names, found 'a'"):
        outputs_of(wrong)
    with pytest.raises(SettingsError, match=r"Late.warm_up: expected a number of bars, 0 or more, found -1"):
        OwnStep(type("Late", (Count,), {"warm_up": -1}), {})
    with pytest.raises(TypeError, match="Two: expected 2 values a bar, as its `outputs` says, found 1"):
        scalar(type("Two", (Count,), {"outputs": ("a", "b")})).update(walk(1, 1)[0])

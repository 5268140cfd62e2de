"""[annotations]: its keys, and what is refused of it."""

from pathlib import Path

import pytest

from plant.detectors.definitions import ALWAYS
from plant.errors import SettingsError
from plant.runtime.settings import load


def written(folder: Path, text: str) -> Path:
    file = folder / "plant.toml"
    file.write_text(f"[annotations]\n{text}\n")
    return file


def test_without_the_section_all_is_found_but_what_has_to_be_named(tmp_path: Path) -> None:
    terms = load(written(tmp_path, "")).annotations.terms(("1m", "1d"))
    assert terms.types == {*ALWAYS}
    assert (terms.intervals, terms.opening_range, terms.pivot_bars) == (("5m", "15m"), (5, 15, 30), 5)
    assert (terms.zigzag, terms.flag_pole_atr, terms.keep, terms.days) == (0.03, 2.0, 20, True)


def test_types_are_named_by_themselves_or_as_a_family(tmp_path: Path) -> None:
    found = load(written(tmp_path, 'on = ["pivots", "bull_flag"]\nintervals = ["60m", "5Min"]')).annotations
    assert found.terms(("1m",)).types == {"pivot_high", "pivot_low", "bull_flag"}
    assert found.intervals == ("1h", "5m")
    assert not found.terms(("1m",)).days


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('on = ["prev_day_hihg"]', r"no annotation is called 'prev_day_hihg' \(did you mean 'prev_day_high'\?\)"),
        ('on = ["suply"]', r"did you mean 'supply'\?"),
        ('intervals = ["60"]', r"annotations.intervals: .*found '60', perhaps \"60m\""),
        ('intervals = ["1w"]', "expected multiples of a minute, or 1d, found '1w'"),
        ("opening_range = [0]", "annotations.opening_range.0: .*greater than or equal to 1, found 0"),
        ("zigzag = 0.0", "annotations.zigzag: .*greater than 0"),
        ("pivots = 5", r"unknown key annotations.pivots"),
    ],
)
def test_what_it_cannot_mean_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load(written(tmp_path, text))

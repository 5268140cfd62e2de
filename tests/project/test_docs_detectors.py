"""The page on detectors says what the code does."""

import tomllib
from pathlib import Path

from detector_bars import all_bars, columns, in_order, walk

from plant.detectors import days, flags, levels, machine, track, zones
from plant.detectors.definitions import FAMILIES, TYPES
from plant.runtime.annotating import AnnotationsSettings
from processor.annotating import WARM_BARS, WARM_OTHERS

PAGE = (Path(__file__).parents[2] / "docs/detectors.md").read_text()
WORDS = " ".join(PAGE.split())


def test_settings_are_the_defaults() -> None:
    shown = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])["annotations"]
    assert AnnotationsSettings.model_validate(shown) == AnnotationsSettings()
    assert shown.keys() == AnnotationsSettings.model_fields.keys()


def test_every_type_has_its_line() -> None:
    found = PAGE.split("## In conditions of strategies")[0]
    lines = [line.split("|")[1] for line in found.splitlines() if line.startswith("| `")]
    assert sorted(" ".join(lines).replace("`", "").split()) == sorted(TYPES)
    assert all(f"`{name}`" in PAGE for name in FAMILIES)


def test_numbers_are_those_of_the_code() -> None:
    assert f"ATR is Wilder's of {machine.ATR_PERIOD} bars" in WORDS
    assert f"closes beyond it by {levels.BEYOND_ATR} ATR" in WORDS
    assert f"those of the {days.NEIGHBOURS} bars on either side" in WORDS
    assert f"is {days.NEAREST:.2f} to {days.FARTHEST:.2f}" in WORDS
    assert f"a base is 1 to {zones.MOST_BARS} bars, each with abs(c - o) <= {zones.BODY} (h - l)" in WORDS
    assert f"no higher than {zones.HEIGHT_ATR:g} ATR" in WORDS
    assert f"within {zones.DEPARTURE_BARS} bars at least {zones.DEPARTURE_ATR} ATR above" in WORDS
    assert f"of the bars {flags.LEAST_POLE_BARS - 1} to {flags.MOST_POLE_BARS - 1} before it" in WORDS
    assert f"from {flags.LEAST_BARS} bars on" in WORDS
    assert f"more than {flags.MOST_BARS} bars" in WORDS
    assert flags.MOST_RETRACED == 0.5
    assert f"the last {track.KEPT_BARS} bars of its own interval" in WORDS
    assert f"of 1m and 1d together the last {track.KEPT_FINE}" in WORDS
    assert f"({WARM_BARS['1m']:,} of 1m, {WARM_BARS['1d']} of 1d, {WARM_OTHERS:,} of others for each symbol)" in WORDS


def test_the_lines_for_a_program_of_one_s_own_run() -> None:
    rows = columns(in_order("BTC", all_bars(walk(1, "BTC", "2026-11-18", 2, 0.05), "BTC")))
    names = {"rows": rows}
    exec(PAGE.split("```python\n")[1].split("```")[0], names)  # the page's own lines
    assert "prev_day_high" in names["events"]["type"].tolist()

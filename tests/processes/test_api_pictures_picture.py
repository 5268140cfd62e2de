"""Pictures: what a viewport says is there to be seen, at any size, in any thread, whatever its texts are."""

import io
import math
import threading
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.pictures.picture import LEAST, Look, png_of
from api.pictures.theme import THEMES
from api.pictures.viewport import Overlay, PlainBars, Viewport
from plant.colours import DOWN, UP
from plant.errors import BadRows, QueryError
from plant.state.newest import Row

MINUTE = 60 * 10**9
START = 1_795_180_200 * 10**9
NAN = math.nan


def bars(count: int, seed: int = 1) -> PlainBars:
    chance = np.random.default_rng(seed)
    close = 100 + np.cumsum(chance.normal(0, 0.2, count)).round(2)
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close) + 0.1, np.minimum(open_, close) - 0.1
    return PlainBars(START + np.arange(count) * MINUTE, open_, high, low, close, chance.random(count) * 1e4)


def annotation(**columns: Any) -> Row:
    plain = dict.fromkeys(("price", "price_end", "top", "bottom"), NAN) | dict.fromkeys(("text", "style"), "")
    return {"id": "x", "type": "user", "state": "active", "start_at": START, "end_at": None, **plain, **columns}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(png: bytes, color: str, within: int = 12) -> int:
    """Return how many pixels are of about this colour."""
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(pixels(png) - wanted).max(axis=2) <= within).sum())


def everything() -> Viewport:
    plain = bars(120)
    at, low, high = plain.time, float(plain.low.min()), float(plain.high.max())
    middle = (low + high) / 2
    drawn = [
        annotation(kind="zone", type="demand", top=middle, bottom=low, state="tested"),
        annotation(kind="zone", type="supply", top=high, bottom=middle, state="broken", end_at=int(at[40])),
        annotation(kind="level", type="prev_day_high", price=high),
        annotation(kind="level", type="prev_week_high", price=high * 3),
        annotation(kind="line", price=low, price_end=high, end_at=int(at[80]), style='{"colour": "#ff00ff"}'),
        annotation(kind="flag", type="bear_flag", price=high, price_end=middle, end_at=int(at[90]), state="forming"),
        annotation(kind="pivot", type="pivot_low", price=low),
        annotation(kind="marker", price=middle, style="not JSON"),
        annotation(kind="text", text="a_{b} costs $5^$ \\frac \u8336 \x00", price=middle, start_at=int(at[60])),
    ]
    signals = [
        {"time": int(at[30]), "side": side, "signal": "golden_cross", "state": "active"} for side in ("buy", "sell")
    ]
    fills = [{"time": 0, "market_time": int(at[31]) + 7, "side": "buy", "qty": 3.0, "price": middle}]
    overlays = [Overlay("ema 20", plain.close), Overlay("rsi 14", plain.close * 0.5, "own", "rsi", (30.0, 70.0))]
    return Viewport("BTC/USDT", "1m", plain, drawn, signals, fills, overlays, ("stale: old",), "SIMULATED", seq=7)


@pytest.mark.parametrize("look", [Look(), Look(900, 500, "light"), Look(*LEAST), Look(390, 844), Look(3000, 240)])
def test_a_picture_has_the_size_that_was_asked_for_and_warns_of_nothing(look: Look) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = png_of(everything(), look)
    assert pixels(png).shape == (look.height, look.width, 3)
    assert near(png, THEMES[look.theme].surface) > 0.3 * look.width * look.height


def test_the_same_viewport_gives_the_same_bytes_in_any_thread() -> None:
    viewport, found = everything(), []
    once = png_of(viewport)
    threads = [threading.Thread(target=lambda: found.append(png_of(viewport))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [once] * 4


def test_the_file_says_what_it_is_of() -> None:
    told = Image.open(io.BytesIO(png_of(everything()))).text
    assert (told["Title"], told["Comment"]) == ("BTC/USDT 1m", "seq 7")


def test_candles_zones_lines_marks_and_notes_are_seen() -> None:
    whole = everything()
    bare = replace(whole, annotations=(), signals=(), fills=(), overlays=(), notes=(), faint="")
    png, plain = png_of(whole), png_of(bare)
    assert near(plain, UP) > 300
    assert near(plain, DOWN) > 300
    assert near(plain, "#ff00ff") == 0
    assert near(png, "#ff00ff") > 300  # the line's own colour
    note = THEMES["dark"].note
    assert near(plain, note) == 0
    assert near(png_of(replace(bare, notes=("stale: old",))), note) > 500
    for name in ("annotations", "signals", "fills", "overlays", "faint"):
        assert png_of(replace(bare, **{name: getattr(whole, name)})) != plain, name


def test_a_zone_is_shaded_from_its_bottom_to_its_top_and_only_there() -> None:
    plain = PlainBars(START + np.arange(100) * MINUTE, *(np.full(100, value) for value in (100, 110, 90, 100, 0)))
    bare = Viewport("A", "1m", plain)
    zone = annotation(kind="zone", top=105.0, bottom=95.0, style='{"colour": "#ff0000", "opacity": 0.5}')
    lines = [annotation(kind="level", price=price, style='{"colour": "#00ff00"}') for price in (105.0, 95.0)]
    red = pixels(png_of(replace(bare, annotations=[zone])))[:, 300] - pixels(png_of(bare))[:, 300]
    green = pixels(png_of(replace(bare, annotations=lines)))[:, 300]
    shaded = np.flatnonzero(red[:, 0] > 60)
    top, bottom = np.flatnonzero(green[:, 1] > 150)[[0, -1]]
    assert abs(shaded[0] - top) <= 2
    assert abs(shaded[-1] - bottom) <= 2
    assert len(shaded) >= bottom - top - 4


def test_a_viewport_without_bars_is_a_picture_that_says_so() -> None:
    empty = PlainBars(np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))
    assert pixels(png_of(Viewport("NONE", "5m", empty), Look(600, 300))).shape == (300, 600, 3)


@pytest.mark.parametrize(
    "plain",
    [
        PlainBars(np.array([START]), *(np.array([5.0]) for _ in range(4)), np.array([NAN])),
        PlainBars(START + np.arange(3) * MINUTE, *(np.array([1e-7, 2e-7, 3e-7]) for _ in range(4)), np.zeros(3)),
        PlainBars(START + np.arange(3) * MINUTE, *(np.array([-1.0, 0.0, 37.63]) for _ in range(4)), np.zeros(3)),
        bars(5_000),
    ],
    ids=["one", "tiny", "below zero", "many"],
)
def test_odd_bars_are_drawn(plain: PlainBars) -> None:
    assert len(png_of(Viewport("A", "1m", plain), Look(500, 300))) > 3_000


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(QueryError, match="width of a picture is 320 to 4,000 pixels, found 10"):
        Look(10, 400)
    with pytest.raises(QueryError, match="theme is dark or light, found 'pink'"):
        Look(theme="pink")
    with pytest.raises(BadRows, match="rising times"):
        PlainBars(np.array([2, 1]), *(np.ones(2) for _ in range(5)))
    with pytest.raises(BadRows, match="one length"):
        PlainBars(np.array([1, 2]), *(np.ones(3) for _ in range(5)))

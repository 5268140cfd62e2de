"""Colours of pictures, dark and light, and text as pictures can show it."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font

UP, DOWN = "#26a69a", "#ef5350"


@dataclass(frozen=True)
class Theme:
    """Colours: surface and what lies behind extended hours; text, strong and muted; lines; what is noted."""

    surface: str
    extended: str
    strong: str
    muted: str
    grid: str
    rule: str
    note: str
    on_note: str
    neutral: str
    overlays: tuple[str, ...]


THEMES = {
    "dark": Theme(
        surface="#0b0f17",
        extended="#111824",
        strong="#e3e9f2",
        muted="#8391a7",
        grid="#1a2332",
        rule="#2b3850",
        note="#f5b83d",
        on_note="#0b0f17",
        neutral="#6ea0ff",
        overlays=("#f5b83d", "#4fc3f7", "#b388ff", "#f06292", "#9ccc65", "#ff8a65", "#4dd0e1", "#dce775"),
    ),
    "light": Theme(
        surface="#ffffff",
        extended="#f4f6f9",
        strong="#18202c",
        muted="#5b6779",
        grid="#edf0f4",
        rule="#b9c3d1",
        note="#b45309",
        on_note="#ffffff",
        neutral="#1d63d8",
        overlays=("#c77700", "#0277bd", "#7c3aed", "#c2185b", "#558b2f", "#d84315", "#00838f", "#827717"),
    ),
}

LONGEST = 48
"""Characters of a text that somebody else wrote."""

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_PLAIN, _BOLD = _FONTS / "DejaVuSans.ttf", _FONTS / "DejaVuSans-Bold.ttf"


def font(bold: bool = False) -> FontProperties:
    """Return the font of all texts: it comes with matplotlib, so a picture is the same everywhere."""
    return FontProperties(fname=str(_BOLD if bold else _PLAIN))


def drawable(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, cut to `longest` characters, with "?" for those that the font does not have.

    >>> drawable("day\\nhigh \\u8336")
    'day high ?'
    """
    words = " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())
    known = _characters()
    words = "".join(c if ord(c) in known else "?" for c in words)
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


@cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(str(_PLAIN)).get_charmap()) & frozenset(get_font(str(_BOLD)).get_charmap())

"""Colours of pictures, dark and light, and text as pictures can show it."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font

from plant.colours import DARK, LIGHT, Ground


@dataclass(frozen=True)
class Theme(Ground):
    """Further colours: what lies behind extended hours; strong text; what is noted, and what is neutral."""

    extended: str
    strong: str
    note: str
    on_note: str
    neutral: str


THEMES = {
    "dark": Theme(
        **vars(DARK), extended="#111824", strong="#e3e9f2", note="#f5b83d", on_note="#0b0f17", neutral="#6ea0ff"
    ),
    "light": Theme(
        **vars(LIGHT), extended="#f4f6f9", strong="#18202c", note="#b45309", on_note="#ffffff", neutral="#1d63d8"
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

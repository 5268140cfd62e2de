"""The colours of charts, dark and light: the same on the dashboard and in pictures."""

from dataclasses import dataclass

UP, DOWN = "#26a69a", "#ef5350"


@dataclass(frozen=True)
class Ground:
    """What a chart stands on: surface, labels (`muted`), grid, where a day begins, and lines over prices, in turn."""

    surface: str
    muted: str
    grid: str
    day: str
    lines: tuple[str, ...]


DARK = Ground(
    surface="#0b0f17",
    muted="#8391a7",
    grid="#1a2332",
    day="#2b3850",
    lines=("#f5b83d", "#4fc3f7", "#b388ff", "#f06292", "#9ccc65", "#ff8a65", "#4dd0e1", "#dce775"),
)
LIGHT = Ground(
    surface="#ffffff",
    muted="#5b6779",
    grid="#edf0f4",
    day="#b9c3d1",
    lines=("#c77700", "#0277bd", "#7c3aed", "#c2185b", "#558b2f", "#d84315", "#00838f", "#827717"),
)

"""The mirror's process, as far as it needs no servers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mirror.__main__ import Mirror
from plant.errors import JournalDiverged
from plant.journal.fence import fence


def test_the_mirror_of_a_fenced_plant_opens_no_stream(tmp_path: Path) -> None:
    """It would make one that was removed, as its own: then the plant that took over would find itself fenced."""
    (tmp_path / "journal").mkdir()
    fence(tmp_path / "journal", "another plant took over plant-main")
    mirror: Any = Mirror.__new__(Mirror)  # without servers
    mirror.settings, mirror._not_before = SimpleNamespace(plant=SimpleNamespace(data=tmp_path)), 0.0
    with pytest.raises(JournalDiverged, match=r"fenced \(another plant took over plant-main\)"):
        mirror._open()

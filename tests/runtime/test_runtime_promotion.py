"""A plant that was promoted follows nobody, whatever plant.toml says, if that names the stream it took over."""

from pathlib import Path

import pytest

from plant.errors import SettingsError
from plant.runtime.promotion import PROMOTED, Promotion, keep_promotion
from plant.runtime.settings import load

FOLLOWS = '[upstream]\nstream = "nats://127.0.0.1:4222"\nname = "main"\n'


def plant(folder: Path, toml: str) -> Path:
    """Write a plant.toml with a data folder of a plant that was promoted."""
    (folder / "data").mkdir(exist_ok=True)
    keep_promotion(folder / "data", Promotion("main", 17, "2026-11-30T06:00:00+00:00"))
    (folder / "plant.toml").write_text(toml)
    return folder / "plant.toml"


def test_a_promoted_plant_follows_nobody(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(FOLLOWS)
    before = load(tmp_path / "plant.toml")
    assert before.upstream.followed == "stream main at nats://127.0.0.1:4222"
    assert before.promotion is None
    assert before.ingest_address == ""
    now = load(plant(tmp_path, FOLLOWS))
    assert now.upstream.followed == ""
    assert now.promotion == Promotion("main", 17, "2026-11-30T06:00:00+00:00")
    assert now.ingest_address == "tcp://127.0.0.1:5000"


@pytest.mark.parametrize(
    "other", [FOLLOWS.replace('"main"', '"other"'), '[upstream]\npublish = "tcp://127.0.0.1:1"\njournal = "tcp://127.0.0.1:2"\n']
)  # fmt: skip
def test_a_promoted_plant_that_is_to_follow_another_one_is_refused(tmp_path: Path, other: str) -> None:
    with pytest.raises(SettingsError, match=r"took over the stream main at .* Give it another \[plant\] data folder"):
        load(plant(tmp_path, other))


def test_a_note_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file = plant(tmp_path, FOLLOWS)
    (tmp_path / "data" / PROMOTED).write_text("{")
    with pytest.raises(SettingsError, match="promoted says that this plant was promoted, and cannot be read"):
        load(file)


def test_one_way_to_follow(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(FOLLOWS + 'publish = "tcp://127.0.0.1:1"\n')
    with pytest.raises(SettingsError, match=r"by its sockets \(publish, journal\) or by its stream; found both"):
        load(tmp_path / "plant.toml")

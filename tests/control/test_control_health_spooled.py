"""What a feed keeps on disk while the tickerplant is down is told, though no heartbeat of it can arrive."""

from pathlib import Path

from plant.control.health import _spooled
from plant.runtime.settings import load


def test_the_size_of_a_feeds_spool_is_told_and_nothing_of_others(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("")
    settings = load(tmp_path / "plant.toml")
    folder = settings.plant.data / "spool" / "binance"
    assert _spooled(settings, "feed-binance") == ""
    folder.mkdir(parents=True)
    (folder / "000000000000000.spool").write_bytes(b"x" * 3_000_000)
    (folder / "first").write_text("7")
    assert _spooled(settings, "feed-binance") == "2.9 MiB spooled"
    assert _spooled(settings, "feed-other") == ""
    assert _spooled(settings, "rdb") == ""

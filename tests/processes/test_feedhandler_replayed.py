"""Recorded frames through a venue's own parser: every row, once, the same in every run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up_venue import Clock, MadeUpFeed, Polled
from venue_server import BEGIN_MS, VenueServer

from feedhandler.capture import line_of
from feedhandler.kinds import checked, made
from feedhandler.replayed import ReplayedFeed, ReplayedFeedSettings
from plant.errors import SettingsError
from plant.runtime.sections import FeedSection

VENUE = "made_up_venue:MadeUpFeed"


def trade(sym: str, number: int) -> bytes:
    return json.dumps({"trade": {"s": sym, "n": number, "t": BEGIN_MS + number, "p": "1.5", "q": "2"}}).encode()


def replayed(*paths: Path, **options: Any) -> ReplayedFeed:
    return ReplayedFeed(ReplayedFeedSettings(name="again", venue=VENUE, paths=tuple(map(str, paths)), **options))


def rows_of(feed: ReplayedFeed, accepted: int = 0) -> list[tuple[str, dict[str, Any]]]:
    feed.start(accepted)
    found: list[tuple[str, dict[str, Any]]] = []
    while not feed.finished:
        for table, columns in feed.poll(0, 0.0):
            found += [(table, dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    return found


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two connections at once: swapped, repeated and unreadable frames, and a jump that nothing fills."""
    first, second = tmp_path / "1.frames", tmp_path / "2.frames"
    a = [1, 2, 4, 3, 3, 5, 9, 10]
    first.write_bytes(b"".join(line_of(trade("A", n), at * 10**9) for at, n in enumerate(a)))
    second.write_bytes(line_of(b"garbage", 10**9) + line_of(trade("B", 7), 2 * 10**9))
    return [first, second]


def test_every_trade_is_there_once_in_order_and_the_hole_is_told(files: list[Path]) -> None:
    feed = replayed(*files)
    found = rows_of(feed)
    ids = [(row["sym"], row["venue_seq"]) for table, row in found if table == "trades"]
    assert [number for sym, number in ids if sym == "A"] == [1, 2, 3, 4, 5, 9, 10]
    assert [number for sym, number in ids if sym == "B"] == [7]
    lost = [row for table, row in found if table == "gaps" and row["state"] == "lost"]
    assert [(row["first"], row["last"], row["sym"]) for row in lost] == [(6, 8, "feed-again")]
    assert {row["source"] for table, row in found if table == "trades"} == {"again"}
    assert feed.status() == (
        "10 frames, 12 rows, finished; 1 malformed (first: expected JSON, found b'garbage'); 1 repeated trades dropped"
    )


def test_a_restart_goes_on_at_any_row(files: list[Path]) -> None:
    whole = rows_of(replayed(*files))
    for accepted in range(len(whole) + 1):
        assert rows_of(replayed(*files), accepted) == whole[accepted:]
    feed = replayed(*files)
    rows_of(feed, len(whole) + 3)
    assert "the plant holds 3 rows more than these files have" in feed.status()


def test_only_the_symbols_asked_for(files: list[Path]) -> None:
    found = rows_of(replayed(*files, symbols=("BETA",), options={"names": {"BETA": "B"}}))
    assert [row["sym"] for table, row in found if table == "trades"] == ["BETA"]


def test_pauses_are_those_of_the_frames_at_the_speed_asked_for(files: list[Path]) -> None:
    feed = replayed(files[0], speed=10.0)
    feed.start(0)
    seen: list[tuple[int, int]] = []
    for now_ns in range(0, 10**9, 10**8 // 2):
        for _ in range(3):
            for table, columns in feed.poll(now_ns, 0.0):
                seen += [(now_ns, int(number)) for number in columns["venue_seq"]] if table == "trades" else []
    assert seen[:4] == [(0, 1), (10**8, 2), (3 * 10**8, 3), (3 * 10**8, 4)]


def test_what_a_feed_recorded_gives_the_same_trades_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: VenueServer
) -> None:
    one = Polled(MadeUpFeed, venue, Clock(), record=True)
    one.feed.kept_in(tmp_path)
    one.until(lambda: one.feed.status().startswith("connected"), "connected")
    venue.trade("A", 30)
    venue.trade("B", 20)
    one.until(lambda: len(one.ids("A")) == 30 and len(one.ids("B")) == 20, "the trades")
    one.feed.close()
    [file] = (tmp_path / "frames" / "made-up").iterdir()
    again = [row | {"source": "made-up"} for table, row in rows_of(replayed(file)) if table == "trades"]
    assert again == one.rows["trades"]


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer() as server:
        yield server


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"venue": "finazon"}, "venue: expected a kind with a parser of frames, found 'finazon'"),
        ({"venue": "nobody"}, "nobody"),
        ({"paths": ["none.frames"]}, "there is no file .*none.frames"),
        ({"options": {"no": 1}}, "no"),
    ],
)
def test_what_cannot_be_played_is_a_sentence(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    (tmp_path / "some.frames").write_bytes(b"")
    section = FeedSection(
        kind="feedhandler.replayed:ReplayedFeed", name="r", **{"venue": VENUE, "paths": ["some.frames"], **keys}
    )
    with pytest.raises(SettingsError, match=message):
        made(section, tmp_path / "plant.toml")


def test_paths_are_meant_from_the_folder_of_plant_toml(tmp_path: Path) -> None:
    section = FeedSection(kind="feedhandler.replayed:ReplayedFeed", name="r", venue=VENUE, paths=["a*.frames"])
    _, settings = checked(section, tmp_path / "plant.toml")
    assert settings.paths == (str(tmp_path / "a*.frames"),)

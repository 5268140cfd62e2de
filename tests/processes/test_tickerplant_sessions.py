"""Which publisher of a name is the newest: kept over restarts, crashes, full disks and a clock set back."""

import errno
import os
from pathlib import Path

import pytest

from plant.errors import JournalError
from tickerplant.sessions import AHEAD_NS, Sessions

NOW = 1_700_000_000_000_000_000
NAMES = ["feed", "two words", "new\nline", "Größe", '"quoted"', "1", ""]


def noted(path: Path, *names: str, session: int = NOW) -> Sessions:
    sessions = Sessions(path)
    for name in names:
        sessions.note(name, session)
    sessions.save()
    return sessions


def test_a_name_is_held_against_older_sessions_also_after_a_restart(tmp_path: Path) -> None:
    noted(tmp_path / "sessions", *NAMES)
    again = Sessions(tmp_path / "sessions")
    for name in NAMES:
        assert again.held(name, NOW - 1, NOW + 5)
        assert not again.held(name, NOW, NOW + 5)
        assert not again.held(name, NOW + 1, NOW + 5)
    assert not again.held("another", -5, NOW)


def test_the_last_of_a_names_sessions_counts(tmp_path: Path) -> None:
    sessions = noted(tmp_path / "sessions", "feed")
    sessions.note("feed", NOW + 10)
    sessions.save()
    assert Sessions(tmp_path / "sessions").held("feed", NOW + 9, NOW)


def test_a_session_of_the_far_future_holds_no_name_for_the_clock_was_set_back(tmp_path: Path) -> None:
    sessions = noted(tmp_path / "sessions", "feed", session=NOW + AHEAD_NS + 1)
    assert not sessions.held("feed", NOW, NOW)
    sessions.note("feed", NOW)
    sessions.save()
    again = Sessions(tmp_path / "sessions")
    assert again.held("feed", NOW - 1, NOW)
    assert not again.held("feed", NOW, NOW)


@pytest.mark.parametrize("torn", [b"\n17", b'\n170000000000000000 "fe', b"\n\xff\xfe \x00", b'\n{} "feed"\n'])
def test_a_line_that_is_none_is_passed_over_and_those_after_it_are_read(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "sessions"
    noted(path, "feed")
    with path.open("ab") as file:
        file.write(torn)
    noted(path, "another")
    again = Sessions(path)
    assert again.held("feed", NOW - 1, NOW)
    assert again.held("another", NOW - 1, NOW)


def test_what_could_not_be_written_is_told_and_written_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sessions = noted(tmp_path / "sessions", "feed")
    sessions.note("feed", NOW + 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(JournalError, match="sessions: cannot note who publishes: No space left on device"):
            sessions.save()
    sessions.save()
    assert Sessions(tmp_path / "sessions").held("feed", NOW, NOW)


def test_the_file_does_not_grow_with_every_restart_of_a_publisher(tmp_path: Path) -> None:
    path = tmp_path / "sessions"
    sessions = Sessions(path)
    for session in range(5000):
        sessions.note("feed", NOW + session)
    sessions.save()
    size = path.stat().st_size
    again = Sessions(path)
    assert path.stat().st_size < size / 1000
    assert again.held("feed", NOW + 4998, NOW)
    assert Sessions(path).held("feed", NOW + 4998, NOW)
    assert [p.name for p in tmp_path.iterdir()] == ["sessions"]


def test_the_same_session_is_written_once(tmp_path: Path) -> None:
    sessions = noted(tmp_path / "sessions", "feed")
    size = (tmp_path / "sessions").stat().st_size
    sessions.note("feed", NOW)
    sessions.save()
    assert (tmp_path / "sessions").stat().st_size == size


def test_a_name_is_held_by_who_numbered_rows_of_it_though_nobody_noted_who_that_was() -> None:
    sessions, unit = Sessions(), 2**16
    assert sessions.held("feed", NOW - unit, NOW, NOW // unit)
    assert not sessions.held("feed", NOW, NOW, NOW // unit)
    assert not sessions.held("feed", NOW, NOW, 0)
    ahead = (NOW + AHEAD_NS) // unit
    assert sessions.held("feed", NOW, NOW, ahead)
    assert not sessions.held("feed", NOW, NOW, ahead + 1), "the clock was set back since"
    sessions.note("feed", NOW)
    assert not sessions.held("feed", NOW, NOW + AHEAD_NS, ahead + 1), "it was welcomed, and has published nothing yet"

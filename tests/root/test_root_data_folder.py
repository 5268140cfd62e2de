"""A folder with one writer: its lock, and files that are replaced as a whole."""

import os
from pathlib import Path

import pytest

from plant.data_folder import free_path, lock, partial_of, replace_file


class Taken(Exception):
    """The lock is held by the process with this pid."""


def test_a_lock_that_is_held_is_refused_with_the_pid_of_its_holder_until_it_is_closed(tmp_path: Path) -> None:
    held = lock(tmp_path, Taken)
    with pytest.raises(Taken, match=f"^{os.getpid()}$"):
        lock(tmp_path, Taken)
    os.close(held)
    os.close(lock(tmp_path, Taken))


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    replace_file(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert not partial_of(path).exists()


def test_a_free_path_is_one_that_nothing_has(tmp_path: Path) -> None:
    assert free_path(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "a").touch()
    (tmp_path / "a-again").touch()
    assert free_path(tmp_path / "a") == tmp_path / "a-again-again"

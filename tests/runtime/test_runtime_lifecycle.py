"""What a process says that cannot start."""

import errno
import os

import pytest

from plant.runtime.lifecycle import unusable

RIGHTS = "; the user of this process needs the right to read and to write there"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, f"cannot use data/journal: Permission denied{RIGHTS}"),
        (errno.ENOSPC, "cannot use data/journal: No space left on device"),
        (errno.ENOTDIR, "cannot use data/journal: Not a directory"),
    ],
)
def test_who_cannot_use_a_folder_asks_for_rights_only_if_they_are_what_it_lacks(number: int, said: str) -> None:
    assert unusable(OSError(number, os.strerror(number), "data/journal")) == said

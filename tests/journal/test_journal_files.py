"""The files of a journal's folder: which there are, and which hold a range of seqs."""

from pathlib import Path

import pytest
from journals import closed

from plant.errors import JournalError
from plant.journal.files import existing_paths, first_seq_of, paths_between


def test_the_segments_of_a_range_are_those_that_may_have_records_of_it(tmp_path: Path) -> None:
    closed(tmp_path, segments=4).journal.close()
    first, second, third, last = paths = existing_paths(tmp_path)
    begins = first_seq_of(third)
    assert paths_between(tmp_path, 1, None) == paths
    assert paths_between(tmp_path, begins - 1, begins - 1) == [second]
    assert paths_between(tmp_path, begins, begins) == [third]
    assert paths_between(tmp_path, begins - 1, begins) == [second, third]
    assert paths_between(tmp_path, begins, None) == [third, last]
    assert paths_between(tmp_path, 10**9, None) == [last]
    assert paths_between(tmp_path, 0, 0) == []
    assert first_seq_of(first) == 1


def test_a_folder_without_segments_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal here"):
        existing_paths(tmp_path)

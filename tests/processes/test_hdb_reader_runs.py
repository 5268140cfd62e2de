"""Which files of history are read one after the other, and which have to be put in order together."""

import pytest

from hdb.reader.runs import runs_of
from plant.history.catalogue import File


def file(name: str, times: tuple[int, int], seqs: tuple[int, int]) -> File:
    return File("trades", name, 1, 1, 0, *seqs, *times, "", "", 0)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([("b", (5, 9), (1, 4)), ("a", (0, 4), (2, 9))], [["a"], ["b"]]),  # days, however their seqs lie
        ([("b", (0, 9), (5, 8)), ("a", (3, 4), (1, 4))], [["a"], ["b"]]),  # parts of one day, in the order they came
        ([("a", (0, 9), (1, 9)), ("b", (9, 12), (4, 6))], [["a", "b"]]),  # rows of one time, of seqs that interleave
        ([("a", (0, 4), (1, 5)), ("b", (2, 3), (5, 6))], [["b", "a"]]),  # rows of one seq in both
        ([("a", (0, 9), (1, 9)), ("b", (1, 2), (4, 6)), ("c", (8, 9), (10, 11))], [["b", "a", "c"]]),
        ([("a", (0, 1), (1, 9)), ("b", (2, 5), (1, 9)), ("c", (4, 6), (3, 3)), ("d", (7, 7), (2, 2))],
         [["a"], ["b", "c"], ["d"]]),
        ([], []),
    ],
)  # fmt: skip
def test_files_that_share_times_come_together_unless_one_came_after_the_other(
    files: list[tuple[str, tuple[int, int], tuple[int, int]]], expected: list[list[str]]
) -> None:
    assert [[f.path for f in run] for run in runs_of([file(*given) for given in files])] == expected

"""Numbers of texts: what Arrow would read as a number and nobody wrote as one is rejected, in whatever company."""

import numpy as np
import pyarrow as pa
import pytest

from plant.files.foreign_file import ForeignFile, Rejects
from plant.files.values import read_numbers, read_whole_numbers


def rejects_of(count: int) -> Rejects:
    file = ForeignFile([], lambda wanted: None, lines=np.arange(1, count + 1))
    return Rejects(file)


@pytest.mark.parametrize("others", [["1.5"] * 10, ["1.5", "", " 2 ", "1,234.5", "n/a"] * 2000])
def test_a_text_that_reads_as_not_a_number_is_unknown_only_where_it_says_nan(others: list[str]) -> None:
    texts = [*others, "-nan", "nan", "NaN", "nan(3)", ""]
    rejects = rejects_of(len(texts))
    found = read_numbers(pa.array(texts), "size", rejects, unknown=True)
    assert rejects.rows.tolist()[-5:] == [True, False, False, True, False]
    assert np.isnan(found[-5:]).all()
    assert rejects.rows[: len(others)].sum() == others.count("n/a")


def test_whole_numbers_are_written_in_digits() -> None:
    texts = ["7", "-7", "007", " 7 ", "+7", "0x1F", "7.0", "", "9223372036854775807", "9223372036854775808"]
    rejects = rejects_of(len(texts))
    found = read_whole_numbers(pa.array(texts), "order_id", rejects)
    assert rejects.rows.tolist() == [False] * 5 + [True, True, True, False, True]
    assert found.tolist() == [7, -7, 7, 7, 7, 0, 0, 0, 2**63 - 1, 0]
    alone = rejects_of(1)
    read_whole_numbers(pa.array(["0x1F"]), "order_id", alone)
    assert alone.rows.tolist() == [True]

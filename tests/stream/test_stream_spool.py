"""Records on disk for a plant that is down: each row arrives once and in order, whoever is killed, whatever is torn."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from random_rows import columns_from, trades

from plant.errors import SourceTaken
from plant.rows.tables import schema_of
from plant.stream import spool as module
from plant.stream.spool import Spool, spooled_bytes
from plant.wire.numbering import session_of
from plant.wire.record import decode, encode, records

TRADES = schema_of()["trades"]
NOW = 1_800_000_000_000_000_000


def record(first: int, rows: int) -> bytearray:
    return encode(TRADES, columns_from(TRADES, trades(first, rows)), 1, 0)


def sizes_of(data: bytes) -> list[float]:
    found: list[float] = []
    for header, start in records(data):
        found += decode(TRADES, header, data[start : start + header.length]).columns["size"].tolist()
    return found


class SpoolMachine(RuleBasedStateMachine):
    """A feed that spools, is killed, hands over; a plant that takes, acknowledges late, and loses its tail."""

    def __init__(self) -> None:
        super().__init__()
        module.FILE_BYTES = 2_000
        self.folder = Path(tempfile.mkdtemp()) / "spool"
        self.spool = Spool(self.folder, 10**9)
        self.plant: list[float] = [-1.0, -2.0]  # of the source, by row number
        self.made: list[float] = []
        self.welcomed = False
        self.begun = False

    @rule(rows=st.integers(1, 4))
    def append(self, rows: int) -> None:
        if not self.spool and not self.begun:
            self.spool.begin(len(self.plant) if self.welcomed else None)
            self.begun = True
        first = len(self.made) + 1
        assert self.spool.append(record(first, rows), rows)
        self.made += [float(n) for n in range(first, first + rows)]

    @rule()
    def welcome(self) -> None:
        self.spool.welcome(len(self.plant))
        self.welcomed = True

    @rule(count=st.integers(1, 5))
    def hand_over(self, count: int) -> None:
        for _ in range(count if self.welcomed else 0):
            found = self.spool.read()
            if found is not None:
                data, rows = found
                sizes = sizes_of(bytes(data))
                assert len(sizes) == rows
                self.plant += sizes

    @rule()
    def acknowledge(self) -> None:
        if self.welcomed:
            self.spool.acknowledged(len(self.plant))

    @rule()
    def killed(self) -> None:
        self.spool.close()  # what is in the process's memory is not looked at again
        self.spool = Spool(self.folder, 10**9)
        self.welcomed = False
        self.begun = bool(self.spool)

    @invariant()
    def each_row_is_there_once_and_in_order(self) -> None:
        there = self.plant[2:]
        assert there == self.made[: len(there)]

    def teardown(self) -> None:
        self.spool.welcome(len(self.plant))
        while (found := self.spool.read()) is not None:
            self.plant += sizes_of(bytes(found[0]))
        assert self.plant[2:] == self.made
        self.spool.acknowledged(len(self.plant))
        assert not self.spool
        assert spooled_bytes(self.folder) == 0
        self.spool.close()


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=examples(40), stateful_step_count=30, deadline=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def filled(folder: Path, first: int | None = 0) -> Spool:
    spool = Spool(folder, 10**9)
    spool.begin(first)
    for number in range(1, 10, 3):
        assert spool.append(record(number, 3), 3)
    return spool


def rows_read(spool: Spool) -> list[float]:
    found: list[float] = []
    while (one := spool.read()) is not None:
        found += sizes_of(bytes(one[0]))
    return found


def test_a_torn_record_at_the_end_is_cut_off_and_those_before_it_are_there(folder: Path) -> None:
    filled(folder).close()
    [file] = folder.glob("*.spool")
    file.write_bytes(file.read_bytes()[:-5])
    again = Spool(folder, 10**9)
    assert again.rows == 6
    again.welcome(0)
    assert rows_read(again) == [1, 2, 3, 4, 5, 6]
    again.close()


def test_a_plant_that_lost_its_tail_gets_all_that_is_still_there(folder: Path) -> None:
    spool = filled(folder, first=100)
    spool.welcome(103)
    assert rows_read(spool) == [4, 5, 6, 7, 8, 9]
    spool.welcome(90)
    assert rows_read(spool) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    spool.acknowledged(93)
    assert spool.rows == 6
    spool.close()


def test_a_plant_that_says_again_how_far_it_is_has_nothing_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = filled(folder, first=100)
    spool.welcome(106, 103)
    monkeypatch.setattr(spool, "rewind", lambda: pytest.fail("it is read again from the beginning"))
    spool.welcome(106, 103)
    assert (spool.rows, rows_read(spool)) == (6, [7, 8, 9])
    spool.welcome(109, 106)
    assert (spool.rows, rows_read(spool)) == (3, [])
    spool.acknowledged(109)
    assert not spool
    spool.close()


def test_it_is_told_whether_what_a_plant_holds_fits_what_is_here(folder: Path) -> None:
    spool = Spool(folder, 10**9)
    assert spool.fits(7), "its numbers are not known"
    spool.close()
    spool = filled(folder, first=100)
    assert [spool.fits(held) for held in (99, 100, 109, 110)] == [False, True, True, False]
    spool.close()


def test_rows_that_were_published_past_the_spool_do_not_count_as_its_own(folder: Path) -> None:
    spool = filled(folder, first=100)
    spool.welcome(150)
    assert rows_read(spool) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    spool.close()


def test_only_one_process_has_a_spool(folder: Path) -> None:
    spool = filled(folder)
    with pytest.raises(SourceTaken, match="has the spool"):
        Spool(folder, 10**9)
    spool.close()


def test_while_the_disk_does_not_say_where_it_begins_it_takes_and_gives_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spool = Spool(folder, 10**9)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", no_room)
        assert not spool.begin(100)
        assert not spool.append(record(1, 3), 3)
        assert spool.full
    assert spool.append(record(1, 3), 3)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", no_room)
        spool.welcome(50)  # it lost a tail
        assert spool.read() is None
    assert rows_read(spool) == [1, 2, 3]
    spool.close()


def test_it_is_full_at_its_bound(folder: Path) -> None:
    spool = Spool(folder, 500)
    spool.begin(0)
    while not spool.full:
        assert spool.append(record(1, 1), 1)
    assert 500 <= spool.size < 1_000
    spool.close()


def test_what_the_plant_holds_and_has_not_acknowledged_stays_and_is_not_read_again(folder: Path) -> None:
    spool = Spool(folder, 10**9)
    spool.begin(100)
    for first in range(1, 8, 2):
        spool.append(record(first, 2), 2)
    spool.welcome(104, 102)
    found = spool.read()
    assert found is not None
    assert sizes_of(bytes(found[0])) == [5.0, 6.0]
    assert spool.rows == 6
    spool.acknowledged(104)
    assert spool.rows == 4
    spool.welcome(102)  # another plant, which has less: all that it lacks is still there
    found = spool.read()
    assert found is not None
    assert sizes_of(bytes(found[0])) == [3.0, 4.0]
    spool.welcome(108, 0)
    assert spool.read() is None
    spool.acknowledged(108)
    assert not spool
    spool.close()


def test_a_spool_goes_on_at_its_own_rows_whoever_published_behind_them(folder: Path) -> None:
    spool = Spool(folder, 10**9)
    spool.begin(100, {5: 100})
    for number in range(1, 10, 3):
        spool.append(record(number, 3), 3)
    spool.welcome(106, 100, ((5, 103), (9, 106)), NOW)
    assert rows_read(spool) == [4, 5, 6, 7, 8, 9]
    spool.close()
    again = Spool(folder, 10**9)  # the next process; 3 more of ours came through
    again.welcome(109, 100, ((5, 103), (9, 106), (session_of(NOW), 109)), NOW + 10**9)
    assert rows_read(again) == [7, 8, 9]
    again.welcome(101, 100, ((9, 101),), NOW + 10**9)  # a plant that has none of ours
    assert rows_read(again) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert session_of(again.session) == session_of(NOW + 10**9) + 1
    again.close()


def test_what_an_older_version_wrote_is_read_and_a_file_that_one_wrote_since_counts_as_its(folder: Path) -> None:
    filled(folder, first=100).close()
    first = folder / "first"
    written = first.read_bytes()
    first.write_bytes(b"100".rjust(19) + b"\n")
    spool = Spool(folder, 10**9)
    assert first.stat().st_size == len(written)
    spool.welcome(103, 103, (), NOW)
    assert rows_read(spool) == [4, 5, 6, 7, 8, 9]
    spool.welcome(106, 103, ((0, 103), (session_of(NOW), 106)), NOW)
    assert rows_read(spool) == [7, 8, 9]
    spool.close()
    with first.open("r+b") as file:
        file.write(b"90".rjust(19) + b"\n")
    spool = Spool(folder, 10**9)
    spool.welcome(93)
    assert rows_read(spool) == [4, 5, 6, 7, 8, 9]
    spool.close()


def test_a_base_below_zero_is_read_again(folder: Path) -> None:
    spool = filled(folder, first=100)
    spool.begin(-20)  # a plant that lost its journal got what was behind row 20 under its first number
    spool.append(record(1, 3), 3)
    spool.close()
    spool = Spool(folder, 10**9)
    assert [spool.fits(held) for held in (-21, -20, -17, -16)] == [False, True, True, False]
    spool.close()

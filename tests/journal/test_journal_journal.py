"""The journal: what was appended is read back, whatever the disk, a crash or a flipped bit did in between."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from journals import SCHEMA, Writer, copy_of, everything

from plant.errors import JournalError, JournalLocked, SchemaError
from plant.journal import journal
from plant.journal import segment as module
from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.schema import Column, Schema, Table
from plant.rows.tables import schema_of
from plant.wire.envelope import HEADER_BYTES, header_at
from plant.wire.record import decode, records
from tickerplant.upkeep import Upkeep

ROOT = str(Path(__file__).parents[2])
NEWS = Table.declared({"name": "news", "columns": [["time", "time"], ["sym", "symbol"], ["headline", "text"]]})


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "journal")
    yield made
    made.journal.close()


class JournalMachine(RuleBasedStateMachine):
    """The journal against a list: appends, rolls, reopenings, torn tails, reads from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.block_bytes, module.BLOCK_BYTES = module.BLOCK_BYTES, 1500
        self.index_every, journal.INDEX_EVERY = journal.INDEX_EVERY, 2000
        self.tmp = tempfile.TemporaryDirectory()
        self.writer = Writer(Path(self.tmp.name), segment_bytes=6000)

    @rule(rows=st.lists(st.sampled_from([1, 2, 7, 40]), min_size=1, max_size=12), source=st.integers(1, 3))
    def append(self, rows: list[int], source: int) -> None:
        self.writer.append(*rows, source=source)

    @rule(rows=st.integers(2, 4))
    def append_group(self, rows: int) -> None:
        self.writer.append(*([1] * rows), group=True)

    @rule()
    def append_more_than_one_system_call_takes(self) -> None:
        self.writer.append(*([1] * 1030))

    @rule(compress=st.booleans())
    def do_the_upkeep(self, compress: bool) -> None:
        Upkeep(self.writer.journal, compress=compress, report=lambda line: None).round()

    @rule()
    def reopen(self) -> None:
        before = copy_of(self.writer.journal.position)
        assert self.writer.reopen().position == before
        assert self.writer.journal.segments.damage == []

    @rule(noise=st.binary(min_size=1, max_size=200))
    def crash_with_a_torn_record(self, noise: bytes) -> None:
        before = copy_of(self.writer.journal.position)
        self.writer.journal.close()
        with self.writer.last_file.open("ab") as file:
            file.write(noise)
        assert self.writer.open().position == before
        assert [d.end - d.start for d in self.writer.journal.segments.damage] == [len(noise)]

    @rule(data=st.data(), max_bytes=st.integers(0, 20_000))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        seq = data.draw(st.integers(0, len(self.writer.records) + 2))
        chunk = self.writer.journal.segments.read(seq, max_bytes)
        wanted = [record for number, record in self.writer.records if number >= seq]
        found = [chunk[s - HEADER_BYTES : s + h.length] for h, s in records(chunk)]
        assert found == wanted[: len(found)]
        assert bool(found) == bool(wanted)
        largest = max(map(len, wanted), default=0)
        assert len(chunk) <= max(max_bytes, module.BLOCK_BYTES, largest)

    @invariant()
    def whole_journal_is_the_list(self) -> None:
        assert everything(self.writer.journal) == self.writer.records

    def teardown(self) -> None:
        self.writer.journal.close()
        self.tmp.cleanup()
        module.BLOCK_BYTES = self.block_bytes
        journal.INDEX_EVERY = self.index_every


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=examples(25), stateful_step_count=15, deadline=None, derandomize=True, database=None
)


def test_a_new_journal_is_empty(writer: Writer) -> None:
    assert writer.journal.position == Position(0, {}, {})
    assert writer.journal.segments.read(1) == b""
    assert [p.name for p in writer.folder.glob("*.journal")] == ["00000000000000000001.journal"]


def test_a_segment_is_named_for_its_first_record_and_holds_the_state_before_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=300)
    writer.append(5, source=2**64 - 1)
    writer.append(5, source=8)
    writer.append(5, source=9)
    names = [p.name for p in sorted(tmp_path.glob("*.journal"))]
    assert names[1:] == [f"{s.first_seq:020d}.journal" for s in writer.journal.segments[1:]]
    assert len(names) > 1
    last = writer.journal.segments[-1].header
    assert (last["first_seq"], last["table_seqs"]) == (4, {"trades": 3})
    assert last["sources"] == {2**64 - 1: 5, 8: 5, 9: 5}
    assert [t["name"] for t in last["tables"]] == list(SCHEMA)
    reopened = writer.reopen()
    assert reopened.position == Position(3, {"trades": 3}, {2**64 - 1: 5, 8: 5, 9: 5})
    assert everything(reopened) == writer.records
    reopened.close()


@pytest.mark.parametrize("reopened", [False, True])
def test_one_great_turn_is_read_in_pieces_of_the_size_asked_for(writer: Writer, reopened: bool) -> None:
    """A turn may be hundreds of megabytes; a reader that asks for little must not be sent all of it."""
    writer.append(*([100] * 200))
    if reopened:
        writer.reopen()
    sizes = []
    seq = 1
    while chunk := writer.journal.segments.read(seq, 100_000):
        sizes.append(len(chunk))
        seq = [h.seq for h, _ in records(chunk)][-1] + 1
    assert sum(sizes) == sum(len(r) for _, r in writer.records)
    assert max(sizes) <= 100_000
    assert len(sizes) < 25


def test_records_are_found_though_their_numbers_jump(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chained plant journals what another one could still read: damage there is a jump here."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 100)  # a block for each record
    made = []
    for seq in (1, 4, 5, 9):
        writer.journal.position.seq = seq - 1
        made.append(writer.record(1))
    writer.journal.append(made, 1)
    for seq, expected in ((1, 1), (2, 4), (4, 4), (5, 5), (6, 9), (9, 9)):
        assert header_at(writer.journal.segments.read(seq, 0), 0).seq == expected
    assert writer.journal.segments.read(10) == b""


def test_a_tail_torn_at_any_byte_is_cut_off_and_kept_beside(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(2)
    writer.append(1)
    before = copy_of(writer.journal.position)
    path, whole = writer.last_file, writer.last_file.stat().st_size
    writer.append(3)
    writer.journal.close()
    data = path.read_bytes()
    for cut in range(whole + 1, len(data)):
        path.write_bytes(data[:cut])
        journal = writer.open()
        assert journal.position == before, cut
        (damage,) = journal.segments.damage
        assert (damage.start, damage.end) == (whole, cut)
        assert str(damage).startswith(f"{path.name}: {cut - whole:,} bytes at {whole:,} are no record (")
        torn = tmp_path / f"{path.name}.torn-{whole}"
        assert torn.read_bytes() == data[whole:cut]
        assert f"kept as {torn.name}" in str(damage)
        assert path.read_bytes() == data[:whole]
        assert everything(journal) == writer.records[:2]
        journal.close()
        torn.unlink()
    journal = writer.open()
    writer.append(4)
    assert [seq for seq, _ in everything(journal)] == [1, 2, 3]
    journal.close()


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_is_cut_off(writer: Writer) -> None:
    writer.append(2)
    before = copy_of(writer.journal.position)
    writer.journal.close()
    with writer.last_file.open("ab") as file:
        file.write(bytes(100_000))
    assert writer.open().position == before
    assert len(writer.journal.segments.damage) == 1
    assert everything(writer.journal) == writer.records


def test_a_second_torn_tail_at_the_same_place_keeps_the_first(writer: Writer) -> None:
    writer.append(1)
    for noise in (b"first", b"second"):
        writer.journal.close()
        with writer.last_file.open("ab") as file:
            file.write(noise)
        writer.open()
    kept = sorted(p.read_bytes() for p in writer.folder.glob("*.torn-*"))
    assert kept == [b"first", b"second"]


def test_a_flipped_bit_loses_its_record_alone_and_is_reported(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for rows in (1, 2, 3, 4):
        writer.append(rows, source=rows)
    before = copy_of(writer.journal.position)
    path = writer.last_file
    writer.journal.close()
    data = path.read_bytes()
    begin = data.index(writer.records[1][1])
    end = begin + len(writer.records[1][1])
    for place in (*range(begin, begin + HEADER_BYTES), begin + 80, end - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        journal = writer.open()
        assert journal.position == Position(4, before.table_seqs, {k: v for k, v in before.sources.items() if k != 2})
        assert [(d.start, d.end, d.outcome) for d in journal.segments.damage] == [(begin, end, "skipped")], place
        assert everything(journal) == [r for r in writer.records if r[0] != 2]
        assert everything(journal, 0) == [r for r in writer.records if r[0] != 2]
        assert journal.segments.read(2, 0).startswith(writer.records[2][1])
        journal.close()
        assert path.read_bytes() == bytes(damaged)


def test_neighbouring_damaged_records_are_one_damage(writer: Writer) -> None:
    writer.append(1, 1, 1, 1)
    writer.journal.close()
    data = bytearray(writer.last_file.read_bytes())
    for _, record in writer.records[1:3]:
        data[data.index(record) + 80] ^= 1
    writer.last_file.write_bytes(data)
    writer.open()
    (damage,) = writer.journal.segments.damage
    assert damage.end - damage.start == sum(len(record) for _, record in writer.records[1:3])
    assert everything(writer.journal) == [writer.records[0], writer.records[3]]


def test_damage_in_an_older_segment_is_skipped_and_reported_once_when_it_is_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=6000)
    while len(writer.journal.segments) < 3:
        writer.append(3)
    first = writer.journal.segments[0].path
    writer.journal.close()
    data = bytearray(first.read_bytes())
    data[data.index(writer.records[1][1]) + 75] ^= 4
    first.write_bytes(data)
    journal = writer.open()
    assert journal.segments.damage == []
    for _ in range(2):
        assert everything(journal) == [r for r in writer.records if r[0] != 2]
    assert [(d.segment, d.outcome) for d in journal.segments.damage] == [(first.name, "skipped")]
    journal.close()


def test_a_segment_without_one_good_record_is_passed_over(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=6000)
    while len(writer.journal.segments) < 3:
        writer.append(3)
    first, second = writer.journal.segments[0], writer.journal.segments[1]
    writer.journal.close()
    data = first.path.read_bytes()
    first.path.write_bytes(data[: first.start] + bytes(len(data) - first.start))
    journal = writer.open()
    for _ in range(2):
        assert everything(journal) == [r for r in writer.records if r[0] >= second.first_seq]
    assert len(journal.segments.damage) == 1
    journal.close()


def test_a_publish_of_several_records_cut_in_its_middle_is_cut_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 100)  # a block for each record
    writer = Writer(tmp_path)
    writer.append(2)
    before, path = copy_of(writer.journal.position), writer.last_file
    whole = path.stat().st_size
    writer.append(1, 2, 1, group=True)
    writer.journal.close()
    data = path.read_bytes()
    ends = [whole + sum(len(r) for _, r in writer.records[1:n]) for n in (2, 3)]
    for cut in (*ends, ends[0] - 1, ends[0] + 10, ends[1] + 100, len(data) - 1):
        path.write_bytes(data[:cut])
        journal = writer.open()
        assert journal.position == before
        assert path.stat().st_size == whole
        assert [(d.start, d.end) for d in journal.segments.damage] == [(whole, cut)]
        writer.append(5)
        assert everything(journal) == [writer.records[0], writer.records.pop()]
        journal.close()
    path.write_bytes(data)
    journal = writer.open()
    assert journal.position.seq == 4
    assert everything(journal) == writer.records
    journal.close()


def test_a_second_opener_is_refused_naming_the_first(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from plant.journal.journal import Journal
from plant.rows.tables import schema_of
held = Journal(Path(sys.argv[1]), schema_of())
print("open", flush=True)
sys.stdin.read()
held.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=PIPE,
        stdout=PIPE,
        text=True,
        env={"PYTHONPATH": ROOT},
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        for _ in range(2):
            with pytest.raises(JournalLocked, match=rf"\(pid {holder.pid}\) writes this journal; stop it, or give"):
                Journal(tmp_path, SCHEMA)
        holder.communicate("")
    Journal(tmp_path, SCHEMA).close()


def test_the_lock_names_its_holder_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1234567890123 of before")
    journal = Journal(tmp_path, SCHEMA)
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    journal.close()


def test_a_journal_that_could_not_be_opened_is_not_left_locked(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.journal.close()
    good = writer.last_file.read_bytes()
    writer.last_file.write_bytes(b"something else entirely")
    for _ in range(2):
        with pytest.raises(JournalError, match="expected a segment header") as caught:
            writer.open()
        assert not isinstance(caught.value, JournalLocked)
    writer.last_file.write_bytes(good)
    writer.open().close()


@pytest.mark.parametrize("size", [0, 10, 16, 17, 100])
def test_a_segment_cut_within_its_header_is_refused_naming_the_file(tmp_path: Path, size: int) -> None:
    writer = Writer(tmp_path)
    writer.journal.close()
    path = writer.last_file
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(JournalError, match=f"{path}: expected a segment header"):
        writer.open()


def test_a_changed_schema_begins_a_segment_and_old_records_keep_their_declarations(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(2)
    writer.append(3)
    writer.journal.close()
    writer.schema = schema_of([NEWS])
    journal = writer.open()
    assert [s.first_seq for s in journal.segments] == [1, 3]
    assert journal.position == Position(2, {"trades": 2}, {1: 5})
    writer.append(1)
    assert everything(journal) == writer.records
    assert [t.name for t in journal.segments.tables()] == [*SCHEMA, "news"]
    writer.schema = SCHEMA
    journal = writer.reopen()
    assert [s.first_seq for s in journal.segments] == [1, 3, 4]
    for segment in journal.segments[:2]:
        for header, start in segment.scan():
            data = segment.path.read_bytes()[start + HEADER_BYTES :][: header.length]
            assert len(decode(segment.tables[header.schema_id], header, data)) == header.rows
    assert "news" in {t.name for t in journal.segments.tables()}
    assert journal.position == Position(3, {"trades": 3}, {1: 6})
    journal.close()


def test_a_column_of_another_kind_is_refused_and_nothing_is_changed_by_that(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(2)
    writer.journal.close()
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    trades = SCHEMA["trades"]
    columns = tuple(Column("size", "int") if c.name == "size" else c for c in trades.columns)
    tables = [Table(t.name, columns if t is trades else t.columns, t.key) for t in SCHEMA.values()]
    writer.schema = Schema(tables)
    with pytest.raises(
        SchemaError, match=r"trades.size: declared as int, .* in which it is float; give the new column"
    ):
        writer.open()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    writer.schema = SCHEMA
    assert everything(writer.open()) == writer.records
    writer.journal.close()


def test_a_changed_schema_takes_the_place_of_a_segment_without_records(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = Writer(tmp_path)
    writer.journal.close()
    writer.schema = schema_of([NEWS])
    journal = writer.open()
    assert [s.first_seq for s in journal.segments] == [1]
    assert len(list(tmp_path.glob("*.journal"))) == 1
    writer.append(2)
    assert everything(journal) == writer.records
    journal.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_sources_and_table_numbers_survive_rolls_and_reopenings(tmp_path: Path) -> None:
    files = len(os.listdir("/proc/self/fd"))
    writer = Writer(tmp_path, segment_bytes=500)
    for i in range(30):
        writer.append(1 + i % 3, source=i % 5)
        if i % 7 == 0:
            writer.reopen()
    expected = {s: sum(1 + i % 3 for i in range(30) if i % 5 == s) for s in range(5)}
    assert len(writer.journal.segments) > 5
    assert writer.reopen().position == Position(30, {"trades": 30}, expected)
    writer.journal.close()
    assert len(os.listdir("/proc/self/fd")) <= files


def test_who_numbered_rows_survives_rolls_and_reopenings(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=500)
    for i in range(40):
        writer.session = (0, 2**40 + 1, 7, 2**40 + 1)[i // 10]
        writer.append(1 + i % 3, source=i % 2)
        if i % 7 == 0:
            writer.reopen()
    position = writer.reopen().position
    assert len(writer.journal.segments) > 5
    assert [session for session, _ in position.told(1)] == [0, 7, 2**40 + 1]
    assert position.told(1)[-1][1] == position.sources[1]
    assert Position.before(writer.journal.segments[1]).told(1) == ()
    writer.journal.close()

"""plant verify: the same when it is, and each way of not being the same is told with its rows."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from journals import closed
from past import DAY, NEXT, SCHEMA, Past, bar, trade

from plant.audit import verify as verifying
from plant.audit.verify import Verified, verify
from plant.journal import rows as journal_rows
from plant.journal.files import present_segment
from plant.journal.rows import JournalRows
from tickerplant.upkeep import Upkeep


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


def check(past: Past, span: tuple[int, int] | None = None, rdb: bool = True) -> Verified:
    return verify(past.data, SCHEMA, span, past.rdb if rdb else None)


def filled(past: Past) -> list[dict[str, Any]]:
    """Two closed days with a late row, revisions and amendments, and an open one; return the first trades."""
    first = past.put("trades", trade(DAY + 1), trade(DAY + 1), trade(DAY + 2, "B", 2.0))
    past.put("bars", bar(DAY, 2.0), bar(DAY, 2.0, "B"))
    past.put("bars", bar(DAY, 3.0))
    past.part()
    past.amend("trades", first[1], {"price": 7.0})
    past.close_day()
    past.put("trades", trade(NEXT + 1), trade(DAY + 3))
    past.put("bars", bar(DAY, 4.0), bar(NEXT, 4.0))
    past.amend("trades", first[2], None)
    past.close_day()
    past.put("trades", trade(NEXT + 5), trade(NEXT + 6))
    past.put("bars", bar(NEXT, 5.0))
    past.part()
    past.put("trades", trade(NEXT + 7))
    past.put("bars", bar(NEXT, 6.0))
    return first


def test_what_is_the_same_is_told_so_with_its_counts(past: Past) -> None:
    filled(past)
    found = check(past)
    assert (found.same, found.lines, found.damage, found.unknown) == (True, [], [], [])
    assert found.rows["trades", "journal"] == 7
    assert found.rows["trades", "rdb"] == 3
    assert found.rows["trades", "history"] == 7 + 1, "the amended row, and the one that took its place"
    day = check(past, (DAY, NEXT))
    assert (day.same, day.rows["trades", "journal"]) == (True, 4)


@pytest.mark.parametrize("seed", [3, 4])
def test_whatever_comes_is_the_same_afterwards(past: Past, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "WINDOW_ROWS", 7)
    chance = random.Random(seed)
    put: dict[str, list[dict[str, Any]]] = {"trades": [], "bars": []}
    for _ in range(80):
        what = chance.random()
        moment = chance.choice((DAY, NEXT)) + chance.randrange(6)
        if what < 0.4:
            put["trades"] += past.put("trades", *[trade(moment, chance.choice("AB"))] * chance.randrange(1, 4))
        elif what < 0.7:
            put["bars"] += past.put("bars", bar(moment, chance.uniform(1, 9), chance.choice("AB")))
        elif what < 0.8 and put["trades"]:
            table = chance.choice([name for name in put if put[name]])
            changes = chance.choice([None, {"price" if table == "trades" else "close": 8.0}])
            past.amend(table, chance.choice(put[table]), changes)
        elif what < 0.92:
            past.part()
        else:
            past.close_day()
    found = check(past)
    assert (found.same, found.lines, found.damage) == (True, [], [])
    for span in ((DAY, NEXT), (NEXT, 2 * NEXT - DAY)):
        assert check(past, span).same


def test_of_revisions_within_one_record_the_last_is_the_one_that_counts(past: Past) -> None:
    """Those before it are rightly in no place, also where two are alike; an earlier one in its stead is not right."""
    past.put("bars", bar(DAY, 2.0), bar(DAY, 3.0), bar(DAY, 3.0, "B"), bar(DAY, 3.0, "B"))
    found = check(past)
    assert (found.same, found.lines) == (True, []), "in the rdb"
    past.part()
    found = check(past)
    assert (found.same, found.lines) == (True, []), "in a part"
    past.close_day()
    found = check(past)
    assert (found.same, found.lines, found.rows["bars", "history"]) == (True, [], 2), "in a day's file"
    last = past.put("bars", bar(NEXT, 2.0), bar(NEXT, 3.0))[-1]
    (held,) = past.rdb.held["bars"]
    held.update(last | {"close": 2.0, "seq_row": 0})
    assert check(past).lines == ["bars, seq 2, A, 2026-11-19 00:00:00.000000000: rdb: missing"]


def file_of(past: Past, table: str) -> Any:
    return past.catalogue.days_of(table)[0]


def test_a_value_that_differs_is_shown_with_both(past: Past) -> None:
    filled(past)
    file = file_of(past, "trades")
    rows = past.read(file)
    price = pc.if_else(pc.equal(rows["seq"], 1), 9.5, rows["price"])
    past.rewrite(file, rows.set_column(rows.column_names.index("price"), "price", price))
    found = check(past)
    assert found.differing == {"trades": 1}
    assert found.lines == [
        "trades, seq 1, A, 2026-11-18 00:00:00.000000001: history: price is 9.5, the journal has 1.0"
    ]
    assert check(past, (NEXT, 2 * NEXT)).same, "another day"


@pytest.mark.parametrize(
    ("table", "change", "line"),
    [
        ("trades", lambda rows: rows.slice(1), "trades, seq 1, A, 2026-11-18 00:00:00.000000001: history: missing"),
        ("trades", lambda rows: pa.concat_tables([rows.slice(0, 1), rows]), "doubled, or not in the journal"),
        ("bars", lambda rows: rows.slice(1), "bars, seq 6, A, 2026-11-18 00:00:00.000000000: history: missing"),
        ("bars", lambda rows: pa.concat_tables([rows.slice(0, 1), rows]), "doubled, or not in the journal"),
    ],
)
def test_a_row_that_is_missing_or_doubled_is_told(past: Past, table: str, change: Any, line: str) -> None:
    filled(past)
    file = file_of(past, table)
    past.rewrite(file, change(past.read(file)))
    found = check(past)
    assert found.differing[table] >= 1
    assert line in found.lines[0]


def test_a_bar_that_is_not_the_newest_is_told(past: Past) -> None:
    old = past.put("bars", bar(DAY, 2.0))
    past.put("bars", bar(DAY, 3.0))
    past.close_day()
    file = file_of(past, "bars")
    rows = past.read(file)
    stale = pa.Table.from_pylist(old, schema=rows.schema)
    past.rewrite(file, stale)
    (line,) = check(past).lines
    assert line == "bars, seq 2, A, 2026-11-18 00:00:00.000000000: history: missing"


def test_a_damaged_file_is_told_and_its_rows_are_not_called_missing(past: Past) -> None:
    filled(past)
    path = past.store.folder / file_of(past, "trades").path
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    found = check(past)
    assert not found.same
    assert f"{path}: damaged" in found.damage[0]
    assert (found.lines, found.unknown) == ([], ["trades: 3 rows may be in what is damaged"])


def test_a_damaged_journal_is_told(past: Past) -> None:
    filled(past)
    (path,) = (past.data / "journal").glob("*.journal")
    data = bytearray(path.read_bytes())
    data[-300] ^= 1
    path.write_bytes(data)
    assert "journal: " in check(past).damage[0]


def test_rows_the_rdb_lacks_or_has_besides_are_told(past: Past) -> None:
    filled(past)
    past.rdb.held["trades"].pop()
    past.rdb.held["trades"][0]["price"] = 3.0
    past.rdb.held["bars"][0]["close"] = 7.5
    found = check(past)
    assert found.differing == {"trades": 2, "bars": 1}
    assert sorted(found.lines) == [
        "bars, seq 11, A, 2026-11-19 00:00:00.000000000: rdb: close is 7.5, the journal has 6.0",
        "trades, seq 10, A, 2026-11-19 00:00:00.000000007: rdb: missing",
        "trades, seq 8, A, 2026-11-19 00:00:00.000000005: rdb: price is 3.0, the journal has 1.0",
    ]
    assert check(past, rdb=False).same


def test_what_retention_removed_is_not_compared_and_that_is_said(tmp_path: Path) -> None:
    past = Past(tmp_path, segment_bytes=2000)
    for i in range(60):
        past.put("trades", trade(DAY + i), trade(NEXT + i))
        if i == 30:
            past.close_day()
    past.close_day()
    sorted((tmp_path / "journal").glob("*.journal"))[0].unlink()
    found = check(past, rdb=False)
    assert found.same
    assert "were removed from the journal: not compared" in found.unknown[0]
    assert 0 < found.rows["trades", "journal"] == found.rows["trades", "history"] < 120
    past.close()


def test_a_segment_that_was_compressed_since_the_folder_was_listed_is_found(tmp_path: Path) -> None:
    writer = closed(tmp_path)
    first = writer.journal.segments[0].path
    Upkeep(writer.journal, report=lambda line: None).round()
    writer.journal.close()
    assert not first.exists()
    assert present_segment(first).first_seq == 1
    with pytest.raises(FileNotFoundError):
        present_segment(first.with_name("00000000000000000002.journal"))


def test_a_segment_that_is_compressed_while_it_is_read_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = closed(tmp_path)
    first = writer.journal.segments[0].path
    monkeypatch.setattr(journal_rows, "CHUNK_BYTES", 1)
    monkeypatch.setattr(journal_rows, "PIECE_ROWS", 1)
    reached: list[int] = []

    def compress(done: int, of: int | None) -> None:
        if not reached:
            Upkeep(writer.journal, report=lambda line: None).round()
        reached.append(done)

    journal = JournalRows(tmp_path)
    seqs = [seq for _, rows in journal.pieces(1, journal.last, progress=compress) for seq in rows["seq"].to_pylist()]
    writer.journal.close()
    assert (first.exists(), reached[0] < journal.last, journal.damage) == (False, True, [])
    assert sorted(set(seqs)) == [seq for seq, _ in writer.records]

"""Where the plant stands behind a record, and rows of a user's table whose name is the plant's own by now."""

from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest

from plant.errors import SchemaError
from plant.intake.forms import columns_of
from plant.journal.export import export_journal
from plant.journal.journal import Journal
from plant.rows.schema import Schema, Table
from plant.rows.tables import TABLES, schema_of
from plant.transfer.reader import Reader
from plant.wire.envelope import stamp
from plant.wire.record import encode

T = 1_795_176_000_000_000_000
COLUMNS = [("time", "time"), ("sym", "symbol"), ("first", "float"), ("heard", "time")]
MINE = Table.declared({"name": "gaps", "columns": COLUMNS})


def append(journal: Journal, table: str, rows: dict[str, Any]) -> None:
    position, declared = journal.position, journal.schema[table]
    position.seq += 1
    position.table_seqs[table] = position.table_seqs.get(table, 0) + 1
    record = encode(declared, columns_of(declared, rows), 1, position.seq)
    stamp(record, 0, position.seq, position.table_seqs[table], T)
    journal.append([record], position.seq)


def journal_of(folder: Path, rows: bool) -> None:
    """Write, as a version that had no table `gaps`, a journal of three segments, the second perhaps with a user's."""
    with mock.patch("plant.journal.journal.refuse_rows_of_a_user"):
        _write(folder, rows)


def _write(folder: Path, rows: bool) -> None:
    for columns in (COLUMNS[:2], COLUMNS, [*COLUMNS, ("later", "text")]):
        mine = Table.declared({"name": "gaps", "columns": columns})
        journal = Journal(folder, Schema([*(table for table in TABLES if table.name != "gaps"), mine]))
        append(journal, "trades", {"time": T, "sym": "A", "price": 1.0})
        if len(columns) == len(COLUMNS) and rows:
            append(journal, "gaps", {"time": [T, T + 1], "sym": ["A", "B"], "first": [0.5, 1.5], "heard": [T, None]})
        journal.close()


def test_rows_of_a_user_keep_a_journal_from_being_opened_and_can_be_had_by_another_name(tmp_path: Path) -> None:
    journal_of(tmp_path / "journal", rows=True)
    for _ in range(2):
        with pytest.raises(SchemaError, match=r"\.journal has rows of your table 'gaps' \(.*first float, heard time\)"):
            Journal(tmp_path / "journal", schema_of())
    done = export_journal(tmp_path / "journal", tmp_path / "out")
    assert (done.rows["gaps"], done.damage) == (2, [])
    assert pq.read_table(tmp_path / "out" / "gaps.parquet")["heard"].null_count == 1
    mine = schema_of([Table("my_gaps", MINE.columns)])
    found = Reader("my_gaps", schema=mine).file(tmp_path / "out" / "gaps.parquet")
    assert found.numbers["first"].tolist() == [0.5, 1.5]
    assert found.numbers["heard"].tolist() == [T, -(2**63)]


def test_a_table_without_rows_does_no_harm_whatever_it_was_declared_as(tmp_path: Path) -> None:
    journal_of(tmp_path / "journal", rows=False)
    journal = Journal(tmp_path / "journal", schema_of())
    assert journal.position.seq == 3
    append(journal, "gaps", {"time": T, "sym": "A", "table_name": "trades", "first": 1})
    journal.close()
    Journal(tmp_path / "journal", schema_of()).close()

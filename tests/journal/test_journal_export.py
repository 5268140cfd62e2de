"""plant journal export: the rows of the journal as files, each once, in order, with seq, seq_row and received."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from journals import SCHEMA, closed, flip
from random_rows import trades
from typer.testing import CliRunner

from plant.command.journal import app
from plant.errors import BadRows, JournalError, UnknownTable
from plant.intake.forms import columns_of
from plant.journal import export as journal_export
from plant.journal.export import export_journal
from plant.journal.journal import Journal
from plant.rows.schema import Schema, Table
from plant.rows.tables import schema_of
from plant.wire.envelope import stamp
from plant.wire.record import encode
from tickerplant.upkeep import Upkeep

QUOTE = {"time": 9, "sym": 'Ä,\n"B"', "bid": 1.5, "ask": None, "source": "s"}


def news(*columns: list[str]) -> Schema:
    return schema_of([Table.declared({"name": "news", "columns": [["time", "time"], ["sym", "symbol"], *columns]})])


def write(folder: Path, table: str, rows: dict[str, object], schema: Schema = SCHEMA) -> None:
    """Append one batch of one row."""
    journal = Journal(folder, schema)
    position = journal.position
    position.seq += 1
    position.table_seqs[table] = position.table_seqs.get(table, 0) + 1
    record = encode(schema[table], columns_of(schema[table], rows), 1, position.seq)
    stamp(record, 0, position.seq, position.table_seqs[table], 77)
    journal.append([record], position.seq)
    journal.close()


@pytest.mark.parametrize("rows_together", [5, 100_000])
def test_every_row_is_exported_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_together: int
) -> None:
    monkeypatch.setattr(journal_export, "ROWS", rows_together)
    writer = closed(tmp_path / "journal", segments=4)
    Upkeep(writer.journal, report=lambda line: None).round()
    writer.journal.close()
    done = export_journal(tmp_path / "journal", tmp_path / "out")
    count = len(writer.records)
    assert (done.rows, done.damage) == ({"trades": 3 * count}, [])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["trades.parquet"]
    found = pq.read_table(tmp_path / "out" / "trades.parquet")
    assert found.column_names == [*SCHEMA["trades"].names, "seq", "seq_row", "received"]
    assert found.column("seq_row").to_pylist() == [0, 1, 2] * count
    assert found.column("seq").to_pylist() == [seq for seq, _ in writer.records for _ in range(3)]
    expected = [v for seq, _ in writer.records for v in trades(seq, 3)["size"]]
    assert found.column("size").to_pylist() == expected
    assert str(found.schema.field("time").type) == "timestamp[ns, tz=UTC]"


def test_a_range_of_seqs_and_symbols_is_what_is_exported(tmp_path: Path) -> None:
    writer = closed(tmp_path / "journal", segments=4)
    writer.journal.close()
    second = writer.journal.segments[1].first_seq
    for first, last in ((1, 3), (second - 1, second + 1), (second, None), (10**6, None)):
        done = export_journal(tmp_path / "journal", tmp_path / "out", "csv", ["trades"], first, last)
        expected = [s for s, _ in writer.records if s >= first and (last is None or s <= last)]
        assert done.rows == ({"trades": 3 * len(expected)} if expected else {})
        if expected:
            assert sorted(set(pd.read_csv(tmp_path / "out" / "trades.csv")["seq"])) == expected
    assert export_journal(tmp_path / "journal", tmp_path / "out", syms=["AAPL"]).rows == {
        "trades": 3 * len(writer.records)
    }
    assert export_journal(tmp_path / "journal", tmp_path / "out", syms=["NONE"]).rows == {}


def test_texts_nulls_and_times_survive_csv_and_parquet(tmp_path: Path) -> None:
    write(tmp_path / "journal", "quotes", QUOTE)
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        export_journal(tmp_path / "journal", tmp_path, form)
        (row,) = read(tmp_path / f"quotes.{form}").to_dict("records")
        assert (row["sym"], row["bid"], row["seq"]) == (QUOTE["sym"], 1.5, 1)
        assert pd.isna(row["ask"])
        assert pd.Timestamp(row["time"]).value == 9
        assert pd.Timestamp(row["received"]).value == 77


def test_a_table_declared_anew_has_the_columns_of_all_declarations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal"
    write(folder, "news", {"time": 1, "sym": "A", "old": "x"}, news(["old", "text"]))
    write(folder, "news", {"time": 2, "sym": "A", "new": 3}, news(["new", "int"]))
    export_journal(folder, tmp_path)
    found = pq.read_table(tmp_path / "news.parquet").to_pylist()
    assert [(r["old"], r["new"]) for r in found] == [("x", None), (None, 3)]
    monkeypatch.setattr(Schema, "check_kinds", lambda *_: None)  # a journal from before that was refused
    write(folder, "news", {"time": 2, "sym": "A", "new": 3.0}, news(["new", "float"]))
    with pytest.raises(JournalError, match=r"news.new was declared int in 0+2.journal and is float later"):
        export_journal(folder, tmp_path)


def test_damage_is_told_and_the_rest_exported(tmp_path: Path) -> None:
    writer = closed(tmp_path / "journal", segments=3)
    writer.journal.close()
    flip(writer.journal.segments[0].path, writer.records[1][1])
    done = CliRunner().invoke(app, ["export", str(tmp_path / "out"), "--journal", str(tmp_path / "journal")])
    assert done.exit_code == 1
    assert f"trades.parquet: {3 * (len(writer.records) - 1)} rows" in done.output
    assert "are no record" in done.output


def test_what_cannot_be_exported_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    writer = closed(tmp_path / "journal", segments=2)
    writer.journal.close()
    with pytest.raises(UnknownTable, match=r"unknown table 'trade' .did you mean 'trades'"):
        export_journal(tmp_path / "journal", tmp_path / "out", tables=["trade"])
    with pytest.raises(BadRows, match="expected the format parquet or csv, found 'xml'"):
        export_journal(tmp_path / "journal", tmp_path / "out", "xml")
    with pytest.raises(JournalError, match="no journal here"):
        export_journal(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_exports_one_table_as_csv(tmp_path: Path) -> None:
    writer = closed(tmp_path / "journal", segments=2)
    writer.journal.close()
    arguments = ["export", str(tmp_path / "out"), "--journal", str(tmp_path / "journal"), "--table", "trades"]
    done = CliRunner().invoke(app, [*arguments, "--format", "csv", "--from-seq", "2", "--to-seq", "3", "--sym", "AAPL"])
    assert (done.exit_code, done.output.strip()) == (0, f"{tmp_path}/out/trades.csv: 6 rows")

"""The history's catalogue and layout on disk."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plant.errors import HistoryError
from plant.history.catalogue import CATALOGUE, Catalogue, End, File, Part
from plant.history.layout import day_path, history_lock, part_path, partition_schema
from plant.rows.tables import schema_of


def file_of(path: str, table: str = "trades", day: str = "2026-11-20") -> File:
    return File(table, path, 3, 100, 7, 1, 9, 5, 6, day, day, 2**64 - 1)


def test_a_catalogue_that_was_saved_is_loaded_as_it_was(tmp_path: Path) -> None:
    part = Part(10, 20, 5, True, (file_of(part_path("trades", 10, 20, "2026-11-20")),))
    made = Catalogue().changed(
        through=20,
        closed=9,
        closed_day="2026-11-20",
        ends=(End(15, "2026-11-21"),),
        parts=(part,),
        files=[file_of("b", day="2026-11-21"), file_of("a")],
    )
    made.save(tmp_path)
    assert Catalogue.load(tmp_path) == made
    assert [f.path for f in made.days_of("trades")] == ["a", "b"]
    assert [f.path for f in made.parts_of("trades")] == [part_path("trades", 10, 20, "2026-11-20")]
    assert (made.generation, made.tables, made.parts_of("quotes")) == (1, ["trades"], [])
    assert [p.name for p in tmp_path.iterdir()] == [CATALOGUE]


def test_no_history_is_an_empty_catalogue(tmp_path: Path) -> None:
    assert Catalogue.load(tmp_path / "history") == Catalogue()


def test_a_missing_catalogue_beside_days_is_no_empty_history(tmp_path: Path) -> None:
    path = tmp_path / day_path("trades", "2026-11-20", 5)
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(HistoryError, match=r"is missing, but there is .*2026-11-20.5.parquet; restore"):
        Catalogue.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 1, "parts": [1]}', "\udcff"])
def test_a_damaged_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CATALOGUE).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(HistoryError, match=CATALOGUE):
        Catalogue.load(tmp_path)


def test_a_newer_version_is_refused_by_its_number(tmp_path: Path) -> None:
    Catalogue().save(tmp_path)
    fields = json.loads((tmp_path / CATALOGUE).read_text())
    (tmp_path / CATALOGUE).write_text(json.dumps({**fields, "version": 2, "more": 1}))
    with pytest.raises(HistoryError, match="expected version 1, found 2"):
        Catalogue.load(tmp_path)


def test_a_catalogue_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    Catalogue(through=1).save(tmp_path)
    (tmp_path / f"{CATALOGUE}.new").mkdir()
    with pytest.raises(HistoryError, match="cannot write the catalogue"):
        Catalogue(through=2).save(tmp_path)
    assert Catalogue.load(tmp_path).through == 1


def test_only_one_process_writes(tmp_path: Path) -> None:
    history_lock(tmp_path)
    with pytest.raises(HistoryError, match=r"another process \(pid \d+\) writes this history"):
        history_lock(tmp_path)


def test_every_table_can_be_written_and_read_as_parquet(tmp_path: Path) -> None:
    for table in schema_of().values():
        schema = partition_schema(table)
        assert schema.names == [*table.names, "seq", "seq_row", "received"]
        pq.write_table(schema.empty_table(), tmp_path / "empty.parquet")
        assert pq.read_schema(tmp_path / "empty.parquet").field("time").type == pa.timestamp("ns", "UTC")

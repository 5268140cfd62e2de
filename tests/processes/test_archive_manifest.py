"""What an archive refuses for what its manifest says: it would let go of days, or count what it has not."""

import json
import threading
from pathlib import Path

import pytest
from archives import archive, archiving, day, one_day, tables_of
from histories import History

from hdb.writer.housekeeping import Housekeeping
from plant.errors import HistoryError
from plant.history.warehouse import archived_in


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of one closed day."""
    return one_day(tmp_path / "data")


def test_a_history_that_knows_less_than_the_archive_was_told_lets_go_of_nothing(
    tmp_path: Path, history: History
) -> None:
    """The disk was lost, and the archive's name was written into the folder of the plant that begins anew."""
    day(history, 1)
    made = archive(history, tmp_path / "warehouse")
    before = (tmp_path / "warehouse" / "manifest.json").read_bytes()
    fresh = History(tmp_path / "fresh")
    day(fresh, 2)
    (fresh.data / "archive").mkdir()
    (fresh.data / "archive" / "owner").write_text(made.owner)
    with pytest.raises(HistoryError, match=r"closed up to seq 4 \(2026-11-21\), this history up to 2 only"):
        archive(fresh, tmp_path / "warehouse")
    assert (tmp_path / "warehouse" / "manifest.json").read_bytes() == before


def test_another_file_of_the_same_name_does_not_count(tmp_path: Path, history: History) -> None:
    made = archive(history, tmp_path / "warehouse")
    other = History(tmp_path / "other")
    day(other, 0, price=55.0)
    assert [f.path for f in other.store.catalogue.files] == [f.path for f in history.store.catalogue.files]
    (tmp_path / "data" / "archive").rename(other.data / "archive")
    with pytest.raises(HistoryError, match="the archive has it with 3 rows, the history with 3, or others"):
        archive(other, tmp_path / "warehouse")
    assert not archived_in(other.folder)
    assert made.done.files == 2


def test_a_copy_that_was_cut_short_does_not_count(tmp_path: Path, history: History) -> None:
    archive(history, tmp_path / "warehouse")
    (file,) = history.store.catalogue.days_of("trades")
    copy = tmp_path / "warehouse" / file.path
    whole = copy.read_bytes()
    copy.write_bytes(whole[:100])
    with pytest.raises(HistoryError, match=rf"expected the {len(whole):,} bytes .* found 100: .* remove it"):
        archive(history, tmp_path / "warehouse")
    copy.unlink()
    archive(history, tmp_path / "warehouse")
    assert len(copy.read_bytes()) == len(whole)


def test_what_another_warehouse_holds_is_not_removed_for_it(tmp_path: Path, history: History) -> None:
    archive(history, tmp_path / "first")
    day(history, 3)
    house = Housekeeping(history.store, 0.0, 1.0, 0.0, str(tmp_path / "second"))
    assert not house.work(threading.Event())
    archive(history, tmp_path / "second", namespace="second")
    assert house.work(threading.Event())


def test_a_table_of_another_archive_in_the_same_catalogue_is_left_alone(tmp_path: Path, history: History) -> None:
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    made = archive(history, tmp_path / "warehouse", catalog=uri)
    other = History(tmp_path / "other")
    day(other, 1)
    with pytest.raises(HistoryError, match=r"bars is a table of another archive .* namespace of its own"):
        archive(other, tmp_path / "theirs", catalog=uri)
    assert len(tables_of(made)["trades"].snapshots()) == 1
    own = archive(other, tmp_path / "theirs", catalog=uri, namespace="theirs")
    assert json.loads((tmp_path / "theirs" / "manifest.json").read_bytes())["owner"] == own.owner
    archiving(history, tmp_path / "warehouse", catalog=uri).close()

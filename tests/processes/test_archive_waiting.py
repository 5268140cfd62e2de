"""What the archive holds while files wait: everything else, no day less than before, and no row twice.

The model is a table as days: each file stands for the rows of its days.
"""

import threading
from pathlib import Path

import pytest
from archives import archive, archiving, assert_level, day, iceberg_rows, one_day, tables_of
from chance import examples
from histories import History
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.waiting import Meanwhile, days_of, meanwhile
from hdb.writer.housekeeping import Housekeeping
from plant.errors import HistoryError
from plant.history.catalogue import File
from plant.history.warehouse import ARCHIVED, archived_in

T = "bars/month=2026-11"
DAYS = [f"{T}/2026-11-2{day}.{cut}.parquet" for day in range(3) for cut in (1, 2)]
MONTHS = [f"{T}/2026-11.{cut}.parquet" for cut in ("g7", "9")]


def spanned(name: str) -> set[int]:
    """Which of the three days a file holds, by the model."""
    return {0, 1, 2} if name in MONTHS else {int(name.split("2026-11-2")[1][0])}


def covers(names: set[str]) -> list[int]:
    return sorted(day for name in names for day in spanned(name))


generations = st.one_of(
    st.lists(st.sampled_from([0, 1, 2]), max_size=3).map(
        lambda cuts: {f"{T}/2026-11-2{day}.{1 + cut % 2}.parquet" for day, cut in enumerate(cuts)}
    ),
    st.sampled_from(MONTHS).map(lambda month: {month}),
)
"""Files of a table as a catalogue has them: a day or a month lies in one file."""


@settings(max_examples=examples(200), deadline=None)
@given(generations, generations, st.sets(st.integers(0, 2)))
def test_no_row_is_there_twice_no_day_goes_for_a_bad_file_and_all_else_goes_on(
    wanted: set[str], there: set[str], bad: set[int]
) -> None:
    refused = {name for i, name in enumerate(sorted(wanted)) if i in bad}
    found = meanwhile({"bars": wanted}, {"bars": tuple(there)}, refused)
    result = (wanted - found.held) | found.kept
    assert len(covers(result)) == len(set(covers(result)))
    assert set(covers(result)) >= set(covers(wanted)) & set(covers(there))
    assert not (refused & wanted) - there - found.held  # nothing that is refused is added
    assert found.kept <= there - wanted
    assert refused or result == wanted
    for name in found.held - refused:  # what is good and waits lies over what is kept
        assert any(spanned(name) & spanned(kept) for kept in found.kept)


def test_of_other_tables_nothing_waits_and_a_file_that_is_there_stays() -> None:
    wanted, there = {"bars": {DAYS[1]}, "trades": {"t"}}, {"bars": (DAYS[0], DAYS[4]), "trades": ("s",)}
    assert meanwhile(wanted, there, {DAYS[1]}) == Meanwhile(frozenset({DAYS[1]}), frozenset({DAYS[0]}))
    assert meanwhile(wanted, {"bars": (DAYS[1],)}, {DAYS[1]}) == Meanwhile(frozenset(), frozenset())


def test_the_days_of_a_file_are_those_of_its_name() -> None:
    assert days_of(DAYS[0]) == ("2026-11-20", "2026-11-20")
    assert days_of(MONTHS[0]) == ("2026-11-01", "2026-11-31")
    assert days_of("replaced/bars/00000000000000000002.2026-11-20.parquet") == ("2026-11-20", "2026-11-20")
    assert days_of("file:///elsewhere/forged.parquet") is None


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of one closed day."""
    return one_day(tmp_path / "data")


def damaged(history: History, file: File) -> bytes:
    """Change a byte of a file of the history; return what it was."""
    path = history.folder / file.path
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    return data


def test_a_damaged_file_takes_nothing_from_other_tables_and_days_and_is_not_let_go_of(
    tmp_path: Path, history: History
) -> None:
    bad = next(f for f in history.store.catalogue.files if f.table == "trades")
    data = damaged(history, bad)
    day(history, 4)
    made = archiving(history, tmp_path / "warehouse")
    for _ in range(2):
        with pytest.raises(HistoryError, match=r"damaged: expected .*; all else is archived"):
            made.run(threading.Event())
    held = {f.path for f in history.store.catalogue.every_file()} - {bad.path}
    assert archived_in(history.folder) == made._manifest.names == held
    assert made._manifest.waiting == (bad.path,)
    assert {n: len(t.snapshots()) for n, t in tables_of(made).items()} == {"bars": 1, "trades": 1}
    assert len(list(tables_of(made)["trades"].scan().plan_files())) == 1
    house = Housekeeping(history.store, 0.0, 1.0, 0.0)
    while house.work(threading.Event()):
        pass
    assert bad in history.store.catalogue.files
    assert {f.first_day for f in history.store.catalogue.files if f.table == "bars"} == {"2026-11-24"}
    (history.folder / bad.path).write_bytes(data)
    made.run(threading.Event())
    made.close()
    assert made._manifest.waiting == ()
    assert bad.path in archived_in(history.folder)
    assert_level(history.folder, made)


def test_a_day_that_is_closed_again_into_a_damaged_file_is_there_as_it_was(tmp_path: Path, history: History) -> None:
    before = iceberg_rows(tables_of(archive(history, tmp_path / "warehouse"))["bars"])
    day(history, 0, price=77.0)
    (bad,) = history.store.catalogue.days_of("bars")
    data = damaged(history, bad)
    with pytest.raises(HistoryError, match="damaged"):
        archive(history, tmp_path / "warehouse")
    day(history, 1)
    made = archiving(history, tmp_path / "warehouse")
    with pytest.raises(HistoryError, match="damaged"):
        made.run(threading.Event())
    assert before.keys() < iceberg_rows(tables_of(made)["bars"]).keys()
    assert sum(iceberg_rows(tables_of(made)["trades"]).values()) == 12
    assert bad.path not in made._manifest.names
    (history.folder / bad.path).write_bytes(data)
    made.run(threading.Event())
    made.close()
    assert_level(history.folder, made)


def test_a_file_that_went_from_the_store_or_was_changed_there_takes_nothing_from_new_days(
    tmp_path: Path, history: History
) -> None:
    day(history, 4)
    archive(history, tmp_path / "warehouse")
    house = Housekeeping(history.store, 0.0, 1.0, 0.0)
    while house.work(threading.Event()):
        pass
    (lost,) = (f for f in history.store.catalogue.archived if f.table == "bars")
    (changed,) = history.store.catalogue.days_of("trades")
    there = {f: (tmp_path / "warehouse" / f.path).read_bytes() for f in (lost, changed)}
    (tmp_path / "warehouse" / lost.path).unlink()
    (tmp_path / "warehouse" / changed.path).write_bytes(there[changed] + b"x")
    day(history, 5)
    for _ in range(2):
        with pytest.raises(HistoryError, match=r"is missing, and the history has it no longer.*\(1 more wait: trades/"):
            archive(history, tmp_path / "warehouse")
    catalogue = history.store.catalogue
    new = {f.path for f in catalogue.files if f.first_day == "2026-11-25"}
    assert new < archived_in(history.folder)
    assert not {lost.path, changed.path} & archived_in(history.folder)
    for file, data in there.items():
        (tmp_path / "warehouse" / file.path).write_bytes(data)
    assert_level(history.folder, archive(history, tmp_path / "warehouse"))
    assert {lost.path, changed.path} < archived_in(history.folder)


def test_what_the_history_was_told_is_told_again_if_somebody_removes_it(tmp_path: Path, history: History) -> None:
    made = archiving(history, tmp_path / "warehouse")
    assert made.run(threading.Event())
    assert not made.run(threading.Event())
    held = archived_in(history.folder)
    (history.folder / ARCHIVED).unlink()
    assert made.run(threading.Event())
    assert archived_in(history.folder) == held
    assert not made.run(threading.Event())
    made.close()

"""Closing days: each row once, in the day of its own time, whatever comes late, is revised, or is killed."""

import datetime as dt
import threading
from pathlib import Path

import pytest
from chance import examples
from histories import History, full_at, killed_at
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plain_rows import MINUTE, NOON, Row, bar, trade

from hdb.writer.closing import Closing, Interrupted
from hdb.writer.housekeeping import Housekeeping
from plant.errors import HistoryError
from plant.history import merging, partition_file
from plant.history.catalogue import Catalogue
from plant.history.days import Days
from plant.rows.schema import Column, Schema, Table
from plant.rows.tables import schema_of

DAY = 86_400 * 10**9
TABLES = ("trades", "bars", "days")

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("trades"), st.lists(st.tuples(st.integers(-2, 1), st.integers(0, 5)), min_size=1, max_size=6)
        ),
        st.tuples(st.just("bars"), st.lists(st.tuples(st.integers(-2, 1), st.integers(0, 3)), min_size=1, max_size=4)),
        st.tuples(st.sampled_from(["part", "end", "close", "kill", "join", "month"]), st.none()),
    ),
    max_size=25,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ranges, row groups and joined parts small, so that few rows meet their edges."""
    monkeypatch.setattr(merging, "RANGE_ROWS", 4)
    monkeypatch.setattr(partition_file, "ROW_GROUP_ROWS", 2)
    monkeypatch.setattr("hdb.writer.store.JOINED", 2)


def made_of(table: str, places: list[tuple[int, int]], number: int) -> list[Row]:
    """Return rows on days around noon, of few symbols and times, so that many meet."""
    if table == "trades":
        return [trade(NOON + d * DAY + i % 3, "ABC"[i % 3], 1.0 + number, trade_id=f"é{number}") for d, i in places]
    return [bar(NOON + d * DAY + i % 2 * MINUTE, "AB"[i // 2], close=10.0 + number) for d, i in places]


# rows of several days that one close replaces, the later day's first
@example([("bars", [(0, 0), (-2, 3)]), ("end", None), ("bars", [(-2, 3), (0, 0)]), ("end", None), ("close", None)])
@given(OPERATIONS)
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=examples(25),
)
def test_whatever_happens_every_row_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, small: None, operations: list[tuple[str, list[tuple[int, int]] | None]]
) -> None:
    history = History(tmp_path_factory.mktemp("data"))
    for number, (what, places) in enumerate(operations):
        if places is not None:
            history.publish(what, made_of(what, places, number))
        elif what == "end":
            history.publish("days", [{"time": NOON, "sym": "x", "day": "2026-11-20", "state": "end"}])
            history.part("2026-11-20")
        else:
            history.work(what)
        assert history.stored("trades") == history.published("trades")
    for table in TABLES:
        assert history.stored(table) == history.published(table)
    assert history.files() == {f.path for f in history.store.catalogue.every_file()}
    _assert_readable_as_it_was(history)


def _assert_readable_as_it_was(history: History) -> None:
    """Every file of replaced rows holds rows that were published, replaced by later ones of their key."""
    for file in history.store.catalogue.replaced:
        for row in history.rows_of(file):
            assert row["seq"] < row["replaced_by"] <= history.store.catalogue.closed
            assert row["replaced_reason"] == "revised"


def filled(data: Path) -> History:
    """Return a history with a closed day, and a second end of day that adds late rows and revisions to it."""
    history = History(data)
    for number in range(3):
        history.publish("trades", made_of("trades", [(0, 0), (0, 1), (-1, 2)], number))
        history.publish("bars", made_of("bars", [(0, 0), (0, 1)], number))
        history.part()
    history.part("2026-11-20")
    history.close()
    for number in range(3, 5):
        history.publish("trades", made_of("trades", [(1, 0), (0, 1), (-2, 2)], number))
        history.publish("bars", made_of("bars", [(0, 0), (1, 1)], number))
        history.part()
    history.part("2026-11-21")
    history.publish("trades", made_of("trades", [(1, 2)], 9))
    history.part()
    return history


def test_killed_at_any_step_of_the_close_it_is_done_again_to_the_same_end(tmp_path: Path) -> None:
    start = filled(tmp_path / "start")
    whole = start.copy(tmp_path / "whole")
    expected = {f.path for f in whole.close().every_file()}
    step = 0
    while True:
        history = start.copy(tmp_path / str(step))
        with killed_at(step) as done:
            history.close()
        history.kill()
        for table in TABLES:
            assert history.stored(table) == history.published(table), done
        assert history.files() == {f.path for f in history.store.catalogue.every_file()}, done
        assert history.store.catalogue.closed in (6, whole.store.catalogue.closed), done
        history.close()
        assert {f.path for f in history.store.catalogue.every_file()} == expected
        for table in TABLES:
            assert history.stored(table) == history.published(table)
        if "killed" not in done:
            break
        step += 1
    assert step > 20


def test_killed_at_any_step_of_a_part_its_rows_are_taken_again(tmp_path: Path) -> None:
    step, more = 0, True
    while more:
        history = History(tmp_path / str(step))
        history.publish("trades", made_of("trades", [(0, 0), (1, 1)], 1))
        with killed_at(step) as done:
            history.part()
        history.kill()
        assert history.store.catalogue.through in (0, 1)
        if not history.store.catalogue.through:
            history.part()
        assert history.stored("trades") == history.published("trades")
        more, step = "killed" in done, step + 1
    assert step > 5


def test_a_late_row_goes_into_the_day_of_its_time_under_a_new_name(tmp_path: Path) -> None:
    history = filled(tmp_path)
    before = {f.first_day: f for f in history.store.catalogue.days_of("trades")}
    after = {f.first_day: f for f in history.close().days_of("trades")}
    assert sorted(after) == ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]
    assert after["2026-11-19"] == before["2026-11-19"]
    assert after["2026-11-20"].rows == before["2026-11-20"].rows + 2
    assert after["2026-11-20"].path != before["2026-11-20"].path


def test_a_row_that_is_revised_after_its_day_was_closed_is_kept_with_what_replaced_it(tmp_path: Path) -> None:
    history = filled(tmp_path)
    (file,) = history.close().replaced_of("bars")
    assert [(r["sym"], r["seq"], r["replaced_by"], r["replaced_reason"]) for r in history.rows_of(file)] == [
        ("A", 6, 10, "revised")
    ]


def test_parts_that_are_not_what_the_journal_says_close_no_day(tmp_path: Path) -> None:
    history = filled(tmp_path)
    before = history.store.catalogue
    history.records[8] = history.records[6]  # another record in its place
    with pytest.raises(HistoryError, match=r"not what the journal says: .*trades of 2026-11-20, seqs 9 to 10"):
        history.close()
    assert (history.store.catalogue.files, history.store.catalogue.ends) == (before.files, before.ends)


@pytest.mark.parametrize("which", ["part", "day"])
def test_a_damaged_file_is_named_and_stays_as_it_is(tmp_path: Path, which: str) -> None:
    history = filled(tmp_path)
    catalogue = history.store.catalogue
    file = catalogue.parts_of("trades")[0] if which == "part" else catalogue.days_of("trades")[-1]
    path = history.folder / file.path
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(HistoryError, match=f"{path.name}: damaged"):
        history.close()
    assert path.read_bytes() == damaged
    assert history.store.catalogue.closed == catalogue.closed
    assert history.files() == {f.path for f in catalogue.every_file()}


def test_a_close_that_is_to_stop_leaves_nothing_behind_and_is_done_later(tmp_path: Path) -> None:
    history = filled(tmp_path)
    stopping = threading.Event()
    end = history.store.catalogue.ends[0]
    lines: list[str] = []

    def progress(line: str) -> None:
        lines.append(line)
        if line.startswith("trades"):
            stopping.set()

    with pytest.raises(Interrupted):
        Closing(history.store, history.journaled, end, stopping, progress).run()
    assert lines[-2:] == ["bars 2/2", "trades 1/3"]
    assert history.files() == {f.path for f in history.store.catalogue.every_file()}
    history.close()
    assert history.stored("trades") == history.published("trades")


def test_days_are_those_of_the_plant_across_a_change_of_the_clock_and_a_half_day(tmp_path: Path) -> None:
    days = Days("20:05", "America/New_York", "XNYS")
    history = History(tmp_path, days=days)
    hour = 3600 * 10**9
    for start in ("2026-10-30", "2026-11-25"):
        first = days.bounds(dt.date.fromisoformat(start))[0]
        history.publish("trades", [trade(first + i * hour) for i in range(24 * 5)])
    history.part("2026-12-01")
    history.close()
    assert history.stored("trades") == history.published("trades")
    rows = {f.first_day: f.rows for f in history.store.catalogue.days_of("trades")}
    assert rows == {
        "2026-10-30": 24,
        "2026-11-02": 73,
        "2026-11-03": 23,
        "2026-11-25": 24,
        "2026-11-27": 45,
        "2026-11-30": 51,
    }


def test_a_column_that_was_added_is_null_in_older_rows_of_a_day_that_is_written_anew(tmp_path: Path) -> None:
    def schema(*columns: Column) -> Schema:
        return schema_of([Table("news", (Column("time", "time"), Column("sym", "symbol"), *columns))])

    history = History(tmp_path, schema(Column("headline", "text")))
    history.publish("news", [{"time": NOON, "sym": "A", "headline": "old"}])
    history.part("2026-11-20")
    history.close()
    wider = schema(Column("headline", "text"), Column("score", "float"), Column("desk", "symbol"), Column("n", "int"))
    history.schema = history.store.schema = wider
    history.publish("news", [{"time": NOON - 1, "sym": "A", "headline": "new", "score": 0.5, "desk": "x", "n": 3}])
    history.part("2026-11-21")
    (file,) = history.close().days_of("news")
    found = [(r["headline"], r["score"], r["desk"], r["n"]) for r in history.rows_of(file)]
    assert found == [("new", 0.5, "x", 3), ("old", None, None, None)]


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_column_that_is_declared_no_longer_stays_in_the_day(tmp_path: Path, small: None, parts: int) -> None:
    """Of three older rows so many are in a part when the declaration changes, and the others in the journal only."""
    columns = Column("time", "time"), Column("sym", "symbol"), Column("x", "float"), Column("y", "symbol")
    history = History(tmp_path, schema_of([Table("news", columns)]))
    for i in range(3):
        history.publish("news", [{"time": NOON + i, "sym": "A", "x": float(i), "y": f"y{i}"}])
        if i < parts:
            history.part()
    history.declare(schema_of([Table("news", columns[:2])]))
    history.publish("news", [{"time": NOON + 3, "sym": "A"}])
    history.part()
    for part in history.store.catalogue.parts:
        assert history.journaled.differences(part) == []
        history.store.verified(part)
    assert history.store.join_parts() == (parts == 3)  # only parts of one size are joined
    history.publish("news", [{"time": NOON + 4, "sym": "A"}])
    history.part("2026-11-20")
    (file,) = history.close().days_of("news")
    assert [(r["x"], r["y"]) for r in history.rows_of(file)] == [
        (0.0, "y0"), (1.0, "y1"), (2.0, "y2"), (None, None), (None, None),
    ]  # fmt: skip


def test_the_days_of_a_small_month_become_one_file_once_it_is_over_and_take_late_rows(tmp_path: Path) -> None:
    history = History(tmp_path)
    house = Housekeeping(history.store, 16.0, 0.0)
    for day in range(3):
        history.publish("trades", made_of("trades", [(day, 0), (day, 1)], day))
        history.part(f"2026-11-2{day}")
        history.close()
        assert not house.work(threading.Event())
    history.part("2026-12-01")
    history.close()
    assert house.work(threading.Event())
    assert not house.work(threading.Event())
    (month,) = history.store.catalogue.days_of("trades")
    assert (month.first_day, month.last_day, month.rows) == ("2026-11-20", "2026-11-22", 6)
    assert "/2026-11.g" in month.path
    history.publish("trades", made_of("trades", [(1, 2)], 9))
    history.part("2026-12-02")
    (month,) = history.close().days_of("trades")
    assert (month.first_day, month.last_day, month.rows) == ("2026-11-20", "2026-11-22", 7)
    assert history.stored("trades") == history.published("trades")
    assert history.files() == {f.path for f in history.store.catalogue.every_file()}


def test_days_are_removed_once_they_are_too_old(tmp_path: Path) -> None:
    history = filled(tmp_path)
    history.close()
    Housekeeping(history.store, 0.0, 1.5).work(threading.Event())
    assert {f.first_day for f in history.store.catalogue.files} == {"2026-11-20", "2026-11-21"}
    assert history.files() == {f.path for f in history.store.catalogue.every_file()}


def test_a_catalogue_older_than_what_was_confirmed_is_refused(tmp_path: Path) -> None:
    history = filled(tmp_path)
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "confirmed").write_text("99\n")
    with pytest.raises(HistoryError, match="closed up to seq 6, but the journal was told of 99; restore"):
        history.kill()


def test_parts_beyond_the_journal_s_end_are_kept_beside(tmp_path: Path) -> None:
    history = filled(tmp_path)
    history.store.roll_back(8)
    catalogue = history.store.catalogue
    assert (catalogue.through, [p.last for p in catalogue.parts], catalogue.ends) == (8, [8], ())
    assert history.stored("trades") == history.published("trades")
    assert len(list((history.folder / "lost").rglob("*.parquet"))) > 3
    assert Catalogue.load(history.folder) == catalogue


@pytest.mark.soak
def test_a_disk_that_is_full_at_any_step_closes_no_day_and_leaves_nothing_behind(tmp_path: Path) -> None:
    start = filled(tmp_path / "start")
    step, more = 0, True
    while more:
        history = start.copy(tmp_path / str(step))
        before = history.store.catalogue
        with full_at(step) as done:
            try:
                history.close()
                more = False
            except HistoryError as error:
                said = str(error)
        assert not more or "No space left" in said
        catalogue = history.store.catalogue
        if more and "catalogue" not in done:
            assert (catalogue.files, catalogue.ends) == (before.files, before.ends), done
            assert history.files() == {f.path for f in catalogue.every_file()}, done
        history.close()
        assert history.stored("trades") == history.published("trades")
        assert history.files() == {f.path for f in history.store.catalogue.every_file()}, done
        step += 1
    assert step > 10

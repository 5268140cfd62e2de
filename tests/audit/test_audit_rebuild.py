"""plant rebuild: what the journal gives is what is stored; what is not is replaced, and the old file kept."""

import contextlib
import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from past import DAY, NEXT, SCHEMA, Past, bar, trade
from typer.testing import CliRunner

from hdb.writer.store import Store
from plant.audit import rebuild
from plant.audit.rebuild import Rebuilding, Rebuilt
from plant.audit.verify import verify
from plant.command.rebuild import app
from plant.errors import HistoryError, PlantError
from plant.history.catalogue import ArchivedFile, Catalogue
from plant.history.days import Days
from plant.rows.schema import Schema, Table

DAYS = (dt.date(2026, 11, 18), dt.date(2026, 11, 19))


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path / "data")
    yield made
    made.journal.close()


def rebuilt(past: Past, day: dt.date = DAYS[0], write: bool = False) -> list[Rebuilt]:
    with Rebuilding(past.data, SCHEMA, Days()) as rebuilding:
        done = rebuilding.day(day)
        if write:
            rebuilding.write(done)
    assert not (past.store.folder / rebuild.WORK).exists()
    return done


def filled(past: Past) -> None:
    chance = random.Random(5)
    trades: list[dict[str, Any]] = []
    for i in range(45):
        moment = chance.choice((DAY, NEXT)) + chance.randrange(8)
        trades += past.put("trades", trade(moment, chance.choice("ABC")), trade(moment, "D"))
        past.put("bars", bar(moment, chance.uniform(1, 9), chance.choice("AB")))
        if i % 7 == 0:
            past.amend("trades", chance.choice(trades), chance.choice([None, {"price": 5.0}]))
        if i % 15 == 14:
            past.close_day()
    past.part()
    past.store.close()


def test_a_day_that_only_the_archive_has_is_not_made_again_beside_it(past: Past) -> None:
    filled(past)
    catalogue = Catalogue.load(past.store.folder)
    old = [f for f in catalogue.files if f.first_day == str(DAYS[0])]
    gone = tuple(ArchivedFile(**asdict(f)) for f in old)
    catalogue.changed(files=[f for f in catalogue.files if f not in old], archived=gone).save(past.store.folder)
    with pytest.raises(HistoryError, match=f"{DAYS[0]} is not made again: only the archive has"):
        rebuilt(past, write=True)


def test_a_day_made_again_is_the_one_that_is_stored(past: Past) -> None:
    filled(past)
    for day in DAYS:
        done = rebuilt(past, day)
        assert [each.table for each in done][-2:] == ["bars", "trades"]
        assert all(each.same for each in done), done


def test_a_column_that_is_declared_no_longer_is_made_again_too(past: Past) -> None:
    filled(past)
    fewer = Schema(Table(t.name, t.columns[:-1] if t.name == "trades" else t.columns, t.key) for t in SCHEMA.values())
    with Rebuilding(past.data, fewer, Days()) as rebuilding:
        done = rebuilding.day(DAYS[0])
    assert all(each.same for each in done), done


@pytest.mark.parametrize("harm", ["gone", "flipped", "other rows", "no file"])
def test_what_is_damaged_or_differs_is_replaced_and_kept_beside(past: Past, harm: str) -> None:
    filled(past)
    file = past.catalogue.days_of("trades")[0]
    path = past.store.folder / file.path
    if harm == "gone":
        path.unlink()
    elif harm == "flipped":
        data = bytearray(path.read_bytes())
        data[60] ^= 8
        path.write_bytes(data)
    elif harm == "other rows":
        past.rewrite(file, past.read(file).slice(2))
    else:
        past.store.catalogue = past.catalogue.changed(files=[f for f in past.catalogue.files if f != file])
        past.store.catalogue.save(past.store.folder)
    (wrong,) = [each for each in rebuilt(past) if not each.same]
    assert wrong.table == "trades"
    assert not verify(past.data, SCHEMA).same
    rebuilt(past, write=True)
    assert verify(past.data, SCHEMA).same
    assert all(each.same for each in rebuilt(past))
    kept = list(path.parent.glob("*.replaced-*"))
    assert len(kept) == (harm in ("flipped", "other rows"))


def test_a_rebuild_that_is_interrupted_anywhere_changes_nothing(past: Past) -> None:
    filled(past)
    file = past.catalogue.days_of("trades")[0]
    past.rewrite(file, past.read(file).slice(2))
    before = {path: path.read_bytes() for path in past.store.folder.rglob("*") if path.is_file()}
    steps: list[int] = []
    for most in (1, 2, 10**9):

        def stop(done: int, of: int | None, most: int = most) -> None:
            steps.append(done)
            if len(steps) >= most:
                raise KeyboardInterrupt

        steps.clear()
        with (
            contextlib.suppress(KeyboardInterrupt),
            Rebuilding(past.data, SCHEMA, Days()) as rebuilding,
        ):
            rebuilding.day(DAYS[0], stop)
        assert {path: path.read_bytes() for path in past.store.folder.rglob("*") if path.is_file()} == before
    rebuilt(past, write=True)
    assert all(each.same for each in rebuilt(past))


def test_a_day_whose_journal_is_gone_is_refused_and_so_is_one_while_an_hdb_writes(tmp_path: Path) -> None:
    past = Past(tmp_path / "data", segment_bytes=1000)
    for i in range(30):
        past.put("trades", trade(DAY + i))
    with pytest.raises(HistoryError, match=r"another process .pid .* writes this history"):
        rebuilt(past)
    past.store.close()
    with pytest.raises(HistoryError, match="no day is closed yet"):
        rebuilt(past)
    past.store = Store(past.data, SCHEMA, Days())
    past.close_day()
    past.close()
    sorted((past.data / "journal").glob("*.journal"))[0].unlink()
    with pytest.raises(HistoryError, match=r"cannot be made again: trades/.* has rows from seq 1 on"):
        rebuilt(past)


def test_the_command_compares_then_writes(past: Past, tmp_path: Path) -> None:
    filled(past)
    config = tmp_path / "plant.toml"
    config.write_text('[plant]\ndata = "data"\n')
    file = past.catalogue.days_of("trades")[0]
    past.rewrite(file, past.read(file).slice(1))

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--config", str(config)])

    dry = run("2026-11-18")
    assert dry.exit_code == 1
    assert "history: missing" in dry.output
    assert "nothing was written" in dry.output
    assert run("2026-11-18", "--write").exit_code == 0
    assert "differs" not in run("2026-11-18").output
    assert isinstance(run("tomorrow").exception, PlantError)

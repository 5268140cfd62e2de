"""plant amend and plant export on a running plant with history: amended at the end of day, as it was before as well."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from running import RunningPlant
from typer.testing import CliRunner

from plant.audit.verify import verify
from plant.client.connect import connect as plant_connect
from plant.command.app import app
from plant.errors import BadRows, PlantError, Refused, UnknownColumn, UnknownSymbolWarning
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder
from plant.rows.schema import META_COLUMNS
from plant.transfer.exporting import export

DAY = pd.Timestamp("2026-11-18", tz="UTC").value


def run(plant: RunningPlant, *arguments: str, error: type[PlantError] | None = None) -> str:
    done = CliRunner().invoke(app, [*arguments, "--config", str(plant.config)])
    assert error is None or isinstance(done.exception, error), repr(done.exception)
    assert error is not None or done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.stdout


def test_rows_are_amended_at_the_end_of_day_with_the_reason(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any]
) -> None:
    plant = start_plant("tickerplant", "rdb", "hdb")
    feed, db = plant.publisher("venue"), plant.ask()
    for i in range(20):
        feed.publish("trades", {"time": DAY + i, "sym": "AB"[i % 2], "price": 1.0 + i, "size": 1.0})
    feed.flush()
    eventually(lambda: db.count("trades") == 20)
    these = ("trades", "--sym", "A", "--where", "price > 10", "--reason", "a test print")
    shown = run(plant, "amend", *these, "--set", "price=5")
    assert "5 rows to become price = 5.0\nnothing was written; --write does it" in shown
    assert "noted at seq" in run(plant, "amend", *these, "--set", "price=5", "--write")
    assert "noted at seq" in run(plant, "amend", "trades", "--sym", "B", "--end", "2026-11-18T00:00:00.000000004Z",
                                 "--reason", "r", "--remove", "--write")  # fmt: skip
    assert "0 rows" in run(plant, "amend", "trades", "--seq", "99999", "--reason", "r", "--remove", "--write")
    run(plant, "end-of-day")
    folder = history_folder(plant.settings.plant.data)
    catalogue = Catalogue.load(folder)
    (file,) = catalogue.days_of("trades")
    rows = pd.read_parquet(folder / file.path)
    assert rows[rows["sym"] == "A"]["price"].tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert rows[rows["sym"] == "B"]["price"].tolist() == [6.0 + 2 * i for i in range(8)]
    before = pd.concat([pd.read_parquet(folder / f.path) for f in catalogue.replaced_of("trades")])
    assert sorted(before["price"]) == [2.0, 4.0, 11.0, 13.0, 15.0, 17.0, 19.0]
    assert set(before["replaced_reason"]) == {"a test print", "r"}
    assert verify(plant.settings.plant.data, plant.settings.table_schema).same
    feed.publish("trades", {"time": DAY, "sym": "late", "price": 1.0, "size": 1.0})
    feed.flush()
    for name in ("rdb", "hdb"):
        plant.restart(name)
        eventually(lambda: plant.ask().status()["caught_up"] and plant.ask().count("trades") == 1)
        assert "the same" in run(plant, "verify")
    for arguments, error in (
        (("trades", "--sym", "A", "--reason", "r"), BadRows),
        (("trades", "--reason", "r", "--remove"), BadRows),
        (("trades", "--sym", "A", "--set", "prise=1", "--reason", "r"), UnknownColumn),
        (("trades", "--sym", "A", "--set", "price=x", "--reason", "r"), BadRows),
        (("trades", "--sym", "A", "--where", "price", "--remove", "--reason", "r"), BadRows),
        (("days", "--sym", "A", "--remove", "--reason", "r"), Refused),
    ):
        run(plant, "amend", *arguments, error=error)


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "arrow"])
def test_a_table_is_exported_in_every_form(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], tmp_path: Path, form: str
) -> None:
    plant = start_plant("tickerplant", "rdb", "hdb")
    feed, db = plant.publisher("venue"), plant.ask()
    for i in range(50):
        feed.publish(
            "quotes", {"time": DAY + i * 10**9, "sym": f"S{i % 3}", "bid": 1.0 + i, "ask": None, "ask_size": 2.0}
        )
    feed.flush()
    eventually(lambda: db.count("quotes") == 50)
    path = tmp_path / f"quotes.{form}"
    assert f"{path}: 17 rows" in run(plant, "export", "quotes", "--to", str(path), "--sym", "S0")
    read: dict[str, Callable[[Path], pd.DataFrame]] = {
        "csv": pd.read_csv, "parquet": pd.read_parquet, "xlsx": pd.read_excel,
        "arrow": lambda p: pa.ipc.open_file(p).read_all().to_pandas(),
    }  # fmt: skip
    found = read[form](path)
    assert found.columns.tolist() == [*plant.settings.table_schema["quotes"].names, *META_COLUMNS]
    assert found["bid"].tolist() == [1.0 + i for i in range(0, 50, 3)]
    assert pd.to_datetime(found["time"], utc=True)[1] == pd.Timestamp(DAY + 3 * 10**9, tz="UTC")
    assert found["ask"].isna().all()
    some = run(plant, "export", "quotes", "--to", str(path), "--start", "2026-11-18 00:00:10", "--end",
               "2026-11-18 00:00:20")  # fmt: skip
    assert f"{path}: 10 rows" in some
    with pytest.warns(UnknownSymbolWarning, match="no row of table quotes ever had sym 'none'"):
        assert f"{path}: 0 rows" in run(plant, "export", "quotes", "--to", str(path), "--sym", "none")
    run(plant, "export", "quotes", "--to", str(tmp_path / "x.pdf"), error=BadRows)

    def interrupted(done: int, of: int | None) -> None:
        raise KeyboardInterrupt

    before = path.read_bytes()
    with plant_connect(config=str(plant.config), frames="arrow") as both, pytest.raises(KeyboardInterrupt):
        export(both, "quotes", path, progress=interrupted)
    assert path.read_bytes() == before, "what an interrupted export leaves is what was there"
    assert [p.name for p in tmp_path.glob("*.new")] == []

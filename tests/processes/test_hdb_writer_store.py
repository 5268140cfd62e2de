"""The history in the hands of its writer: what keeps it from being opened."""

from pathlib import Path

import pytest
from histories import History

from hdb.writer.store import Store
from plant.errors import SchemaError
from plant.history.days import Days
from plant.rows.schema import Schema, Table
from plant.rows.tables import TABLES, schema_of

T = 1_795_176_000_000_000_000
MINE = Table.declared({"name": "gaps", "columns": [("time", "time"), ("sym", "symbol"), ("first", "float")]})
BEFORE = Schema([*(table for table in TABLES if table.name != "gaps"), MINE])
"""The tables of a plant of a version that had no `gaps`, and of a user who had."""


@pytest.mark.parametrize("closed", [False, True])
def test_rows_of_a_users_table_whose_name_is_built_in_keep_a_history_from_being_opened(
    tmp_path: Path, closed: bool
) -> None:
    history = History(tmp_path, BEFORE)
    history.publish("trades", [{"time": T, "sym": "A", "price": 1.0}])
    history.publish("gaps", [{"time": T, "sym": "A", "first": 0.5}])
    history.part("2026-11-20")
    if closed:
        history.work("close")
    history.store.close()
    place = "month=2026-11/2026-11-20" if closed else "parts/gaps/"
    with pytest.raises(SchemaError, match=rf"{place}.*\.parquet has rows of your table 'gaps' \(.*first float\)"):
        Store(tmp_path, schema_of(), Days())
    (lost,) = tmp_path.rglob("*gaps/*/*.parquet" if closed else "parts/gaps/*.parquet")
    lost.unlink()
    Store(tmp_path, schema_of(), Days()).close()


def test_a_history_of_the_plants_own_tables_is_opened(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.publish("gaps", [{"time": T, "sym": "A", "first": 1}])
    history.part("2026-11-20")
    history.store.close()
    Store(tmp_path, schema_of(), Days()).close()

"""Names of tables that are the plant's own, and declarations of them by a user."""

from pathlib import Path

import pytest

from plant.errors import SchemaError
from plant.rows.built_in import is_of_a_user, kept_rows, refuse_built_in
from plant.rows.schema import Table
from plant.rows.tables import TABLES, schema_of

OWN = schema_of()


def declared(name: str, *columns: tuple[str, str], key: tuple[str, ...] = ()) -> Table:
    return Table.declared({"name": name, "key": key, "columns": [("time", "time"), ("sym", "symbol"), *columns]})


def as_it_is(table: Table, columns: int | None = None) -> Table:
    """Return a table of the plant as an earlier version declared it, with only its first columns."""
    return Table(table.name, table.columns[:columns], table.key)


def test_a_table_with_a_name_of_the_plants_own_is_refused_with_both() -> None:
    mine = declared("gaps", ("open", "float"))
    with pytest.raises(SchemaError) as found:
        refuse_built_in([declared("news"), mine])
    told = str(found.value)
    assert "[[tables]] 'gaps' (time time, sym symbol, open float): the plant has a table 'gaps' (time time, " in told
    assert "table_name symbol, " in told
    assert "docs/tables.md" in told
    assert told.endswith("another name, e.g. 'my_gaps'")
    refuse_built_in([declared("news")])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_of_the_plant_that_grew_is_still_its_own(table: Table) -> None:
    newer = Table(table.name, (*table.columns, *declared("x", ("later", "text")).columns[2:]), table.key)
    every = len(table.columns) if table.key else 3
    for before in (table, as_it_is(table, every), newer):
        assert not is_of_a_user(before)


def test_indicators_are_those_of_the_settings() -> None:
    names = ("interval", "open", "high", "low", "close", "volume")
    kinds = [(name, "symbol" if name == "interval" else "float") for name in names]
    key = ("sym", "interval", "time")
    assert not is_of_a_user(declared("indicators", *kinds, ("ema_9", "float"), key=key))
    assert is_of_a_user(declared("indicators", ("ema_9", "float"), *kinds, key=key))


@pytest.mark.parametrize(
    "mine",
    [
        declared("gaps", ("open", "float")),
        declared("gaps", ("table_name", "text"), ("first", "int")),
        declared("gaps", key=("sym", "time")),
        declared("bars", ("interval", "symbol"), ("open", "float")),
    ],
)
def test_any_other_declaration_is_a_users(mine: Table) -> None:
    assert is_of_a_user(mine)


def test_no_other_name_is_of_a_user_in_this_sense() -> None:
    assert not is_of_a_user(declared("news", ("open", "float")))


def test_the_error_says_how_rows_are_kept() -> None:
    told = str(kept_rows(Path("data/journal/1.journal"), declared("gaps", ("open", "float"))))
    for part in ("data/journal/1.journal has rows of your table 'gaps' (", "`plant journal export FOLDER`",
                 "history/gaps", "[[tables]], e.g. 'my_gaps'", "[plant] data folder",
                 "`plant import --table my_gaps FOLDER/gaps.parquet --write`"):  # fmt: skip
        assert part in told
    assert OWN["gaps"].names[2] in told

"""Names of tables that are the plant's own, and a user's tables from before they were."""

from collections.abc import Iterable
from pathlib import Path

from plant.errors import SchemaError
from plant.rows.schema import Table
from plant.rows.tables import TABLES

_BUILT_IN = {table.name: table for table in TABLES}

_OF_SETTINGS = {"indicators": _BUILT_IN["indicators"].names.index("volume") + 1}
"""Tables whose columns are those of the settings, behind so many that they always have."""


def refuse_built_in(tables: Iterable[Table]) -> None:
    """Raise SchemaError for a user's table that has the name of one of the plant's own."""
    for table in tables:
        own = _BUILT_IN.get(table.name)
        if own is not None:
            raise SchemaError(
                f"[[tables]] {_told(table)}: the plant has a table {_told(own)} of its own (docs/tables.md lists the "
                f"names built in); give yours another name, e.g. {_other_name(table.name)!r}"
            )


def is_of_a_user(declared: Table) -> bool:
    """Return whether a declaration of an earlier plant is a user's table whose name is built in by now.

    A table of the plant itself gets columns at its end from one version to the next, and keeps its key.
    """
    own = _BUILT_IN.get(declared.name)
    if own is None:
        return False
    before, now = ([(c.name, c.kind) for c in table.columns] for table in (declared, own))
    both = min(len(before), len(now), _OF_SETTINGS.get(declared.name, len(now)))
    return declared.key != own.key or before[:both] != now[:both]


def kept_rows(place: Path, declared: Table) -> SchemaError:
    """Return the error for rows in `place`, a file or folder, of a table for which `is_of_a_user` is true."""
    name, other = declared.name, _other_name(declared.name)
    return SchemaError(
        f"{place} has rows of your table {_told(declared)}, and by now the plant has a table {_told(_BUILT_IN[name])} "
        f"of its own. To keep them: `plant journal export FOLDER` writes the journal's rows as Parquet (what the "
        f"journal no longer has is Parquet already, in history/{name}); give the table another name in [[tables]], "
        f"e.g. {other!r}, and the plant an empty [plant] data folder; then `plant import --table {other} "
        f"FOLDER/{name}.parquet --write`, and the other tables' files likewise"
    )


def _told(table: Table) -> str:
    return f"{table.name!r} ({', '.join(f'{c.name} {c.kind}' for c in table.columns)})"


def _other_name(name: str) -> str:
    return f"my_{name}"

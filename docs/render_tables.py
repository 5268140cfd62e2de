"""Write docs/tables.md from the declarations in plant/rows/schema.py: python docs/render_tables.py."""

import textwrap
from pathlib import Path

from plant.rows.schema import FIXED_DTYPES, Table
from plant.rows.tables import TABLES

HEAD = """# Tables

Made from `plant/rows/schema.py` by `make docs`; a test compares the two. Times are UTC nanoseconds (`timestamp[ns,
UTC]` in Arrow and pandas); a symbol is dictionary-encoded; a float that is not known is NaN, null in answers. So is a
time beside `time`: the least int64 in memory and on the wire, null in Arrow, Parquet and SQL, NaT in pandas and numpy,
None, NaT or null in rows that are published. It meets no condition, as in SQL. `time` itself and `received` are always
known. Every table also answers `seq` (journal sequence number of its batch), `seq_row` (int64, the row's place among
those of its seq that were kept: 0, 1, 2, ...) and `received` (when the tickerplant took it). Rows of one time are in
the order of seq, then seq_row, which stays when their day is closed; of a revised row they are those of its newest
revision, of an amended one those of the amendment. In history that was written before there was a `seq_row` it is
null.

A table with a key is revised: a later row with the same key replaces the earlier one in every answer. The journal keeps
every revision. Rows that fail a check go to `rejects`.

A table of your own is declared in plant.toml:

    [[tables]]
    name = "news"
    columns = [["time", "time"], ["sym", "symbol"], ["headline", "text", "what happened"]]
    key = []

Columns may be added at its end: change the declaration, and start the plant again. (If the tickerplant begins to
declare tables otherwise, rdb and hdb end by themselves, and supervisord starts them again.) A row that came before has
what a publisher gives that leaves the column out, NaN, a time that is not known, 0 or an empty text, until its day is
closed; in history it has null. A publisher that was not started again since is taken as one that leaves the column
out. A column that is declared no longer is answered no longer, but stays in history. The tickerplant does not start if
a column is declared with another kind than it has in the journal.

## Names built in

NAMES.

A table in [[tables]] may have none of these. If a plant has rows of a table of yours whose name is built in by a newer
version, the tickerplant or the hdb does not start, and says so. To keep them: `plant journal export FOLDER` writes the
rows of the journal as Parquet (what the journal no longer has is Parquet already, in `history/<table>`); give the table
another name in [[tables]], and the plant an empty `[plant] data` folder; then `plant import --table NAME FILE --write`
for each table. A table that was only declared, and has no rows, does no harm.
"""


def page() -> str:
    """Return the text of docs/tables.md."""
    names = textwrap.fill(", ".join(f"`{table.name}`" for table in TABLES), 119)
    return HEAD.replace("NAMES", names) + "".join(_section(table) for table in TABLES)


def _section(table: Table) -> str:
    lines = [f"\n## {table.name}\n"]
    if table.key:
        lines.append(f"Key: {', '.join(table.key)}.\n")
    lines += ["| column | kind | dtype | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        dtype = FIXED_DTYPES.get(column.kind, "string").replace("<i8", "int64").replace("<f8", "float64")
        lines.append(f"| {column.name} | {column.kind} | {dtype} | {column.meaning} |")
    lines += ["", "Checks: " + "; ".join(check.reason for check in table.checks) + "."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("tables.md").write_text(page())

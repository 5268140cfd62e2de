"""Rows that are corrected after the fact: an amendment is a row too, and says which row, what becomes of it, and why.

`plant amend` publishes rows of the table `amendments`. The next end of day applies them: the day's file has the row as
amended, with the amendment's seq and received; what was there before goes to history/replaced with `replaced_by`, the
amendment's seq, and the reason. So history as of an earlier seq is what it was.

A row is named by its table, time, sym, seq and all its other values: rows of one batch have one seq, and may be alike.
`time`, `sym` and the columns of a key stay: another key is another row, so remove the one and publish the other.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import BadRows
from plant.history.layout import told_schema
from plant.rows.schema import META_COLUMNS, UNKNOWN_TIME, Table

TABLE = "amendments"


@dataclass(frozen=True)
class Amendment:
    """What becomes of one row.

    table, sym, time, seq   of the row, as it was when that was decided
    row                     its other columns, as plain values; times as int ns
    action                  "replace" or "remove"
    changes                 the columns that change, with their new values
    amended_by, received    seq and received of the amendment itself; `place`: its seq_row
    """

    table: str
    sym: str
    time: int
    seq: int
    row: Mapping[str, Any]
    action: str
    changes: Mapping[str, Any]
    reason: str
    amended_by: int = 0
    received: int = 0
    place: int | None = None

    def columns(self, now: int) -> dict[str, Any]:
        """Return the row of the table `amendments` that says this, decided at `now`."""
        return {
            "time": now,
            "sym": self.sym,
            "table_name": self.table,
            "row_time": self.time,
            "row_seq": self.seq,
            "row": json.dumps(dict(self.row)),
            "action": self.action,
            "changes": json.dumps(dict(self.changes)),
            "reason": self.reason,
        }


@dataclass
class Applied:
    """What `apply` makes of rows.

    rows        the rows in force
    replaced    what was there before: the same columns, then replaced_by (seq of the amendment), replaced_reason
    made        the rows that amendments made, those that a later one replaced too: `rows` are those given, without
                `replaced`, with `made`
    unmatched   amendments whose row is not among those given: it was revised meanwhile, lies elsewhere, or would become
                what its table does not hold
    """

    rows: pa.Table
    replaced: pa.Table
    made: pa.Table
    unmatched: list[Amendment] = field(default_factory=list)


def amendments_of(rows: pa.Table) -> list[Amendment]:
    """Return the amendments that rows of the table `amendments`, with seq and received, say; in the order they came.

    One whose JSON cannot be read names no row, and stays unmatched.
    """
    found = [
        Amendment(
            table=row["table_name"],
            sym=row["sym"],
            time=row["row_time"],
            seq=row["row_seq"],
            row=_object(row["row"]),
            action=row["action"],
            changes=_object(row["changes"]),
            reason=row["reason"],
            amended_by=row["seq"],
            received=row["received"],
            place=row.get("seq_row"),
        )
        for row in plain_rows(rows)
    ]
    return sorted(found, key=in_order)


def in_order(amendment: Amendment) -> tuple[int, int]:
    """Return what amendments are sorted by, seq and seq_row, to stand in the order they came."""
    return amendment.amended_by, amendment.place or 0


def amendment(table: Table, row: Mapping[str, Any], changes: Mapping[str, Any] | None, reason: str) -> Amendment:
    """Return the amendment of a row, given as plain values with its seq; `changes` None removes it.

    Raises BadRows: no reason, a column that must stay, a value of another kind, or one that fails a check of the table.
    """
    if not reason.strip():
        raise BadRows("an amendment needs a reason, which is kept with it; found none")
    if complaint := _complaint(table, changes or {}):
        raise BadRows(complaint)
    given = {**dict.fromkeys(table.names), **row, **(changes or {})}
    after = {name: _unknown(table, name) if value is None else value for name, value in given.items()}
    if changes is not None and (failed := [check.reason for check in table.checks if not check.good(after)]):
        raise BadRows(f"{table.name}, {row['sym']}, seq {row['seq']}, as amended: {failed[0]}")
    others = {name: value for name, value in row.items() if name not in ("time", "sym", *META_COLUMNS)}
    action = "replace" if changes is not None else "remove"
    kept = {name: float(v) if table.column(name).kind == "float" and v is not None else v
            for name, v in (changes or {}).items()}  # fmt: skip
    return Amendment(table.name, row["sym"], row["time"], row["seq"], others, action, kept, reason)


def apply(table: Table, rows: pa.Table, amendments: Iterable[Amendment]) -> Applied:
    """Return rows as the amendments of their table make them.

    `rows` are in force (of a table with a key, the newest revisions), with seq and received, in the order sym, time,
    seq, which is kept. Amendments are applied in the order given. One that names the row as it was before another
    amendment still finds it: who made it may not have seen the other.
    """
    wanted = [a for a in amendments if a.table == table.name]
    slots = _Slots(rows, wanted)
    unmatched = [a for a in wanted if _complaint(table, a.changes) or not slots.amend(a)]
    replaced = pa.Table.from_pylist(slots.replaced, schema=told_schema(rows.schema))
    made = pa.Table.from_pylist(slots.made, schema=rows.schema)
    if not slots.touched:
        return Applied(rows, replaced, made, unmatched)
    return Applied(_exchanged(rows, slots.touched), replaced, made, unmatched)


@dataclass(eq=False)
class _Slot:
    """A row that an amendment may name: what it is now, None if removed, and all that it was."""

    position: int
    now: dict[str, Any] | None
    was: list[dict[str, Any]]


class _Slots:
    """The rows that amendments name, by what names them."""

    def __init__(self, rows: pa.Table, amendments: Sequence[Amendment]) -> None:
        self.replaced: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self._slots: dict[tuple[int, int, str], list[_Slot]] = {}
        if not amendments or not rows.num_rows:
            return
        seqs, times = _int64(rows, "seq"), _int64(rows, "time")
        named = np.isin(seqs, np.unique([a.seq for a in amendments]))
        named &= np.isin(times, np.unique([a.time for a in amendments]))
        positions = np.flatnonzero(named)
        for position, row in zip(positions.tolist(), plain_rows(rows.take(positions)), strict=True):
            self._slots.setdefault(_name(row), []).append(_Slot(position, row, []))

    @property
    def touched(self) -> dict[int, dict[str, Any] | None]:
        """What rows become, by position; None: removed."""
        return {slot.position: slot.now for slots in self._slots.values() for slot in slots if slot.was}

    def amend(self, amendment: Amendment) -> bool:
        """Change the row that an amendment names; False if there is none. Of rows alike, each has its turn."""
        name = (amendment.seq, amendment.time, amendment.sym)
        found = [slot for slot in self._slots.get(name, []) if slot.now is not None and _was(slot, amendment)]
        if not found:
            return False
        slot = min(found, key=lambda s: len(s.was))
        before = slot.now
        assert before is not None
        self.replaced.append({**before, "replaced_by": amendment.amended_by, "replaced_reason": amendment.reason})
        slot.was.append(before)
        if amendment.action == "remove":
            slot.now = None
            return True
        stamps = {"seq": amendment.amended_by, "seq_row": amendment.place, "received": amendment.received}
        slot.now = {**before, **amendment.changes, **{name: v for name, v in stamps.items() if name in before}}
        self.made.append(slot.now)
        others = self._slots.setdefault(_name(slot.now), [])
        if slot not in others:
            others.append(slot)
        return True


def _complaint(table: Table, changes: Mapping[str, Any]) -> str:
    """Return why a row of `table` cannot be changed so; "" if it can."""
    for name, value in changes.items():
        if name not in table.names:
            return f"{table.name} has no column {name!r}; columns are: {', '.join(table.names)}"
        if name in ("time", "sym", *table.key):
            return f"{table.name}.{name} says which row it is; remove that row and publish the right one"
        kind = table.column(name).kind
        kinds: tuple[type, ...] = _MAY_BECOME.get(kind, (str,))
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"{table.name}.{name}: expected {kind}, found {value!r}"
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return f"{table.name}.{name}: found {value}, more than an int64 holds"
    return ""


_MAY_BECOME = {"float": (int, float, type(None)), "int": (int,), "time": (int, type(None))}


def _unknown(table: Table, name: str) -> Any:
    """Return what stands for null in a row that is checked."""
    return UNKNOWN_TIME if name in table.times else np.nan


def _object(text: str) -> Mapping[str, Any]:
    """Return a JSON object; text that is none becomes an object that describes no row and changes no table."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"": text}


def _was(slot: _Slot, amendment: Amendment) -> bool:
    """Whether the row is, or was, the one that an amendment describes."""
    versions = [*slot.was, slot.now] if slot.now is not None else slot.was
    return any(v["seq"] == amendment.seq and amendment.row.items() <= v.items() for v in versions)


def _name(row: Mapping[str, Any]) -> tuple[int, int, str]:
    return row["seq"], row["time"], row["sym"]


def _exchanged(rows: pa.Table, touched: Mapping[int, dict[str, Any] | None]) -> pa.Table:
    """Return rows with some of them exchanged or removed; those of one sym and time in order of seq, seq_row."""
    rows = rows.unify_dictionaries()
    positions = [p for p, row in touched.items() if row is not None]
    fresh = pa.Table.from_pylist([row for row in touched.values() if row is not None], schema=rows.schema)
    order = np.arange(rows.num_rows)
    order[positions] = rows.num_rows + np.arange(len(positions))
    kept = np.ones(rows.num_rows, dtype=bool)
    kept[[p for p, row in touched.items() if row is None]] = False
    both = pa.concat_tables([rows, fresh]).unify_dictionaries().combine_chunks()
    seqs, times = _int64(both, "seq"), _int64(rows, "time")
    places = _int64(both, "seq_row") if "seq_row" in both.column_names else np.zeros(len(seqs), dtype=np.int64)
    syms = rows.column("sym").combine_chunks()
    codes = (syms if pa.types.is_dictionary(syms.type) else syms.dictionary_encode()).indices.to_numpy()
    for position in positions:
        first = last = position
        while first and (codes[first - 1], times[first - 1]) == (codes[position], times[position]):
            first -= 1
        while last + 1 < len(codes) and (codes[last + 1], times[last + 1]) == (codes[position], times[position]):
            last += 1
        alike = order[first : last + 1].copy()
        ranks = np.lexsort((places[alike], seqs[alike]))
        order[first : last + 1] = alike[ranks]
        kept[first : last + 1] = kept[first : last + 1][ranks]
    return both.take(order[kept])


def _int64(rows: pa.Table, name: str) -> np.ndarray:
    """Return a column as int64[n], 0 for null."""
    found: np.ndarray = rows.column(name).cast(pa.int64()).fill_null(0).to_numpy()
    return found


def plain_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """Return rows as dicts of plain values; times as int ns, which Python's datetime could not hold."""
    columns = {name: _values(column) for name, column in zip(rows.column_names, rows.columns, strict=True)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values = column.to_pylist()
    return [None if v != v else v for v in values] if pa.types.is_floating(column.type) else values

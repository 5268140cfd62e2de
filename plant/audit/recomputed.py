"""Whether indicators and signals are those that the bars give (`plant verify --indicators`).

The processor is asked to compute them anew, some symbols at a time. While rows come, a bar may be there before what is
computed of it is; so symbols of which something differs are asked about again, and only what stays is told.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from plant.audit.verify import SHOWN, Verified
from plant.progress import Step, quietly
from plant.query.questions import Recompute

SYMBOLS_AT_ONCE = 20
"""In one question, so that each is answered within seconds."""

AGAIN = 2
"""So often symbols of which something differs are asked about again."""


def recomputed(
    ask: Callable[[Recompute], pa.Table],
    syms: Sequence[str],
    span: tuple[int, int],
    pause_s: float,
    step: Step = lambda what: quietly,
) -> Verified:
    """Return how what was given out in a span of times (ns, [start, end)) differs from what its bars give.

    `ask` has the processor answer, `pause_s` is how long it may take to compute what is new. Raises what `ask` raises.
    """
    parts = [tuple(syms[i : i + SYMBOLS_AT_ONCE]) for i in range(0, len(syms), SYMBOLS_AT_ONCE)]
    answers = _asked(ask, parts, span, step)
    for _ in range(AGAIN):
        wrong = [part for part in parts if answers[part].num_rows]
        if not wrong:
            break
        time.sleep(pause_s)
        answers |= _asked(ask, wrong, span, step)
    found = Verified()
    for answer in answers.values():
        told = {name.decode(): value.decode() for name, value in (answer.schema.metadata or {}).items()}
        events = answer.column("table").to_pylist().count("signals")
        found.differing += Counter(signals=events, indicators=int(told["differing"]) - events)
        for table in ("indicators", "signals"):
            found.rows[table, "recomputed"] += int(told[table])
        found.unknown += told["unknown"].splitlines()
    rows = pa.concat_tables(answers.values()) if answers else pa.table({"table": []})
    for table in ("indicators", "signals"):
        of_table = [row for row in _rows(rows) if row["table"] == table]
        found.lines += [_line(row) for row in sorted(of_table, key=lambda row: row["time"])[:SHOWN]]
    return found


def _asked(
    ask: Callable[[Recompute], pa.Table], parts: Sequence[tuple[str, ...]], span: tuple[int, int], step: Step
) -> dict[tuple[str, ...], pa.Table]:
    progress = step("computing anew")
    found = {}
    for i, part in enumerate(parts, 1):
        found[part] = ask(Recompute(*span, part))
        progress(i, len(parts))
    return found


def _rows(rows: pa.Table) -> list[dict[str, Any]]:
    times = rows.column("time").cast(pa.int64()) if rows.num_rows else []
    plain = rows.drop_columns(["time"]).to_pylist() if rows.num_rows else []
    return [{**row, "time": time.as_py()} for row, time in zip(plain, times, strict=True)]


def _line(row: dict[str, Any]) -> str:
    when = str(np.datetime64(row["time"], "ns")).replace("T", " ").removesuffix(".000000000")
    what = f" {row['column']}" if row["column"] else ""
    values = (f"{name} {row[name] or 'nothing'}" for name in ("stored", "recomputed"))
    return f"{row['table']}, {row['sym']}, {row['interval']}, {when}:{what}: {', '.join(values)}"

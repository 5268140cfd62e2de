"""Tables of a plant in memory, asked as a connection is, without sockets."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from local_connection import LocalConnection
from plain_rows import SCHEMA

from plant.intake.forms import columns_of
from plant.memory.table import MemoryTable
from plant.query.answers import Answerer
from plant.rows.batch import Batch


def connection(rows: Mapping[str, pd.DataFrame], batch: int = 7, first_seq: int = 100) -> LocalConnection:
    """Return a connection to tables with these rows; `batch` of them came with each seq, a table after the other."""
    held: dict[str, MemoryTable] = {}
    seq = first_seq
    for name, frame in rows.items():
        held[name] = MemoryTable(SCHEMA[name])
        whole = columns_of(SCHEMA[name], frame)
        for start in range(0, len(frame), batch):
            part = {column: values[start : start + batch] for column, values in whole.items()}
            received = int(np.asarray(whole["time"])[min(start + batch, len(frame)) - 1]) + 10**9
            held[name].append(
                Batch(name, part, seq, seq, received, SCHEMA[name].key, times=frozenset(SCHEMA[name].times))
            )
            seq += 1
    return LocalConnection(Answerer(held).answer)

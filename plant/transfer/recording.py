"""Rows that were read from files, as columns in order of time, and what is to be told of how they were read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plant.rows.columns import Symbols, Texts
from plant.rows.ordering import joined


@dataclass(frozen=True)
class Recording:
    """Rows in order of time: `time` int64 UTC ns, `sym` int32 codes into `names`, `numbers`, `texts`.

    numbers   float64; int64 of the kinds int and time
    texts     Symbols of the kind symbol, else Texts
    lines     int64, where each row stands in its file; `unit` says what is counted: "line" or "row"
    skipped   rows that could not be read; `reasons` are (line, why) of the first of them
    reason    the first of these, with the file's name
    where     our column name to the file's
    assumed   what was taken for granted or decided by the file's own values
    """

    time: np.ndarray
    sym: np.ndarray
    names: list[str]
    numbers: dict[str, np.ndarray]
    texts: dict[str, Symbols | Texts]
    lines: np.ndarray
    skipped: int
    reason: str
    reasons: list[tuple[int, str]]
    unit: str
    where: dict[str, str]
    assumed: tuple[str, ...] = ()

    def only(self, symbols: Collection[str]) -> "Recording":
        """Return the rows of `symbols`, in the same order."""
        return self._taken(np.isin(self.sym, [code for code, name in enumerate(self.names) if name in symbols]))

    def in_order(self) -> "Recording":
        """Return the rows in order of time, those of one time as they stand."""
        if (self.time[1:] >= self.time[:-1]).all():
            return self
        return self._taken(np.argsort(self.time, kind="stable"))

    def _taken(self, rows: Any) -> "Recording":
        return replace(
            self,
            time=self.time[rows],
            sym=self.sym[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            texts={name: values[rows] for name, values in self.texts.items()},
            lines=self.lines[rows],
        )


def in_one(parts: Sequence[Recording]) -> Recording:
    """Return the rows of all parts in order of time; rows of one time stay in the order of the parts, then of each."""
    if len(parts) == 1:
        return parts[0].in_order()
    names = sorted({name for part in parts for name in part.names})
    code = {name: number for number, name in enumerate(names)}
    codes = [np.array([code[name] for name in part.names], dtype=np.int32)[part.sym] for part in parts]
    return Recording(
        time=np.concatenate([part.time for part in parts]),
        sym=np.concatenate(codes),
        names=names,
        numbers={name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers},
        texts={name: joined([part.texts[name] for part in parts]) for name in parts[0].texts},
        lines=np.concatenate([part.lines for part in parts]),
        skipped=sum(part.skipped for part in parts),
        reason=next((part.reason for part in parts if part.reason), ""),
        reasons=[each for part in parts for each in part.reasons],
        unit=parts[0].unit,
        where=parts[0].where,
        assumed=tuple(dict.fromkeys(each for part in parts for each in part.assumed)),
    ).in_order()

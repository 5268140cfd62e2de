"""Corrections that come before their trades, and those whose trade never comes."""

from typing import Any

import numpy as np
from candle_plant import columns_of_rows

from processor.trades.strays import MOST, Strays


def rows(table: str, *named: tuple[str, str, int]) -> Any:
    return columns_of_rows(table, [{"source": s, "trade_id": i, "venue_seq": n, "time": 7} for s, i, n in named])


def found(strays: Strays, slots: list[int], *named: tuple[str, str, int]) -> list[tuple[int, int]]:
    return list(strays.found(np.array(slots), rows("trades", *named)))


def test_a_correction_waits_for_the_trade_of_its_id_else_of_its_number_once() -> None:
    strays = Strays()
    strays.add(3, rows("trade_corrections", ("v", "x", 5), ("v", "", 6), ("v", "", 0)))
    assert found(strays, [3, 3, 3, 1], ("v", "y", 5), ("w", "x", 6), ("v", "", 0), ("v", "x", 6)) == []
    assert found(strays, [3, 3], ("v", "x", 9), ("v", "z", 6)) == [(3, 7), (3, 7)]
    assert found(strays, [3, 3], ("v", "x", 9), ("v", "z", 6)) == []


def test_those_whose_trade_never_comes_are_forgotten_in_the_end() -> None:
    strays = Strays()
    for first in range(0, MOST + 2_000, 1_000):
        strays.add(0, rows("trade_corrections", *(("v", "", n) for n in range(first + 1, first + 1_001))))
    assert len(strays) == MOST
    assert found(strays, [0, 0], ("v", "", 1), ("v", "", MOST)) == [(0, 7)]

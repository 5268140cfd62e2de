"""Rows that came, encoded once, and those that each subscription wants."""

import json
from typing import Any

import numpy as np
from plain_rows import SCHEMA, batch_of, trade

from api.streams.shown.channels import RUNS, wanted_of
from api.streams.shown.updates import Update, cues, cues_of, update_of
from plant.rows.batch import Batch
from plant.rows.columns import NULL, Symbols


def trades(seq: int, *syms: str) -> Batch:
    return batch_of("trades", [{**trade(i), "sym": sym} for i, sym in enumerate(syms)], seq)


def wanted(**given: Any) -> Any:
    return wanted_of(given, SCHEMA)


def updated(batch: Batch, stream: str = "") -> Update:
    update = update_of(batch, stream)
    assert update is not None
    return update


def test_a_subscription_is_given_its_rows_with_their_numbers() -> None:
    update = updated(trades(7, "A", "B", "A"))
    piece = update.piece(wanted(channel="trades", sym="A"))
    assert piece is not None
    assert [json.loads(row)["sym"] for row in piece.rows] == ["A", "A"]
    assert (piece.seq, piece.seqs, piece.keys) == (7, (7, 7), ())
    assert update.piece(wanted(channel="trades", sym="C")) is None


def test_all_that_want_everything_share_the_rows() -> None:
    update = updated(trades(7, "A", "B"))
    first, second = (update.piece(wanted(channel=name, table="trades")) for name in ("table", "last"))
    assert first is not None
    assert second is not None
    assert first.rows is second.rows
    assert second.keys == (("A",), ("B",))
    assert second.orders == update.times


def test_a_symbol_that_is_not_there_is_nobodys() -> None:
    batch = trades(7, "A", "B")
    batch.columns["sym"] = Symbols(["A"], np.array([0, NULL], dtype=np.int32))
    piece = updated(batch).piece(wanted(channel="trades", sym="A"))
    assert piece is not None
    assert len(piece) == 1


def test_rows_of_symbols_that_nobody_wants_are_not_encoded() -> None:
    parts = (np.array([0, 1]), np.array([4, 9]), np.array([0, 0]))  # two records read as one
    update = update_of(Batch("trades", trades(9, "A", "B", "C").columns, 9, 9, 0, parts=parts), syms={"A", "C"})
    assert update is not None
    assert [json.loads(row)["sym"] for row in update.rows] == ["A", "C"]
    assert (update.seqs, update.seq) == ((4, 9), 9)
    assert update_of(trades(7, "A"), syms={"B"}) is None


def test_a_piece_is_cut_at_a_number() -> None:
    batch = trades(9, "A", "B", "C")
    parted = Batch(
        "trades", batch.columns, 9, 9, 0, parts=(np.array([0, 1]), np.array([4, 9]), np.array([0, 0]))
    )  # two records read as one
    piece = updated(parted).piece(wanted(channel="trades"))
    assert piece is not None
    assert piece.seqs == (4, 9, 9)
    assert [json.loads(row)["sym"] for row in piece.beyond(4).rows] == ["B", "C"]
    assert piece.beyond(3) is piece
    assert len(piece.beyond(9)) == 0


def test_a_chart_is_cued_once_by_all_rows_of_a_batch() -> None:
    columns = {"sym": Symbols.of(["A", "B", "A"]), "interval": Symbols.of(["1m", "1m", "1m"]), "time": np.zeros(3)}
    update = cues_of(Batch("bars", columns, 5, 5, 0))
    assert update is not None
    piece = update.piece(wanted(channel="charts"))
    assert piece is not None
    assert [json.loads(row) for row in piece.rows] == [{"chart": "1m", "sym": "B"}, {"chart": "1m", "sym": "A"}]
    assert update.piece(wanted(channel="charts", interval="5m")) is None
    zones = cues_of(Batch("annotations", columns, 6, 6, 0))
    assert zones is not None
    assert [json.loads(row)["chart"] for row in zones.rows] == ["zones", "zones"]


def test_a_cue_may_be_about_all_symbols() -> None:
    update = cues([("2m", None)], [3], 3)
    assert update is not None
    assert [json.loads(row) for row in update.rows] == [{"chart": "2m", "sym": None}]


def test_a_run_is_shown_with_how_far_it_is() -> None:
    row = {c.name: "" if c.kind in ("symbol", "text") else 0 for c in SCHEMA["runs"].columns}
    rows = [
        {**row, "run": "r1", "bars": 50, "progress": part, "detail": "half"}
        for part in (0.5, 0.0, float("nan"), 5e-324)
    ]
    update = updated(batch_of("runs", rows, 5), RUNS)
    piece = update.piece(wanted(channel="runs", run_id="r1"))
    assert piece is not None
    told = [json.loads(text) for text in piece.rows]
    assert [each["total"] for each in told] == [100, None, None, None]
    assert (told[0]["run_id"], told[0]["current_index"], told[0]["summary"]) == ("r1", 50, "half")

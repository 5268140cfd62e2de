"""What a browser says that was drawn: written as rows, or answered with what is wrong, whatever it sends."""

from typing import Any

import numpy as np
import pytest
from state_rows import NOON, through_the_plant

from dashboard.annotations.drawing import write
from plant.control.annotations import Pen
from plant.errors import Unavailable
from plant.intake.forms import columns_of
from plant.rows.tables import schema_of
from plant.state.annotations import AUTO, Annotations
from plant.state.newest import Fold, Row

MS = NOON // 10**6


class Journal:
    """Rows that were published, numbered; another writer may be faster."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.faster: Row | None = None

    def publish(self, row: Row) -> int:
        for each in (self.faster, row):
            if each is not None:
                self.rows.append({**through_the_plant("annotations", each), "seq": len(self.rows) + 1, "seq_row": 0})
        self.faster = None
        return len(self.rows)

    def read(self, name: str, fold: Fold) -> None:
        for row in self.rows:
            if row["id"] == name:
                columns = columns_of(schema_of()["annotations"], {k: v for k, v in row.items() if k[:3] != "seq"})
                fold.take({**columns, **columns_of_one(row)})


def columns_of_one(row: Row) -> dict[str, Any]:
    return {name: np.array([row[name]], np.int64) for name in ("seq", "seq_row")}


@pytest.fixture
def journal() -> Journal:
    return Journal()


def told(journal: Journal, **what: Any) -> dict[str, Any]:
    return write(Pen(journal.read, journal.publish), {"token": "t", **what}, "AAPL", "user:ada")


ZONE = {"kind": "zone", "top": 12.5, "bottom": 11, "start_at": MS, "end_at": MS + 60_000.0, "text": ""}


def test_a_zone_is_drawn_pulled_and_deleted(journal: Journal) -> None:
    made = told(journal, op="create", fields=ZONE)
    assert (made["token"], made["version"]) == ("t", 1)
    (row,) = journal.rows
    assert (row["sym"], row["source"], row["start_at"], row["end_at"]) == ("AAPL", "user:ada", NOON, NOON + 60 * 10**9)
    moved = told(journal, op="update", id=made["id"], version=1, fields={"top": 13.0, "end_at": None})
    assert moved == {"token": "t", "id": made["id"], "version": 2}
    assert (journal.rows[-1]["top"], journal.rows[-1]["bottom"], journal.rows[-1]["end_at"]) == (13.0, 11.0, None)
    assert told(journal, op="delete", id=made["id"], version=2)["version"] == 3
    again = told(journal, op="update", id=made["id"], version=3, fields={"top": 14.0})
    assert "it was deleted by user:ada" in again["error"]


def test_another_was_faster(journal: Journal) -> None:
    name = told(journal, op="create", fields=ZONE)["id"]
    old = told(journal, op="update", id=name, version=7, fields={"top": 13.0})
    assert "is at version 1 by now, written by user:ada; you saw version 7. Nothing was written" in old["error"]
    fold = Annotations()
    journal.read(name, fold)
    journal.faster = fold.changed(name, "update", "user:bob", NOON, text="bob's")
    lost = told(journal, op="update", id=name, version=1, fields={"top": 13.0})
    assert "version 2" in lost["error"]
    assert "was written by another at seq 2; look, and try again" in lost["error"]
    fold = Annotations()
    journal.read(name, fold)
    assert (fold[name]["top"], fold[name]["text"], fold.version(name)) == (12.5, "bob's", 2)


def test_what_the_plant_found_is_not_moved_but_copied_or_deleted(journal: Journal) -> None:
    found = {"sym": "AAPL", "kind": "level", "type": "prev_day_high", "price": 10.0, "start_at": NOON}
    journal.publish(Annotations().changed("auto/1", "create", AUTO, NOON, **found))
    fixed = told(journal, op="update", id="auto/1", version=1, fields={"price": 11.0})
    assert "was found by the plant (prev_day_high)" in fixed["error"]
    copy = told(journal, op="copy", id="auto/1")
    assert (journal.rows[-1]["id"], journal.rows[-1]["text"], journal.rows[-1]["type"]) == (
        copy["id"], "prev_day_high", "user",
    )  # fmt: skip
    assert told(journal, op="delete", id="auto/1", version=1)["version"] == 2
    assert (journal.rows[-1]["source"], journal.rows[-1]["reason"]) == ("user:ada", "deleted by user:ada")


def test_what_is_in_the_journal_is_not_called_unwritten_when_nobody_answers(journal: Journal) -> None:
    def read(name: str, fold: Fold) -> None:
        raise Unavailable("no answer from the rdb within 20 s")

    answer = write(Pen(read, journal.publish), {"token": "t", "op": "create", "fields": ZONE}, "AAPL", "user:ada")
    assert "is in the journal at seq 1, but not answered yet: no answer from the rdb" in answer["error"]
    assert "Not written" not in answer["error"]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"op": "create", "fields": {**ZONE, "top": 11}}, "$.top: expected more than bottom"),
        ({"op": "create", "fields": {**ZONE, "start_at": 1e300}}, "$.start_at: expected a time"),
        ({"op": "create", "fields": {**ZONE, "start_at": "x"}}, "$.start_at: expected a time, found 'x'"),
        ({"op": "create", "fields": [1]}, "expected the fields of an annotation, found [1]"),
        ({"op": "create"}, "expected the fields"),
        ({"op": "update", "id": 3, "fields": {}}, "expected the id and the version"),
        ({"op": "update", "id": "no", "version": "1", "fields": {}}, "expected the id and the version"),
        ({"op": "delete", "id": "nothing"}, "there is no annotation 'nothing'"),
        ({"op": "forget", "id": "x"}, "expected create, update, copy or delete, found 'forget'"),
        ({}, "expected the id and the version"),
    ],
)
def test_whatever_a_browser_says_is_answered(journal: Journal, what: dict[str, Any], sentence: str) -> None:
    answer = told(journal, **what)
    assert answer["token"] == "t"
    assert sentence in answer["error"]
    assert not journal.rows

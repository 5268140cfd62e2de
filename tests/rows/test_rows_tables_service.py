"""The tables of the service: their columns, and what their rows must be."""

from typing import Any

import pytest

from plant.intake.forms import columns_of
from plant.rows.schema import Table
from plant.rows.tables_service import SERVICE_TABLES
from plant.transfer.replaying import NEVER, OF_THE_PLANT
from tickerplant.validation import bad_rows

NOON = 1_763_640_000_000_000_000

COLUMNS = {
    "annotations": "id version action kind type interval start_at end_at price price_end top bottom state strength "
    "source text style reason",
    "api_keys": "version action role hash name expires",
    "permissions": "actor target access scope action expires note",
    "audit": "method route subject status address idempotency_key body body_sha answer written_seq",
}
TEXTS = {"text", "style", "reason", "hash", "name", "note", "subject", "idempotency_key", "body", "answer"}
INTS = {"version", "status", "written_seq"}
GOOD: dict[str, dict[str, Any]] = {
    "annotations": {"id": "a", "version": 1, "action": "create", "kind": "level", "state": "active", "price": 3.0},
    "api_keys": {"version": 1, "action": "create", "role": "read"},
    "permissions": {
        "actor": "k",
        "target": "python_code",
        "access": "write",
        "scope": "session",
        "action": "grant",
    },
    "audit": {"method": "POST", "route": "/api/v1/keys", "status": 201},
}


def faults(name: str, **changed: Any) -> str:
    (table,) = (t for t in SERVICE_TABLES if t.name == name)
    columns = columns_of(table, [{"time": NOON, "sym": "AAPL", **GOOD[name], **changed}])
    return " ".join(map(str, bad_rows(table, columns, 1)[1]))


@pytest.mark.parametrize("table", SERVICE_TABLES, ids=lambda table: table.name)
def test_columns_and_kinds_are_those_of_the_contract(table: Table) -> None:
    assert table.names[2:] == tuple(COLUMNS[table.name].split())
    kinds = {c.name: c.kind for c in table.columns[2:]}
    assert {n for n, k in kinds.items() if k == "text"} == TEXTS & set(kinds)
    assert {n for n, k in kinds.items() if k == "int"} == INTS & set(kinds)
    assert {n for n, k in kinds.items() if k == "time"} == {"start_at", "end_at", "expires"} & set(kinds)
    assert table.key == ()


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("annotations", {"id": ""}),
        ("annotations", {"version": 0}),
        ("annotations", {"action": "made"}),
        ("annotations", {"kind": "circle"}),
        ("annotations", {"state": "gone"}),
        ("annotations", {"top": float("inf")}),
        ("api_keys", {"role": "owner"}),
        ("api_keys", {"action": "update"}),
        ("permissions", {"target": "files"}),
        ("permissions", {"actor": ""}),
    ],
)
def test_a_row_that_cannot_be_is_refused(name: str, changed: dict[str, Any]) -> None:
    assert not faults(name)
    assert next(iter(changed)) in faults(name, **changed)


def test_nobody_is_let_in_by_a_replay() -> None:
    assert {"api_keys", "permissions", "audit"} <= set(NEVER)
    assert "annotations" in OF_THE_PLANT

"""What is read by expressions on columns is what reading text by text gives: rows, lines, reasons, assumptions."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from chance import SEED, cases
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from nasty_files import nasty_file
from plain_lines import PlainLines

from plant.errors import BadRows
from plant.files import dates, digits, text_file, values
from plant.rows.schema import Column, Schema, Table
from plant.rows.tables import schema_of
from plant.transfer.importing import FileRows, read_file
from plant.transfer.reader import Reader

TICKETS = Table(
    "tickets",
    tuple(
        Column(*each)
        for each in (("time", "time"), ("sym", "symbol"), ("order_id", "int"), ("seen", "time"), ("note", "text"))
    ),
)
SCHEMA = schema_of([TICKETS])
COLUMNS = {
    "trades": {"price": "number", "size": "number", "trade_id": "text"},
    "quotes": {"bid": "number", "ask": "number", "bid_size": "number", "ask_size": "number"},
    "tickets": {"order_id": "whole", "seen": "time", "note": "text"},
}


def facts(reader: Reader, path: Path, schema: Schema) -> Any:
    """Return all that is told of a file, in plain values; the sentence, if it is refused."""
    try:
        found: FileRows = read_file(reader, schema[reader.table], path)
    except BadRows as error:
        return str(error)
    columns = {name: list(map(repr, column.tolist())) for name, column in found.columns.items()}
    told = (found.rejected, found.reasons, found.where, found.assumed, found.unit)
    return columns, found.lines.tolist(), told, found.same.tolist(), found.replaced.tolist()


def in_no_pieces(texts: Any, convert: Any) -> Iterator[tuple[slice, Any]]:
    """Have every text read by itself."""
    yield slice(0, len(texts)), None


def text_by_text(patch: pytest.MonkeyPatch) -> None:
    """Let nothing be read by expressions: each text by itself, each line by itself."""
    patch.setattr(text_file, "Lines", PlainLines)
    patch.setattr(dates, "in_pieces", in_no_pieces)
    patch.setattr(dates, "_USUAL", "^(?P<date>no)(?P<clock>date)$")
    patch.setattr(values, "in_pieces", in_no_pieces)
    patch.setattr(values, "_USUAL", "^no number$")
    patch.setattr(values, "_may_have", lambda *_: True)
    patch.setattr(digits, "_numbers", lambda text: digits._of_texts(*encoded(text)))


def encoded(text: Any) -> tuple[list[str], Any]:
    """Return the distinct texts, and the place of each row's among them."""
    found = pa.array(text.to_pylist(), pa.string()).dictionary_encode()
    return found.dictionary.to_pylist(), found.indices.to_numpy()


@cases(40, soak=1000, at_once=40)
def test_expressions_on_columns_give_what_each_text_by_itself_gives(tmp_path: Path, numbers: range) -> None:
    print(f"\nTICKPLANT_SEED={SEED}")

    @seed(SEED)
    @settings(max_examples=len(numbers), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=True), st.sampled_from(sorted(COLUMNS)))
    def compared(random: Random, table: str) -> None:
        when = {"pair": "pair"} if table != "tickets" and random.random() < 0.25 else {"time": "time"}
        sym = {"sym": "symbol"} if random.random() < 0.85 else {}
        text, _ = nasty_file(random, {**when, **sym, **COLUMNS[table]})
        path = tmp_path / random.choice(("X.csv", "AAPL_1h.csv", "B.C.csv"))
        path.write_bytes(text.encode(random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))))
        options = {
            "time_zone": random.choice(("UTC", "UTC", "America/New_York", "Europe/Berlin")),
            "unit": random.choice(("", "", "", "", "s", "ns", "calendar")),
            "day_first": random.choice((None, None, True, False)),
            "decimal": random.choice(("", "", "", ".", ",")),
        }
        reader = Reader(table, schema=SCHEMA, **options)
        at_once = facts(reader, path, SCHEMA)
        with pytest.MonkeyPatch.context() as patch:
            text_by_text(patch)
            assert at_once == facts(reader, path, SCHEMA), (options, text[:2000])

    compared()


def test_a_few_odd_values_among_many_cost_only_what_is_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "X.csv"
    odd = {20_001: "n/a", 40_002: "4/3/2024 5:00 PM"}
    days = [odd.get(row, "2024-03-04 10:00:00") for row in range(60_000)]
    prices = ["1.5"] * 60_000
    prices[30_003] = "none"
    rows = "".join(f"{day},{price},1,{row}\n" for row, (day, price) in enumerate(zip(days, prices, strict=True)))
    path.write_text("time,price,size,id\n" + rows)
    alone: list[int] = []
    dates_alone, numbers_alone = dates._read_each, values._each_number
    monkeypatch.setattr(dates, "_read_each", lambda text, *rest: alone.append(len(text)) or dates_alone(text, *rest))
    monkeypatch.setattr(values, "_each_number", lambda part, mark: alone.append(len(part)) or numbers_alone(part, mark))
    found = Reader("trades", day_first=False).file(path)
    assert (len(found.time), found.reasons[0][0], found.reasons[1][0]) == (59_998, 20_003, 30_005)
    assert sum(alone) < 300, alone

"""The table `queries`: who asked what, and what it cost; bounded while the tickerplant is away."""

from typing import Any

import pytest
from plain_rows import SCHEMA

from plant.errors import Cancelled, QueryError, QueryLimit, UnknownTable
from plant.intake.forms import columns_of
from plant.query.limits import Budget
from plant.serving.query_log import KEPT, SHOWN_CHARS, Usage, shown
from plant.serving.waiting import Asked


class Feed:
    """A publisher as Usage sees it."""

    def __init__(self, connected: bool = True, crowded: bool = False) -> None:
        self.connected, self.crowded = connected, crowded
        self.rows: list[dict[str, Any]] = []

    def publish(self, table: str, rows: list[dict[str, Any]]) -> None:
        assert table == "queries"
        columns_of(SCHEMA["queries"], rows)
        self.rows += rows


def asked(**fields: Any) -> Asked:
    return Asked([b"peer", b"1"], {"ask": "select", **fields}, Budget(60), client="shell/7@here")


def published(usage: Usage) -> list[dict[str, Any]]:
    feed = Feed()
    usage.publish(feed)  # type: ignore[arg-type]
    return feed.rows


def test_a_question_becomes_a_row_with_who_what_and_how_much() -> None:
    usage = Usage("rdb")
    usage.note(asked(table="bars", sym=["AAPL"], last=5), 5, 1234)
    (row,) = published(usage)
    assert (row["sym"], row["client"], row["kind"]) == ("rdb", "shell/7@here", "select")
    assert row["question"] == "table='bars' sym=['AAPL'] last=5"
    assert (row["rows"], row["bytes"], row["state"], row["detail"]) == (5, 1234, "ok", "")
    assert 0 <= row["seconds"] < 5
    assert published(usage) == []


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Cancelled("gone"), "cancelled"),
        (QueryLimit("much"), "limit"),
        (QueryError("wrong"), "error"),
        (UnknownTable("no table"), "error"),
        (ZeroDivisionError("division"), "error"),
    ],
)
def test_the_state_tells_how_it_ended(error: Exception, state: str) -> None:
    usage = Usage("rdb")
    usage.note(asked(table="bars"), error=error)
    (row,) = published(usage)
    assert (row["state"], row["detail"]) == (state, str(error))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ask": "sql", "query": "select 1"}, "select 1"),
        ({"ask": "tables"}, ""),
        (
            {"ask": "select", "table": "bars", "where": [["price", ">", 1.5]]},
            "table='bars' where=[['price', '>', 1.5]]",
        ),
        ({"ask": "select", "table": "bars", "where": [], "sym": None}, "table='bars'"),
        ({"ask": "drop", "table": "bars"}, "ask='drop'"),
        ({"ask": "last", "table": {"a": 1}}, "table=dict"),
        ({"ask": "last", "table": [[[["deep"]]]]}, "table=[[list]]"),
        ({"ask": "sql"}, "None"),
    ],
)
def test_a_question_is_shown_in_a_line(fields: dict[str, Any], text: str) -> None:
    assert shown(fields) == text


def test_long_questions_and_long_lists_are_cut() -> None:
    usage = Usage("rdb")
    usage.note(Asked([b"p", b"1"], {"ask": "sql", "query": "x" * 10**6}, Budget(60), client="c" * 1000))
    usage.note(asked(table="bars", sym=[f"S{n}" for n in range(10_000)]))
    sql, select = published(usage)
    assert len(sql["question"]) == SHOWN_CHARS
    assert len(sql["client"]) == 200
    assert select["question"].endswith("'S19', ... 10000 in all]")


@pytest.mark.parametrize("feed", [Feed(connected=False), Feed(crowded=True)])
def test_rows_wait_while_the_tickerplant_is_away_or_behind(feed: Feed) -> None:
    usage = Usage("rdb")
    usage.note(asked(table="bars"))
    usage.publish(feed)  # type: ignore[arg-type]
    assert (feed.rows, len(usage)) == ([], 1)
    assert len(published(usage)) == 1


def test_what_is_let_go_meanwhile_is_counted() -> None:
    usage = Usage("rdb")
    for _ in range(KEPT + 7):
        usage.note(asked(table="bars"))
    assert len(usage) == KEPT
    first, *others = published(usage)
    assert (first["state"], first["detail"]) == ("lost", "7 questions before this were not noted")
    assert len(others) == KEPT
    usage.note(asked(table="bars"))
    assert [row["state"] for row in published(usage)] == ["ok"]

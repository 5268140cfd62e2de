"""The seam between history and today: which number it is, and what happens when it moves or a side is away."""

from typing import Any

import pyarrow as pa
import pytest

from plant.client import seam
from plant.client.seam import ATTEMPTS, Seam, Sides
from plant.errors import HistoryError, PlantError, QueryError, QueryLimit, Unavailable
from plant.query import questions

COUNT = questions.Count("trades")


class Side:
    """Answers with what it says of itself; remembers what it was asked."""

    def __init__(self, **facts: int) -> None:
        self.facts = facts
        self.asked: list[Any] = []
        self.trouble: list[Exception] = []

    def __call__(self, question: Any, timeout_s: float | None = None) -> pa.Table:
        self.asked.append(question)
        if self.trouble:
            raise self.trouble.pop()
        return pa.table({"count": [1]}).replace_schema_metadata({k: str(v) for k, v in self.facts.items()})


def ask(sides: Sides) -> pa.Table:
    if sides.at is None:
        return sides.now(COUNT)
    sides.past(COUNT)
    return sides.now(COUNT)


def of_both(history: Side, today: Side) -> tuple[int | None, int]:
    return history.asked[-1].as_of, today.asked[-1].beyond


def test_the_last_closed_day_is_the_seam() -> None:
    history, today = Side(through=20, closed=12), Side(released=12)
    made = Seam(history, today)
    for _ in range(2):
        made.answer(("trades",), ask)
        assert of_both(history, today) == (12, 12)
    assert len(today.asked) == 2
    assert len(history.asked) == 3  # the first one told where it is


def test_where_memory_let_go_of_more_the_seam_is_what_history_holds() -> None:
    history, today = Side(through=20, closed=12), Side(released=15)
    made = Seam(history, today)
    made.answer(("trades",), ask)
    assert of_both(history, today) == (20, 20)
    made.answer(("trades",), ask)
    assert len(today.asked) == 3  # the first was beyond 12


def test_a_day_that_closes_meanwhile_sends_the_question_back() -> None:
    history, today = Side(through=20, closed=12), Side(released=12)
    made = Seam(history, today)
    made.answer(("trades",), ask)
    history.facts, today.facts = {"through": 30, "closed": 30}, {"released": 30}
    made.answer(("trades",), ask)
    assert of_both(history, today) == (30, 30)


def test_rows_that_nobody_has_are_an_error() -> None:
    history, today = Side(through=20, closed=12), Side(released=25)
    with pytest.raises(HistoryError, match="trades up to seq 25, but history holds them up to 20 only"):
        Seam(history, today).answer(("trades",), ask)
    assert len(today.asked) == ATTEMPTS


def test_a_history_that_was_rolled_back_is_asked_as_of_its_new_end() -> None:
    history, today = Side(through=20, closed=12), Side(released=15)
    made = Seam(history, today)
    made.answer(("trades",), ask)
    history.facts = {"through": 16, "closed": 12}
    history.trouble = [HistoryError("history holds the rows up to seq 16 so far, found 20")]
    made.answer(("trades",), ask)
    assert of_both(history, today) == (16, 16)


def test_a_damaged_history_is_an_error_at_once() -> None:
    history, today = Side(through=20, closed=12), Side(released=12)
    made = Seam(history, today)
    made.answer(("trades",), ask)
    history.trouble = [HistoryError("2026-11-19.parquet is damaged")]
    with pytest.raises(HistoryError, match="is damaged"):
        made.answer(("trades",), ask)


def test_without_history_memory_answers_alone_if_it_let_go_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(seam.time, "monotonic", lambda: now[0])
    history, today = Side(through=0, closed=0), Side(released=0)
    history.trouble = [Unavailable("hdb did not answer")] * 2
    made = Seam(history, today)
    for _ in range(3):
        made.answer(("trades",), ask)
        assert today.asked[-1].beyond == 0
    assert len(history.asked) == 1  # it is not waited for again and again
    now[0] += seam.AWAY_S
    made.answer(("trades",), ask)
    assert len(history.asked) == 2
    now[0] += seam.AWAY_S
    made.answer(("trades",), ask)
    assert of_both(history, today) == (0, 0)


def test_a_history_that_nobody_listens_for_is_not_waited_for_where_memory_may_answer_alone() -> None:
    history, today = Side(), Side(released=0)
    Seam(history, today, listens=lambda: False).answer(("trades",), ask)
    assert (history.asked, today.asked[-1].beyond) == ([], 0)
    for complete, released in ((False, 0), (True, 7)):
        history, today = Side(), Side(released=released)
        history.trouble = [Unavailable("hdb did not answer")]
        with pytest.raises(Unavailable, match="hdb did not answer"):
            Seam(history, today, lambda complete=complete: complete, listens=lambda: False).answer(("trades",), ask)
        assert len(history.asked) == 1, "it may be starting: it is asked, and waited for"


def test_without_history_what_memory_let_go_of_is_missing() -> None:
    history, today = Side(), Side(released=7)
    history.trouble = [Unavailable("hdb did not answer")]
    with pytest.raises(Unavailable, match=r"hdb did not answer; the rdb has what came after seq 7 only: rdb\.connect"):
        Seam(history, today).answer(("trades",), ask)


def test_memory_that_is_not_complete_yet_does_not_answer_alone() -> None:
    history, today = Side(), Side(released=0)
    history.trouble = [Unavailable("hdb did not answer")]
    with pytest.raises(Unavailable, match="hdb did not answer"):
        Seam(history, today, lambda: False).answer(("trades",), ask)


@pytest.mark.parametrize(
    "trouble", [Unavailable("nobody there"), HistoryError("a file is missing"), QueryLimit("it takes too long")]
)
def test_where_today_may_answer_alone_it_does_says_why_and_history_is_asked_again_later(
    trouble: PlantError, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(seam.time, "monotonic", lambda: now[0])
    history, today = Side(through=9, closed=9), Side(released=7)
    made = Seam(history, today, partial=True)
    history.trouble = [trouble] * 2
    for _ in range(3):
        made.answer(("trades",), ask)
        assert (str(trouble) in made.missing, today.asked[-1].beyond) == (True, 0)
    assert len(history.asked) <= 2
    history.trouble = []
    now[0] += seam.AWAY_S
    made.answer(("trades",), ask)
    assert made.missing == ""
    assert today.asked[-1].beyond > 0


def test_a_wrong_question_is_not_asked_again_of_today_alone() -> None:
    def wrong(sides: Sides) -> pa.Table:
        raise QueryError("no such column")

    made = Seam(Side(through=1, closed=1), Side(), partial=True)
    with pytest.raises(QueryError, match="no such column"):
        made.answer(("trades",), wrong)
    assert made.missing == ""


def test_other_errors_are_the_askers() -> None:
    def wrong(sides: Sides) -> pa.Table:
        raise QueryError("no such column")

    with pytest.raises(QueryError, match="no such column"):
        Seam(Side(through=1, closed=1), Side()).answer(("trades",), wrong)


def test_an_answer_of_both_has_everything_up_to_the_least_seq_of_today() -> None:
    history, today = Side(through=20, closed=12), Side(released=12, seq=40)
    seqs: list[int | None] = []

    def asked_twice(sides: Sides) -> pa.Table:
        sides.past(COUNT)
        today.facts["seq"] = 40
        sides.now(COUNT)
        today.facts["seq"] = 44  # rows came meanwhile
        found = sides.now(COUNT)
        seqs.append(sides.seq)
        return found

    Seam(history, today).answer(("trades",), asked_twice)
    assert seqs == [40]

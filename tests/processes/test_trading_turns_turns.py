"""Runs of one paper account take each row one after the other: held to a plain model, whatever is killed when."""

import random
from collections import Counter
from typing import Any

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from taking_runs import SHARE, Journal, Killed, Rows, Told, alone, handed, live, market_of, model_of, told_of

from plant.rows.tables import schema_of
from trading.live.inputs import Input
from trading.live.live_run import LiveRun
from trading.live.repeated import Repeated
from trading.turns.turns import Turns

NOBODY = lambda turns: None  # noqa: E731


def fills_of(journal: Journal) -> list[Any]:
    names = ("run", "cause_seq", "cause_row", "sym", "side", "qty")
    return sorted(tuple(row[name] for name in names) for row in journal.fills)


@settings(max_examples=examples(45), deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 5), kills=st.integers(0, 4))
def test_all_runs_together_take_their_share_the_older_first_whatever_is_killed(
    seed: int, count: int, kills: int
) -> None:
    chance = random.Random(seed)
    market = market_of(chance, 40)
    told = told_of(chance, market, count)
    journal = Journal([], 10**9)
    for left in range(kills, -1, -1):
        journal.most = len(journal.rows) + chance.randrange(150) if left else 10**9
        try:
            live(told, market, journal, chance, NOBODY)
        except Killed:
            continue
    expected = model_of(told, market)
    assert fills_of(journal) == expected
    for each in told:
        assert alone(each, told, market, journal).missed == 0
    taken = Counter[tuple[Any, ...]]()
    accounts = {each.run: each.account for each in told}
    sizes = {(row["seq"], row["seq_row"] + 1): (table, row) for table, row in market}
    for run, seq, place, _, side, qty in expected:
        table, row = sizes[seq, place]
        one_side = side if table == "quotes" else ""
        there = {"bar_closes": row.get("volume", 0) * SHARE, "trades": row.get("size", 0) * SHARE}.get(table)
        there = row["ask_size" if side == "buy" else "bid_size"] if there is None else there
        taken[accounts[run], seq, place, one_side] += qty
        assert taken[accounts[run], seq, place, one_side] <= there


def trades(count: int, size: float = 8.0) -> list[Input]:
    told = {"sym": "A", "price": 100.0, "size": size, "seq_row": 0}
    return [
        Input("trades", {**told, "seq": seq, "time": 10**18 + seq, "received": 10**18 + seq})
        for seq in range(1, count + 1)
    ]


class AtOnce(random.Random):
    """Hands on all there is, and brings no row back."""

    def choice(self, seq: Any) -> Any:
        return seq[-1]

    def random(self) -> float:
        return 1.0


def run(name: str, first_seq: int, **changes: Any) -> Told:
    asks = {(seq, 0): 2.0 for seq in range(1, 50)}
    return Told(name, first_seq, ("A",), "trades", "1m", "paper", asks)._replace(**changes)


def test_a_run_waits_for_an_older_one_that_is_to_be_opened_and_says_so_if_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trading.turns.turns.LASTS_S", 0.0)
    seen = set()
    journal, market = Journal([], 10**9), trades(6)

    def look(turns: Turns) -> None:
        seen.add(turns.trouble)

    older, younger = run("old", 0), run("new", 1)
    live([younger, older], market, journal, AtOnce(), look, {"old": 3})
    assert fills_of(journal) == model_of([older, younger], market)
    assert {row["run"] for row in journal.fills} == {"old"}, "it takes all there is"
    assert seen == {"", "run new waits at seq 2 for run old, which is older and filled on the same rows"}


def test_a_run_that_is_opened_late_knows_of_fills_that_did_not_come_back_yet() -> None:
    older, younger = run("old", 0), run("new", 1)
    for size in (8.0, 10.0, 20.0):
        journal, market = Journal([], 10**9), trades(9, size)
        live([younger, older], market, journal, AtOnce(), NOBODY, {"new": 4})
        assert fills_of(journal) == model_of([older, younger], market)
        for each in (older, younger):
            assert alone(each, [older, younger], market, journal).missed == 0


def test_runs_that_ended_or_failed_count_with_what_they_took_and_nobody_waits_for_them() -> None:
    older, younger = run("old", 0), run("new", 1)
    market, journal = trades(20), Journal([], 10**9)
    live([older], market[:10], journal, AtOnce(), NOBODY, {})
    runs: dict[str, Any] = {}
    turns, machine, made = Turns(runs), younger.machine(), list[Any]()
    for row in journal.fills:
        machine.takings.add(row)
    inputs: Any = Rows(handed(younger, market), AtOnce())
    alive = LiveRun(younger.wanted, machine, inputs, Repeated(schema_of(), {}), made.append, turns.waits)
    runs["new"] = alive
    turns.changed([])
    while not inputs.caught_up or alive.busy:
        alive.step()
        assert not turns.waiting
    assert [each.row["cause_seq"] for each in made if each.table == "fills"] == list(range(11, 21))


@pytest.mark.parametrize(
    "changes",
    [{"account": "other"}, {"symbols": ("B",)}, {"fills_on": "quotes"}],
    ids=["another account", "another symbol", "filled on other rows"],
)
def test_runs_that_share_nothing_never_wait_for_each_other(changes: dict[str, Any]) -> None:
    market, waited = trades(30), set()

    def look(turns: Turns) -> None:
        waited.update(turns.waiting)

    for seed in range(10):
        journal = Journal([], 10**9)
        live([run("old", 0, **changes), run("new", 1)], market, journal, random.Random(seed), look, {})
        assert len([row for row in journal.fills if row["run"] == "new"]) == 28
    assert not waited

"""What a client is sent against a plain model: whatever happens, and in any order, it holds the journal's rows."""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from api.streams.pieces import Piece
from api.streams.subscriptions import REPLAY, SNAPSHOT, Need, Subscriptions

QUEUE_ROWS = 12
KEYS = 4


class Row(NamedTuple):
    """A row: where it stands in the journal, its key, its time, and a number of its own."""

    seq: int
    place: int
    key: int
    time: int
    number: int


@dataclass(frozen=True)
class Wanted:
    """A subscription: all rows of a table, or those of some keys."""

    table: str
    some: bool = False
    cues: bool = False

    @property
    def conflates(self) -> bool:
        return self.table != "plain"

    @property
    def by_time(self) -> bool:
        return self.table == "timed"

    def of(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if not self.some or row.key % 2]

    def piece(self, seq: int, rows: list[Row]) -> Piece:
        keys = tuple(row.key for row in rows) if self.conflates else ()
        orders = tuple(row.time for row in rows) if self.by_time else ()
        return Piece(seq, tuple(map(written, rows)), tuple(row.seq for row in rows), keys, orders)

    def newest(self, rows: list[Row]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        for row in rows:
            if not self.by_time or row.key not in found or row.time >= found[row.key].time:
                found[row.key] = row
        return found


def written(row: Row) -> str:
    return json.dumps({"row": list(row)})


EVERY = [Wanted(t, some) for t in ("plain", "keyed", "timed") for some in (False, True)] + [Wanted("plain", cues=True)]


@dataclass
class Held:
    """What the client has of one thing it wants."""

    rows: list[Row] = field(default_factory=list)
    complete: int | None = None


class World:
    """A plant with a journal, one client of it, and all that stands between."""

    def __init__(self) -> None:
        self.journal: list[tuple[str, list[Row]]] = []  # of seq 1, 2, ...
        self.numbers = 0
        self.held: dict[Wanted, Held] = {}
        self.connect()

    @property
    def seq(self) -> int:
        return len(self.journal)

    def connect(self) -> None:
        self.subs = Subscriptions(QUEUE_ROWS)
        self.subscribed: dict[int, Wanted] = {}
        self.needs: list[Need] = []
        for wanted, held in self.held.items():
            self.subscribed[self.subs.open(wanted, self.seq, held.complete)] = wanted

    def truth(self, wanted: Wanted, first: int = 1, last: int | None = None) -> list[Row]:
        return [
            row
            for table, rows in self.journal[first - 1 : self.seq if last is None else last]
            if table == wanted.table
            for row in wanted.of(rows)
        ]

    def want(self, which: int) -> None:
        wanted = EVERY[which % len(EVERY)]
        if wanted not in self.subscribed.values():
            self.held[wanted] = Held()
            self.subscribed[self.subs.open(wanted, self.seq)] = wanted

    def leave(self, which: int) -> None:
        for number, wanted in list(self.subscribed.items()):
            if wanted is EVERY[which % len(EVERY)]:
                assert self.subs.close(number) is wanted
                del self.subscribed[number], self.held[wanted]

    def publish(self, how: int) -> None:
        table = ("plain", "keyed", "timed")[how % 3]
        before = self.seq
        for count in (1 + how % 4, how % 7)[: 1 + (how % 5 == 0)]:
            rows = []
            for place in range(count):
                self.numbers += 1
                key, time = (how + place) % KEYS, self.numbers - 10 * (self.numbers % 4 == 0)
                rows.append(Row(self.seq + 1, place, key, time, self.numbers))
            self.journal.append((table, rows))
        for number, wanted in self.subscribed.items():
            if rows := self.truth(wanted, before + 1):
                self.subs.live(number, wanted.piece(self.seq, rows))
        chunk = 40  # of what was read last, whose rows are not dropped
        assert self.subs.waiting <= QUEUE_ROWS + chunk

    def answer(self, how: int) -> None:
        self.needs += self.subs.needs()
        if not self.needs:
            return
        need = self.needs.pop(how % len(self.needs))
        if how % 11 == 0:
            self.subs.retry(need.token)
        elif need.kind == SNAPSHOT:
            at = max(self.seq - how % 4, 0)  # the rdb is behind
            seen = at if not need.wanted.conflates else min(at + how % 3, self.seq)
            rows = self.truth(need.wanted, 1, seen)
            if need.wanted.conflates:
                rows = sorted(need.wanted.newest(rows).values(), key=lambda row: row.time)
            self.subs.snapshot(need.token, at, need.wanted.piece(at, rows))
        else:
            assert need.kind == REPLAY
            reached = min(need.after + 1 + how % 9, self.seq)
            rows = self.truth(need.wanted, need.after + 1, reached)
            self.subs.replayed(need.token, [need.wanted.piece(reached, rows)] if rows else [], reached)

    def take(self, count: int) -> bool:
        for _ in range(count):
            if not (messages := self.subs.take()):
                return False
            for message in messages:
                self.told(json.loads(message.text))
        return True

    def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "mark":
            for wanted in self.subscribed.values():
                held = self.held[wanted]
                held.complete = max(held.complete or 0, message["seq"])
                self.check(wanted, message["seq"])
            return
        wanted = self.subscribed.get(message["sub"])
        if kind in ("subscribed", "lagged") or wanted is None:
            assert kind in ("subscribed", "lagged")
            return
        held = self.held[wanted]
        if kind == "snapshot":
            assert message["reset"] is True
            held.rows, held.complete = [], message["seq"]
        else:
            assert kind == ("cue" if wanted.cues else "update")
            assert held.complete is not None, "rows came ahead of a snapshot"
            assert message["seq"] >= held.complete
            if not wanted.cues:
                assert message["seq"] > held.complete, "seq did not rise"
            held.complete = message["seq"]
        rows = [Row(*found["row"]) for found in message.get("rows", [message])]
        if not wanted.conflates and rows and held.rows:
            assert rows[0][:2] > held.rows[-1][:2], "a row came twice, or late"
        held.rows += rows
        if not wanted.cues:
            self.check(wanted, message["seq"])

    def check(self, wanted: Wanted, seq: int) -> None:
        """Compare what the client has with what the journal has up to a seq."""
        if not wanted.conflates:
            assert [row for row in self.held[wanted].rows if row.seq <= seq] == self.truth(wanted, 1, seq)
            return
        has = wanted.newest(self.held[wanted].rows)
        for key, row in wanted.newest(self.truth(wanted, 1, seq)).items():
            assert has[key] == row or has[key].seq > seq or (wanted.by_time and has[key].time > row.time)

    def cut(self, _: int) -> None:
        self.connect()

    def lose(self, how: int) -> None:
        """Lose the journal's end, as in a power cut; other rows will have its numbers."""
        del self.journal[self.seq - min(how % 5, self.seq) :]
        for held in self.held.values():
            held.complete = None  # nothing of it is proved
        self.connect()

    def anew(self, how: int) -> None:
        if self.subscribed:
            self.subs.begin_anew(list(self.subscribed)[how % len(self.subscribed)], self.seq)

    def mark(self, _: int) -> None:
        self.subs.mark(self.seq, self.seq)

    def settle(self) -> None:
        """Have everything come to an end, and compare all."""
        for _ in range(10_000):
            took = self.take(1)
            self.needs += self.subs.needs()
            if self.needs:
                self.answer(8)
            elif not took:
                break
        self.mark(0)
        assert self.take(1)
        assert self.subs.waiting == 0
        for wanted, held in self.held.items():
            assert held.complete == self.seq
            if wanted.conflates:
                assert wanted.newest(held.rows) == wanted.newest(self.truth(wanted))
            else:
                assert held.rows == self.truth(wanted)


OPS = {
    "want": World.want,
    "leave": World.leave,
    "publish": World.publish,
    "answer": World.answer,
    "take": lambda world, how: world.take(how % 4),
    "mark": World.mark,
    "cut": World.cut,
    "lose": World.lose,
    "anew": World.anew,
}
WEIGHTED = ["want"] * 2 + ["leave"] + ["publish"] * 6 + ["answer"] * 4 + ["take"] * 4 + ["mark", "cut", "lose", "anew"]


@settings(max_examples=examples(3000), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 10_000)), max_size=80))
def test_a_client_holds_the_journals_rows_whatever_happens(ops: list[tuple[str, int]]) -> None:
    world = World()
    world.want(0)
    for name, how in ops:
        OPS[name](world, how)
    world.settle()


def test_a_late_row_does_not_take_the_place_of_a_newer_one_of_what_had_no_row_at_first() -> None:
    wanted, subs = Wanted("timed"), Subscriptions(QUEUE_ROWS)
    number = subs.open(wanted, 5)
    subs.snapshot(subs.needs()[0].token, 5, Piece(5, (), ()))
    for seq, time in ((6, 10), (7, 5), (8, 11)):
        subs.live(number, wanted.piece(seq, [Row(seq, 0, 1, time, seq)]))
    told = []
    while messages := subs.take():
        told += [json.loads(message.text) for message in messages]
    assert [message["seq"] for message in told if message["type"] == "update"] == [6, 8]

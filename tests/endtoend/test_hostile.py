"""Hostile clients of a running rdb, one test each: meanwhile it goes on capturing, and answers others."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq
from malformed import refused
from running import RunningPlant

from plant.client.connection import Connection
from plant.errors import QueryError, QueryLimit
from plant.transport import sockets

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"
HUNGRY = "select list(repeat('x', 1000000)) l from range(10000)"
TIME = 1_795_176_000_000_000_000
ANSWER_S = 5.0
"""Others are answered within this time, whatever goes on (a shared machine may be slow)."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    made = RunningPlant(tmp_path_factory.mktemp("hostile") / "plant", rdb="query_seconds = 3.0")
    made.start("tickerplant", "rdb")
    with made.publisher("many") as feed:
        count = 200_000
        feed.publish("quotes", {"time": list(range(TIME, TIME + count)), "sym": ["Q"] * count, "bid": [1.0] * count})
        feed.flush(60)
    yield made
    assert not made.stop()


@pytest.fixture
def capturing(plant: RunningPlant, eventually: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """Publish a row every few ms during the test; return a check that the rdb takes them and answers another client.

    At the end every row is there once.
    """
    sym, stop, sent = f"S{time.monotonic_ns()}", threading.Event(), list[int]()
    db = plant.ask(timeout_s=ANSWER_S)
    pid = db.status()["pid"]

    def publish() -> None:
        with plant.publisher(f"feed {sym}") as feed:
            while not stop.wait(0.005):
                feed.publish("trades", {"time": TIME + len(sent), "sym": sym, "price": 1.0, "size": 1.0})
                sent.append(1)
            feed.flush()

    def check() -> None:
        before = len(sent)
        eventually(lambda: len(sent) > before + 3)
        eventually(lambda: db.count("trades", sym) > before, ANSWER_S)
        assert db.last("trades", sym)["price"].tolist() == [1.0]

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield check
    finally:
        stop.set()
        thread.join()
    eventually(lambda: db.count("trades", sym) == len(sent))
    assert db.status()["pid"] == pid, "the rdb was started anew"
    assert plant.processes["rdb"].poll() is None


@pytest.fixture
def dealer(plant: RunningPlant) -> Iterator[Callable[..., zmq.Socket[Any]]]:
    made: list[zmq.Socket[Any]] = []

    def connect(**options: int) -> zmq.Socket[Any]:
        address = plant.settings.address(plant.settings.rdb.port)
        made.append(sockets.connect(sockets.context(), zmq.DEALER, address, **options))
        return made[-1]

    yield connect
    for socket in made:
        socket.close(0)


@pytest.fixture
def db(plant: RunningPlant) -> Connection:
    return plant.ask(timeout_s=20)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from trades",
        "drop table trades",
        "create table x as select 1",
        "insert into trades select * from trades",
        "update trades set price = 0",
        "select 1; drop table trades",
    ],
)
def test_sql_that_writes_is_refused(db: Connection, capturing: Callable[[], None], statement: str) -> None:
    with pytest.raises(QueryError, match="this connection only reads"):
        db.sql(statement)
    capturing()


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{file}')",
        "select * from read_text('{file}')",
        "select * from '{file}'",
        "select * from glob('{folder}/*')",
        "select * from read_parquet('https://example.com/x.parquet')",
        "copy (select 1) to '{folder}/made.csv'",
    ],
)
def test_sql_that_reads_or_writes_files_is_refused(
    plant: RunningPlant, db: Connection, capturing: Callable[[], None], statement: str
) -> None:
    with pytest.raises(QueryError) as refused:
        db.sql(statement.format(file=plant.config, folder=plant.folder))
    assert "query_seconds" not in str(refused.value)
    assert not (plant.folder / "made.csv").exists()
    capturing()


@pytest.mark.parametrize(
    "statement", ["attach '{folder}/other.db'", "attach ':memory:' as other", "use memory", "detach memory"]
)
def test_sql_that_attaches_is_refused(
    plant: RunningPlant, db: Connection, capturing: Callable[[], None], statement: str
) -> None:
    with pytest.raises(QueryError):
        db.sql(statement.format(folder=plant.folder))
    assert not Path(plant.folder / "other.db").exists()
    capturing()


@pytest.mark.parametrize("statement", ["install httpfs", "load httpfs", "force install spatial from community"])
def test_sql_that_loads_extensions_is_refused(db: Connection, capturing: Callable[[], None], statement: str) -> None:
    with pytest.raises(QueryError):
        db.sql(statement)
    capturing()


@pytest.mark.parametrize(
    "statement",
    ["set memory_limit = '100GB'", "set enable_external_access = true", "pragma threads = 8", "reset all",
     "select set_config('threads', '8')", "set lock_configuration = false"],
)  # fmt: skip
def test_sql_that_sets_settings_is_refused(db: Connection, capturing: Callable[[], None], statement: str) -> None:
    with pytest.raises(QueryError):
        db.sql(statement)
    capturing()
    assert db.sql("select current_setting('threads') n")["n"].tolist() == [1]


def test_sql_that_exhausts_memory_is_stopped(
    plant: RunningPlant, db: Connection, capturing: Callable[[], None]
) -> None:
    failures, most = list[Exception](), [0]

    def ask() -> None:
        try:
            db.sql(HUNGRY, timeout_s=20)
        except Exception as error:
            failures.append(error)

    rdb = psutil.Process(plant.processes["rdb"].pid)
    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        most[0] = max(most[0], rdb.memory_info().rss)
        capturing()
    assert [type(f) for f in failures] == [QueryLimit]
    assert most[0] < 4 * 2**30


def test_sql_that_runs_forever_is_stopped(db: Connection, capturing: Callable[[], None]) -> None:
    failures: list[Exception] = []

    def ask() -> None:
        try:
            db.sql(ENDLESS, timeout_s=20)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]  # more than there are workers
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads):
        capturing()
    assert [type(f) for f in failures] == [QueryLimit] * 6
    assert "stopped after 3 s" in str(failures[0])


def test_malformed_requests_are_answered_with_errors(dealer: Any, capturing: Callable[[], None]) -> None:
    socket, chance = dealer(), random.Random(11)
    requests = [[chance.randbytes(chance.randrange(60)) for _ in range(1 + n % 4)] for n in range(300)]
    requests += [[b"id", b"\x91" * 5000 + b"\x90"], [b"id", msgpack.packb({"ask": "sql", "query": None})]]
    requests += [[b"id", msgpack.packb({"ask": "select", "table": "trades", "last": -1, "timeout_s": "x"})]]
    refused(socket, requests)
    capturing()


def test_a_client_that_asks_and_never_reads_is_held_up_alone(
    plant: RunningPlant, dealer: Any, capturing: Callable[[], None]
) -> None:
    rdb = psutil.Process(plant.processes["rdb"].pid)
    before = rdb.memory_info().rss
    deaf = dealer(RCVHWM=1, RCVBUF=4096, SNDHWM=1000)
    question = msgpack.packb({"ask": "select", "table": "quotes", "parts": True})
    for n in range(90):
        deaf.send_multipart([b"%d" % n, question])  # 90 times about 10 MB
    end = time.monotonic() + 3
    while time.monotonic() < end:
        capturing()
    assert rdb.memory_info().rss - before < 600 * 2**20


def test_a_client_that_dies_amid_its_answer_is_forgotten(
    plant: RunningPlant, db: Connection, capturing: Callable[[], None], eventually: Callable[..., Any]
) -> None:
    script = (
        "import sys, time, plant.client.connect\n"
        "db = plant.connect(timeout_s=60)\n"
        "print('asking', flush=True)\n"
        "while True: db.select('quotes')\n"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script], env=plant.environment, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout
            assert client.stdout.readline() == "asking\n"
            asked = db.count("queries")
            eventually(lambda asked=asked: db.count("queries") > asked)
            os.kill(client.pid, signal.SIGKILL)
            client.wait()
        capturing()


def test_a_hundred_clients_at_once_are_all_answered(plant: RunningPlant, capturing: Callable[[], None]) -> None:
    wrong: list[Any] = []

    def ask(n: int) -> None:
        try:
            with Connection("rdb", plant.settings.address(plant.settings.rdb.port), timeout_s=60) as db:
                for _ in range(3):
                    if len(db.select("quotes", "Q", last=n)) != n:
                        wrong.append(n)
                if patient(lambda: db.sql(f"select {n} n"))["n"].tolist() != [
                    n
                ]:  # once: a hundred wait for one another
                    wrong.append(n)
        except Exception as error:
            wrong.append(error)

    def patient(question: Callable[[], Any]) -> Any:
        """Ask again for at most 60 s: on a busy machine the last of a hundred is told that its 3 s were not enough."""
        end = time.monotonic() + 60
        while True:
            try:
                return question()
            except QueryLimit:
                if time.monotonic() > end:
                    raise

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 101)]
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads):
        capturing()
    assert wrong == []


def test_every_question_is_a_row_of_the_usage_log(
    plant: RunningPlant, db: Connection, eventually: Callable[..., Any]
) -> None:
    with Connection("rdb", plant.settings.address(plant.settings.rdb.port), client="shell/7@here") as asker:
        asker.select("quotes", "Q", last=3)
        with pytest.raises(QueryError):
            asker.sql("select nothing from nowhere")
        with pytest.raises(QueryLimit):
            asker.sql(ENDLESS, timeout_s=0.2)

    def rows() -> list[dict[str, Any]]:
        found = db.select("queries", where={"client": "shell/7@here"}, frames="arrow")
        return found.to_pylist() if found.num_rows == 3 else []

    select, wrong, endless = eventually(rows)
    assert (select["sym"], select["kind"], select["rows"], select["state"]) == ("rdb", "select", 3, "ok")
    assert select["question"] == "table='quotes' sym=['Q'] last=3"
    assert 0 < select["seconds"] < ANSWER_S
    assert select["bytes"] > 0
    assert (wrong["question"], wrong["state"]) == ("select nothing from nowhere", "error")
    assert "nowhere" in wrong["detail"]
    assert endless["state"] == "limit"


def test_asking_for_the_usage_log_adds_one_row_each_time(db: Connection, eventually: Callable[..., Any]) -> None:
    asked = 5
    before = db.count("queries")
    for _ in range(asked):
        db.select("queries", last=1)
    eventually(
        lambda: db.sql("select count(*) n from queries where question = 'table=''queries'' last=1'")["n"][0] >= asked
    )
    rows = db.select("queries", frames="numpy")["question"].tolist()
    assert len(rows) >= before + asked
    assert max(map(len, rows)) <= 1000

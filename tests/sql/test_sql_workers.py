"""Processes that work on SQL are ended whatever they do, come back, and end with the one they work for."""

import contextlib
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from chance import SEED, times
from plain_rows import NOON, SECOND, tables_of, trade

from plant.errors import Cancelled, QueryError, QueryLimit
from plant.query import questions
from plant.query.answers import Answerer
from plant.query.limits import Limits
from plant.sql.engine import SqlEngine

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"

HUGE = {
    "in one vector": "select max(length(repeat('x', 200000000) || range)) from range(1000000)",
    "one text": "select length(repeat('x', 500000000) || repeat('y', 500000000) || i) from range(3) t(i)",
    "summed": "select sum(length(repeat('x', 1000000000) || i)) from range(1000) t(i)",
    "a list": "select length(list(repeat('x', 100000000) || i)) from range(1000) t(i)",
    "padded": "select max(md5(lpad(i::varchar, 900000000, '0'))) from range(100) t(i)",
}
"""Texts so long that no limit of DuckDB's counts them, and it does not look at the time while it makes them."""


WORKER = "plant.sql.worker"


def family() -> list[psutil.Process]:
    """Return the processes that work on SQL for this one: those that fork, and the workers."""
    return [*(own := forkers()), *workers(own)]


def forkers() -> list[psutil.Process]:
    """Return those that fork workers; other tests have children of this process as well."""
    return [child for child in psutil.Process().children() if alive(child) and WORKER in child.cmdline()]


def workers(of: list[psutil.Process] | None = None) -> list[psutil.Process]:
    """Return those that were forked."""
    return [p for forker in (forkers() if of is None else of) for p in forker.children(recursive=True)]


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Return what a condition gives once it holds; `what` is said if it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: {[str(p) for p in family()]}"
        time.sleep(0.01)
    return found


@pytest.fixture
def engine() -> Iterator[SqlEngine]:
    made = SqlEngine(memory_mb=1000)
    made.answer("select 1", {})
    yield made
    del made


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_what_duckdb_does_not_count_is_bounded_too_and_ended_in_time_while_others_are_served(
    text: str,
) -> None:
    engine = SqlEngine(memory_mb=300)
    engine.answer("select 1", {})
    failures, waits, most, took = list[QueryLimit](), list[float](), list[int](), list[float]()

    def huge() -> None:
        started = time.monotonic()
        try:
            engine.answer(text, {}, budget=Limits(8).budget())
        except QueryLimit as error:
            failures.append(error)
        took.append(time.monotonic() - started)

    before = psutil.Process().memory_info().rss
    thread = threading.Thread(target=huge)
    thread.start()
    while thread.is_alive():
        asked = time.monotonic()
        engine.answer("select 42 x", {})
        waits.append(time.monotonic() - asked)
        most += [p.memory_info().rss for p in workers() if p.is_running()]
    assert took[0] < 9
    assert [str(e) for e in failures] in (
        ["sql: needs more than 0.315 GB of memory; ask for less"],
        ["sql: stopped after 8 s; ask for less, or allow more time (timeout_s)"],
    )
    assert max(waits) < 3
    assert max(most) < 0.9e9
    assert psutil.Process().memory_info().rss - before < 2e8
    assert engine.answer("select 42 x", {}).num_rows == 1


@times("kills", soak=100)
def test_a_worker_that_is_killed_under_load_costs_its_question_and_no_other(kills: int, engine: SqlEngine) -> None:
    print(f"seed {SEED}")
    chance, stop = random.Random(SEED), threading.Event()
    tables = tables_of(trades=[[trade(NOON + k * SECOND, "AAPL", price=10.0 + k) for k in range(6)]])
    answerer = Answerer(tables, engine)
    right, ended, wrong = list[int](), list[QueryLimit](), list[object]()

    def load() -> None:
        while not stop.is_set():
            try:
                found = answerer.answer(questions.Sql("select count(*) n, max(price) m from trades")).to_pylist()
                (right if found == [{"n": 6, "m": 15.0}] else wrong).append(len(found))
            except QueryLimit as error:
                ended.append(error)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 0.2))
        there = wait_for(workers, "no process works on SQL")
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(there).send_signal(signal.SIGKILL)
        before = len(right)
        wait_for(lambda before=before: len(right) > before + 3, "nothing is answered any more")  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(ended) <= kills
    assert all("was ended from outside" in str(error) for error in ended)


def test_a_worker_that_is_killed_tells_its_asker_at_once(engine: SqlEngine) -> None:
    def kill() -> None:
        wait_for(lambda: any(p.cpu_times().user > 0.2 for p in workers()), "no worker works")
        for process in workers():
            process.kill()

    thread, started = threading.Thread(target=kill), time.monotonic()
    thread.start()
    with pytest.raises(
        QueryLimit, match=r"sql: the process that worked on it was ended from outside, as a system does"
    ):
        engine.answer(ENDLESS, {}, budget=Limits(30).budget())
    assert time.monotonic() - started < 15
    thread.join()
    assert engine.answer("select 1 x", {}).num_rows == 1


def test_the_process_that_forks_them_comes_back(engine: SqlEngine) -> None:
    all_of_them = family()
    for process in forkers():
        process.kill()
    wait_for(lambda: not any(map(alive, all_of_them)), "workers live without the one that forked them")
    assert engine.answer("select 1 x", {}).num_rows == 1


def test_the_process_that_forks_has_one_thread(engine: SqlEngine) -> None:
    (forker,) = wait_for(lambda: len(found := forkers()) == 1 and found, "those of earlier engines live on")
    assert forker.num_threads() == 1


def test_a_worker_goes_with_the_engine_and_with_a_question_that_is_given_up() -> None:
    engine, budget = SqlEngine(), Limits().budget()
    engine.answer("select 1", {})
    count = len(workers())
    threading.Timer(0.3, budget.cancel).start()
    with pytest.raises(Cancelled):
        engine.answer(ENDLESS, {}, budget=budget)
    wait_for(lambda: len(workers()) < count, "it goes on for nobody")
    engine.answer("select 1", {})
    del engine
    wait_for(lambda: len(workers()) < count, "it waits for an engine that is gone")


def test_a_question_gives_up_in_time_also_while_its_process_starts() -> None:
    for process in forkers():
        process.kill()
    started = time.monotonic()
    with pytest.raises(QueryLimit, match=r"sql: stopped after 0.01 s"):
        SqlEngine().answer("select 1", {}, budget=Limits(0.01).budget())
    assert time.monotonic() - started < 1


def test_a_fork_of_the_asker_has_workers_of_its_own(engine: SqlEngine) -> None:
    wait_for(lambda: len(workers()) == 1, "one that an earlier question gave up has not ended")
    theirs = {p.pid for p in family()}
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        answer = engine.answer("select 7 x", {}).to_pylist()
        os.write(writing, repr((answer, theirs & {p.pid for p in family()})).encode())
        del engine
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 1000).decode() == repr(([{"x": 7}], set()))
    os.close(reading)
    os.close(writing)
    assert engine.answer("select 1 x", {}).num_rows == 1
    assert theirs <= {p.pid for p in family()}


@pytest.mark.parametrize("at_work", [False, True], ids=["idle", "at work"])
def test_they_end_with_the_process_they_work_for(at_work: bool) -> None:
    program = (
        "import psutil, sys, threading; from plant.sql.engine import SqlEngine\n"
        "e = SqlEngine(); e.answer('select 1', {})\n"
        "print(*(c.pid for c in psutil.Process().children(recursive=True)), flush=True)\n"
        f"if {at_work}: threading.Thread(target=e.answer, args=({ENDLESS!r}, {{}})).start()\n"
        "sys.stdin.read()"
    )
    asker = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asker.stdin
    assert asker.stdout
    with asker.stdin, asker.stdout:
        pids = [int(pid) for pid in asker.stdout.readline().split()]
        if at_work:
            began = {pid: psutil.Process(pid).cpu_times().user for pid in pids}
            wait_for(
                lambda: any(psutil.Process(pid).cpu_times().user > began[pid] + 0.2 for pid in pids), "no worker works"
            )
        asker.kill()
        asker.wait()
    assert len(pids) == 2
    wait_for(lambda: not any(psutil.pid_exists(p) and alive(psutil.Process(p)) for p in pids), "they live on")


def test_an_error_of_the_text_does_not_end_a_worker(engine: SqlEngine) -> None:
    pids = {p.pid for p in workers()}
    for text in ("selekt 1", "select x", "from nothing", "select error('boom')", "select time '25:00'"):
        with pytest.raises(QueryError):
            engine.answer(text, {})
    assert {p.pid for p in workers()} == pids


def test_a_question_leaves_no_file_open_until_rubbish_is_collected(engine: SqlEngine) -> None:
    answerer = Answerer(tables_of(trades=[[trade(NOON)]]), engine)
    asked = questions.Sql("select sym, price from trades")
    answerer.answer(asked)
    gc.disable()
    try:
        before = psutil.Process().num_fds()
        for _ in range(20):
            answerer.answer(asked)
        wait_for(lambda: psutil.Process().num_fds() <= before, "files stay open")  # a new worker has some for a moment
    finally:
        gc.enable()


def test_a_process_with_more_than_a_thousand_files_open_is_answered() -> None:
    """select() knows no file beyond 1023."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], min(4096, limits[1])), limits[1]))
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert SqlEngine(memory_mb=1000).answer("select 7 x", {}).to_pydict() == {"x": [7]}
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

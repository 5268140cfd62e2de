"""The commands that ask: `plant query` over history and today, whichever is up, and `plant tail` of a symbol."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from history_files import journaled, write_history
from plain_rows import NOON, SCHEMA, SECOND, batch_of, table_of, trade
from running import RunningPlant, free_ports
from typer.testing import CliRunner, Result

from hdb.reader.answering import HistoryAnswerer
from plant import subscribe
from plant.client import seam
from plant.command import app
from plant.errors import Unavailable, UnknownSymbolWarning
from plant.query.answers import Answerer
from plant.serving.server import QueryServer
from plant.sql.engine import SqlEngine

MAIN = "from plant.command.app import main; main()"
COUNTS = "select sym, count(*) n from trades group by sym order by sym"


class Sides:
    """A history whose first day is closed, and an rdb that has let go of it; `up` says which of them serve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = journaled([[trade(NOON, "OLD")], [trade(NOON + SECOND, "NEW")]])
        write_history(folder, {SCHEMA["trades"]: rows[:1]}, 1, (1,)).save(folder)
        self.today = {name: table_of(table) for name, table in SCHEMA.items()}
        for seq, (sym, time) in enumerate([("OLD", NOON), ("NEW", NOON + SECOND)], 1):
            self.today["trades"].append(batch_of("trades", [trade(time, sym)], seq))
        self.ports = dict(zip(("rdb", "hdb"), free_ports(2), strict=True))
        self.servers: list[QueryServer] = []
        sections = "".join(f"[{name}]\nport = {port}\n" for name, port in self.ports.items())
        (folder / "plant.toml").write_text(sections)

    def serve(self, *up: str, released: int = 1) -> None:
        """Start the servers of one side or both."""
        for table in self.today.values():
            table.release(released)
        today = Answerer(self.today, SqlEngine())
        answering = {
            "rdb": today,
            "hdb": HistoryAnswerer(self.folder, SCHEMA, lambda q, budget: today.answer(q, budget)),
        }
        for name in up:
            status = {"name": name, "caught_up": True}
            self.servers.append(QueryServer(f"tcp://127.0.0.1:{self.ports[name]}", answering[name], lambda s=status: s))


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sides]:
    monkeypatch.setattr(app, "ANSWER_S", 0.3)
    monkeypatch.setattr(seam, "LEARN_S", 0.3)
    made = Sides(tmp_path)
    yield made
    for server in made.servers:
        server.close()


def asked(sides: Sides, *arguments: str) -> Result:
    return CliRunner().invoke(app.app, [*arguments, "--config", str(sides.folder / "plant.toml")])


def test_a_query_answers_over_history_and_today(sides: Sides) -> None:
    sides.serve("rdb", "hdb")
    found = asked(sides, "query", COUNTS, "--format", "csv")
    assert found.stdout == "sym,n\nNEW,1\nOLD,1\n"
    assert found.stderr == ""


def test_a_query_without_the_hdb_answers_of_today_and_says_what_is_missing(sides: Sides) -> None:
    sides.serve("rdb")
    found = asked(sides, "query", COUNTS, "--format", "csv")
    assert found.stdout == "sym,n\nNEW,1\n"
    said = " ".join(found.stderr.split())
    assert said.startswith("plant: history is missing, these are today's rows alone: hdb at tcp://127.0.0.1:")


def test_a_query_without_the_hdb_that_needs_none_says_nothing(sides: Sides) -> None:
    sides.serve("rdb", released=0)
    found = asked(sides, "query", COUNTS, "--format", "csv")
    assert (found.stdout, found.stderr) == ("sym,n\nNEW,1\nOLD,1\n", "")


def test_a_query_without_the_rdb_answers_of_history_and_says_what_is_missing(sides: Sides) -> None:
    sides.serve("hdb")
    found = asked(sides, "query", COUNTS, "--format", "csv")
    assert found.stdout == "sym,n\nOLD,1\n"
    said = " ".join(found.stderr.split())
    assert said.startswith("plant: today's rows are missing, this is history alone: rdb at tcp://127.0.0.1:")


def test_a_query_with_nobody_up_is_an_error(sides: Sides) -> None:
    found = asked(sides, "query", COUNTS)
    assert isinstance(found.exception, Unavailable)
    assert "rdb at tcp://127.0.0.1:" in str(found.exception)


def test_who_subscribes_to_a_symbol_that_no_row_has_is_told_at_the_start(
    market: RunningPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(market.config))
    with pytest.warns(UnknownSymbolWarning) as told:
        subscribe("trades", sym=["AAPL", "APPL"]).close()
    assert [str(one.message) for one in told] == ["no row of table trades ever had sym 'APPL'; nearest: AAPL"]
    assert told[0].filename == __file__
    with pytest.warns(UnknownSymbolWarning, match="^no row of tables trades, quotes ever had sym 'APPL'; nearest"):
        subscribe(["trades", "quotes"], sym="APPL").close()
    subscribe("trades", sym="AAPL").close()
    with pytest.warns(UnknownSymbolWarning, match="in the rdb has sym 'APPL'; nearest: AAPL"):
        market.ask(warn_unknown=True).watch("trades", "APPL", last=0).close()


def test_tail_of_a_symbol_that_no_row_has_says_so_and_waits_for_it(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], tmp_path: Path
) -> None:
    plant = start_plant("tickerplant", "rdb")
    row = {"time": NOON, "price": 1.0, "size": 1.0}
    with plant.publisher("feed") as feed:
        feed.publish("trades", {"sym": "AAPL", **row})
        seq = feed.flush()
        eventually(lambda: plant.ask().status()["seq"] >= seq)
        command = [sys.executable, "-c", MAIN, "tail", "trades", "--sym", "APPL", "-n", "1"]
        said = tmp_path / "said"
        with said.open("w") as stderr:
            tail = subprocess.Popen(command, env=plant.environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
        expected = "plant: no row of table trades ever had sym 'APPL'; nearest: AAPL; waiting for it"
        eventually(lambda: " ".join(said.read_text().split()) == expected, 60.0, said.read_text)
        assert tail.poll() is None
        sent = 0
        while tail.poll() is None and sent < 300:  # whatever came before it was subscribed is not printed
            feed.publish("trades", {"sym": "APPL", **row})
            feed.flush()
            sent += 1
            try:
                tail.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert "  APPL  price=1.0" in tail.communicate()[0]
        assert tail.returncode == 0


HEAVY = ("pandas", "pyarrow.compute", "duckdb", "polars", "structlog", "plant.transfer", "plant.journal", "plant.audit")
"""What takes long to import, and `plant status` does not need."""


def test_a_command_waits_for_no_module_that_only_others_need(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("")
    script = f"import atexit, sys\natexit.register(lambda: print(*(m for m in {HEAVY} if m in sys.modules)))\n{MAIN}"
    command = [sys.executable, "-c", script, "status"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4, done.stderr
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize("name", [*app.CORE, "query", "tail", "keys"])
def test_every_command_of_the_core_tells_what_it_does(name: str) -> None:
    shown = CliRunner().invoke(app.app, [name, "--help"], prog_name="plant")
    assert shown.exit_code == 0, shown.output
    assert f"Usage: plant {name} " in shown.output

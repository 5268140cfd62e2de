"""The plant as its user runs it: `plant up`, supervisord, the dashboard's page, `plant status`, `plant down`."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from supervised import Supervised, plant_up

from plant.client.connect import publisher
from plant.client.connection import Connection
from plant.command.running import READY_S
from plant.errors import Unavailable
from plant.runtime.settings import load
from plant.runtime.supervision import configuration, supervision_of

ROOT = Path(__file__).parents[2]
FEEDS = '[[feeds]]\nkind = "simulated"\nhistory_minutes = 30\nupdate_s = 0.5\nsymbols = ["AAPL", "TSLA"]\n'


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    """Return a plant that is up; afterwards it is down, and no process of it is left."""
    with plant_up(Supervised(tmp_path, FEEDS)) as made:
        yield made


def test_every_process_is_up_and_comes_back_after_sigkill(
    supervised: Supervised, eventually: Callable[..., Any]
) -> None:
    names = ("tickerplant", "rdb", "processor", "hdb", "feeds", "feed-simulated", "dashboard", "trading", "api")
    assert supervised.states() == dict.fromkeys(names, "up")
    settings = load(supervised.config)
    page = urllib.request.urlopen(f"http://127.0.0.1:{settings.dashboard.port}/", timeout=10).read()
    assert b"<title>" in page

    db = Connection("rdb", settings.address(settings.rdb.port), timeout_s=2)
    processor = Connection("processor", settings.address(settings.processor.port), timeout_s=2)
    place = supervision_of(settings, str(supervised.config))
    for victim in ("tickerplant", "rdb", "processor", "hdb", "trading", "feed-simulated"):
        before = {p["name"]: p["pid"] for p in place.processes()}
        bars = _count(db, "bars")
        os.kill(before[victim], signal.SIGKILL)
        eventually(
            lambda v=victim, b=before: any(p["name"] == v and p["pid"] not in (0, b[v]) for p in place.processes()), 10
        )
        eventually(
            lambda n=bars: n <= _count(db, "bars") == _count(processor, "indicators"), 10, lambda: (db, processor)
        )
    db.close()
    processor.close()
    eventually(lambda: set(supervised.states().values()) == {"up"}, 30, supervised.states)


def test_a_feed_added_to_plant_toml_starts_and_a_removed_one_stops(
    supervised: Supervised, eventually: Callable[..., Any]
) -> None:
    second = FEEDS.replace('["AAPL", "TSLA"]', '["COIN"]') + 'name = "coins"\n'
    supervised.config.write_text(supervised.sections + FEEDS + second)
    settings = load(supervised.config)
    db = Connection("rdb", settings.address(settings.rdb.port), warn_unknown=False)
    eventually(lambda: db.count("bars", sym="COIN") >= 30, 40)
    db.close()
    supervised.config.write_text(supervised.sections + second)
    eventually(lambda: "feed-simulated" not in supervised.states(), 40, supervised.states)
    assert supervised.states()["feed-coins"] == "up"


@pytest.mark.soak
def test_the_monitor_runs_while_there_are_alerts(supervised: Supervised, eventually: Callable[..., Any]) -> None:
    alerts = '[[alerts]]\nevents = ["process_down"]\nto = "json://127.0.0.1:9"\n'
    supervised.config.write_text(supervised.sections + FEEDS + alerts)
    eventually(lambda: supervised.states().get("monitor") == "up", 40, supervised.states)
    eventually(lambda: supervised.healths()["monitor"]["detail"] == "ok", 40, supervised.healths)
    supervised.config.write_text(supervised.sections + FEEDS)
    eventually(lambda: "monitor" not in supervised.states(), 40, supervised.states)


@pytest.mark.soak
def test_the_archive_runs_while_there_is_a_warehouse(supervised: Supervised, eventually: Callable[..., Any]) -> None:
    supervised.config.write_text(supervised.sections + FEEDS + '[archive]\nwarehouse = "far"\n')
    eventually(lambda: supervised.states().get("archive") == "up", 40, supervised.states)
    eventually(lambda: supervised.healths()["archive"]["detail"] == "ok", 40, supervised.healths)
    supervised.config.write_text(supervised.sections + FEEDS)
    eventually(lambda: "archive" not in supervised.states(), 40, supervised.states)


def test_status_tells_what_is_wrong_by_its_exit_code(supervised: Supervised) -> None:
    assert supervised.plant("status").returncode == 0
    place = supervision_of(load(supervised.config), str(supervised.config))
    place.call("supervisor.stopProcess", "processor")
    answer = supervised.plant("status")
    assert (answer.returncode, "stopped" in answer.stdout) == (3, True)


@pytest.mark.soak
def test_a_plant_in_a_folder_with_a_blank_starts_and_tells_which_changes_wait_for_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "my plant"
    folder.mkdir()
    with plant_up(Supervised(folder, FEEDS)) as plant:
        assert plant.states()["feed-simulated"] == "up"
        changed = plant.sections.replace("timer_s = 1.0", "timer_s = 2.0")
        settings = load(plant.config)
        changed = changed.replace(f"port = {settings.rdb.port}", "port = 1")
        plant.config.write_text(changed + FEEDS)
        answer = plant.plant("status")
        assert answer.returncode == 0, "each process is asked where it was started"
        assert (
            "since processor started, and waiting for the next start: processor.timer_s: 1.0, now 2.0" in answer.stdout
        )
        assert f"waiting for the next start: rdb.port: {settings.rdb.port}, now 1" in answer.stdout

        plant.config.write_text(changed + '[plant]\ndata = "elsewhere"\n' + FEEDS)
        assert set(plant.states().values()) == {"up"}, "found where it runs, not where plant.toml points to now"
        refused = plant.plant("up", "-d")
        assert (refused.returncode, "this plant runs already" in refused.stderr) == (1, True), refused.stderr

        plant.config.write_text(changed + "[plant\n")
        answer = plant.plant("status")
        assert answer.returncode == 3
        assert "cannot be started again" in answer.stderr
        assert "not answering" not in answer.stdout  # and `plant down` works, too


@pytest.mark.soak
def test_a_process_that_cannot_start_ends_plant_up_at_once_with_its_cause(tmp_path: Path) -> None:
    plant = Supervised(tmp_path, FEEDS)
    journal = tmp_path / "data" / "journal"
    journal.parent.mkdir()
    journal.write_text("a file is in the way")
    begun = time.monotonic()
    up = plant.plant("up", "-d")
    took_s = time.monotonic() - begun
    down = plant.plant("down")
    assert (up.returncode, down.stdout) == (3, "stopped\n"), down.stderr
    assert "tickerplant does not start. The end of its log:" in up.stderr
    assert "JournalError" in up.stderr
    assert took_s < READY_S / 2


def test_plant_up_without_a_file_says_that_it_runs_on_defaults(tmp_path: Path) -> None:
    plant = Supervised(tmp_path, FEEDS)
    plant.config.unlink()
    (tmp_path / "data").write_text("a file is in the way: nothing is started")
    answer = plant.plant("up", "-d")
    assert answer.returncode == 1
    assert answer.stdout.startswith(
        f"no plant.toml in {tmp_path}: the plant runs on defaults; feeds: simulated; data: "
    )
    assert "cannot write" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_status_without_a_plant_exits_with_4_and_says_how_to_start_it(tmp_path: Path) -> None:
    answer = Supervised(tmp_path, FEEDS).plant("status")
    assert answer.returncode == 4
    assert "plant up" in answer.stderr


def test_the_repository_s_supervisord_conf_is_the_one_a_plant_gets() -> None:
    assert (ROOT / "supervisord.conf").read_text() == configuration()


def test_a_publisher_without_a_plant_says_so(tmp_path: Path) -> None:
    Supervised(tmp_path, FEEDS)
    with pytest.raises(Unavailable, match="is the plant up"):
        publisher("feed", config=str(tmp_path / "plant.toml"), timeout_s=0.3)


def _count(connection: Connection, table: str) -> int:
    try:
        return connection.count(table, where={"interval": "1m"})  # of larger ones there are too few to compute
    except Unavailable:
        return -1

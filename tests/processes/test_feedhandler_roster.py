"""Which programs supervisord is given: one for each feed, the monitor's and the archive's where they are set."""

import configparser
from pathlib import Path

from feedhandler.roster import Roster
from plant.runtime.settings import load

ALERT = '[[alerts]]\nevents = ["gap"]\nto = "json://${ALERT_TOKEN}@127.0.0.1:9000"\n'


def programs(folder: Path, toml: str) -> dict[str, dict[str, str]]:
    """Return the sections that the roster writes for a plant.toml."""
    (folder / "plant.toml").write_text(toml)
    roster = Roster(load(folder / "plant.toml"), folder / "run" / "feeds.conf")
    parser = configparser.RawConfigParser()
    parser.read_string(roster.programs(folder))
    return {name.removeprefix("program:"): dict(parser[name]) for name in parser.sections()}


def test_the_monitor_is_a_program_only_while_there_are_alerts(tmp_path: Path) -> None:
    feed = '[[feeds]]\nkind = "simulated"\n'
    assert list(programs(tmp_path, feed)) == ["feed-simulated"]
    found = programs(tmp_path, feed + ALERT)
    assert list(found) == ["feed-simulated", "monitor"]
    assert found["monitor"]["command"].endswith("-m monitor")


def test_a_change_of_symbols_alone_restarts_no_feed_and_any_other_does(tmp_path: Path) -> None:
    feed = '[[feeds]]\nkind = "simulated"\nsymbols = ["A"]\n'
    first = programs(tmp_path, feed)
    assert programs(tmp_path, feed.replace('"A"', '"A", "B"')) == first
    assert programs(tmp_path, feed + "seed = 8\n") != first


def test_what_it_tells_and_watches_starts_it_again_and_nothing_else_does(tmp_path: Path) -> None:
    first = programs(tmp_path, ALERT)["monitor"]
    assert programs(tmp_path, ALERT + "[rdb]\nkeep_gb = 3.0\n")["monitor"] == first
    for more in ("every_s = 5.0\n", "[monitor]\ndisk_free_gb = 9.0\n", '[[feeds]]\nkind = "simulated"\n'):
        assert programs(tmp_path, ALERT + more)["monitor"] != first


def test_the_mirror_is_a_program_only_while_it_has_servers(tmp_path: Path) -> None:
    assert list(programs(tmp_path, "")) == []
    first = programs(tmp_path, '[mirror]\nservers = ["nats://127.0.0.1:4222"]\n')
    assert list(first) == ["mirror"]
    assert first["mirror"]["command"].endswith("-m mirror")
    assert programs(tmp_path, '[mirror]\nservers = ["nats://127.0.0.1:4222"]\nreplicas = 1\n') != first


def test_the_archive_is_a_program_only_while_there_is_a_warehouse(tmp_path: Path) -> None:
    where = '[archive]\nwarehouse = "far"\n'
    found = programs(tmp_path, where)
    assert list(found) == ["archive"]
    assert found["archive"]["command"].endswith("-m archive")
    assert programs(tmp_path, where + "keep_days = 9.0\n")["archive"] != found["archive"]
    assert programs(tmp_path, where + "[rdb]\nkeep_gb = 3.0\n")["archive"] == found["archive"]

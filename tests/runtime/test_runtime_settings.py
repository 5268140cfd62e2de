"""Settings: defaults, file, environment; and every mistake in them is told with file and key."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from plant.errors import SettingsError
from plant.rows.tables import TABLES
from plant.runtime.sections import FeedSection, sync_interval_s
from plant.runtime.settings import Settings, file_of, load

ROOT = Path(__file__).parents[2]
SECTIONS = (
    *("plant", "tickerplant", "upstream", "mirror", "rdb", "processor", "bars", "hdb", "archive", "dashboard"),
    *("monitor", "annotations", "trading", "api"),
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside: an empty folder, and no PLANT_ variables."""
    for name in list(os.environ):
        if name.upper().startswith("PLANT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "plant.toml"
    file.write_text(text)
    return file


def plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="python")


def test_without_a_file_the_defaults_of_the_design_hold(tmp_path: Path) -> None:
    found = load()
    assert found.plant.model_dump() == {
        "name": "",
        "data": tmp_path / "data",
        "keys": "",
        "host": "127.0.0.1",
        "log_level": "info",
        "heartbeat_s": 1.0,
        "spin_us": 0.0,
        "negative_prices": (),
    }
    ports = (found.tickerplant.ingest_port, found.tickerplant.publish_port, found.tickerplant.journal_port)
    assert ports == (5000, 5001, 5002)
    assert (found.rdb.port, found.processor.port, found.hdb.port, found.dashboard.port) == (5006, 5011, 5007, 8501)
    assert (found.tickerplant.sync, found.tickerplant.sync_s) == ("100 ms", 0.1)
    assert (found.processor.timer_s, found.processor.min_bars) == (10.0, 5)
    assert (found.hdb.roll_at, found.hdb.time_zone, found.dashboard.refresh_s) == ("00:00", "UTC", 5.0)
    assert found.feeds == (FeedSection(kind="simulated"),)
    assert [t.name for t in found.table_schema.values()] == [t.name for t in TABLES]


def test_the_file_in_the_repository_says_the_defaults(tmp_path: Path) -> None:
    shipped = plain(load(ROOT / "plant.toml"))
    assert shipped["plant"].pop("data") == ROOT / "data"
    assert [f["kind"] for f in shipped.pop("feeds")] == ["simulated"]
    defaults = plain(load())
    assert defaults["plant"].pop("data") == tmp_path / "data"
    assert [f["kind"] for f in defaults.pop("feeds")] == ["simulated"]
    assert shipped == defaults


def test_the_file_in_the_repository_names_every_key_with_its_default() -> None:
    shipped = tomllib.loads((ROOT / "plant.toml").read_text())
    for section in SECTIONS:
        fields = type(getattr(load(), section)).model_fields
        assert shipped[section].keys() == fields.keys(), f"[{section}]"
        for key, field in fields.items():
            written_as = (str, list) if isinstance(field.default, Path | tuple) else type(field.default)
            assert isinstance(shipped[section][key], written_as), f"{section}.{key}"


def test_the_examples_in_the_files_comments_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "plant.toml").read_text()
    examples = re.sub(r"^# ((?:\[\[|[a-z_]+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    assert examples.count("\n[[") == 8
    found = load(written(tmp_path, examples))
    assert [each.rdb_port for each in found.standby] == [7006]
    assert [f.kind for f in found.feeds] == ["simulated", "recorded", "finazon"]
    assert (found.accounts[0].limits.max_daily_loss, found.instruments[0].tick) == (2_000.0, 0.00001)
    assert [a.to for a in found.alerts] == ["json://127.0.0.1:9000/hook"]
    assert found.table_schema["news"].names == ("time", "sym", "headline")


def test_a_file_names_only_what_it_changes_and_the_environment_overrides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, '[rdb]\nport = 6006\n[tickerplant]\nsync = "none"\nsegment_mb = 3\n')
    monkeypatch.setenv("PLANT_TICKERPLANT__SYNC", "batch")
    monkeypatch.setenv("PLANT_PROCESSOR__PORT", "6011")
    monkeypatch.setenv("PLANT_PLANT__DATA", "/var/plant")
    found = load(file)
    assert (found.rdb.port, found.processor.port) == (6006, 6011)
    assert (found.tickerplant.sync, found.tickerplant.segment_mb) == ("batch", 3)
    assert found.tickerplant.ingest_port == 5000
    assert found.plant.data == Path("/var/plant")


def test_a_file_that_names_no_feed_has_none(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")).feeds == ()
    assert load(written(tmp_path, "[rdb]\nport = 6006\n")).feeds == ()
    assert Settings().feeds == ()


def test_the_file_is_the_named_one_else_plant_config_else_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for port, name in enumerate(("here/plant.toml", "there/plant.toml", "named.toml"), 7001):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"[rdb]\nport = {port}\n")
    monkeypatch.chdir(tmp_path / "here")
    assert load().rdb.port == 7001
    monkeypatch.setenv("PLANT_CONFIG", "../there/plant.toml")
    assert load().rdb.port == 7002
    assert load(tmp_path / "named.toml").rdb.port == 7003
    assert file_of() == tmp_path / "here/../there/plant.toml"


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match=r"no settings file .*\.toml; PLANT_CONFIG"):
        load(tmp_path / "missing.toml" if by == "argument" else None)


def test_relative_paths_are_meant_from_where_the_file_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = written(tmp_path, '[plant]\ndata = "d"\nkeys = "k"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")
    for path in (file, "../plant.toml"):
        found = load(path)
        assert found.plant.data.resolve() == tmp_path / "d"
        assert Path(found.plant.keys).resolve() == tmp_path / "k"
        assert found.file.resolve() == file
        assert found.file.is_absolute()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[rdb]\nprot = 1", "unknown key rdb.prot"),
        ("[rbd]\nport = 1", "unknown key rbd"),
        ("port = 1", "unknown key port"),
        ("[rdb]\nport = 65536", "rdb.port: Input should be less than or equal to 65535, found 65536"),
        ("[rdb]\nport = -1", "rdb.port: Input should be greater than or equal to 0, found -1"),
        ('[rdb]\nport = "x"', "rdb.port: .*, found 'x'"),
        ("[plant]\nheartbeat_s = 0", "plant.heartbeat_s: Input should be greater than 0, found 0"),
        ('[plant]\nlog_level = "loud"', "plant.log_level: .*, found 'loud'"),
        ('[tickerplant]\nsync = "often"', 'tickerplant.sync: .*expected "none", "<n> ms" or "batch", found \'often\''),
        ("[tickerplant]\nsegment_mb = 0", "tickerplant.segment_mb"),
        ("[processor]\nmin_bars = 0", "processor.min_bars"),
        ('[hdb]\nroll_at = "24:00"', "hdb.roll_at"),
        ('[hdb]\ntime_zone = "Mars/Olympus"', "hdb.time_zone: .*no time zone 'Mars/Olympus'"),
        ('[hdb]\ntime_zone = "../../etc/passwd"', "hdb.time_zone: .*no time zone"),
        ("[[feeds]]\nseed = 1", "feeds.0.kind: Field required"),
        ('[[feeds]]\nkind = "my feed"', "feeds.0.kind: .*found 'my feed'"),
        ('[[feeds]]\nkind = "my_feed.py:"', "feeds.0.kind: "),
        ('[[feeds]]\nkind = "simulated"\nname = "my feed"', "feeds.0.name"),
        ('[[feeds]]\nkind = "rdb:Feed"', "a feed cannot be called 'rdb'"),
        ('[[feeds]]\nkind = "simulated"\n' * 2, "two feeds are called 'simulated'; give each"),
        ('[[feeds]]\nkind = "simulated"\n[[feeds]]\nkind = "finazon"\nname = "simulated"', "two feeds are called"),
        (
            '[[tables]]\nname = "trades"\ncolumns = [["time", "time"], ["sym", "symbol"]]',
            "the plant has a table 'trades' ",
        ),
        ('[[tables]]\nname = "news"\ncolumns = [["sym", "symbol"]]', "the first columns must be time"),
        ('[[tables]]\nname = "news"', "a table needs name, columns"),
        ('[[tables]]\nname = "n"\ncolumns = [["time", "time"], ["sym", "symbol"]]\nkeys = ["sym"]', "unknown 'keys'"),
        ("[rdb\nport = 1", "line 1"),
        ("[rdb]\nport = 1\n[rdb]\nport = 2", "rdb"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=f"{re.escape(str(file))}: .*{complaint}"):
        load(file)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown key rdb\.prot; hdb\.port: .*found 70000"):
        load(written(tmp_path, "[rdb]\nprot = 1\n[hdb]\nport = 70000\n"))


def test_a_file_that_is_not_text_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"plant\.toml: "):
        load()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PLANT_RDB__PROT", "1", "unknown key rdb.prot"),
        ("PLANT_RBD__PORT", "1", r"the environment has PLANT_RBD__PORT, but there is no section \[rbd\]; sections are"),
        ("PLANT_RDB__PORT", "high", "rdb.port: .*found 'high'"),
        ("PLANT_RDB__PORT__X", "1", "rdb.port"),
        ("PLANT_TICKERPLANT__SYNC", "soon", "tickerplant.sync"),
        ("PLANT_FEEDS", "not json", "feeds"),
        ("PLANT_FEEDS", '[{"name": "one"}]', "feeds.0.kind: Field required"),
    ],
)
def test_a_mistake_in_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=complaint):
        load()


def test_feeds_can_be_given_in_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_FEEDS", '[{"kind": "finazon", "name": "fin", "symbols": ["X"]}]')
    (feed,) = load().feeds
    assert (feed.label, feed.own_keys) == ("fin", {"symbols": ["X"]})


def test_a_feed_is_called_by_its_name_else_by_its_kind(tmp_path: Path) -> None:
    text = '[[feeds]]\nkind = "simulated"\n[[feeds]]\nkind = "simulated"\nname = "second"\nseed = 8\n'
    text += '[[feeds]]\nkind = "my_feed:MyFeed"\n'
    assert [f.label for f in load(written(tmp_path, text)).feeds] == ["simulated", "second", "my_feed"]


def test_a_users_table_stands_beside_the_plants(tmp_path: Path) -> None:
    text = """
    [[tables]]
    name = "news"
    columns = [["time", "time"], ["sym", "symbol"], ["headline", "text", "what happened"]]
    key = ["time", "sym"]
    """
    schema = load(written(tmp_path, text)).table_schema
    assert schema["news"].key == ("time", "sym")
    assert schema["news"].checks
    assert len(schema) == len(TABLES) + 1


def test_settings_do_not_change_once_read() -> None:
    found = load()
    with pytest.raises(ValidationError):
        found.rdb.port = 1
    with pytest.raises(ValidationError):
        found.feeds = ()


@pytest.mark.parametrize(
    ("policy", "seconds"), [("none", None), ("batch", 0.0), ("100 ms", 0.1), ("1 ms", 0.001), ("60000 ms", 60.0)]
)
def test_a_sync_policy_is_an_interval(policy: str, seconds: float | None) -> None:
    assert sync_interval_s(policy) == seconds


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "always",
        "100",
        "100ms",
        "0 ms",
        "-1 ms",
        "1.5 ms",
        "100 s",
        "100  ms",
        " 100 ms",
        "100 ms ",
        "² ms",
        "3600001 ms",
    ],
)
def test_any_other_sync_policy_is_refused(policy: str) -> None:
    with pytest.raises(ValueError, match=r'expected "none", "<n> ms" or "batch", found'):
        sync_interval_s(policy)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("127.0.0.1", 5006, "tcp://127.0.0.1:5006"),
        ("::1", 5006, "tcp://[::1]:5006"),
        ("localhost", 0, "tcp://localhost:*"),
    ],
)
def test_an_address_is_what_zeromq_takes(monkeypatch: pytest.MonkeyPatch, host: str, port: int, address: str) -> None:
    monkeypatch.setenv("PLANT_PLANT__HOST", host)
    assert load().address(port) == address


def test_the_zone_of_times_is_that_of_the_hdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_HDB__TIME_ZONE", "America/New_York")
    assert load().zone.key == "America/New_York"


def test_every_section_is_frozen_refuses_unknown_keys_and_is_listed_here() -> None:
    models = {name: f.default for name, f in Settings.model_fields.items() if isinstance(f.default, BaseModel)}
    assert tuple(models) == SECTIONS
    for model in models.values():
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["frozen"]


def test_a_feed_cannot_have_the_name_of_a_process(tmp_path: Path) -> None:
    file = written(tmp_path, '[[feeds]]\nkind = "simulated"\nname = "rdb"\n')
    with pytest.raises(SettingsError, match="cannot be called 'rdb'"):
        load(file)


@pytest.mark.parametrize(
    ("variables", "section", "key", "value"),
    [
        ({"PLANT_RDB": '{"port": 7, "keep_gb": 2}'}, "rdb", "port", 7),
        ({"PLANT_RDB": '{"port": 7}', "PLANT_RDB__PORT": "8"}, "rdb", "port", 8),
        ({"PLANT_RDB__KEEP_GB": "1.5"}, "rdb", "port", 6),
        ({"plant_rdb__port": "9"}, "rdb", "port", 9),
        ({"PLANT_PLANT__NEGATIVE_PRICES": '["CL*", "NG"]'}, "plant", "negative_prices", ("CL*", "NG")),
        ({"PLANT_TICKERPLANT__COMPRESS": "false"}, "tickerplant", "compress", False),
        ({"PLANT_BARS__CALENDARS": '{"XNYS": ["BRK*"]}'}, "bars", "calendars", {"XNYS": ("BRK*",)}),
        ({"PLANT_PROCESSOR__INTERVALS": '["1Min", "D"]'}, "processor", "intervals", ("1m", "1d")),
        ({"PLANT_DASHBOARD__LOGIN": "1"}, "dashboard", "login", True),
    ],
)
def test_the_environment_sets_a_section_as_json_or_a_key_of_it_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], section: str, key: str, value: object
) -> None:
    file = written(tmp_path, "[rdb]\nport = 6\nkeep_hours = 3\n")
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    settings = load(file)
    assert getattr(getattr(settings, section), key) == value
    assert settings.rdb.keep_hours == 3
    for name in variables:
        monkeypatch.delenv(name)
    assert load(file).rdb.port == 6


@pytest.mark.parametrize("wrong", ["60", "30s", "1w", "1M", "x"])
def test_an_interval_that_is_not_stored_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"processor.intervals: Value error, expected"):
        load(written(tmp_path, f'[processor]\nintervals = ["{wrong}"]\n'))


def test_calendars_are_those_of_bars_else_of_the_feed(tmp_path: Path) -> None:
    text = '[bars]\ncalendars = { XNYS = ["BRK*"], XLON = ["BRK.L"] }\n'
    found = load(written(tmp_path, f'{text}[[feeds]]\nkind = "simulated"\ncalendar = "XTKS"\n')).calendars
    asked = [("BRK.A", "simulated"), ("BRK.L", "simulated"), ("TM", "simulated"), ("TM", "other")]
    assert [found.code(*each) for each in asked] == ["XNYS", "XLON", "XTKS", ""]
    with pytest.raises(SettingsError, match=r"\[\[feeds\]\] calendar: exchange_calendars knows no 'NOPE'"):
        load(written(tmp_path, '[[feeds]]\nkind = "simulated"\ncalendar = "NOPE"\n')).calendars.check()
    twice = '[bars]\ncalendars = { XNYS = ["A"], XLON = ["A"] }\n'
    settings = load(written(tmp_path, twice))
    with pytest.raises(SettingsError, match="A is given to XNYS and to XLON"):
        settings.calendars  # noqa: B018

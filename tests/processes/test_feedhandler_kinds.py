"""Kinds of feeds: how a class is found, what its [[feeds]] may say, and what is said when either is wrong."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installed import install

from feedhandler.__main__ import FeedHandler, feed_of
from feedhandler.feed import MEMBERS, SIMULATED, Feed
from feedhandler.finazon.feed import FinazonFeed
from feedhandler.finazon.settings import FinazonFeedSettings
from feedhandler.kinds import GROUP, checked, class_of, made, module_file
from feedhandler.recorded import RecordedFeed, RecordedFeedSettings
from feedhandler.settings import FeedSettings
from feedhandler.simulated import SimulatedFeed, SimulatedFeedSettings
from plant.errors import SettingsError
from plant.runtime.entry_points import names
from plant.runtime.sections import FeedSection
from plant.runtime.settings import load
from plant.serving import origins

ROOT = Path(__file__).parents[2]
KINDS = {"finazon": FinazonFeed, "recorded": RecordedFeed, "simulated": SimulatedFeed}
GOOD = """
from feedhandler import FeedSettings
class Mine:
    class Settings(FeedSettings):
        price: float
    replayable = finished = False
    def __init__(self, settings):
        if settings.price == 13:
            raise ValueError("price: expected any but 13")
        self.settings = settings
    def start(self, accepted): pass
    def poll(self, now_ns, timeout_s): return []
    def status(self): return "fine"
    def close(self): pass
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Put back the path and the modules, both of which a class of one's own adds to."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def section(text: str) -> FeedSection:
    """Return the only [[feeds]] of ./plant.toml, which is written with these lines."""
    Path("plant.toml").write_text("[[feeds]]\n" + text)
    (found,) = load().feeds
    return found


def test_the_kinds_of_ours_are_installed_and_have_what_a_feed_has() -> None:
    assert set(KINDS) <= set(names(GROUP))
    for kind, expected in KINDS.items():
        assert class_of(kind, Path()) is expected
    assert set(MEMBERS) == {*Feed.__annotations__, *(n for n in vars(Feed) if not n.startswith("_"))}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_frozen_refuse_unknown_keys_and_explain_each(kind: str) -> None:
    settings = KINDS[kind].Settings
    assert settings.model_config["extra"] == "forbid"
    assert settings.model_config["frozen"]
    assert all(field.description for field in settings.model_fields.values())


def test_the_file_in_the_repository_names_every_key_of_its_feed_with_its_default() -> None:
    (feed,) = load(ROOT / "plant.toml").feeds
    assert checked(feed, ROOT / "plant.toml")[1] == SimulatedFeedSettings(name="simulated")
    assert feed.own_keys.keys() == SimulatedFeedSettings.model_fields.keys() - FeedSettings.model_fields.keys()


def test_the_examples_in_that_files_comments_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "plant.toml").read_text()
    file = tmp_path / "plant.toml"
    file.write_text(re.sub(r"^# ((?:\[\[|[a-z_]+ = ).*)$", r"\1", text, flags=re.MULTILINE))
    found = [type(checked(feed, file)[1]) for feed in load(file).feeds]
    assert found == [SimulatedFeedSettings, RecordedFeedSettings, FinazonFeedSettings]


def test_a_recorded_feeds_files_are_meant_from_where_plant_toml_lies(tmp_path: Path) -> None:
    feed = section('kind = "recorded"\npaths = ["a/*.csv", "/abs/b.csv", "../c.csv"]\n')
    _, settings = checked(feed, tmp_path / "plant.toml")
    assert isinstance(settings, RecordedFeedSettings)
    assert [str(Path(p).resolve()) for p in settings.paths] == [
        f"{tmp_path}/a/*.csv",
        "/abs/b.csv",
        f"{tmp_path.parent}/c.csv",
    ]
    assert settings.name == "recorded"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            'kind = "simulated"\nsymbol = ["A"]',
            "feed 'simulated': unknown key symbol; the keys of kind 'simulated' are name, unique_trade_ids, ",
        ),
        ('kind = "simulated"\nname = "a"\nseed = "x"', "feed 'a': seed: Input should be a valid integer.*, found 'x'"),
        ('kind = "simulated"\nsymbols = []', "symbols: .*expected a list of non-empty symbols, found \\[\\]"),
        ('kind = "simulated"\nupdate_s = 0\nsede = 1', "update_s: .*greater than 0, found 0; unknown key sede"),
        ('kind = "recorded"', "feed 'recorded': paths: Field required; the keys of"),
        ('kind = "recorded"\npaths = []', "paths: "),
        ('kind = "recorded"\npaths = ["x.csv"]\nspeed = -1', "speed: .*found -1"),
        ('kind = "recorded"\npaths = ["x.csv"]', "feed 'recorded': paths: no file /.*/x.csv"),
        ('kind = "finazon"\nurl = "http://x"', "url: .*expected wss://host/... or ws://host/..., found 'http://x'"),
        ('kind = "finazon"', "feed 'finazon': the environment has no FINAZON_API_KEY; docs/feeds.md#finazon"),
        ('kind = "simulatd"', "feed 'simulatd': no 'simulatd' is installed; tickplant.feeds has .*recorded.*simulated"),
        ('kind = "nowhere:Feed"', "nowhere:Feed cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ('kind = "json:Feed"', "json:Feed cannot be imported: AttributeError: .*'Feed'"),
        ('kind = "json:dumps"', "json:dumps is no feed: expected a class, found <function"),
        ('kind = "json:JSONEncoder"', "json:JSONEncoder is no feed: it has no Settings, .*; a feed has Settings, "),
        ('kind = "mine:Mine"\nprice = "x"', "feed 'mine': price: .*'x'; the keys of kind 'mine:Mine' are name, "),
        ('kind = "mine:Mine"\nprice = 13', "feed 'mine': price: expected any but 13"),
        ('kind = "broken:Mine"', "broken:Mine cannot be imported: SyntaxError: .*broken.py, line 1"),
        ('kind = "other:Mine"', "other:Mine: expected Settings derived from FeedSettings, found <class 'dict'>"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_the_state_of_the_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    monkeypatch.delenv("FINAZON_API_KEY", raising=False)
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    (tmp_path / "other.py").write_text(GOOD + "    Settings = dict\n")
    label = section(text).label
    feed = feed_of(load(), label)
    assert re.match(f"misconfigured: {re.escape(str(tmp_path))}/plant.toml, .*{complaint}", feed.status())
    assert feed.finished
    assert feed.poll(0, 0) == []


def test_a_misconfigured_feed_says_so_from_its_first_heartbeat_on() -> None:
    section('kind = "simulatd"')
    handler = FeedHandler(load(), "simulatd")
    handler.startup()
    try:
        handler.step()
        assert handler._vitals.row()["state"].startswith("misconfigured: ")
    finally:
        handler.shutdown()


def test_a_name_that_no_feed_has_is_an_error_of_the_command() -> None:
    section('kind = "simulated"')
    with pytest.raises(SettingsError, match=r"no feed 'x' in plant\.toml; feeds are simulated"):
        feed_of(load(), "x")


def test_a_class_beside_plant_toml_gets_its_settings_and_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    feed: Any = made(section('kind = "mine:Mine"\nname = "one"\nprice = 2'), tmp_path / "plant.toml")
    assert feed.settings.model_dump() == {
        "name": "one", "unique_trade_ids": False, "spool_mb": 1024, "calendar": "", "price": 2.0,
    }  # fmt: skip
    assert module_file("mine:Mine", tmp_path) == tmp_path / "mine.py"
    assert module_file("json:Feed", tmp_path) is None
    assert module_file("mine", tmp_path) is None


def test_a_kind_of_another_package_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "venue-feed", GROUP, "venue", "venue_feed:Mine")
    (tmp_path / "site/venue_feed.py").write_text(GOOD)
    made_of, settings = checked(section('kind = "venue"\nprice = 1'), tmp_path / "plant.toml")
    assert made_of.__module__ == "venue_feed"
    assert settings.name == "venue"


def test_a_kind_that_two_packages_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    install(tmp_path / "site", "venue-feed", GROUP, "simulated", "venue_feed:Mine")
    with pytest.raises(SettingsError, match=r"'simulated' means several things: .*venue_feed:Mine \(of venue-feed\)"):
        class_of("simulated", tmp_path)


def test_what_is_made_up_is_told_by_its_source() -> None:
    feed = SimulatedFeed(SimulatedFeedSettings(name="other", history_minutes=1))
    [(_, columns)] = feed.poll(10**18, 0)
    assert set(columns["source"]) == {SIMULATED} == {origins.SIMULATED}


def test_the_simulated_feed_needs_neither_pandas_nor_pyarrow() -> None:
    script = (
        "import sys, pathlib, feedhandler.__main__; from feedhandler.kinds import class_of;"
        "class_of('simulated', pathlib.Path());"
        "print([m for m in ('pandas', 'pyarrow', 'polars', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_base_of_settings_has_what_every_feed_may_say() -> None:
    assert list(FeedSettings.model_fields) == ["name", "unique_trade_ids", "spool_mb", "calendar"]
    assert FeedSettings().unique_trade_ids is False

"""`plant backfill`: planned by day, fetched, compared, written once, gone on with."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer
from made_up_venue import MS, MadeUpHistory, MadeUpSettings, trade_of
from running import RunningPlant
from venue_server import BEGIN_MS, VenueServer

from feedhandler.alpaca.history import AlpacaHistory, written
from feedhandler.alpaca.settings import AlpacaFeedSettings
from feedhandler.backfilling import as_file, compare_with, fetched, parts_of, series_of, venue_of
from feedhandler.command import backfill
from feedhandler.feed import NS_PER_DAY
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import TradeRow
from feedhandler.venue.rest import Answer
from plant.errors import QueryError, SettingsError
from plant.rows.tables import schema_of
from plant.runtime.sections import FeedSection

BEGIN = BEGIN_MS * MS
TRADES = (("1", "N"), ("1", "Q"), ("2", "Q"), ("3", "Q"), ("4", "N"), ("5", "N"))
PROCESS = "feedhandler made-up"
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer() as server:
        yield server


def section(server: VenueServer, **keys: Any) -> FeedSection:
    kind = "made_up_venue:MadeUpFeed"
    return FeedSection(kind=kind, name="made-up", **{"url": server.url, "rest_url": server.rest_url, **keys})


def test_a_plan_has_a_part_for_each_day_and_table_that_the_venue_has(venue: VenueServer) -> None:
    found = venue_of(section(venue, channels=["trades", "bars"], names={"A/X": "A"}), Path("plant.toml"))
    assert series_of(found) == [("trades", ""), ("bars", "1m")]
    series, now = series_of(found, interval="5m"), BEGIN + NS_PER_DAY + 90 * 10**9
    parts = parts_of(found, series, "A/X", BEGIN + 5 * 10**9, BEGIN + NS_PER_DAY + 7 * 10**9, now)
    assert [part.title for part in parts] == [
        "made-up trades A%2FX 2026-01-01T000005 to 2026-01-02T000000",
        "made-up bars 5m A%2FX 2026-01-01T000005 to 2026-01-02T000000",
        "made-up trades A%2FX 2026-01-02T000000 to 2026-01-02T000007",
        "made-up bars 5m A%2FX 2026-01-02T000000 to 2026-01-02T000007",
    ]
    assert parts[2].hole == Hole("trades", "A", "", BEGIN + NS_PER_DAY, BEGIN + NS_PER_DAY + 7 * 10**9)
    assert parts[3].hole == Hole("bars", "A", "5m", BEGIN + NS_PER_DAY, now)  # one that began is not over yet
    found.close()


@pytest.mark.parametrize(
    ("interval", "starts_h"), [("1d", (5, 29)), ("1w", (3, 171)), ("1M", (23, 767)), ("1m", (0, 24))]
)
def test_a_bar_is_of_the_day_in_which_it_starts_wherever_it_ends(interval: str, starts_h: tuple[int, int]) -> None:
    """Bars of days begin at New York's midnight, and a week is in no day as a whole."""
    [part] = parts_of(_venue(), [("bars", interval)], "A", BEGIN, BEGIN + NS_PER_DAY, BEGIN + 90 * NS_PER_DAY)
    numbers = dict.fromkeys("ohlcv", 1.5)
    bars = [{"t": written(BEGIN + hours * 3_600 * 10**9), **numbers} for hours in starts_h]
    body = json.dumps({"bars": bars, "next_page_token": None}).encode()
    history = AlpacaHistory(AlpacaFeedSettings(), ("k", "s"))
    rows, lost = fetched(history, lambda request: Answer("good", body), part.hole, sleep=lambda seconds: None)
    assert ([row.time for row in rows], lost) == ([BEGIN + starts_h[0] * 3_600 * 10**9], "")


def test_what_has_no_past_is_a_sentence(venue: VenueServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="feed 'x': kind 'simulated' has no past that can be asked for"):
        venue_of(FeedSection(kind="simulated", name="x"), Path("plant.toml"))
    monkeypatch.delenv("MADE_UP_KEY")
    with pytest.raises(SettingsError, match=r"feed 'made-up': the environment has no MADE_UP_KEY; docs/feeds.md"):
        venue_of(section(venue), Path("plant.toml"))


def test_too_many_requests_are_waited_for_and_what_is_not_to_be_had_is_told() -> None:
    answers = [Answer("wait", reason="HTTP 429", wait_s=7.0), Answer("no", reason="HTTP 400 no")]
    slept: list[float] = []
    time = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    history = MadeUpHistory(MadeUpSettings(), ("k3y",))
    hole = Hole("trades", "A", "", BEGIN, BEGIN + NS_PER_DAY)
    rows, lost = fetched(history, lambda request: answers.pop(0), hole, sleep=sleep, clock=lambda: time[0])
    assert (rows, lost) == ([], "HTTP 400 no")
    assert sum(slept) == pytest.approx(7.0)


def test_rows_that_come_twice_are_one() -> None:
    rows = [trade_of({"s": "A", "n": n, "t": BEGIN_MS + n, "p": "1.5", "q": "2"}) for n in (2, 1, 2, 3)]
    [part] = parts_of(_venue(), [("trades", "")], "A", BEGIN, BEGIN + 10**9, BEGIN + NS_PER_DAY)
    file = as_file(part, rows, schema_of()["trades"], MadeUpSettings(name="v", names={"ALPHA": "A"}))
    assert [file.columns["venue_seq"][n] for n in file.wanted] == [1, 2, 3]
    assert file.syms == ["ALPHA"]
    assert len(as_file(part, [], schema_of()["trades"], MadeUpSettings(name="v"))) == 0


def test_a_trade_is_known_by_its_id_and_its_exchange_where_each_numbers_by_itself() -> None:
    class Plant:
        def select(self, *_: Any, columns: list[str], **terms: Any) -> pa.Table:
            return pa.table({"exchange": ["Q", "Q", "", None], "trade_id": ["1", "2", "4", "5"]}).select(columns)

    rows = [TradeRow(BEGIN + n, "A", 1.0, 1.0, name, exchange=where) for n, (name, where) in enumerate(TRADES)]
    [part] = parts_of(_venue(), [("trades", "")], "A", BEGIN, BEGIN + 10**9, BEGIN + NS_PER_DAY)
    file = as_file(part, rows, schema_of()["trades"], MadeUpSettings(name="v"))
    compare_with(Plant(), file, "v")
    assert [TRADES[n] for n in file.wanted] == [("1", "N"), ("3", "Q")]


def _venue() -> Any:
    class Some:
        settings = MadeUpSettings(name="v")

    return Some()


@pytest.mark.timeout(180)
def test_history_is_filled_once_beside_what_the_feed_had_and_the_feed_goes_on_where_it_was(
    venue: VenueServer,
    start_plant: Callable[..., RunningPlant],
    eventually: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    feed = f'[[feeds]]\nkind = "made_up_venue:MadeUpFeed"\nname = "made-up"\nurl = "{venue.url}"\n'
    feed += f'rest_url = "{venue.rest_url}"\nsymbols = ["A"]\ncatch_up_h = 100000\n'
    plant = start_plant("tickerplant", "rdb", "hdb", toml=feed)
    venue.trade("A", 300)
    live = [trade_of(venue.trades["A"][n]) for n in (9, 10, 250)]
    with plant.publisher("made-up") as publisher:
        for row in live:
            publisher.publish("trades", {k: v for k, v in row._asdict().items() if k != "exchange"})

    def run(**options: Any) -> str:
        given = {"start": "2026-01-01", "end": "2026-01-03", "table": None, "interval": "", "write": True, **options}
        backfill("made-up", "A", config=str(plant.config), **given)
        return capsys.readouterr().out

    assert "made-up: 2 parts, 0 of them there already" in run(write=False)
    assert not [query for query in venue.requests if query["path"] == "/rest/trades"]
    venue.refused[:] = [400]
    with pytest.raises(typer.Exit):
        run()
    assert "0 rows, 0 written; missing: HTTP 400" in capsys.readouterr().out
    assert "300 rows, 297 written" in run()
    asked = len(venue.requests)
    assert "2 parts, 2 of them there already" in run()
    assert len(venue.requests) == asked
    trades = plant.whole().select("trades", sym="A", frames="arrow")
    assert sorted(trades.column("venue_seq").to_pylist()) == list(range(1, 301))
    assert set(trades.column("source").to_pylist()) == {"made-up"}
    with pytest.raises(QueryError, match="expected START before END"):
        run(start="2026-01-03", end="2026-01-01")

    venue.trade("A", 70)  # while the feed is down
    for name in ("made_up_venue.py", "venue_server.py"):
        shutil.copy(SUPPORT / name, plant.folder)
    for began in (371, 381):  # and again at a restart
        plant.start(PROCESS)
        eventually(lambda: venue.subscribed("A"), 30, lambda: plant.log(PROCESS)[-2000:])
        venue.trade("A", 1)

        def there() -> list[int]:
            return sorted(plant.whole().select("trades", sym="A", frames="arrow").column("venue_seq").to_pylist())

        def state() -> str:
            beats = [batch.columns for batch in plant.journal("heartbeats")]
            return str([b["state"].tolist() for b in beats if b["sym"].tolist() == ["feed-made-up"]][-1:])

        eventually(lambda began=began: len(there()) >= began, 30, lambda: f"{len(there())} trades, {state()}")
        plant.kill(PROCESS)
        assert there() == list(range(1, began + 1))
        venue.cut()
        venue.trade("A", 9)
    told = [batch.columns["detail"].tolist() for batch in plant.journal("gaps")]
    assert "A: fetched later, 70 rows" in [detail for details in told for detail in details]

"""What is said of the data of a chart: made up, played back, late, old, or of a market that is closed."""

import pandas as pd
import pytest

from api.pictures.notes import age_note
from plant.calendars.exchange import exchange
from plant.calendars.sessions import Sessions
from plant.runtime.sections import FeedSection
from plant.serving.origins import origin_notes

FEEDS = (
    FeedSection(kind="recorded", name="tape"),
    FeedSection(kind="polygon", url="wss://delayed.massive.com/stocks"),  # type: ignore[call-arg]
    FeedSection(kind="binance"),
)


@pytest.mark.parametrize(
    ("sources", "notes", "faint"),
    [
        ({"binance"}, [], ""),
        ({"built:binance"}, [], ""),
        ({"simulated"}, ["simulated data: made-up prices"], "SIMULATED"),
        ({"built:simulated", "binance"}, ["simulated data, in part: made-up prices"], "SIMULATED"),
        ({"built:tape"}, ["played back, not live: tape"], ""),
        ({"recorded"}, ["played back, not live: recorded"], ""),
        ({"built:polygon"}, ["delayed by the venue: polygon"], ""),
        (set(), [], ""),
    ],
)
def test_where_bars_are_from_is_said_in_words(sources: set[str], notes: list[str], faint: str) -> None:
    assert origin_notes(sources, FEEDS) == (notes, faint)


def at(text: str) -> int:
    return int(pd.Timestamp(text, tz="America/New_York").value)


def test_bars_are_stale_a_bar_and_a_half_after_the_newest_ended() -> None:
    sessions = Sessions(exchange("XNYS"))
    end = at("2026-11-20 11:00")
    assert age_note(end, "5m", at("2026-11-20 11:07"), sessions) == ""
    assert age_note(end, "5m", at("2026-11-20 11:08"), sessions) == "stale: newest bar ended 8 min ago"
    assert age_note(end, "5m", at("2026-11-21 12:00"), sessions).startswith("stale")


def test_a_market_that_is_closed_is_said_to_be() -> None:
    sessions = Sessions(exchange("XNYS"))
    end = at("2026-11-20 20:00")  # of the post-market
    assert age_note(end, "5m", at("2026-11-21 12:00"), sessions) == "market closed: newest bar ended 16 h ago"
    assert age_note(end, "5m", at("2026-11-23 09:45"), sessions).startswith("stale")
    assert age_note(end, "5m", at("2026-11-21 12:00"), Sessions()).startswith("stale")

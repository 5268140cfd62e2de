"""What a checkpoint is of: it is of other settings if anything differs that it depends on, and of one journal."""

from pathlib import Path
from typing import Any

import pytest
from plain_rows import SCHEMA, batch_of, trade

from plant.runtime.settings import Settings, load
from plant.stream.stream import Mark
from plant.wire import messages
from plant.wire.envelope import header_at, stamp
from plant.wire.record import encode
from processor.checkpoints.origin import settings_hash, why_not_in


def hash_of(folder: Path, text: str) -> str:
    (folder / "plant.toml").write_text(text)
    return settings_hash(load(folder / "plant.toml"))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("[processor]\ntimer_s = 1.0\ncheckpoint_s = 5.0\nport = 5111", True),
        ("[dashboard]\nrefresh_s = 9", True),
        ("[processor]\nmin_bars = 6", False),
        ("[processor]\nsession = 'extended'", False),
        ("[bars]\nsources = ['a']", False),
        ("[bars]\ncalendars = { XNYS = ['A'] }", False),
        ("[[indicators]]\nname = 'e'\nkind = 'ema'", False),
        ("[[signals]]\nname = 's'\nside = 'buy'\nwhen = 'close > open'", False),
    ],
)
def test_the_hash_is_another_if_the_state_would_be(tmp_path: Path, text: str, same: bool) -> None:
    assert (hash_of(tmp_path, text) == hash_of(tmp_path, "")) == same


def test_another_calendar_of_a_feed_and_other_code_of_ones_own_count(tmp_path: Path) -> None:
    assert settings_hash(Settings()) == settings_hash(Settings())
    declared = "[[indicators]]\nname = 'mine'\nkind = 'origin_indicator:Mine'"
    code = "class Mine:\n    def update(self, bar):\n        return bar.close\n"
    (tmp_path / "origin_indicator.py").write_text(code)
    before = hash_of(tmp_path, declared)
    assert hash_of(tmp_path, declared) == before
    (tmp_path / "origin_indicator.py").write_text(code + "# changed\n")
    assert hash_of(tmp_path, declared) != before


class Journal:
    """Answers as a tickerplant does, from records 1, 2, 3, ..., of which those before `first` were removed."""

    def __init__(self, prices: list[float], first: int = 1) -> None:
        self.first, self.records = first, []
        for seq, price in enumerate(prices, 1):
            record = encode(SCHEMA["trades"], batch_of("trades", [trade(seq) | {"price": price}]).columns, 1, seq)
            stamp(record, 0, seq, seq, 5)
            self.records.append(bytes(record))

    def mark(self, seq: int) -> Mark:
        return Mark(seq, seq, header_at(self.records[seq - 1], 0).header_crc)

    def ask(self, _timeout_s: float, **question: Any) -> list[bytes]:
        at = max(question["seq"], self.first) - 1
        beat = messages.Beat(len(self.records), {"trades": len(self.records)}, 1, first_seq=self.first)
        return [messages.beat(beat), b"".join(self.records[at : at + 1])]


def test_a_mark_is_in_a_journal_that_has_its_record_and_all_behind_it() -> None:
    journal, prices = Journal([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]
    other: Any
    for seq in (1, 2, 3):
        for other, wanted in (
            (journal, ""),
            (Journal([*prices, 4.0], first=seq), ""),
            (Journal([*prices, 4.0, 5.0], first=seq + 2), "the journal begins at seq"),
            (Journal(prices[: seq - 1]), "of another journal"),
            (Journal([*prices[: seq - 1], 9.0, 9.0]), "of another journal"),
        ):
            found = why_not_in(other, journal.mark(seq))
            assert found.startswith(wanted) if wanted == "" else wanted in found
            assert bool(found) == bool(wanted)

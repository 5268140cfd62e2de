"""docs/streams.md is true: channels, terms, codes and messages are those of the code."""

import json
import re
from pathlib import Path

from api.streams import client, sentences
from api.streams.shown.channels import CHANNELS, DEFAULT_LAST, MOST_LAST, SECRET_TABLES
from api.streams.talking import OPS

TEXT = (Path(__file__).parents[2] / "docs/streams.md").read_text()


def test_it_lists_the_channels_with_their_terms() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \| (.*) \| (.*) \|$", TEXT, re.MULTILINE)
    told = {
        name: re.findall(r"`(\w+)`", terms) for names, _, terms, _ in rows for name in re.findall(r"`(\w+)`", names)
    }
    assert list(told) == [*CHANNELS]
    for name, channel in CHANNELS.items():
        every = [*([] if channel.table else ["table"]), *channel.terms]
        assert sorted(set(told[name]) - {"conflate"}) == sorted(every), name


def test_it_lists_the_codes() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d{4}) \|", TEXT, re.MULTILINE)}
    assert codes == {client.POLICY, 1009, client.RESTART, client.TOO_SLOW, client.TICKET, client.QUOTA}
    assert f"nothing for {client.STALLED_S:g} s" in TEXT


def test_the_messages_it_shows_are_those_that_are_said() -> None:
    said = [
        sentences.hello("main", "1796006225336903529", 81200, "read"),
        sentences.subscribed(sentences.answer(1), 7),
        sentences.mark(81300, 81290),
        sentences.unsubscribed(None, 7),
    ]
    for text in said:
        json.loads(text)
        assert f"← {text}\n" in TEXT, text
    assert sentences.snapshot(7, 81234, "")[:-16] in TEXT
    assert sentences.update(7, 81236, "")[:-2] in TEXT


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"({DEFAULT_LAST}; at most {MOST_LAST:,})" in TEXT
    assert all(f"`{name}`" in TEXT for name in SECRET_TABLES)
    assert all(f'"op":"{op}"' in TEXT for op in OPS)

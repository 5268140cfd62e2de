"""docs/signals.md is true: its examples answer as it shows, its lists and bounds are those of the code."""

import doctest
import re
import tomllib
from pathlib import Path

from plant.conditions.condition import MOST_BARS, MOST_CHARACTERS, MOST_DEPTH
from plant.conditions.json_form import OPERATORS
from plant.conditions.parsing import condition_of, value_of
from plant.conditions.rules import DEFAULT_SIGNALS, rule_of, rules_of
from plant.indicators.declarations import declared

PAGE = Path(__file__).parents[2] / "docs/signals.md"
TEXT = PAGE.read_text()


def test_the_page_answers_as_it_shows() -> None:
    test = doctest.DocTestParser().get_doctest(TEXT, {}, "signals.md", str(PAGE), 0)
    report: list[str] = []
    result = doctest.DocTestRunner().run(test, out=report.append)
    assert result.attempted > 20
    assert result.failed == 0, "".join(report)


def test_the_rule_it_shows_can_be_used() -> None:
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert block
    (section,) = tomllib.loads(block[1])["signals"]
    rule = rule_of(section, ["close", "high", "volume"])
    assert rule.watches("BRK.A", "5m")
    assert not rule.watches("BRK.A", "1h")


def test_the_six_in_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\w+) \| (buy|sell) \| `(.*?)` \|$", TEXT, re.MULTILINE)
    assert [dict(zip(("name", "side", "when"), row, strict=True)) for row in rows] == list(DEFAULT_SIGNALS)


def test_what_its_grammar_writes_is_read() -> None:
    rows = re.findall(r"^\| (.*?) \| (value|truth) \|", TEXT, re.MULTILINE)
    assert len(rows) == 11
    for written, kind in rows:
        for text in re.findall(r"`(.*?)`", written):
            if kind == "value":
                value_of(text)
            else:  # p and q stand for truths, a comparison's sign for one of x and y
                text = re.sub(r"\b([pq])\b", r"\1 > 0", text if re.search(r"\w", text) else f"x {text} y")
                condition_of(text)


def test_the_bounds_and_operators_in_the_page_are_those_of_the_code() -> None:
    page = " ".join(TEXT.split())
    assert f"{MOST_CHARACTERS:,} characters, {MOST_DEPTH} operators" in page
    assert f"looks back at most {MOST_BARS} bars" in page
    assert f"one of `{' '.join(OPERATORS)}`" in page


def test_what_a_ut_bot_raises_is_as_the_page_shows() -> None:
    (bot,) = declared([{"name": "bot", "kind": "ut_bot"}], defaults=False)
    rules = rules_of([], bot.columns, [bot])
    for rule, numbers in zip(rules, ([11.3, 9.9633], [10.3, 11.5988]), strict=True):
        assert f"| {rule.side} | `{rule.when.text}` | {rule.detail('', numbers)} |" in TEXT

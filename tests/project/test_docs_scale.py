"""docs/scale.md says what the code does."""

import inspect
import re
import tomllib
from pathlib import Path

from mirror import command, jetstream, syncing
from plant.runtime.promotion import PROMOTED
from plant.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text()


def test_settings_on_the_page_are_settings() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        Settings.model_validate(tomllib.loads(block))


def test_what_a_server_needs_is_what_the_mirror_asks_for() -> None:
    assert "sync_interval: always" in PAGE
    assert jetstream.LEAST_PAYLOAD < 9 * 10**6, "max_payload: 9MB is on the page"
    assert f"`{syncing.NOT_CHECKED}`" in PAGE
    assert "messages of less than 8 MiB and a little" in PAGE


def test_what_promoting_does_is_on_the_page() -> None:
    options = inspect.signature(command.promote).parameters
    assert f"`--still {options['still'].default:g}`" in PAGE
    assert "`--old " in PAGE
    assert f"the file `{PROMOTED}` of the data folder" in PAGE


def test_the_supervised_example_is_there() -> None:
    assert "make cluster" in PAGE
    assert "cluster: install\n\t$(BIN)/python examples/cluster.py" in (ROOT / "Makefile").read_text()

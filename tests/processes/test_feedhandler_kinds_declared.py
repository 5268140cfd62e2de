"""The kinds that pyproject.toml declares: each can be imported, has what a feed has, explains its keys, has a page."""

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from feedhandler.feed import MEMBERS
from feedhandler.settings import FeedSettings
from feedhandler.venue.settings import VenueSettings

ROOT = Path(__file__).parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tickplant.feeds"]
COMMON = {"symbols", "channels", "interval", "url", "rest_url", "record", "calendar", "name"}


def made_of(kind: str) -> Any:
    module, _, name = DECLARED[kind].partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("kind", DECLARED)
def test_a_kind_has_what_a_feed_has_and_explains_its_keys(kind: str) -> None:
    feed = made_of(kind)
    assert not [member for member in MEMBERS if not hasattr(feed, member)]
    settings = feed.Settings
    assert issubclass(settings, FeedSettings)
    assert settings.model_config["frozen"]
    assert all(field.description for field in settings.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        settings(sybmols=["X"])


@pytest.mark.parametrize("kind", [kind for kind in DECLARED if issubclass(made_of(kind).Settings, VenueSettings)])
def test_a_venue_has_the_keys_of_all_venues_and_its_place_in_the_page(kind: str) -> None:
    assert set(made_of(kind).Settings.model_fields) >= COMMON
    page = (ROOT / "docs/feeds.md").read_text()
    assert f"\n### {kind}\n" in page
    assert f"| [{kind}](#{kind}) |" in page
    for variable in getattr(made_of(kind), "key_variables", ()):
        assert f"`{variable}`" in page

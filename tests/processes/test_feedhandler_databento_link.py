"""What a feed says whose client is not installed."""

import sys

import pytest

from feedhandler.databento.feed import DatabentoFeed
from feedhandler.databento.settings import DatabentoFeedSettings


def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-" + "x" * 29)
    monkeypatch.setitem(sys.modules, "databento", None)
    with pytest.raises(ValueError, match=r"Databento's client is not installed .*pip install 'tickplant\[databento\]'"):
        DatabentoFeed(DatabentoFeedSettings(dataset="XNAS.ITCH"))

"""What an S3 store answers, and what becomes of it: without a store (tests/endtoend/test_archive.py has a real one)."""

from pathlib import Path
from unittest import mock

import pytest
import requests

from archive.s3 import S3Store
from plant.checksum import crc32
from plant.errors import HistoryError
from plant.history.warehouse import Warehouse


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store that is never asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    return S3Store(Warehouse("s3://plant/history"))


@pytest.mark.parametrize("status", [301, 307])
def test_a_bucket_of_another_region_has_nothing_put_there(store: S3Store, tmp_path: Path, status: int) -> None:
    """AWS answers with where the bucket is; what was sent is nowhere."""
    answer = requests.Response()
    answer.status_code, answer.reason, answer._content = status, "Moved", b"<Code>PermanentRedirect</Code>"
    path = tmp_path / "day.parquet"
    path.write_bytes(b"rows")
    with mock.patch.object(requests.Session, "request", return_value=answer):
        for ask in (
            lambda: store.put("trades/day.parquet", path, crc32(b"rows")),
            lambda: store.read("manifest.json"),
            lambda: store.replace("manifest.json", b"{}", None),
        ):
            with pytest.raises(HistoryError, match="AWS_REGION") as raised:
                ask()
            assert "very secret" not in str(raised.value)

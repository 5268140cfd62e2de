"""[archive] of plant.toml: what it may say, and what it is told where it may not."""

from pathlib import Path

import pytest

from plant.errors import SettingsError
from plant.history.warehouse import Access, Warehouse
from plant.runtime.settings import load


def archive(folder: Path, toml: str) -> Warehouse | None:
    """Return where the archive of a plant.toml lies."""
    (folder / "plant.toml").write_text(f"[archive]\n{toml}\n")
    return load(folder / "plant.toml").archive.place


def test_without_a_warehouse_there_is_no_archive(tmp_path: Path) -> None:
    assert archive(tmp_path, "") is None


def test_a_folder_is_meant_from_where_the_file_lies_and_a_bucket_as_it_stands(tmp_path: Path) -> None:
    folder = archive(tmp_path, 'warehouse = "far/away"')
    assert folder is not None
    assert folder.uri("a/b") == f"file://{tmp_path}/far/away/a/b"
    bucket = archive(tmp_path, 'warehouse = "s3://plant/history/"\nendpoint = "http://127.0.0.1:8333/"')
    assert bucket == Warehouse("s3://plant/history", "http://127.0.0.1:8333")
    assert bucket.uri("a/b") == "s3://plant/history/a/b"
    assert bucket.name(bucket.uri("a/b")) == "a/b"


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('warehouse = "gs://plant"', 'expected "s3://bucket/prefix"'),
        ('warehouse = "s3://X"', 'expected "s3://bucket/prefix"'),
        ('warehouse = "far"\nendpoint = "http://127.0.0.1:1"', "endpoint is of an s3:// warehouse"),
        ('warehouse = "s3://plant"\nendpoint = "127.0.0.1:1"', "begins with http:// or https://"),
        ('warehouse = "far"\ncatalog = "catalog.db"', "expected a catalogue's URI"),
        ("read = true", "read is of an archive, and there is none: set warehouse"),
        ('warehouse = "far"\nkeep = 1', "unknown key archive.keep"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        archive(tmp_path, toml)
    assert told in str(error.value)


def test_keys_come_from_the_environment() -> None:
    there = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_REGION": "eu-west-1",
    }
    assert Access.of_environment(there) == Access("a", "b", "c", "eu-west-1")
    with pytest.raises(SettingsError, match="has no AWS_SECRET_ACCESS_KEY"):
        Access.of_environment({"AWS_ACCESS_KEY_ID": "a"})

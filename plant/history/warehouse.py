"""Where an archive of the history lies, and what it holds: object storage that speaks S3, or a folder.

    <warehouse>/manifest.json                       what counts, replaced as a whole
    <warehouse>/<table>/month=2026-11/2026-11-20.<cut>.parquet       a day, as plant.history.projection has it
    <warehouse>/replaced/<table>/<cut>.<day or month>.parquet        rows that were replaced after their day was closed
    <warehouse>/<table>/metadata/...                Iceberg's

A file has the name it has in the history, and is never changed; names never come twice. So whoever finds one has it
whole. `history/archived` beside the catalogue says which files of the history the archive holds.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plant.data_folder import replace_file, sync_folder
from plant.errors import HistoryError, SettingsError

if TYPE_CHECKING:
    import pyarrow.fs as pafs

MANIFEST = "manifest.json"

ARCHIVED = "archived"

S3 = "s3://"

REGION = "us-east-1"
"""The region of stores that have none of their own."""

TIMEOUT_S = 20.0
"""Longest a store may take to answer before a question about it fails."""


@dataclass(frozen=True)
class Access:
    """The keys of a store, as AWS's tools find them in the environment."""

    key: str
    secret: str
    token: str = ""
    region: str = REGION

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Access":
        """Return what the environment has. Raises SettingsError, naming what is missing."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        if missing := [name for name in names if not environment.get(name)]:
            raise SettingsError(
                f"archive.warehouse is an s3:// address, and the environment has no {' and no '.join(missing)}; set it "
                "where the plant is started (`plant up`)"
            )
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION
        key, secret = (environment[name] for name in names)
        return cls(key, secret, environment.get("AWS_SESSION_TOKEN", ""), region)

    def __repr__(self) -> str:
        return f"Access({self.key!r}, region={self.region!r})"


@dataclass(frozen=True)
class Warehouse:
    """Where an archive lies.

    place      "s3://bucket/prefix", or the absolute path of a folder
    endpoint   "http://127.0.0.1:8333" of a store that is not AWS's; "" for AWS
    """

    place: str
    endpoint: str = ""

    @property
    def is_s3(self) -> bool:
        """Whether it lies in object storage."""
        return self.place.startswith(S3)

    @property
    def root(self) -> str:
        """Its path within `filesystem`."""
        return self.place.removeprefix(S3).rstrip("/")

    @cached_property
    def access(self) -> Access:
        """The keys of the store. Raises SettingsError if the environment lacks them."""
        return Access.of_environment()

    @cached_property
    def filesystem(self) -> "pafs.FileSystem":
        """The files of the store, as PyArrow reads them. Raises SettingsError as `access` does."""
        import pyarrow.fs as pafs  # which who only reads the settings does without

        if not self.is_s3:
            return pafs.LocalFileSystem()
        access = self.access
        scheme, _, host = self.endpoint.partition("://")
        options: dict[str, Any] = {"endpoint_override": host, "scheme": scheme} if self.endpoint else {}
        return pafs.S3FileSystem(
            access_key=access.key,
            secret_key=access.secret,
            session_token=access.token or None,
            region=access.region,
            connect_timeout=TIMEOUT_S,
            request_timeout=TIMEOUT_S,
            **options,
        )

    def path(self, name: str) -> str:
        """Return the path of a file within `filesystem`."""
        return f"{self.root}/{name}"

    def uri(self, name: str) -> str:
        """Return the address of a file as other tools take it."""
        return f"{S3}{self.path(name)}" if self.is_s3 else f"file://{self.path(name)}"

    def name(self, uri: str) -> str:
        """Return which file an address is of; the address itself if it is of none of the warehouse's."""
        return uri.removeprefix(self.uri(""))


def note_archived(folder: Path, generation: int, closed: int, paths: Iterable[str], place: str = "") -> None:
    """Write down in the history's folder which of its files the archive holds, and of which catalogue that is true.

    `place` is where the archive lies.

    Raises HistoryError, what was written before left in place.
    """
    fields = {"generation": generation, "closed": closed, "warehouse": place, "paths": sorted(paths)}
    try:
        replace_file(folder / ARCHIVED, json.dumps(fields, separators=(",", ":")).encode())
        sync_folder(folder)
    except OSError as error:
        raise HistoryError(f"{folder / ARCHIVED}: cannot be written: {error.strerror}") from None


def archived_in(folder: Path, place: str = "") -> frozenset[str]:
    """Return the files of the history in `folder` that the archive holds, as far as it said. Raises HistoryError.

    `place` is where the archive lies: what another one said is not true of it; "": of whichever there is.
    """
    try:
        fields = json.loads((folder / ARCHIVED).read_text())
        paths = frozenset(fields["paths"])
        return paths if not place or fields.get("warehouse", place) in ("", place) else frozenset()
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(
            f"{folder / ARCHIVED}: cannot be read ({error!r}); remove it: the archive writes it again"
        ) from None


def noted_at(folder: Path) -> tuple[int, ...]:
    """Return what changes whenever somebody writes or removes what `archived_in` reads."""
    try:
        found = (folder / ARCHIVED).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size

"""Where the archive's files are put: names that are made once, and one file that is replaced if it is as it was.

`FolderStore` is a folder, on this machine or mounted from another; archive.s3 has the store that speaks S3.
"""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.fs as pafs

from plant.data_folder import PARTIAL, lock, partial_of, replace_file, sync_folder
from plant.errors import HistoryError, Unavailable
from plant.history.warehouse import Warehouse


class Store(Protocol):
    """What holds files by name. Everything raises Unavailable if it does not answer, HistoryError if it refuses."""

    def put(self, name: str, path: Path, crc: int) -> bool:
        """Put a file there under a name that nothing has, as a whole or not at all; False if something has it.

        `crc` is the CRC-32 of its bytes. The file is written to no more: a folder may make it its own.
        """

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a file and its version, None if it is not there."""

    def replace(self, name: str, data: bytes, version: str | None) -> str | None:
        """Put a file in the place of the version that was read (None: of nothing); None if it is another by now."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""

    def sizes(self) -> dict[str, int]:
        """Return every file there is, by name, with its size."""

    def close(self) -> None:
        """Let go of it."""


class FolderStore:
    """A folder that one archive writes. Raises HistoryError if another does, or it cannot be written."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._folder = Path(warehouse.root)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = lock(
                self._folder,
                lambda holder: HistoryError(
                    f"{self._folder}: another archive (pid {holder}) writes there; stop it, or name another folder as "
                    "[archive] warehouse"
                ),
            )
        except OSError as error:
            raise HistoryError(f"{self._folder}: cannot be written: {error.strerror}") from None

    def put(self, name: str, path: Path, crc: int) -> bool:
        """See Store."""
        place = self._folder / name
        partial = partial_of(place)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            try:
                os.link(path, partial)
            except OSError:  # another disk, or one that knows no links
                shutil.copyfile(path, partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            try:
                os.link(partial, place)
            except FileExistsError:
                return False
            finally:
                partial.unlink()
            for folder in place.parents:  # of which some may be new as well
                sync_folder(folder)
                if folder == self._folder:
                    break
        except OSError as error:
            raise HistoryError(f"{place}: cannot be written: {error.strerror}") from None
        return True

    def read(self, name: str) -> tuple[bytes, str] | None:
        """See Store."""
        with contextlib.suppress(FileNotFoundError):
            data = (self._folder / name).read_bytes()
            return data, hashlib.sha256(data).hexdigest()
        return None

    def replace(self, name: str, data: bytes, version: str | None) -> str | None:
        """See Store; who holds the folder's lock is the only one to write."""
        found = self.read(name)
        if (found and found[1]) != version:
            return None
        try:
            replace_file(self._folder / name, data)
            sync_folder(self._folder)
        except OSError as error:
            raise HistoryError(f"{self._folder / name}: cannot be written: {error.strerror}") from None
        return hashlib.sha256(data).hexdigest()

    def remove(self, name: str) -> None:
        """See Store."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise HistoryError(f"{self._folder / name}: cannot be removed: {error.strerror}") from None

    def sizes(self) -> dict[str, int]:
        """See Store."""
        return sizes_in(self._warehouse)

    def close(self) -> None:
        """See Store."""
        os.close(self._held)


def sizes_in(warehouse: Warehouse) -> dict[str, int]:
    """Return the Parquet files of a warehouse, by name, with their sizes. Raises Unavailable."""
    selector = pafs.FileSelector(warehouse.root, allow_not_found=True, recursive=True)
    try:
        found = warehouse.filesystem.get_file_info(selector)
    except (OSError, pa.ArrowException) as error:
        raise Unavailable(f"{warehouse.place}: cannot be listed: {first_line(error)}") from None
    files = [f for f in found if f.type == pafs.FileType.File and not f.path.endswith(PARTIAL)]
    return {f.path.removeprefix(f"{warehouse.root}/"): f.size for f in files if f.path.endswith(".parquet")}


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""Iceberg's own files in a folder, as pyiceberg writes them, made durable before the catalogue points at them.

pyiceberg closes a file and goes on; a power cut then leaves a catalogue in SQLite, which syncs, whose newest metadata
are empty. Here a file is synced as it is closed, and every folder it may have made as well. Object storage has it by
itself: what it has acknowledged lasts.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Any

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from plant.data_folder import sync_folder


class DurableFileIO(PyArrowFileIO):
    """Files of a folder, of which those that are written are durable once they are closed."""

    def new_output(self, location: str) -> PyArrowFile:
        """Return a file to be written."""
        found = super().new_output(location)
        made = DurableFile(location, found._path, found._filesystem, found._buffer_size)
        made.root = Path(self.properties["warehouse"])
        return made


class DurableFile(PyArrowFile):
    """A file in the folder `root`, or below, that is durable once what `create` returned is closed."""

    root: Path

    def create(self, overwrite: bool = False) -> OutputStream:
        """Return a stream to write to."""
        path = Path(self._path)
        made = [folder for folder in path.parents if folder.is_relative_to(self.root)]
        return _Durable(super().create(overwrite), path, made)


class _Durable:
    """A stream whose file is synced when it is closed, and the folders that may be new."""

    def __init__(self, stream: Any, path: Path, folders: list[Path]) -> None:
        self._stream, self._path, self._folders = stream, path, folders
        self._synced = False

    def write(self, data: bytes) -> int:
        return int(self._stream.write(data))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        self._stream.close()
        if self._synced:
            return
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
        for folder in self._folders:
            sync_folder(folder)
        self._synced = True

    def __enter__(self) -> "_Durable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

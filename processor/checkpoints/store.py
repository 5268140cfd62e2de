"""The file of a checkpoint, `checkpoint.npz`: a zip of arrays as numpy writes and reads them, replaced as a whole.

Not compressed, each array with its CRC-32. The first is msgpack of everything that is no array, and of what the
checkpoint is of: the settings, and where in the journal it stands.
"""

from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np

from plant.data_folder import partial_of, replacing, sync_folder
from plant.stream.stream import Mark
from processor.checkpoints.saved import Saved

FILE = "checkpoint.npz"

FORMAT = 1
"""Of the file and of all that lies in it; one of another is not read."""

_PLAIN, _ARRAY = "plain", 1


class Unusable(Exception):
    """A checkpoint cannot be gone on from; why is a sentence."""


class Checkpoint(NamedTuple):
    """What was known at a place in the journal.

    settings   hash of what the state depends on
    mark       where in the journal it stands
    taken      of each table, the seq up to which its rows are in the state
    state      by name, the Saved of each part
    """

    settings: str
    mark: Mark
    taken: dict[str, int]
    state: Saved


class Store:
    """The checkpoint in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self, settings: str) -> Checkpoint:
        """Return the checkpoint. Raises Unusable if there is none, it is damaged, or of other settings."""
        if not self.path.exists():
            raise Unusable("there is no checkpoint")
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                plain = msgpack.unpackb(
                    arrays[_PLAIN].tobytes(),
                    use_list=False,
                    strict_map_key=False,
                    ext_hook=lambda _, number: arrays[number.decode()],
                )
            found = plain["format"], plain["settings"]
            checkpoint = Checkpoint(plain["settings"], Mark(*plain["mark"]), plain["taken"], plain["state"])
        except Exception as error:  # whatever a damaged zip may raise
            raise Unusable(f"{self.path} is damaged: {type(error).__name__}: {error}") from None
        if found[0] != FORMAT:
            raise Unusable(f"the checkpoint has the format {found[0]}, expected {FORMAT}")
        if found[1] != settings:
            raise Unusable("the checkpoint is of other settings")
        return checkpoint

    def write(self, checkpoint: Checkpoint) -> int:
        """Replace the checkpoint, and return its size in bytes. The old one stays until the new one is on disk.

        Raises OSError.
        """
        arrays: list[np.ndarray] = []

        def place(value: Any) -> msgpack.ExtType:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"a checkpoint has arrays and plain values, found {value!r}")
            arrays.append(value)
            return msgpack.ExtType(_ARRAY, str(len(arrays)).encode())

        plain = msgpack.packb({"format": FORMAT, **checkpoint._asdict()}, default=place)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        named = {str(number): array for number, array in enumerate(arrays, 1)}
        with replacing(self.path) as file:
            np.savez(file, **{_PLAIN: np.frombuffer(plain, np.uint8)}, **named)  # type: ignore[arg-type]
            size = file.tell()
        sync_folder(self.path.parent)
        return size

    def clear(self) -> None:
        """Delete what a crash left of one that was on its way. Raises OSError."""
        partial_of(self.path).unlink(missing_ok=True)

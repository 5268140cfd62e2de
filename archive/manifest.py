"""The manifest: which files of the archive count, for those who read it without Iceberg, and who writes it."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archive.steps import Wanted
from plant.errors import HistoryError

VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What counts.

    owner        tells the archive that writes it from any other
    generation   of the catalogue it was made of; `closed`, `closed_day` as there
    files        as in the catalogue, without crc; `bytes` of the copy
    replaced     likewise, rows that were amended or replaced after their day was closed
    tables       where Iceberg's newest metadata of each table are, for those who have no catalogue to ask
    """

    owner: str
    generation: int = 0
    closed: int = 0
    closed_day: str = ""
    files: tuple[Mapping[str, Any], ...] = ()
    replaced: tuple[Mapping[str, Any], ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, owner: str, wanted: Wanted, sizes: Mapping[str, int], tables: Mapping[str, str]) -> "Manifest":
        """Return the manifest of what an archive holds."""
        files: list[Mapping[str, Any]] = []
        replaced: list[Mapping[str, Any]] = []
        for name, file in sorted(wanted.files.items()):
            fields = {**dataclasses.asdict(file), "bytes": sizes[name]}
            del fields["crc"]
            (replaced if name.startswith("replaced/") else files).append(fields)
        return cls(owner, wanted.generation, wanted.closed, wanted.closed_day, tuple(files), tuple(replaced), tables)

    @property
    def names(self) -> frozenset[str]:
        """Names of all files."""
        return frozenset(f["path"] for f in (*self.files, *self.replaced))

    def encoded(self) -> bytes:
        """Return its bytes."""
        return json.dumps({"version": VERSION, **dataclasses.asdict(self)}, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, data: bytes, where: str) -> "Manifest":
        """Return the manifest that bytes are. Raises HistoryError."""
        try:
            fields = json.loads(data)
            if (version := fields.pop("version")) != VERSION:
                raise ValueError(f"version {version}, and this tickplant reads {VERSION}")
            found = cls(**{**fields, "files": tuple(fields["files"]), "replaced": tuple(fields["replaced"])})
            found.names  # noqa: B018  (what is no file has no path)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HistoryError(f"{where}: expected a manifest of ours, found {error!r}; move it away") from None
        return found

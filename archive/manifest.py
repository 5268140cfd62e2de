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

    def check_age(self, wanted: Wanted) -> None:
        """Raise HistoryError if a history knows less than the archive was told: it would let go of the rest."""
        if wanted.closed < self.closed:
            raise HistoryError(
                f"the archive has days closed up to seq {self.closed:,} ({self.closed_day}), this history up to "
                f"{wanted.closed:,} only: it is another one, or an older one that was restored; restore the newest "
                "catalogue, or name another [archive] warehouse"
            )

    def check_files(self, wanted: Wanted, sizes: Mapping[str, int]) -> None:
        """Raise HistoryError if a file in the store is not the one that is wanted under its name, or not all of it.

        sizes   of the files in the store; one that is missing is put there
        """
        for told in (*self.files, *self.replaced):
            file = wanted.files.get(told["path"])
            if file is None:
                continue
            if (told["rows"], told["row_sum"]) != (file.rows, file.row_sum):
                raise HistoryError(
                    f"{file.path}: the archive has it with {told['rows']:,} rows, the history with {file.rows:,}, or "
                    "others: the history was restored, or is another one; name another [archive] warehouse"
                )
            if (found := sizes.get(file.path, told["bytes"])) != told["bytes"]:
                raise HistoryError(
                    f"{file.path}: expected the {told['bytes']:,} bytes that the archive has put there, found "
                    f"{found:,}: somebody changed it; remove it, and it is put there again if the history has it"
                )

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

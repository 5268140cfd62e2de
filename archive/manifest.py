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
    waiting      names of files of closed days that could not be archived, or are not as they were put there; of their
                 days `files` has what was there before. It stands in the file only if there are some
    """

    owner: str
    generation: int = 0
    closed: int = 0
    closed_day: str = ""
    files: tuple[Mapping[str, Any], ...] = ()
    replaced: tuple[Mapping[str, Any], ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()

    @classmethod
    def of(cls, owner: str, wanted: Wanted, sizes: Mapping[str, int], tables: Mapping[str, str]) -> "Manifest":
        """Return the manifest of what an archive holds; `sizes` are those of its files, 0 for one that is lost."""
        files: list[Mapping[str, Any]] = []
        replaced: list[Mapping[str, Any]] = []
        for name, file in sorted(wanted.files.items()):
            fields = {**dataclasses.asdict(file), "bytes": sizes.get(name, 0)}
            del fields["crc"]
            (replaced if name.startswith("replaced/") else files).append(fields)
        every, waiting = (tuple(files), tuple(replaced)), tuple(sorted(wanted.waiting))
        return cls(owner, wanted.generation, wanted.closed, wanted.closed_day, *every, tables, waiting)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of all files, by name."""
        return {f["path"]: f["bytes"] for f in (*self.files, *self.replaced)}

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

    def changed(self, wanted: Wanted, sizes: Mapping[str, int]) -> dict[str, str]:
        """Return the files that somebody has changed in the store, by name, with a sentence about each.

        sizes   of the files in the store; one that is missing is put there

        Raises HistoryError if a file is not the one that is wanted under its name: the history is another one.
        """
        found = {}
        for told in (*self.files, *self.replaced):
            file = wanted.files.get(told["path"])
            if file is None:
                continue
            if (told["rows"], told["row_sum"]) != (file.rows, file.row_sum):
                raise HistoryError(
                    f"{file.path}: the archive has it with {told['rows']:,} rows, the history with {file.rows:,}, or "
                    "others: the history was restored, or is another one; name another [archive] warehouse"
                )
            if (size := sizes.get(file.path, told["bytes"])) != told["bytes"]:
                found[file.path] = (
                    f"{file.path}: expected the {told['bytes']:,} bytes that the archive has put there, found "
                    f"{size:,}: somebody changed it; remove it, and it is put there again if the history has it"
                )
        return found

    def encoded(self) -> bytes:
        """Return its bytes."""
        fields = {"version": VERSION, **dataclasses.asdict(self)}
        if not self.waiting:  # so that a tickplant that knows of none can read it
            del fields["waiting"]
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, data: bytes, where: str) -> "Manifest":
        """Return the manifest that bytes are. Raises HistoryError."""
        try:
            fields = json.loads(data)
            if (version := fields.pop("version")) != VERSION:
                raise ValueError(f"version {version}, and this tickplant reads {VERSION}")
            lists = {name: tuple(fields.get(name, ())) for name in ("files", "replaced", "waiting")}
            found = cls(**{**fields, **lists})
            found.names  # noqa: B018  (what is no file has no path)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HistoryError(f"{where}: expected a manifest of ours, found {error!r}; move it away") from None
        return found

"""Annotations written as a person's word: drawn, changed, copied, deleted; and whether what was written counts."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from plant.client.connect import connect, publisher
from plant.client.connection import Connection
from plant.control.drawn import copied, drawn_columns, fresh_uuid
from plant.control.writing import ASK_S, fresh_id, who
from plant.errors import QueryError, Refused, Unavailable
from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS
from plant.rows.tables import schema_of
from plant.runtime.settings import load
from plant.state.annotations import AUTO, Annotations
from plant.state.newest import Fold, Row

LOOK_AGAIN_S = 0.02
"""Pause between looks at what was written."""


class NoAnnotation(QueryError):
    """There is no annotation of this id, or it was deleted."""


class AutomaticAnnotation(Refused):
    """A detector found it: it is not changed by hand, but copied or deleted."""


class OvertakenAnnotation(Refused):
    """Another version of it is the newest one by now; nothing that counts was written."""


def updated(fold: Annotations, name: str, told: Mapping[str, Any], source: str, seen: int | None, time: int) -> Row:
    """Return the row that changes some of FIELDS of an annotation. `seen`: the version that the writer looked at.

    Raises BadAnnotation, NoAnnotation, AutomaticAnnotation, OvertakenAnnotation.
    """
    before = there(fold, name)
    if before["source"] == AUTO:
        raise AutomaticAnnotation(
            f"{name} was found by the plant ({before['type']}), which changes it; copy it, and change the copy"
        )
    _newest(before, seen)
    return fold.changed(name, "update", source, time, **drawn_columns(told, before))


def deleted(fold: Annotations, name: str, source: str, seen: int | None, time: int, reason: str = "") -> Row:
    """Return the row that deletes an annotation. Raises NoAnnotation, OvertakenAnnotation."""
    _newest(there(fold, name), seen)
    return fold.changed(name, "delete", source, time, reason or f"deleted by {source}")


def there(fold: Annotations, name: str) -> Row:
    """Return the newest row of an annotation. Raises NoAnnotation."""
    if name in fold:
        return fold[name]
    gone = fold.newest(name)
    why = f"it was deleted by {gone['source']}" if gone else "`plant annotations list` shows what there is"
    raise NoAnnotation(f"there is no annotation {name!r}: {why}")


def outcome(fold: Annotations, row: Row, seq: int) -> Row | None:
    """Return a row that was acknowledged at a seq as the plant has it, None if the fold does not have it yet.

    Raises OvertakenAnnotation if another writer's row has its version.
    """
    name, version = row["id"], row["version"]
    found, newest = fold.writer(name, version), fold.newest(name)
    if found is None or newest is None:
        return None
    if found[0] != seq:
        raise OvertakenAnnotation(
            f"version {version} of {name} was written by another at seq {found[0]:,}; look, and try again"
        )
    return newest if newest["version"] == version else {**row, "seq": found[0], "seq_row": found[1]}


class Pen:
    """Writes annotations, each as its next version, and sees to it that what was written counts.

    read      has a fold take all rows of one id: read(id, fold)
    publish   publishes a row and returns its seq once it is in the journal
    whole     the history has all days there ever were
    close     lets go of what the other two hold

    As a context manager it closes at the end. Any thread.
    """

    def __init__(
        self,
        read: Callable[[str, Fold], None],
        publish: Callable[[Row], int],
        whole: bool = True,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._read, self._publish, self._whole, self.close = read, publish, whole, close

    def __enter__(self) -> "Pen":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, told: Mapping[str, Any], source: str) -> Row:
        """Draw an annotation of FIELDS; return its row as the plant has it. Raises BadAnnotation."""
        columns = drawn_columns(told)
        now = time.time_ns()
        fold = Annotations()
        return self._written(fold, fold.changed(fresh_uuid(now), "create", source, now, **columns))

    def update(self, name: str, told: Mapping[str, Any], source: str, seen: int | None = None) -> Row:
        """Change some of FIELDS of an annotation; return its row. Raises as `updated` does."""
        fold = self._fold(name)
        return self._written(fold, updated(fold, name, told, source, seen, time.time_ns()))

    def copy(self, name: str, source: str) -> Row:
        """Draw a copy of an annotation, also of one that was found; return its row. Raises NoAnnotation."""
        return self.create(copied(there(self._fold(name), name)), source)

    def delete(self, name: str, source: str, seen: int | None = None, reason: str = "") -> Row:
        """Delete an annotation; return the row that does. What was found and deleted is not found again.

        Raises as `deleted` does.
        """
        fold = self._fold(name)
        return self._written(fold, deleted(fold, name, source, seen, time.time_ns(), reason))

    def _fold(self, name: str) -> Annotations:
        fold = Annotations(self._whole)
        self._read(name, fold)
        return fold

    def _written(self, fold: Annotations, row: Row) -> Row:
        """Publish a row and return it as the plant has it, once it is answered."""
        seq = self._publish(row)
        what = f"version {row['version']} of {row['id']} is in the journal at seq {seq:,}, but not answered yet"
        deadline = time.monotonic() + ASK_S
        while (found := outcome(fold, row, seq)) is None:
            if time.monotonic() > deadline:
                raise Unavailable(what)
            time.sleep(LOOK_AGAIN_S)
            try:
                self._read(row["id"], fold)
            except Unavailable as error:
                raise Unavailable(f"{what}: {error}") from None
        return found


def _newest(row: Row, seen: int | None) -> None:
    """Raise OvertakenAnnotation if a writer saw another version than the newest."""
    if seen is not None and row["version"] != seen:
        raise OvertakenAnnotation(
            f"{row['id']} is at version {row['version']} by now, written by {row['source']}; you saw version {seen}. "
            "Nothing was written: look at it as it is now, and try again"
        )


def pen_of(config: str | None, whole: bool | None = None) -> Pen:
    """Return a pen for the plant of a plant.toml. It connects when it is first used, and publishes each row anew.

    whole   as in Pen; None: as plant.toml says, which must be there by now
    """
    if whole is None:
        whole = not load(config).hdb.keep_days
    table = schema_of()["annotations"]
    names = (*table.names, *META_COLUMNS)
    lock, kept = threading.Lock(), list[Connection]()

    def connection() -> Connection:
        with lock:
            if not kept:
                kept.append(connect(config=config, frames="arrow", timeout_s=ASK_S))
            return kept[0]

    def read(name: str, fold: Fold) -> None:
        found = connection().select("annotations", columns=names, where={"id": name})
        if len(found):
            fold.take(columns_from_arrow(found, table, names))

    def publish(row: Row) -> int:
        with publisher(f"annotations-{fresh_id()}", config=config) as feed:
            feed.publish("annotations", row, strict=True)
            return feed.flush()

    def close() -> None:
        with lock:
            while kept:
                kept.pop().close()

    return Pen(read, publish, whole, close)


def source_of(name: str = "") -> str:
    """Return the source of what somebody draws, as rows have it; "" is the user of this process.

    >>> source_of("ada"), source_of("user:ada")
    ('user:ada', 'user:ada')
    """
    return who() if not name else name if name.startswith("user:") else f"user:{name}"

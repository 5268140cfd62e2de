"""Which version of which object was written: so that each event is written once, and what a user deletes stays so.

A row of `annotations` counts if its version is one more than the row before it (plant.state). What the detectors found
is given a version here and waits until it is given out, or until the journal shows that it was written before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from plant.detectors.annotation import CREATE, DELETE, UPDATE, Annotation, Change, same
from plant.rows.schema import UNKNOWN_TIME

Key = tuple[str, int]
"""Id and version."""

Found = tuple[str, Change]
"""Symbol, and what became of an object."""


class Ledger:
    """Versions of automatic objects. `settled`: what the journal had when it began is known."""

    def __init__(self) -> None:
        self._version: dict[str, int] = {}  # the newest that was made of each
        self._deleted: dict[str, int] = {}  # the version that deleted it
        self._left: set[str] = set()  # that a user deleted
        self._outbox: dict[Key, Found] = {}
        self._seen: dict[str, int] = {}  # the newest in the journal that counts
        self._known: dict[str, tuple[str, Annotation]] = {}  # its action and what it was, until settled
        self.settled = False

    def __len__(self) -> int:
        return len(self._outbox)

    def add(self, sym: str, changes: Sequence[Change]) -> None:
        """Give each change its version; those of objects that a user deleted are none."""
        for change in changes:
            name = change.annotation.id
            if name in self._left:
                continue
            version = max(self._version.get(name, 0), self._seen.get(name, 0) if self.settled else 0) + 1
            self._version[name] = version
            if change.action == DELETE:
                self._deleted[name] = version
            elif (version == 1 and change.action == UPDATE) or name in self._deleted:
                change = change._replace(action=CREATE)
                self._deleted.pop(name, None)
            self._outbox[name, version] = sym, change

    def take(self, sym: str, time: int, version: int, action: str, annotation: Annotation) -> None:
        """Take a row of the journal, in its order."""
        name = annotation.id
        self._outbox.pop((name, version), None)
        if self.settled and name not in self._version:
            return  # drawn, or nothing becomes of it any more
        if version != self._seen.get(name, 0) + 1 and (self.settled or name in self._seen):
            return
        self._seen[name] = version
        if not self.settled:
            self._known[name] = action, annotation
        if action == DELETE and self._deleted.get(name) != version:
            self._left.add(name)
            for key in [key for key in self._outbox if key[0] == name]:
                del self._outbox[key]
        elif action != DELETE and name in self._left:  # a row of ours that was under way when the user's came
            self._version[name] = self._deleted[name] = version + 1
            self._outbox[name, version + 1] = sym, Change(time, DELETE, annotation, "a user deleted it")

    def settle(self, now: Sequence[tuple[str, int, Annotation]], trusted: Mapping[str, int]) -> None:
        """Let what waits and the journal be one: objects as they are now, with their symbol and a time for each.

        What the journal has otherwise, of other settings or a revision that nobody saw, is changed by further events.
        Objects that began before the time from which on a symbol is `trusted` (ns) are left as the journal has them.
        """
        for (name, version), (sym, change) in list(self._outbox.items()):
            if version == 1 and change.time < trusted.get(sym, change.time) and name not in self._seen:
                self._left.add(name)
        for name, version in [key for key in self._outbox if key[0] in self._left]:
            del self._outbox[name, version]
        for name, version in list(self._outbox):
            if version <= self._seen.get(name, 0):
                del self._outbox[name, version]
        self.settled = True
        known, self._known = self._known, {}
        for sym, time, annotation in now:
            name = annotation.id
            before = known.get(name)
            if before is None or self._seen[name] < self._version.get(name, 0):
                continue
            if annotation.start_at < trusted.get(sym, annotation.start_at):
                continue
            if before[0] == DELETE or not same(before[1], annotation):
                self.add(sym, [Change(time, UPDATE, annotation, "computed anew")])
        self._seen = {name: version for name, version in self._seen.items() if name in self._version}

    def forget(self, names: Sequence[str]) -> None:
        """Let go of objects of which nothing becomes any more."""
        for name in names:
            self._version.pop(name, None)
            self._deleted.pop(name, None)
            self._left.discard(name)
            if self.settled:
                self._seen.pop(name, None)

    def taken(self) -> list[tuple[int, Found]]:
        """Return what is to be given out, with its version, in order; from now on it counts as given out."""
        found = [(version, each) for (_, version), each in self._outbox.items()]
        self._outbox.clear()
        return found

    def saved(self) -> list[Any]:
        """Return the state, not copied."""
        outbox = [(*key, *found) for key, found in self._outbox.items()]
        return [self._version, self._deleted, sorted(self._left), outbox, self._seen]

    def restore(self, saved: list[Any]) -> None:
        """Go on from there, one that is new."""
        self._version, self._deleted, left, outbox, self._seen = saved
        self._left = set(left)
        self._outbox = {(name, version): (sym, change) for name, version, sym, change in outbox}


def annotation_of(row: dict[str, Any]) -> Annotation:
    """Return what a row of `annotations` is of; `row` has plain values, None or UNKNOWN_TIME where a time is open."""
    values = {name: row[name] for name in Annotation._fields}
    for name in ("start_at", "end_at"):
        values[name] = UNKNOWN_TIME if values[name] is None else values[name]
    return Annotation(**values)

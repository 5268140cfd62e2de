"""Which publisher of each name is the newest: kept beside the journal, so that a restart does not forget it.

Without it an older publisher of a name, one that was stopped or cut off for a while, could say hello to a restarted
tickerplant before the newer one does, and publish in its place until that comes. Of those whose rows are in the journal
it is also there, in the records: so a plant that was promoted knows it too.
"""

import contextlib
import errno
import json
import os
from pathlib import Path

from plant.data_folder import replace_file, sync_folder
from plant.errors import JournalError
from plant.wire.numbering import session_of

FILE = "sessions"
"""In the journal's folder: a line `<session> <name as JSON>` for each new publisher; the last line of a name counts."""

AHEAD_NS = 60 * 10**9
"""A session further in the future than this was made by a clock that has been set back since: it holds no name."""

SPARE_LINES = 1000
"""Lines that no longer count; with more of them the file is written anew when it is opened."""


class Sessions:
    """The newest session (when a publisher was made, ns since 1970 UTC) of each name; in memory alone without a path.

    Raises JournalError if the file is there and cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._newest: dict[str, int] = {}
        self._unsaved: list[str] = []
        if path is not None and path.exists():
            self._read(path)

    def held(self, name: str, session: int, now: int, journaled: int = 0) -> bool:
        """Return whether a newer publisher than this session has the name; `now` is ns since 1970.

        journaled   who numbered the last of its rows that are in the journal, as records say it; 0: they do not
        """
        newest = self._newest.get(name)
        if newest is not None and session < newest <= now + AHEAD_NS:
            return True
        return session != newest and session_of(session) < journaled <= session_of(now + AHEAD_NS)

    def note(self, name: str, session: int) -> None:
        """Let this session have the name."""
        if self._newest.get(name) != session:
            self._newest[name] = session
            self._unsaved.append(_line(name, session))

    def save(self) -> None:
        """Make what was noted survive a power cut. Raises JournalError; the next call tries again."""
        if self._path is None or not self._unsaved:
            return
        data = "".join(self._unsaved).encode()
        try:
            new = not self._path.exists()
            with self._path.open("ab", buffering=0) as file:
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fdatasync(file.fileno())
            if new:
                sync_folder(self._path.parent)
        except OSError as error:
            raise JournalError(f"{self._path}: cannot note who publishes: {error.strerror}") from None
        self._unsaved.clear()

    def _read(self, path: Path) -> None:
        """Take what the lines say, passing over what is none."""
        try:
            lines = path.read_text(errors="replace").split("\n")
            for line in lines:
                session, _, name = line.partition(" ")
                with contextlib.suppress(ValueError):
                    self._newest[str(json.loads(name))] = int(session)
            if len(lines) > 3 * len(self._newest) + SPARE_LINES:
                replace_file(path, "".join(_line(name, session) for name, session in self._newest.items()).encode())
        except OSError as error:
            raise JournalError(f"{path}: cannot read who published: {error.strerror}") from None


def _line(name: str, session: int) -> str:
    return f"\n{session} {json.dumps(name)}\n"  # a line before it that a full disk cut short ends here

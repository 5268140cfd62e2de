"""What every feed offers to the process that publishes for it.

A feed holds no thread. The process polls it again and again, and stops polling while the plant cannot take more; a feed
therefore keeps what it needs (a socket's buffer, a position in a file, a clock) to go on wherever it was left.

A feed of your own is a class with the members of `Feed`; nothing has to be inherited. How plant.toml names it is told
in `kinds.py`.
"""

from typing import Any, ClassVar, Protocol

from feedhandler.settings import FeedSettings
from plant.rows import tables

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_DAY = 86_400 * NS_PER_SECOND

SIMULATED = tables.SIMULATED
"""The `source` of rows that are made up, whichever feed makes them: it is what the plant's screens go by."""

Batch = tuple[str, dict[str, Any]]
"""(table name, columns): column name -> numpy float64 or int64 array, or list[str]; all of one length, at least 1.

`bars` has time (int64, UTC ns, start of the bar), sym, interval, open, high, low, close, volume, source.
"""


class Feed(Protocol):
    """A source of batches; see the module's docstring for who calls it and how."""

    Settings: ClassVar[type[FeedSettings]]
    """What its [[feeds]] in plant.toml may say."""

    replayable: bool
    """True: row k of the stream is the same row in every run, so that a restart may go on at row `accepted`."""

    def __init__(self, settings: Any) -> None:
        """Take the settings, an instance of `Settings`; `settings.name` is what the feed is called in the plant.

        A ValueError says what is wrong with them, and becomes the state of the feed.
        """

    def start(self, accepted: int) -> None:
        """Begin the stream, once, before the first poll; `accepted` rows of this feed are in the plant already.

        A feed that is not replayable ignores the number and sends what it has: rows of a table with a key are
        revisions, so that sending them once more changes nothing.
        """

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        """Return what is to be published now, maybe nothing, after waiting at most `timeout_s` seconds for it.

        `now_ns` is the time of the call, UTC nanoseconds. Opening a connection can take longer than `timeout_s`; each
        feed says how much longer. What a venue sends never raises; it is counted and shown in `status()`.
        """

    @property
    def finished(self) -> bool:
        """True when no poll will ever return rows again, as at the end of a recorded file."""

    def status(self) -> str:
        """Return one line for a human: "connected, 2 symbols", "reconnecting in 4 s: connection refused"."""

    def close(self) -> None:
        """Let go of files and sockets; may be called more than once."""

    # What a feed may have besides:
    #
    # resubscribe(settings)  take a changed list of symbols while running; without it the process is started again
    # asks_for(), had(held)  of which series it wants to know what the plant has at the start, and the plant's answer
    # kept_in(folder)        take the plant's data folder, before the start, to keep something there


MEMBERS = ("Settings", "replayable", "start", "poll", "finished", "status", "close")
"""What the class of a feed has."""

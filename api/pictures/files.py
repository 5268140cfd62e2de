"""Pictures as files: `charts/<sym>/<interval>.png` in the data folder, drawn anew at each closed bar."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import structlog

from api.pictures.reading import Shown, read_viewport
from plant.client.connection import Connection
from plant.data_folder import replace_file
from plant.errors import PlantError
from plant.rows.batch import Batch
from plant.runtime.settings import Settings

log = structlog.get_logger()

CAUGHT_UP_S = 5.0
"""Longest the rdb is waited for, which has a closed bar a moment later than we hear of it."""

_LOOK_S = 0.02


class Due:
    """Which pictures are to be drawn anew; one that is due twice is drawn once. Any thread.

    >>> due = Due()
    >>> due.add("A", "1m", 5), due.add("B", "1m", 6), due.add("A", "1m", 7), due.next(0.0)
    (None, None, None, ('A', '1m', 7))
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, sym: str, interval: str, seq: int) -> None:
        """Note that a bar closed at a seq."""
        with self._changed:
            self._waiting[sym, interval] = seq
            self._changed.notify()

    def next(self, timeout_s: float | None = None) -> tuple[str, str, int] | None:
        """Return what has been due longest, None if nothing is within the time, or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            if self._closed or not self._waiting:
                return None
            (sym, interval), seq = self._waiting.popitem(last=False)
            return sym, interval, seq

    def close(self) -> None:
        """Have `next` return None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class PictureFiles:
    """Draws pictures in a thread of its own; `db` is a connection to history and today as one."""

    def __init__(self, settings: Settings, db: Connection, clock: Callable[[], int] = time.time_ns) -> None:
        self._settings, self._db, self._clock = settings, db, clock
        self._due = Due()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def take(self, batch: Batch) -> None:
        """Take a batch as it comes; of `bar_closes` each row is a picture that is due."""
        if batch.table == "bar_closes":
            names = zip(batch.columns["sym"].tolist(), batch.columns["interval"].tolist(), strict=True)
            for sym, interval in dict.fromkeys(names):
                self._due.add(sym, interval, batch.seq)

    def close(self) -> None:
        """Draw no more, and disconnect."""
        self._due.close()
        self._thread.join(CAUGHT_UP_S)
        self._db.close()

    def _run(self) -> None:
        while (found := self._due.next()) is not None:
            sym, interval, seq = found
            path = picture_path(self._settings.plant.data, sym, interval)
            try:
                self._caught_up(seq)
                self._draw(path, sym, interval)
            except (PlantError, OSError) as error:
                log.warning("no picture", sym=sym, interval=interval, file=str(path), reason=str(error))

    def _draw(self, path: Path, sym: str, interval: str) -> None:
        from api.pictures.picture import png_of

        viewport = read_viewport(self._db, self._settings, Shown(sym, interval), self._clock())
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, png_of(viewport))

    def _caught_up(self, seq: int) -> None:
        deadline = time.monotonic() + CAUGHT_UP_S
        while int(self._db.status()["seq"]) < seq and time.monotonic() < deadline:
            time.sleep(_LOOK_S)


def picture_path(data: Path, sym: str, interval: str) -> Path:
    """Return where a picture lies; what is no letter of a file's name is written as in URLs: BTC%2FUSDT.

    >>> picture_path(Path("data"), "BTC/USDT", "5m").as_posix(), picture_path(Path("data"), "..", "1m").as_posix()
    ('data/charts/BTC%2FUSDT/5m.png', 'data/charts/%2E%2E/1m.png')
    """
    name = quote(sym, safe=" ^=")
    return data / "charts" / (name.replace(".", "%2E") if not name.strip(".") else name) / f"{interval}.png"

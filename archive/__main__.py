"""The archive's process: `python -m archive`. It copies closed days to where [archive] says, whenever there are others.

It follows nobody: it reads the history's catalogue, which is replaced as a whole. So it may be away for as long as it
likes; days wait in the history until it has them.
"""

import threading
import time
from typing import Any

import pyarrow as pa

from archive.archiving import Archiving
from archive.copies import Interrupted
from plant.errors import PlantError, SettingsError, Unavailable
from plant.runtime.lifecycle import STEP_S, Process, Vitals, log, run
from plant.serving.opening import reports_of

LOOK_S = 1.0
"""Pause between looks at the catalogue."""

RETRY_S, LONGEST_S = 1.0, 60.0
"""Pause after what failed; twice as long each time, up to the longest."""


class Archive(Process):
    """Copies closed days."""

    name = "archive"

    def startup(self) -> dict[str, Any]:
        """Take hold of the archive."""
        settings = self.settings
        self._vitals = Vitals(self.name)
        self._reports = reports_of(settings, self._vitals, None)
        self._archiving: Archiving | None = None
        self._stopping = threading.Event()
        self._state = ""
        place = settings.archive.place
        if place is None:
            raise SettingsError(
                f"{settings.file}: no [archive] warehouse, so days are copied nowhere; docs/archive.md has examples"
            )
        try:
            self._archiving = Archiving(settings.archive, settings.plant.data)
        except Unavailable as error:
            self._note(str(error))  # the store is away: this is no reason to end
        self._thread = threading.Thread(target=self._work, name="archiving", daemon=True)
        self._thread.start()
        return {"warehouse": place.place}

    def step(self) -> None:
        """Tell how it is; the work is done by a thread."""
        if not self._thread.is_alive():
            raise PlantError(f"the archive's work ended: {self._vitals.state}")
        if self._reports is not None:
            self._reports.send([], True)
        time.sleep(STEP_S)

    def shutdown(self) -> None:
        """Stop; what is half done is done again after the next start."""
        self._stopping.set()
        if hasattr(self, "_thread"):
            self._thread.join(10.0)
        if self._archiving is not None and not self._thread.is_alive():
            self._archiving.close()
        if getattr(self, "_reports", None) is not None:
            self._reports.publisher.close(2.0)  # type: ignore[union-attr]
        super().shutdown()

    def _work(self) -> None:
        pause = RETRY_S
        while not self._stopping.is_set():
            try:
                self._round()
                pause = RETRY_S
                self._stopping.wait(LOOK_S)
            except Interrupted:
                return
            except (PlantError, OSError, pa.ArrowException) as error:
                self._note(str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}")
                self._vitals.doing = ""
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_S)

    def _round(self) -> None:
        if self._archiving is None:
            self._archiving = Archiving(self.settings.archive, self.settings.plant.data)
        done, began = self._archiving.done, time.monotonic()
        before = done.files, done.snapshots
        try:
            self._archiving.run(self._stopping, self._progress)
        finally:  # what waits takes nothing from what was done
            self._vitals.doing = ""
            self._vitals.rows = done.files
            if (done.files, done.snapshots) != before:
                seconds = round(time.monotonic() - began, 2)
                log.info("archived", generation=done.generation, files=done.files, bytes=done.bytes,
                         snapshots=done.snapshots, seconds=seconds)  # fmt: skip
        if not self._stopping.is_set():
            self._note("ok")

    def _progress(self, line: str) -> None:
        self._vitals.doing = line

    def _note(self, state: str) -> None:
        if state != self._vitals.state:
            (log.info if state == "ok" else log.warning)("archive", state=state)
        self._vitals.state = state


def main() -> None:
    """Run an archive."""
    run(Archive, name="archive")


if __name__ == "__main__":
    main()

"""The journal as the tickerplant keeps it: turns written before anybody hears of them, synced as the settings say."""

import threading

from plant.errors import JournalError
from plant.journal.journal import Journal
from plant.runtime.lifecycle import Vitals, log
from tickerplant.group_commit import Turn


class Keeper:
    """Write turns; with `sync_s` above 0 a thread syncs them so often, with 0 each is durable before it is answered.

    `written` is the seq up to which the journal has everything, `synced` up to which a power cut would leave it,
    `mirrored` up to which the mirror has said that the loss of the machine would, 0 if it has said nothing. What
    goes wrong with writing or syncing is the state of the process's `vitals`, until it goes right again; so is that
    acknowledgements wait for the mirror, and, for ever, that the plant is fenced.
    """

    def __init__(self, journal: Journal, sync_s: float | None, vitals: Vitals) -> None:
        self.written = self.synced = journal.position.seq
        self.mirrored = 0
        self._journal = journal
        self._sync_s = sync_s
        self._vitals = vitals
        self._states = {"fence": "ok", "write": "ok", "sync": "ok", "mirror": "ok"}  # the first counts that is not ok
        self._stopping = threading.Event()
        self._syncer = threading.Thread(target=self._sync_now_and_then, name="syncer", daemon=True)

    def start(self) -> None:
        """Begin to sync."""
        self._syncer.start()

    def stop(self) -> None:
        """Sync no more."""
        self._stopping.set()
        self._syncer.join()

    def write(self, turn: Turn) -> bool:
        """Write a turn to the journal; False, and nothing kept, if it cannot be written."""
        try:
            self._journal.append(turn.chunks, turn.first_seq, durable=self._sync_s == 0)
        except JournalError as error:
            self.note("write", str(error))
            return False
        self.written = self._journal.position.seq
        if self._sync_s == 0:
            self.synced = self.written
        self.note("write", "ok")
        return True

    def roll(self) -> None:
        """Begin a new segment if it is time; if that cannot be, what was written is safe in the old one."""
        try:
            self._journal.roll_if_full()
        except JournalError as error:
            self.note("write", str(error))

    def note(self, what: str, state: str) -> None:
        """Note how `what` is done ("fence", "write", "sync", "mirror"); a change is logged, `plant status` shows it."""
        if state != self._states[what]:
            self._states[what] = state
            (log.info if state == "ok" else log.error)(f"journal {what}", state=state)
            self._vitals.state = next((s for s in self._states.values() if s != "ok"), "ok")

    def _sync_now_and_then(self) -> None:
        while self._sync_s and not self._stopping.wait(self._sync_s):
            seq = self.written
            if seq > self.synced:
                try:
                    self._journal.sync()
                    self.synced = seq
                    self.note("sync", "ok")
                except JournalError as error:
                    self.note("sync", str(error))

"""Backtests and replays: a process each, begun by a command, and what is told of it in `runs`."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from plant.rows.schema import UNKNOWN_TIME
from plant.runtime.lifecycle import log
from plant.runtime.settings import Settings
from plant.state.commands import is_obeyed
from plant.state.newest import Row
from plant.state.runs import BY_EVENTS, CANCELLED, ENDED, FAILED, RUNNING, Runs
from trading.workers.pace import PAUSE, RESUME, STEP

MOST = 2
"""So many at once; more wait."""

MODES = ("backtest", "replay")
"""Commands that begin a process, and the modes of their runs."""

_WORDS = {"pause_run": PAUSE, "resume_run": RESUME, "step": STEP}
"""What a replay is told by a command."""


class Child:
    """A process that works on a job, and what it has said."""

    def __init__(self, job: dict[str, Any], config: str) -> None:
        self.row: Row = {}
        self._said = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trading.workers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PLANT_CONFIG": config, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self.say(json.dumps(job))

    def say(self, word: str) -> None:
        """Say something to it; one that has ended does not hear it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()

    def told(self) -> list[dict[str, Any]]:
        """Return what it has said since the last look; at its end that it has ended, if it did not say so itself."""
        assert self._process.stdout is not None
        ended = self._process.poll()
        self._said += self._process.stdout.read() or b""
        *lines, self._said = self._said.split(b"\n")
        found = [json.loads(line) for line in lines]
        if ended is not None and not any(each.get("state") in ENDED for each in found):
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            found.append({"state": FAILED, "detail": f"its process ended with {ended}: {last or 'it said nothing'}"})
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Children:
    """Backtests and replays under way and those that wait, by run. `publish` takes rows of the trader's own."""

    def __init__(self, settings: Settings, publish: Callable[[str, Row], None]) -> None:
        self._settings, self._publish = settings, publish
        self._children: dict[str, Child] = {}
        self._waiting: dict[str, tuple[dict[str, Any], Row]] = {}

    def __len__(self) -> int:
        return len(self._children) + len(self._waiting)

    def command(self, row: Row, runs: Runs, strategies: Any) -> None:
        """Take a row of `commands`: a backtest or replay that has no run yet is begun; others are for one under way."""
        if not is_obeyed(row):
            return
        arguments = _arguments(row)
        if row["command"] == "cancel_run":
            self._cancel(str(arguments.get("run", row["sym"])), row)
        elif word := _WORDS.get(row["command"]):
            if child := self._children.get(str(arguments.get("run", row["sym"]))):
                child.say(word)
        elif row["command"] in MODES and row["id"] not in runs and row["id"] not in self._waiting:
            self._begin(row, arguments, strategies)

    def lost(self, runs: Runs) -> None:
        """Say of backtests that an earlier trader had under way that they are over."""
        for name, row in list(runs.items()):
            if row["mode"] not in BY_EVENTS and row in runs.active and name not in self._children:
                known = {key: value for key, value in row.items() if key not in ("seq", "seq_row", "received")}
                known = {key: UNKNOWN_TIME if value is None else value for key, value in known.items()}
                detail = "its process ended with the trader; give the command again"
                self._publish("runs", {**known, "state": FAILED, "detail": detail})

    def step(self) -> None:
        """Take what the processes say; begin what waits."""
        for name, child in list(self._children.items()):
            for told in child.told():
                child.row |= told
                self._publish("runs", child.row)
                if told.get("state") in ENDED:
                    log.info("run", run=name, state=told["state"], reason=told.get("detail", ""))
                    child.close()
                    del self._children[name]
                    break
        while self._waiting and len(self._children) < MOST:
            name, (job, row) = next(iter(self._waiting.items()))
            del self._waiting[name]
            child = self._children[name] = Child(job, job["config"])
            child.row = row

    def close(self) -> None:
        """End them all."""
        for child in self._children.values():
            child.close()
        self._children.clear()

    def _begin(self, row: Row, arguments: dict[str, Any], strategies: Any) -> None:
        name = str(arguments.get("strategy") or arguments.get("class_name") or row["sym"])
        known = strategies.newest(name)
        if arguments.get("strategy") and known is not None:
            told = {n: known[n] for n in ("class_name", "interval") if known[n]}
            told |= {n: json.loads(known[n]) for n in ("definition", "parameters", "symbols") if known[n]}
            arguments = {**told, **arguments}
        job = {"config": str(self._settings.file), "run": row["id"], "strategy": name, "arguments": arguments}
        job["mode"] = row["command"]
        made: Row = {"time": row["received"], "sym": name, "run": row["id"], "mode": row["command"], "state": RUNNING}
        made |= {"class_name": str(arguments.get("class_name", "")), "interval": str(arguments.get("interval", ""))}
        made |= {"first_seq": row["seq"], "last_seq": row["seq"], "progress": 0.0, "detail": ""}
        self._publish("runs", made)
        self._waiting[row["id"]] = ({**job, "at": row["received"]}, made)

    def _cancel(self, name: str, row: Row) -> None:
        waiting, child = self._waiting.pop(name, None), self._children.pop(name, None)
        if child is not None:
            child.close()
        made = child.row if child is not None else waiting[1] if waiting else None
        if made is not None:
            self._publish("runs", {**made, "state": CANCELLED, "detail": f"cancelled by {row['who']}"})


def _arguments(row: Row) -> dict[str, Any]:
    try:
        found = json.loads(row["arguments"] or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""How the processes of a plant are: what supervisord says, whether they answer, how old their last heartbeat is."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from plant.client.connection import Connection
from plant.errors import PlantError, Unavailable
from plant.runtime.probing import ANSWERING, ERROR_BEATS, PROBE_S, WARN_BEATS, probe
from plant.runtime.sections import MISCONFIGURED
from plant.runtime.settings import Settings
from plant.runtime.started import changes, started_with
from plant.runtime.supervision import Supervision
from plant.stream.spool import spooled_bytes

WELL = "up"

PAGES = ("dashboard", "api")
"""Processes that tell of themselves where they are, for a browser, instead of a state."""

FAILED = ("backoff", "fatal", "exited")
"""supervisord's words for a process that ended by itself; the last line of its log is the cause."""


@dataclass
class Health:
    """One process: `state` is up, starting, late (heartbeats missed), silent, not answering, misconfigured (a feed), or
    supervisord's word.

    `readers` of the tickerplant: subscriber -> batches it is behind. `changed`: keys of plant.toml that have another
    value by now than it was started with. `ended`: when it last ended, s since 1970, None if it never did.
    """

    process: str
    state: str
    pid: int | None = None
    uptime_s: float | None = None
    rows: int | None = None
    rate: float | None = None
    memory: int | None = None
    seq: int | None = None
    detail: str = ""
    readers: dict[str, int] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    ended: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


def health_of(settings: Settings | None, place: Supervision) -> tuple[list[Health], bool]:
    """Return how each process is, and whether supervisord runs. Never raises for a process that is down.

    A process is asked where it was started; without `settings`, plant.toml being unusable, only there.
    """
    try:
        supervised = {p["name"]: p for p in place.processes()}
        running = True
    except Unavailable:
        supervised, running = {}, False
    started = {name: started_with(place.run, name, p["pid"]) or settings for name, p in supervised.items()}
    feeds = [f"feed-{f.label}" for f in settings.feeds] if settings else []
    names = list(supervised) or [*ANSWERING, *feeds]
    asked = {name: started.get(name, settings) for name in names}
    rdb = asked.get("rdb")
    beats = _heartbeats(rdb, {name: p["pid"] for name, p in supervised.items()}) if rdb else {}
    order = {name: i for i, name in enumerate(("tickerplant", "rdb", "processor", "hdb", "trading", "feeds"))}
    names.sort(key=lambda n: (order.get(n, 9 if n in PAGES else 5), n))
    with ThreadPoolExecutor(len(names)) as pool:  # one that does not answer holds up no other
        found = list(pool.map(lambda n: _health(n, asked[n], supervised.get(n), beats.get(n), place), names))
    for health in found:
        before = asked[health.process]
        if before is not None and settings is not None:
            health.changed = changes(health.process, before, settings)
    missing = [name for name in feeds if running and name not in supervised]
    return [
        *found,
        *(
            Health(n, "not supervised", detail="in plant.toml, but unknown to supervisord: is `feeds` up?")
            for n in missing
        ),
    ], running


def _health(
    name: str,
    settings: Settings | None,
    supervised: dict[str, Any] | None,
    beat: dict[str, Any] | None,
    place: Supervision,
) -> Health:
    health = Health(name, WELL)
    if supervised:
        health.pid = supervised["pid"] or None
        health.ended = supervised["stop"] or None
        if supervised["statename"] == "RUNNING":
            health.uptime_s = float(supervised["now"] - supervised["start"])
        else:
            health.state = supervised["statename"].lower()
            health.detail = supervised["spawnerr"] or supervised["description"]
            if health.state in FAILED:
                health.detail = " ".join(place.log_tail(name, 1)) or health.detail
            return health
    if settings is None:
        health.detail = "not asked: plant.toml cannot be used"
        return health
    if name in ANSWERING:
        try:
            answer = probe(name, settings)
        except Unavailable as error:
            health.state = "starting" if (health.uptime_s or 99) < 10 and supervised else "not answering"
            health.detail = str(error)
            return health
        health.seq = answer.get("seq")
        health.readers = dict(answer.get("readers", {}))
        health.pid = health.pid or answer.get("pid")
        health.detail = str(answer.get("state", ""))
        if name not in PAGES and health.detail != "ok" and not health.detail.startswith("closing "):
            health.state = "starting" if health.detail == "replaying the journal" else health.detail
        health.detail = "; ".join(filter(None, (health.detail, str(answer.get("doing", "")))))
    spooled = _spooled(settings, name)
    if beat is None:
        if name.startswith("feed-"):
            young = supervised is not None and (health.uptime_s or 0) < 10
            health.state = "starting" if young else "silent"
            health.detail = "; ".join(filter(None, ("no heartbeat yet", spooled)))
        elif name not in ANSWERING and settings.upstream.followed and not settings.ingest_address:
            health.detail = "tells nothing of itself: this plant follows another, and has no [upstream] ingest"
        return health
    health.rows, health.rate, health.memory = beat["rows"], beat["rate"], beat["memory"]
    health.pid = health.pid or beat["pid"]
    if name not in ANSWERING:
        health.detail = beat["state"]
        if health.detail.startswith(MISCONFIGURED):
            health.state, health.detail = MISCONFIGURED, health.detail.removeprefix(f"{MISCONFIGURED}: ")
    age_s = time.time() - beat["time"] / 1e9
    missed = age_s / settings.plant.heartbeat_s
    if health.state == WELL and missed > WARN_BEATS + 1:
        health.state = "silent" if missed > ERROR_BEATS else "late"
        health.detail = "; ".join(filter(None, (f"last heartbeat {age_s:.0f} s ago", spooled, health.detail)))
    return health


def _spooled(settings: Settings, name: str) -> str:
    """Return what a feed keeps on disk until the tickerplant is back, which its heartbeats cannot tell; "" for none."""
    size = spooled_bytes(settings.plant.data / "spool" / name.removeprefix("feed-")) if name.startswith("feed-") else 0
    return f"{size / 2**20:.1f} MiB spooled" if size else ""


def _heartbeats(settings: Settings, pids: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return the last heartbeat row of each process, {} if the rdb does not answer.

    Of a plant that follows another only those of its own processes, which have these `pids`: the others came with the
    journal, and are the first plant's.
    """
    with Connection("rdb", settings.address(settings.rdb.port), timeout_s=PROBE_S, frames="arrow") as db:
        try:
            if settings.upstream.followed:
                own = [db.last("heartbeats", name, where=[("pid", "==", pid)]) for name, pid in pids.items() if pid]
                rows = pa.concat_tables(own) if own else None
            else:
                rows = db.last("heartbeats")
        except PlantError:
            return {}
    if rows is None:
        return {}
    times = rows.column("time").cast("int64").to_pylist()
    return {row["sym"]: {**row, "time": at} for row, at in zip(rows.drop(["time"]).to_pylist(), times, strict=True)}

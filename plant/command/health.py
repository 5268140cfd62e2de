"""How the processes of a plant are: what supervisord says, whether they answer, how old their last heartbeat is."""

import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from typing import Any

from plant.client.connection import Connection
from plant.errors import PlantError, Unavailable
from plant.runtime.sections import MISCONFIGURED
from plant.runtime.settings import Settings
from plant.runtime.supervision import Supervision
from plant.transport.request import Requester

WARN_BEATS = 3
ERROR_BEATS = 10
"""A heartbeat missed so often in a row is late, or silent."""

PROBE_S = 1.0
"""Longest a process may take to answer."""

WELL = "up"


@dataclass
class Health:
    """One process: `state` is up, starting, late (heartbeats missed), silent, not answering, misconfigured (a feed), or
    supervisord's word.

    `readers` of the tickerplant: subscriber -> batches it is behind.
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

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


def health_of(settings: Settings, place: Supervision) -> tuple[list[Health], bool]:
    """Return how each process is, and whether supervisord runs. Never raises for a process that is down."""
    try:
        supervised = {p["name"]: p for p in place.processes()}
        running = True
    except Unavailable:
        supervised, running = {}, False
    beats = _heartbeats(settings)
    names = list(supervised) or [
        "tickerplant",
        "rdb",
        "processor",
        "hdb",
        "dashboard",
        *(f"feed-{f.label}" for f in settings.feeds),
    ]
    order = {name: i for i, name in enumerate(("tickerplant", "rdb", "processor", "hdb", "feeds"))}
    names.sort(key=lambda n: (order.get(n, 9 if n == "dashboard" else 5), n))
    missing = [f"feed-{f.label}" for f in settings.feeds if running and f"feed-{f.label}" not in supervised]
    return [
        *(_health(n, settings, supervised.get(n), beats.get(n)) for n in names),
        *(
            Health(n, "not supervised", detail="in plant.toml, but unknown to supervisord: is `feeds` up?")
            for n in missing
        ),
    ], running


def _health(name: str, settings: Settings, supervised: dict[str, Any] | None, beat: dict[str, Any] | None) -> Health:
    health = Health(name, WELL)
    if supervised:
        health.pid = supervised["pid"] or None
        if supervised["statename"] == "RUNNING":
            health.uptime_s = float(supervised["now"] - supervised["start"])
        else:
            health.state = supervised["statename"].lower()
            health.detail = supervised["spawnerr"] or supervised["description"]
            return health
    if name in ("tickerplant", "rdb", "processor", "hdb", "dashboard"):
        try:
            answer = _probe(name, settings)
        except Unavailable as error:
            health.state = "starting" if (health.uptime_s or 99) < 10 and supervised else "not answering"
            health.detail = str(error)
            return health
        health.seq = answer.get("seq")
        health.readers = dict(answer.get("readers", {}))
        health.pid = health.pid or answer.get("pid")
        health.detail = str(answer.get("state", ""))
        if name != "dashboard" and health.detail != "ok" and not health.detail.startswith("closing "):
            health.state = "starting" if health.detail == "replaying the journal" else health.detail
    if beat is None:
        if name.startswith("feed-"):
            young = supervised is not None and (health.uptime_s or 0) < 10
            health.state, health.detail = ("starting" if young else "silent"), "no heartbeat yet"
        return health
    health.rows, health.rate, health.memory = beat["rows"], beat["rate"], beat["memory"]
    health.pid = health.pid or beat["pid"]
    if name.startswith("feed-"):
        health.detail = beat["state"]
        if health.detail.startswith(MISCONFIGURED):
            health.state, health.detail = MISCONFIGURED, health.detail.removeprefix(f"{MISCONFIGURED}: ")
    age_s = time.time() - beat["time"] / 1e9
    missed = age_s / settings.plant.heartbeat_s
    if health.state == WELL and missed > WARN_BEATS + 1:
        health.state = "silent" if missed > ERROR_BEATS else "late"
        health.detail = f"last heartbeat {age_s:.0f} s ago; {health.detail}"
    return health


def _probe(name: str, settings: Settings) -> dict[str, Any]:
    if name == "dashboard":
        url = f"http://{settings.plant.host}:{settings.dashboard.port}/_stcore/health"
        try:
            with urllib.request.urlopen(url, timeout=PROBE_S) as answer:
                return {
                    "state": f"http://{settings.plant.host}:{settings.dashboard.port}" if answer.status == 200 else "?"
                }
        except (urllib.error.URLError, OSError) as error:
            raise Unavailable(f"{url}: {error}") from None
    port = settings.tickerplant.journal_port if name == "tickerplant" else getattr(settings, name).port
    requester = Requester(settings.address(port), name, PROBE_S)
    try:
        return requester.status()
    finally:
        requester.close()


def _heartbeats(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the last heartbeat row of each process, {} if the rdb does not answer."""
    with Connection("rdb", settings.address(settings.rdb.port), timeout_s=PROBE_S, frames="arrow") as db:
        try:
            rows = db.last("heartbeats")
        except PlantError:
            return {}
    times = rows.column("time").cast("int64").to_pylist()
    return {row["sym"]: {**row, "time": at} for row, at in zip(rows.drop(["time"]).to_pylist(), times, strict=True)}
